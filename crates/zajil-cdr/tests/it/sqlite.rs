//! The SQLite file against S10.1.

use std::path::Path;

use expect_test::expect;
use rusqlite::Connection;
use rusqlite::types::Value;
use zajil_cdr::{SqliteSink, schema, sqlite};
use zajil_core::cdr::Cdr;
use zajil_core::clock::Timestamp;
use zajil_core::port::CdrSink;
use zajil_core::status::FinalStatus;

fn cdr(message_id: i64) -> Cdr {
    Cdr {
        message_id,
        calling_number: "+15551230000".into(),
        called_number: "+15559870000".into(),
        source_smsc: Some("app".into()),
        dest_smsc: Some("gw".into()),
        origin_node: "zajil@a".into(),
        destination_node: "zajil@b".into(),
        submission_time: Timestamp::from_millis(1_709_210_096_007),
        delivery_time: Some(Timestamp::from_millis(1_709_210_097_000)),
        expiry_time: Timestamp::from_millis(1_709_296_496_007),
        status: FinalStatus::Delivered,
        delivery_attempts: 2,
        message_parts: 1,
        deadletter: false,
        message_body: Some("hello".into()),
    }
}

fn show(value: Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Integer(n) => n.to_string(),
        Value::Real(n) => n.to_string(),
        Value::Text(text) => format!("'{text}'"),
        Value::Blob(bytes) => format!("{} bytes", bytes.len()),
    }
}

/// The rows by message id, one column a line.
fn rows(path: &Path) -> String {
    let connection = Connection::open(path).unwrap();
    let mut statement = connection
        .prepare("SELECT * FROM cdrs ORDER BY message_id")
        .unwrap();
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let line = |row: &rusqlite::Row<'_>| -> rusqlite::Result<String> {
        let mut text = String::new();
        for (index, name) in names.iter().enumerate() {
            text += &format!("{name} {}\n", show(row.get(index)?));
        }
        Ok(text)
    };
    let rows = statement.query_map([], line).unwrap();
    rows.collect::<rusqlite::Result<Vec<_>>>()
        .unwrap()
        .join("--\n")
}

#[tokio::test]
async fn s10_1_a_row_has_the_columns_and_values_of_the_specification() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cdr.sqlite");
    let sink = SqliteSink::open(&path).unwrap();
    let bare = Cdr {
        source_smsc: None,
        dest_smsc: None,
        delivery_time: None,
        status: FinalStatus::Expired,
        deadletter: true,
        message_body: None,
        ..cdr(8)
    };
    sink.write(&[cdr(7), bare], Timestamp::from_millis(1_709_210_098_500))
        .await
        .unwrap();
    expect![[r#"
        id 1
        message_id 7
        calling_number '+15551230000'
        called_number '+15559870000'
        source_smsc 'app'
        dest_smsc 'gw'
        origin_node 'zajil@a'
        destination_node 'zajil@b'
        submission_time '2024-02-29 12:34:56.007'
        delivery_time '2024-02-29 12:34:57.000'
        expiry_time '2024-03-01 12:34:56.007'
        status 'delivered'
        delivery_attempts 2
        message_parts 1
        deadletter 0
        message_body 'hello'
        inserted_at '2024-02-29 12:34:58.500'
        updated_at '2024-02-29 12:34:58.500'
        --
        id 2
        message_id 8
        calling_number '+15551230000'
        called_number '+15559870000'
        source_smsc null
        dest_smsc null
        origin_node 'zajil@a'
        destination_node 'zajil@b'
        submission_time '2024-02-29 12:34:56.007'
        delivery_time null
        expiry_time '2024-03-01 12:34:56.007'
        status 'expired'
        delivery_attempts 2
        message_parts 1
        deadletter 1
        message_body null
        inserted_at '2024-02-29 12:34:58.500'
        updated_at '2024-02-29 12:34:58.500'
    "#]]
    .assert_eq(&rows(&path));
}

#[tokio::test]
async fn s10_1_the_indexes_have_the_names_of_the_specification() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cdr.sqlite");
    let _sink = SqliteSink::open(&path).unwrap();
    let connection = Connection::open(&path).unwrap();
    let query = "SELECT name FROM sqlite_schema WHERE type = 'index' ORDER BY name";
    let mut statement = connection.prepare(query).unwrap();
    let names = statement
        .query_map([], |row| row.get::<_, String>(0))
        .unwrap();
    let names = names
        .collect::<rusqlite::Result<Vec<_>>>()
        .unwrap()
        .join("\n");
    expect![[r#"
        idx_cdrs_called_number
        idx_cdrs_calling_number
        idx_cdrs_dest_smsc
        idx_cdrs_message_id
        idx_cdrs_status
        idx_cdrs_submission_time"#]]
    .assert_eq(&names);
}

#[tokio::test]
async fn d16_a_repeated_batch_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cdr.sqlite");
    let sink = SqliteSink::open(&path).unwrap();
    sink.write(&[cdr(1), cdr(2)], Timestamp::from_secs(10))
        .await
        .unwrap();
    let before = rows(&path);
    sink.write(&[cdr(1), cdr(2)], Timestamp::from_secs(20))
        .await
        .unwrap();
    assert_eq!(rows(&path), before);
    drop(sink);
    let again = SqliteSink::open(&path).unwrap();
    again
        .write(&[cdr(2), cdr(3)], Timestamp::from_secs(30))
        .await
        .unwrap();
    assert_eq!(rows(&path).matches("message_id").count(), 3);
}

#[tokio::test]
async fn the_file_may_be_read_by_the_tools_of_the_operator_while_we_write() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cdr.sqlite");
    let sink = SqliteSink::open(&path).unwrap();
    sink.write(&[cdr(1)], Timestamp::from_secs(10))
        .await
        .unwrap();
    let reader = Connection::open(&path).unwrap();
    reader
        .execute_batch("BEGIN; SELECT count(*) FROM cdrs")
        .unwrap();
    sink.write(&[cdr(2)], Timestamp::from_secs(11))
        .await
        .unwrap();
    reader.execute_batch("COMMIT").unwrap();
    let count: i64 = reader
        .query_row("SELECT count(*) FROM cdrs", [], |row| row.get(0))
        .unwrap();
    assert_eq!(count, 2);
}

#[test]
fn newer_foreign_and_broken_files_are_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let newer = folder.path().join("newer.sqlite");
    drop(SqliteSink::open(&newer).unwrap());
    let ours = Connection::open(&newer).unwrap();
    ours.pragma_update(None, "user_version", schema::VERSION + 1)
        .unwrap();
    drop(ours);
    assert!(matches!(
        SqliteSink::open(&newer),
        Err(sqlite::Error::Newer { found: 2, .. })
    ));

    let foreign = folder.path().join("foreign.sqlite");
    Connection::open(&foreign)
        .unwrap()
        .execute_batch("CREATE TABLE songs (name)")
        .unwrap();
    let before = std::fs::read(&foreign).unwrap();
    assert!(matches!(
        SqliteSink::open(&foreign),
        Err(sqlite::Error::Foreign { .. })
    ));
    assert_eq!(std::fs::read(&foreign).unwrap(), before);

    let broken = folder.path().join("broken.sqlite");
    std::fs::write(
        &broken,
        "not a database at all, but long enough to look at".repeat(30),
    )
    .unwrap();
    assert!(matches!(
        SqliteSink::open(&broken),
        Err(sqlite::Error::Sqlite { .. })
    ));
}

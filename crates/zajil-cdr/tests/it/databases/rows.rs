//! What a row looks like, and that there is one a message.

use super::*;

const ROW: &str = "SELECT message_id, calling_number, called_number, source_smsc, dest_smsc, \
    origin_node, destination_node, submission_time, delivery_time, expiry_time, status, \
    delivery_attempts, message_parts, CASE WHEN deadletter THEN 'yes' ELSE 'no' END, \
    message_body, inserted_at, updated_at FROM cdrs ORDER BY message_id";

pub(super) async fn s10_1_every_column_is_as_it_was_given(site: Site) {
    let bare = Cdr {
        calling_number: String::new(),
        source_smsc: None,
        dest_smsc: None,
        delivery_time: None,
        status: FinalStatus::Expired,
        delivery_attempts: 0,
        deadletter: true,
        message_body: None,
        ..cdr(9_007_199_254_740_991)
    };
    let odd = Cdr {
        calling_number: "Bänk'\"\\".into(),
        source_smsc: Some("n".repeat(300)),
        expiry_time: Timestamp::MAX,
        status: FinalStatus::Dropped,
        delivery_attempts: u32::MAX,
        message_parts: 255,
        message_body: Some("سلام 👋🏽 {$1} \\n ?".into()),
        ..cdr(7)
    };
    let now = Timestamp::from_millis(1_709_210_098_501);
    site.sink().write(&[bare, cdr(8), odd], now).await.unwrap();
    let times = "2024-02-29 12:34:56.007|2024-02-29 12:34:57.123";
    let written = "2024-02-29 12:34:58.501|2024-02-29 12:34:58.501";
    // A 32-bit column ends below what SQLite keeps.
    let most = if site.kind == Kind::Sqlite {
        u32::MAX.into()
    } else {
        i64::from(i32::MAX)
    };
    // A name is cut where the column ends; SQLite's have no end.
    let name = "n".repeat(if site.kind == Kind::Sqlite { 300 } else { 255 });
    let nodes = "zajil@a|zajil@b";
    let expected = format!(
        "7|Bänk'\"\\|+15559870000|{name}|gw|{nodes}|{times}|9999-12-31 23:59:59.999|dropped|\
         {most}|255|no|سلام 👋🏽 {{$1}} \\n ?|{written}\n\
         8|+15551230000|+15559870000|app|gw|{nodes}|{times}|2024-03-01 12:34:56.007|delivered|2|\
         1|no|hello|{written}\n\
         9007199254740991||+15559870000|NULL|NULL|{nodes}|2024-02-29 12:34:56.007|NULL|\
         2024-03-01 12:34:56.007|expired|0|1|yes|NULL|{written}\n"
    );
    assert_eq!(site.sql(ROW), expected);
}

pub(super) async fn d16_a_repeated_batch_changes_nothing(site: Site) {
    let sink = site.sink();
    sink.write(&cdrs(1..=50), Timestamp::from_secs(10))
        .await
        .unwrap();
    let before = site.sql("SELECT * FROM cdrs ORDER BY id");
    let changed: Vec<Cdr> = cdrs(1..=50)
        .into_iter()
        .map(|row| Cdr {
            delivery_attempts: 9,
            ..row
        })
        .collect();
    sink.write(&changed, Timestamp::from_secs(20))
        .await
        .unwrap();
    assert_eq!(site.sql("SELECT * FROM cdrs ORDER BY id"), before);
    drop(sink);
    let again = site.sink();
    again.write(&cdrs(40..=60), NOW).await.unwrap();
    again.write(&[], NOW).await.unwrap();
    assert_eq!(counts(&site), "60|60");
}

/// Four writers who have never seen the database, with batches that overlap.
pub(super) async fn d16_two_nodes_may_begin_and_write_at_once(site: Site) {
    let sinks: Vec<Arc<dyn Database>> = (0..4).map(|_| site.sink()).collect();
    let write = async |first: i64| {
        let sink = &sinks[usize::try_from(first % 4).unwrap()];
        for step in 0..10 {
            let from = first * 20 + step * 100;
            let rows = cdrs(from + 1..=from + 100);
            // A server may end one of two that wait for each other; the outbox writes again.
            until("writing", async || sink.write(&rows, NOW).await.is_ok()).await;
        }
    };
    tokio::join!(write(0), write(1), write(2), write(3));
    assert_eq!(counts(&site), "1060|1060");
}

pub(super) async fn s10_2_a_row_that_the_table_refuses_is_named_and_the_others_are_written(
    site: Site,
) {
    let sink = site.sink();
    sink.write(&cdrs(1..=1), NOW).await.unwrap();
    match site.kind {
        Kind::Sqlite => site.sql(
            "CREATE TRIGGER pick BEFORE INSERT ON cdrs WHEN NEW.called_number = 'evil' \
             BEGIN SELECT RAISE(ABORT, 'evil'); END",
        ),
        _ => site.sql("ALTER TABLE cdrs ADD CONSTRAINT pick CHECK (called_number <> 'evil')"),
    };
    let mut rows = cdrs(2..=200);
    for bad in [17, 18, 150] {
        rows[bad].called_number = "evil".into();
    }
    let Err(Unwritten::BadRows(bad)) = sink.write(&rows, NOW).await else {
        panic!("bad rows are told");
    };
    let ids: Vec<i64> = bad.iter().map(|bad| bad.message_id).collect();
    assert_eq!(ids, [19, 20, 152]);
    assert!(
        !bad[0].why.is_empty() && !bad[0].why.contains("+1555"),
        "{bad:?}"
    );
    assert_eq!(counts(&site), "197|197");
    let Err(Unwritten::BadRows(bad)) = sink.write(&rows[17..18], NOW).await else {
        panic!("a row alone, too");
    };
    assert_eq!(bad.len(), 1);
    sink.write(&cdrs(201..=300), NOW).await.unwrap();
    assert_eq!(counts(&site), "297|297");
}

pub(super) async fn s10_1_the_table_is_that_of_the_specification(site: Site) {
    site.sink().health().await.unwrap();
    let (columns, expected, indexes) = match site.kind {
        Kind::Postgres => (
            "SELECT attname, format_type(atttypid, atttypmod), \
             CASE WHEN attnotnull THEN 'NO' ELSE 'YES' END FROM pg_attribute \
             WHERE attrelid = 'cdrs'::regclass AND attnum > 0 ORDER BY attnum",
            [
                "bigint",
                "character varying",
                "timestamp(3) without time zone",
                "integer",
                "boolean",
            ],
            "SELECT indexname FROM pg_indexes WHERE tablename = 'cdrs' ORDER BY 1",
        ),
        _ => (
            "SELECT COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE FROM information_schema.COLUMNS \
             WHERE TABLE_SCHEMA = 'cdr' AND TABLE_NAME = 'cdrs' ORDER BY ORDINAL_POSITION",
            [
                "bigint(20)",
                "varchar",
                "datetime(3)",
                "int(11)",
                "tinyint(1)",
            ],
            "SELECT DISTINCT INDEX_NAME FROM information_schema.STATISTICS \
             WHERE TABLE_NAME = 'cdrs' ORDER BY 1",
        ),
    };
    let [big, name, time, int, flag] = expected;
    let expected = format!(
        "id|{big}|NO\nmessage_id|{big}|NO\ncalling_number|{name}(255)|NO\n\
         called_number|{name}(255)|NO\nsource_smsc|{name}(255)|YES\ndest_smsc|{name}(255)|YES\n\
         origin_node|{name}(255)|YES\ndestination_node|{name}(255)|YES\n\
         submission_time|{time}|NO\ndelivery_time|{time}|YES\nexpiry_time|{time}|YES\n\
         status|{name}(50)|NO\ndelivery_attempts|{int}|YES\nmessage_parts|{int}|YES\n\
         deadletter|{flag}|YES\nmessage_body|text|YES\ninserted_at|{time}|NO\n\
         updated_at|{time}|NO\n"
    );
    assert_eq!(site.sql(columns), expected);
    let primary = if site.kind == Kind::Postgres {
        "cdrs_pkey"
    } else {
        "PRIMARY"
    };
    let mut expected = vec![primary.to_owned()];
    let named = [
        "called_number",
        "calling_number",
        "dest_smsc",
        "message_id",
        "status",
    ];
    expected.extend(named.map(|column| format!("idx_cdrs_{column}")));
    expected.push("idx_cdrs_submission_time".to_owned());
    let found = site.sql(indexes);
    let mut found: Vec<&str> = found.lines().collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

pub(super) async fn s10_1_a_table_of_a_later_version_is_left_alone(site: Site) {
    site.sink().health().await.unwrap();
    assert_eq!(
        site.sql("SELECT part, version FROM zajil_schema"),
        "cdrs|1\n"
    );
    site.sql("UPDATE zajil_schema SET version = 2");
    let why = down(site.sink().write(&cdrs(1..=1), NOW).await);
    assert!(
        why.contains("version 2; this program knows versions up to 1"),
        "{why}"
    );
}

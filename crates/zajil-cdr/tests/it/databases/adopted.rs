//! Tables that were there before us.

use super::*;

/// The table as the reference's documents print it, under a name.
fn reference(site: &Site) -> String {
    let (id, time) = match site.kind {
        Kind::Postgres => ("BIGSERIAL PRIMARY KEY", "TIMESTAMP"),
        _ => ("BIGINT AUTO_INCREMENT PRIMARY KEY", "DATETIME"),
    };
    let mut sql = format!(
        "CREATE TABLE cdrs (id {id}, message_id BIGINT NOT NULL, \
         calling_number VARCHAR(255) NOT NULL, called_number VARCHAR(255) NOT NULL, \
         source_smsc VARCHAR(255), dest_smsc VARCHAR(255), origin_node VARCHAR(255), \
         destination_node VARCHAR(255), submission_time {time} NOT NULL, \
         delivery_time {time} NULL, expiry_time {time} NULL, status VARCHAR(50) NOT NULL, \
         delivery_attempts INT DEFAULT 0, message_parts INT, \
         deadletter BOOLEAN DEFAULT FALSE, message_body TEXT, \
         inserted_at {time} NOT NULL, updated_at {time} NOT NULL);\n"
    );
    for column in [
        "message_id",
        "calling_number",
        "called_number",
        "status",
        "submission_time",
    ] {
        sql += &format!("CREATE INDEX idx_cdrs_{column} ON cdrs ({column});\n");
    }
    sql
}

fn old_row(message_id: i64) -> String {
    format!(
        "INSERT INTO cdrs (message_id, calling_number, called_number, submission_time, status, \
         inserted_at, updated_at) VALUES ({message_id}, '+1', '+2', '2023-05-01 10:00:00', \
         'delivered', '2023-05-01 10:00:00', '2023-05-01 10:00:00');\n"
    )
}

pub(super) async fn d16_a_table_of_the_reference_is_taken_over_with_its_rows(site: Site) {
    site.sql(&(reference(&site) + &old_row(1) + &old_row(2)));
    site.sql("ALTER TABLE cdrs DROP COLUMN origin_node");
    let before = site.sql("SELECT id, message_id, submission_time FROM cdrs ORDER BY id");
    let sink = site.sink();
    sink.write(&cdrs(100..=110), NOW).await.unwrap();
    sink.write(&cdrs(105..=115), NOW).await.unwrap();
    assert_eq!(counts(&site), "18|18");
    let after = "SELECT id, message_id, submission_time FROM cdrs WHERE message_id < 9 ORDER BY id";
    assert_eq!(site.sql(after), before);
    assert_eq!(
        site.sql("SELECT origin_node FROM cdrs WHERE message_id = 100"),
        "zajil@a\n"
    );
    let keys = match site.kind {
        Kind::Postgres => "SELECT indexname FROM pg_indexes WHERE tablename = 'cdrs'",
        _ => "SELECT INDEX_NAME FROM information_schema.STATISTICS WHERE TABLE_NAME = 'cdrs'",
    };
    let keys = site.sql(keys);
    assert!(
        keys.contains("idx_cdrs_message_id_key") && keys.contains("dest_smsc"),
        "{keys}"
    );
    let filter = zajil_core::port::CdrFilter {
        message_id: Some(1),
        ..Default::default()
    };
    let found = sink.search(&filter, None, 5).await.unwrap();
    let (_, old) = &found[0];
    assert_eq!(
        (old.submission_time.secs(), old.message_parts),
        (1_682_935_200, 0)
    );
}

pub(super) async fn d16_a_table_with_doubles_is_written_row_by_row_once(site: Site) {
    site.sql(&(reference(&site) + &old_row(1) + &old_row(1)));
    let sinks = [site.sink(), site.sink()];
    let (one, two) = (cdrs(2..=120), cdrs(60..=200));
    let write = async |sink: &Arc<dyn Database>, rows: &[Cdr]| {
        for _ in 0..3 {
            sink.write(rows, NOW).await.unwrap();
        }
    };
    tokio::join!(write(&sinks[0], &one), write(&sinks[1], &two));
    assert_eq!(counts(&site), "201|200");
    let mut bad = cdrs(201..=210);
    site.sql("ALTER TABLE cdrs ADD CONSTRAINT pick CHECK (called_number <> 'evil')");
    bad[4].called_number = "evil".into();
    assert!(matches!(
        sinks[0].write(&bad, NOW).await,
        Err(Unwritten::BadRows(bad)) if bad.len() == 1
    ));
    assert_eq!(counts(&site), "210|209");
}

pub(super) async fn d16_a_table_that_is_none_for_cdrs_is_left_alone(site: Site) {
    site.sql("CREATE TABLE cdrs (id INT PRIMARY KEY, song VARCHAR(20))");
    let why = down(site.sink().write(&cdrs(1..=1), NOW).await);
    assert!(why.contains("has no column message_id"), "{why}");
    site.sql("DROP TABLE cdrs");
    site.sql(&reference(&site));
    site.sql("ALTER TABLE cdrs ADD COLUMN tariff INT NOT NULL");
    let sink = site.sink();
    let why = down(sink.write(&cdrs(1..=1), NOW).await);
    assert!(
        why.contains("column tariff") && why.contains("give it a default"),
        "{why}"
    );
    site.sql("ALTER TABLE cdrs ALTER COLUMN tariff SET DEFAULT 0");
    sink.write(&cdrs(1..=1), NOW).await.unwrap();
    // What somebody takes away, we make again.
    site.sql("DROP TABLE cdrs");
    down(sink.write(&cdrs(1..=2), NOW).await);
    sink.write(&cdrs(1..=2), NOW).await.unwrap();
    assert_eq!(counts(&site), "2|2");
}

pub(super) async fn s10_3_a_table_may_be_partitioned_by_month(site: Site) {
    let page = match site.kind {
        Kind::Postgres => include_str!("../../../../../docs/ops/reports/postgres/partitions.sql"),
        _ => include_str!("../../../../../docs/ops/reports/mysql/partitions.sql"),
    };
    let sink = site.sink();
    sink.write(&cdrs(1..=5), NOW).await.unwrap();
    site.sql(page);
    for _ in 0..2 {
        sink.write(&cdrs(1..=10), NOW).await.unwrap();
        site.sink().write(&cdrs(5..=20), NOW).await.unwrap();
    }
    assert_eq!(counts(&site), "20|20");
    let late = Cdr {
        submission_time: Timestamp::from_millis(4_102_444_800_000),
        ..cdr(30)
    };
    let why = down(sink.write(&[late], NOW).await);
    assert!(why.contains("partition"), "{why}");
    sink.write(&cdrs(21..=21), NOW).await.unwrap();
    assert_eq!(sink.purge(Timestamp::MAX, 100).await.unwrap(), 21);
}

pub(super) async fn s10_2_a_user_who_may_only_write_is_enough(site: Site) {
    site.sql(&(reference(&site) + &old_row(1)));
    site.sql(match site.kind {
        Kind::Postgres => {
            "CREATE INDEX idx_cdrs_dest_smsc ON cdrs (dest_smsc); \
             CREATE USER writer PASSWORD 'w'; GRANT SELECT, INSERT ON cdrs TO writer; \
             GRANT USAGE ON SEQUENCE cdrs_id_seq TO writer"
        }
        _ => {
            "CREATE INDEX idx_cdrs_dest_smsc ON cdrs (dest_smsc); \
             CREATE USER writer@'%' IDENTIFIED BY 'w'; GRANT SELECT, INSERT ON cdr.cdrs TO writer"
        }
    });
    let mut server = site.server();
    server.user = "writer".into();
    server.password.0 = "w".into();
    let sink = site.sink_at(&server);
    sink.write(&cdrs(2..=20), NOW).await.unwrap();
    sink.write(&cdrs(2..=20), NOW).await.unwrap();
    assert_eq!(counts(&site), "20|20");
}

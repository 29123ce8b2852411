//! The reports of the manual, as they are printed there, by the database's own client.

use expect_test::expect;

use super::*;

fn rows() -> Vec<Cdr> {
    let at = |row: Cdr, submitted: i64, took: Option<i64>| Cdr {
        submission_time: Timestamp::from_millis(1_709_208_000_000 + submitted),
        delivery_time: took
            .map(|took| Timestamp::from_millis(1_709_208_000_000 + submitted + took)),
        status: took.map_or(FinalStatus::Failed, |_| FinalStatus::Delivered),
        ..row
    };
    let uk = |id| Cdr {
        called_number: "+447700900001".into(),
        dest_smsc: Some("gw_uk".into()),
        message_parts: 2,
        ..cdr(id)
    };
    vec![
        at(uk(1), 0, Some(1_500)),
        at(uk(2), 1_800_000, Some(2_750)),
        at(uk(3), 3_600_000, None),
        Cdr {
            status: FinalStatus::Expired,
            ..at(uk(4), 4_200_000, None)
        },
        at(
            Cdr {
                origin_node: "zajil@b".into(),
                ..cdr(5)
            },
            43_200_500,
            Some(250),
        ),
        at(cdr(6), 46_800_000, None),
    ]
}

pub(super) async fn s10_3_the_reports_of_the_manual_run_as_they_are_printed(site: Site) {
    site.sink().write(&rows(), NOW).await.unwrap();
    let folder = match site.kind {
        Kind::Sqlite => "sqlite",
        Kind::Postgres => "postgres",
        Kind::MySql => "mysql",
    };
    let folder = format!(
        "{}/../../docs/ops/reports/{folder}",
        env!("CARGO_MANIFEST_DIR")
    );
    let mut told = String::new();
    for report in [
        "by_number",
        "by_status",
        "delivery_time",
        "route_per_day",
        "per_hour",
        "failures",
        "per_node",
        "billing",
        "masked",
        "archive",
    ] {
        let text = std::fs::read_to_string(format!("{folder}/{report}.sql")).unwrap();
        told += &format!("{report}\n{}", site.sql(&text));
    }
    // Databases print fractions of seconds in their own ways.
    let told = told.replace(".000\n", "\n").replace(".500\n", ".5\n");
    expect![[r#"
        by_number
        6|+15551230000|+15559870000|failed|2024-03-01 01:00:00
        5|+15551230000|+15559870000|delivered|2024-03-01 00:00:00.5
        4|+15551230000|+447700900001|expired|2024-02-29 13:10:00
        3|+15551230000|+447700900001|failed|2024-02-29 13:00:00
        2|+15551230000|+447700900001|delivered|2024-02-29 12:30:00
        1|+15551230000|+447700900001|delivered|2024-02-29 12:00:00
        by_status
        delivered|3|50.0
        failed|2|33.3
        expired|1|16.7
        delivery_time
        gw|0.0|250|0
        gw_uk|1.5|2125|2
        route_per_day
        2024-02-29|gw_uk|4|2
        2024-03-01|gw|2|1
        per_hour
        12|2
        13|2
        failures
        +447700900001|2
        per_node
        zajil@a|zajil@b|5
        zajil@b|zajil@b|1
        billing
        +15551230000|5|0.1900
        masked
        1|+1555123****|+44770090****|delivered
        2|+1555123****|+44770090****|delivered
        archive
        2|4
    "#]]
    .assert_eq(&told);
}

//! The reports of the manual: as they are printed there, by the database's own client, and as the
//! program asks for them.

use expect_test::expect;
use zajil_cdr::report::{REPORTS, Report, Rows, Scope};

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
        "billing_rates",
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
        billing_rates
        billing
        +15551230000|5|0.1900
        masked
        1|+1555123****|+44770090****|delivered
        2|+1555123****|+44770090****|delivered
        3|+1555123****|+44770090****|failed
        4|+1555123****|+44770090****|expired
        5|+1555123****|+1555987****|delivered
        6|+1555123****|+1555987****|failed
        archive
        2|4
    "#]]
    .assert_eq(&told);
}

/// The rows, `|` between values.
fn lines(rows: &Rows) -> Vec<String> {
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "NULL".into());
    let line = |row: &Vec<Option<String>>| row.iter().map(value).collect::<Vec<_>>().join("|");
    rows.rows.iter().map(line).collect()
}

pub(super) async fn s10_3_a_report_is_asked_for_a_time_and_a_number(site: Site) {
    let sink = site.sink();
    let mut rows = rows();
    rows[1].calling_number = "O'Neil \\ co".into();
    rows[2].dest_smsc = None;
    sink.write(&rows, NOW).await.unwrap();
    let ask = async |name: &str, scope: Scope| {
        let sql = Report::named(name).unwrap().sql(sink.dialect(), &scope);
        sink.report(&sql.unwrap()).await
    };
    // Half an hour and an hour after the first: the second and, not any more, the third.
    let hour = Scope {
        from: Some(Timestamp::from_millis(1_709_208_000_001)),
        to: Some(Timestamp::from_millis(1_709_211_600_000)),
        ..Scope::default()
    };
    let told = ask("by_status", hour).await.unwrap();
    assert_eq!(told.columns, ["status", "messages", "percent"]);
    assert_eq!(lines(&told), ["delivered|1|100.0"]);
    let odd = Scope {
        number: Some("O'Neil \\ co".into()),
        ..Scope::default()
    };
    let told = ask("by_number", odd).await.unwrap();
    assert_eq!(told.rows.len(), 1, "{told:?}");
    let first = Scope {
        number: Some("+15551230000".into()),
        limit: Some(2),
        ..Scope::default()
    };
    let told = lines(&ask("by_number", first).await.unwrap());
    assert!(told[0].starts_with("6|+15551230000|+15559870000|failed|2024-03-01 01:00:00"));
    assert_eq!(told.len(), 2);
    let days = ask("route_per_day", Scope::default()).await.unwrap();
    let mut days = lines(&days);
    // Databases do not agree where NULL stands.
    days.sort();
    let expected = [
        "2024-02-29|NULL|1|0",
        "2024-02-29|gw_uk|3|2",
        "2024-03-01|gw|2|1",
    ];
    assert_eq!(days, expected);
    let none = ask("billing", Scope::default()).await.unwrap_err();
    assert!(none.contains("billing_rates"), "{none}");
    for report in REPORTS {
        let about = report.name == "by_number";
        let scope = Scope {
            number: about.then(|| "+1".to_owned()),
            ..Scope::default()
        };
        if report.name != "billing" {
            assert!(ask(report.name, scope).await.is_ok(), "{}", report.name);
        }
    }
}

pub(super) async fn s10_4_a_report_changes_nothing(site: Site) {
    let sink = site.sink();
    sink.write(&cdrs(1..=2), NOW).await.unwrap();
    let refused = sink.report("DELETE FROM cdrs").await.unwrap_err();
    let refused = refused.to_lowercase();
    assert!(
        refused.contains("read-only")
            || refused.contains("read only")
            || refused.contains("readonly"),
        "{refused}"
    );
    assert_eq!(counts(&site), "2|2");
    assert_eq!(
        sink.write(&cdrs(3..=3), NOW).await,
        Ok(()),
        "writing goes on"
    );
}

//! The report: adding workers up, the JSON that other tools read.

use expect_test::expect;

use super::*;
use crate::clock;

fn tally(start: Instant, latencies_ms: &[u64]) -> Tally {
    let mut tally = Tally::new().unwrap();
    for &latency in latencies_ms {
        let latency = Duration::from_millis(latency);
        tally.succeeded(start, start + latency);
    }
    tally
}

fn report(operations: BTreeMap<String, Operation>) -> Report {
    Report {
        scenario: "submit".to_owned(),
        connections: 2,
        rate_asked: None,
        unsent: 0,
        seconds: 2.0,
        messages: 5,
        delivered: None,
        operations,
        client_cpu_seconds: 0.0,
        client_cpu_us_per_request: 0.0,
        server_cpu_us_per_message: None,
    }
}

#[test]
fn workers_add_up_and_the_json_names_every_figure() {
    let start = clock::now();
    let mut sum = tally(start, &[1, 2, 3, 4]);
    let mut other = tally(start, &[2000]);
    other.refused(503);
    other.refused(503);
    other.failed("cannot send".to_owned());
    sum.add(other).unwrap();

    let operations = BTreeMap::from([("submit".to_owned(), sum.operation(start))]);
    let mut report = report(operations);
    let server = Some(Duration::from_micros(50));
    report.set_cpu(Cpu {
        client: Duration::from_micros(80),
        server,
    });
    assert!(!report.is_clean());
    expect![[r#"
        {
          "scenario": "submit",
          "connections": 2,
          "unsent": 0,
          "seconds": 2.0,
          "messages": 5,
          "operations": {
            "submit": {
              "count": 8,
              "ok": 5,
              "errors": {
                "503": 2,
                "cannot send": 1
              },
              "seconds": 2.0,
              "rate": 2.5,
              "p50_ms": 3.001,
              "p90_ms": 2000.895,
              "p99_ms": 2000.895,
              "p999_ms": 2000.895,
              "max_ms": 2000.895,
              "answer_p99_ms": 0.0
            }
          },
          "client_cpu_seconds": 0.00008,
          "client_cpu_us_per_request": 10.0,
          "server_cpu_us_per_message": 10.0
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&report).unwrap());
}

#[test]
fn a_run_without_any_answer_reports_zeros() {
    let start = clock::now();
    let operation = Tally::new().unwrap().operation(start);
    assert_eq!(
        (operation.count, operation.rate, operation.max_ms),
        (0, 0.0, 0.0)
    );
    let mut report = report(BTreeMap::new());
    report.messages = 0;
    report.set_cpu(Cpu {
        client: Duration::from_secs(1),
        server: None,
    });
    assert!(report.client_cpu_us_per_request.abs() < f64::EPSILON);
}

//! `zajil cdr report` as an operator types it (S10.3).

use serde_json::{Value, json};

use crate::command_line::{text, zajil};
use crate::server::{Client, Server};

const CALLED: &str = "+15559870000";

fn deliver(client: &Client, by: &str) {
    let body = json!({
        "source_msisdn": "+15551230000", "destination_msisdn": CALLED, "message_body": "hello",
    });
    let (status, answer) = client.call("POST", "/api/messages", &body);
    assert_eq!(status, 201, "{answer}");
    let path = format!("/api/messages/{}/mark_delivered", answer["data"]["id"]);
    let (status, answer) = client.call("POST", &path, &json!({ "dest_smsc": by }));
    assert_eq!(status, 200, "{answer}");
}

#[test]
fn s10_3_reports_are_asked_of_the_file_while_the_server_runs_and_after() {
    let data = tempfile::tempdir().unwrap();
    let directory = data.path().to_str().unwrap();
    let report = |arguments: &[&str]| {
        let all = [&["cdr", "report", "--data", directory], arguments].concat();
        let told = zajil(&all);
        (told.status.code(), text(&told.stdout), text(&told.stderr))
    };
    let (code, _, wrong) = report(&["by_status"]);
    assert_eq!(code, Some(1));
    assert!(wrong.contains("there is no CDR file"), "{wrong}");

    let server = Server::start(data.path());
    let client = server.client();
    for by in ["gw", "gw", "other"] {
        deliver(&client, by);
    }
    let watch = zajil_telemetry::Stopwatch::start();
    let found = loop {
        let (code, told, wrong) = report(&["per_node", "--format", "json"]);
        assert_eq!(code, Some(0), "{wrong}");
        let rows: Value = serde_json::from_str(&told).unwrap();
        if rows[0]["messages"] == 3 {
            break rows;
        }
        assert!(watch.elapsed().as_secs() < 40, "{rows}");
        std::thread::park_timeout(std::time::Duration::from_millis(20));
    };
    assert_eq!(found.as_array().unwrap().len(), 1, "{found}");
    assert_eq!(server.stop(), Some(0));

    let (_, told, _) = report(&["by_status"]);
    assert_eq!(
        told,
        "status     messages  percent\ndelivered  3         100.0\n"
    );
    let (_, told, _) = report(&["by_status", "--to", "2020-01-01", "--format", "csv"]);
    assert_eq!(told, "status,messages,percent\r\n");
    let (_, told, _) = report(&["by_number", "--number", CALLED, "--limit", "2"]);
    assert_eq!(told.lines().count(), 3, "{told}");
    let (code, _, wrong) = report(&["billing"]);
    assert_eq!(code, Some(1));
    assert!(wrong.contains("billing_rates.sql"), "{wrong}");
}

#[test]
fn s10_3_a_report_that_cannot_be_made_says_why() {
    let list = text(&zajil(&["cdr", "report", "--list"]).stdout);
    assert_eq!(list.lines().count(), 10, "{list}");
    assert!(
        list.contains("\nfailures       Destinations to which"),
        "{list}"
    );
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("cdr.db"), "").unwrap();
    let directory = data.path().to_str().unwrap();
    for (arguments, rule) in [
        (vec!["turnover"], "there is no report turnover"),
        (vec!["by_number"], "by_number is about one number"),
        (
            vec!["by_status", "--number", "+1"],
            "by_status is not about one number",
        ),
        (vec!["by_status", "--limit", "5"], "by_status has no limit"),
        (vec!["by_status", "--from", "soon"], "--from must be a time"),
    ] {
        let told = zajil(&[&["cdr", "report", "--data", directory], &arguments[..]].concat());
        assert_eq!(told.status.code(), Some(1), "{arguments:?}");
        let wrong = text(&told.stderr);
        assert!(wrong.contains(rule), "{rule} in {wrong}");
    }
    let sql = zajil(&[
        "cdr",
        "report",
        "per_hour",
        "--sql",
        "--from",
        "2024-02-29",
        "--data",
        directory,
    ]);
    let sql = text(&sql.stdout);
    assert!(
        sql.contains(">= /*from*/ '2024-02-29 00:00:00.000' AND"),
        "{sql}"
    );
}

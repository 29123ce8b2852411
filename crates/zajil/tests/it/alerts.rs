//! The alert rules and the dashboard: complete, documented, and about metrics that there are.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use zajil_telemetry::metric::{CATALOGUE, metric_of};

/// The alerts of S12.1.
const ALERTS: [&str; 13] = [
    "RoutingFailures",
    "MessageQueueBacklog",
    "OldMessagesInQueue",
    "NoActiveFrontends",
    "FrontendDisconnected",
    "DeadLetterMessagesIncreasing",
    "LowDeliverySuccessRate",
    "HighDeliveryRetryRate",
    "SlowMessageProcessing",
    "HighEnumFailureRate",
    "SlowEnumLookups",
    "LowEnumCacheHitRate",
    "ChargingFailuresDetected",
];

const ROWS: [&str; 12] = [
    "Traffic",
    "Queue",
    "Routing",
    "Delivery",
    "Frontends",
    "ENUM",
    "Charging",
    "CDR",
    "Store",
    "Process",
    "Security",
    "SMPP",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub(crate) fn rules_path() -> PathBuf {
    root().join("deploy/prometheus/zajil.rules.yml")
}

/// The name and the text of every rule.
pub(crate) fn rules() -> Vec<(String, String)> {
    let text = read("deploy/prometheus/zajil.rules.yml");
    let each = text.split("- alert: ").skip(1);
    each.map(|rule| (rule.lines().next().unwrap().to_owned(), rule.to_owned()))
        .collect()
}

pub(crate) fn dashboard() -> Value {
    serde_json::from_str(&read("deploy/grafana/zajil.json")).unwrap()
}

/// The panels that are not the heads of rows.
pub(crate) fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    let panels = dashboard["panels"].as_array().unwrap();
    panels.iter().filter(|panel| panel["type"] != "row")
}

/// Every word that could be a metric of this process.
fn metric_names(text: &str) -> Vec<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c| !is_part(c));
    let prefixes = ["sms_c_", "zajil_", "ecto_", "process_"];
    words
        .filter(|word| prefixes.iter().any(|prefix| word.starts_with(prefix)))
        .collect()
}

#[test]
fn s12_every_name_in_rules_and_dashboard_is_in_the_catalogue() {
    let files = [
        "deploy/prometheus/zajil.rules.yml",
        "deploy/prometheus/zajil.rules.test.yml",
        "deploy/grafana/zajil.json",
    ];
    for file in files {
        let text = read(file);
        let names = metric_names(&text);
        assert!(names.len() > 50, "{file}: {}", names.len());
        for name in names {
            assert!(metric_of(name).is_some(), "{file}: there is no {name}");
        }
    }
}

#[test]
fn every_metric_is_on_the_dashboard() {
    let text = read("deploy/grafana/zajil.json");
    let names = metric_names(&text);
    for entry in CATALOGUE {
        let shown = |name: &&&str| metric_of(name).is_some_and(|shown| shown.name == entry.name);
        assert!(names.iter().any(|name| shown(&name)), "{}", entry.name);
    }
}

#[test]
fn s12_1_every_alert_is_there_complete_documented_and_tested() {
    let rules = rules();
    let names: Vec<&str> = rules.iter().map(|(name, _)| name.as_str()).collect();
    for alert in ALERTS {
        assert!(names.contains(&alert), "{alert}");
    }
    let manual = read("docs/ops/alerts.md");
    let tests = read("deploy/prometheus/zajil.rules.test.yml");
    for (name, rule) in &rules {
        let link = format!("docs/ops/alerts.md#{}\n", name.to_lowercase());
        let severities = ["critical", "warning", "info"].map(|s| format!("severity: {s}\n"));
        for part in [
            "for: ",
            "summary: ",
            "description: ",
            "runbook_url: ",
            &link,
        ] {
            assert_eq!(rule.matches(part).count(), 1, "{name}: {part}");
        }
        assert!(severities.iter().any(|s| rule.contains(s)), "{name}");
        assert!(
            manual.contains(&format!("\n## {name}\n\n")),
            "{name}: manual"
        );
        let own = format!("  - name: {name}\n");
        let (_, test) = tests
            .split_once(&own)
            .unwrap_or_else(|| panic!("{name}: no test"));
        let test = test.split("\n  - name: ").next().unwrap();
        let firing = format!("alertname=\"{name}\",alertstate=\"firing\"");
        assert_eq!(
            test.matches(&firing).count(),
            3,
            "{name}: before, while, after"
        );
        let expected: Vec<&str> = test.lines().filter_map(value).collect();
        assert_eq!(expected, ["0", "1", "0"], "{name}");
    }
    assert_eq!(
        manual.matches("\n## ").count(),
        rules.len(),
        "the manual has others"
    );
}

fn value(line: &str) -> Option<&str> {
    line.trim().strip_prefix("value: ")
}

#[test]
fn the_dashboard_can_be_imported_into_any_grafana() {
    let dashboard = dashboard();
    let panels_and_rows = dashboard["panels"].as_array().unwrap();
    let rows = panels_and_rows
        .iter()
        .filter(|panel| panel["type"] == "row");
    let titles: Vec<&str> = rows.map(|row| row["title"].as_str().unwrap()).collect();
    assert_eq!(titles, ROWS);
    let mut ids: Vec<u64> = panels_and_rows
        .iter()
        .map(|panel| panel["id"].as_u64().unwrap())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), panels_and_rows.len());
    let source = "${datasource}";
    for panel in panels(&dashboard) {
        assert_eq!(panel["datasource"]["uid"], source, "{}", panel["title"]);
        for target in panel["targets"].as_array().unwrap() {
            assert_eq!(target["datasource"]["uid"], source, "{}", panel["title"]);
        }
    }
    assert_eq!(dashboard["templating"]["list"][0]["type"], "datasource");
    assert!(dashboard.get("id").is_none(), "Grafana gives it one");
}

#[test]
fn s12_1_prometheus_own_tool_accepts_the_rules_and_their_tests_pass() {
    if !zajil_testkit::slow::asked_for() {
        return;
    }
    let folder = root().join("deploy/prometheus");
    let checks = [
        ["check", "rules", "zajil.rules.yml"],
        ["test", "rules", "zajil.rules.test.yml"],
    ];
    for arguments in checks {
        let run = Command::new("promtool")
            .args(arguments)
            .current_dir(&folder)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&run.stdout);
        let wrong = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success(), "{arguments:?}\n{told}\n{wrong}");
    }
}

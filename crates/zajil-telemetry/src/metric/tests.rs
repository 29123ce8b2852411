//! The catalogue, the exposition and the manual agree.

use zajil_core::outcome::Reason;

use super::handles::MOST_ROUTES;
use super::*;
use crate::fact::Door;

#[test]
fn s12_names_appear_exactly_as_written() {
    let metrics = Metrics::new().unwrap();
    metrics.route_matched(7);
    metrics.refused(Door::Rest, Reason::Invalid);
    let text = metrics.render();
    for entry in CATALOGUE {
        let line = format!("# TYPE {} {}\n", entry.name, entry.kind.as_str());
        assert!(text.contains(&line), "{line}");
    }
    assert!(text.contains("sms_c_routing_route_matched_count{route=\"7\"} 1\n"));
    assert!(text.contains("zajil_refusals_total{door=\"rest\",reason=\"invalid\"} 1\n"));
    assert!(text.contains("sms_c_frontend_status_count{status=\"connected\"} 0\n"));
    let exposed = text
        .lines()
        .filter(|line| line.starts_with("# TYPE"))
        .count();
    assert_eq!(
        exposed,
        CATALOGUE.len(),
        "nothing is exposed that the catalogue does not have"
    );
}

#[test]
fn routes_beyond_the_bound_share_a_label() {
    let metrics = Metrics::new().unwrap();
    for route in 0..MOST_ROUTES as u64 + 5 {
        metrics.route_matched(route);
    }
    assert!(
        metrics
            .render()
            .contains("sms_c_routing_route_matched_count{route=\"other\"} 5\n")
    );
}

#[test]
fn the_manual_is_fresh() {
    let committed = include_str!("../../../../docs/metrics.md");
    assert!(
        committed == reference(),
        "run `cargo xtask gen` and commit docs/metrics.md"
    );
}

#[test]
fn s12_every_name_is_there_before_anything_happens() {
    let text = Metrics::new().unwrap().render();
    for entry in CATALOGUE {
        let series = match entry.kind {
            Kind::Counter | Kind::Gauge => entry.name.to_owned(),
            Kind::Histogram(_) => format!("{}_count", entry.name),
        };
        let is_series = |line: &&str| line.strip_prefix(&series).is_some_and(starts_a_series);
        let line = text.lines().find(is_series);
        let line = line.unwrap_or_else(|| panic!("no series of {series}"));
        for label in entry.labels {
            assert!(line.contains(&format!("{label}=\"")), "{line}: {label}");
        }
    }
    let refusals = text.matches("zajil_refusals_total{").count();
    assert_eq!(refusals, Door::ALL.len() * Reason::ALL.len());
}

fn starts_a_series(rest: &str) -> bool {
    rest.starts_with([' ', '{'])
}

#[test]
fn names_of_ours_keep_the_conventions() {
    for entry in CATALOGUE
        .iter()
        .filter(|entry| entry.name.starts_with("zajil_"))
    {
        let is_total = entry.name.ends_with("_total");
        assert_eq!(is_total, entry.kind == Kind::Counter, "{}", entry.name);
        assert!(entry.help.ends_with('.'), "{}", entry.name);
    }
}

#[test]
fn a_series_names_its_metric() {
    let named = |series: &str| metric_of(series).map(|entry| entry.name);
    let attempts = "sms_c_delivery_succeeded_attempt_count";
    assert_eq!(named(attempts), Some(attempts));
    assert_eq!(named(&format!("{attempts}_count")), Some(attempts));
    assert_eq!(named("zajil_panics_total"), Some("zajil_panics_total"));
    assert_eq!(named("zajil_panics_total_count"), None);
}

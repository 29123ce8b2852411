//! The catalogue, the exposition and the manual agree.

use super::*;

#[test]
fn s12_names_appear_exactly_as_written() {
    let metrics = Metrics::new().unwrap();
    metrics.route_matched(7);
    metrics.refused("api", Reason::Invalid);
    let text = metrics.render();
    for entry in CATALOGUE {
        let kind = match entry.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        };
        let line = format!("# TYPE {} {kind}\n", entry.name);
        assert!(text.contains(&line), "{line}");
    }
    assert!(text.contains("sms_c_routing_route_matched_count{route=\"7\"} 1\n"));
    assert!(text.contains("zajil_refusals{door=\"api\",reason=\"invalid\"} 1\n"));
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

//! Look-ups at real name servers. Slow: runs with `SLOW_TESTS=1`.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use zajil_core::enum_query::Lookup;
use zajil_core::port::NumberLookup as _;
use zajil_enum::{Options, Resolver};
use zajil_telemetry::Telemetry;

use crate::fake::ask;
use crate::real_server::{RealServer, port, runs};

const RECORDS: &str = r#"
1.0.0.9.4   NAPTR 10 100 "u" "E2U+sip" "!^.*$!sip:info@Voip-Gateway.example.com!" .
2.0.0.9.4   NAPTR 20 1 "u" "E2U+sip" "!^.*$!sip:last.example!" .
            NAPTR 10 20 "u" "E2U+sip" "!^.*$!sip:second.example!" .
            NAPTR 10 10 "U" "sip+E2U" "!^.*$!sip:first.example!" .
3.0.0.9.4   NAPTR 10 1 "u" "E2U+email:mailto" "!^.*$!mailto:a@mail.example!" .
            NAPTR 20 1 "s" "SIP+D2U" "" _sip._udp.example.
            NAPTR 30 1 "u" "E2U+voice:sip+sms:tel" "!^.*$!sip:sms.example!" .
4.0.0.9.4   NAPTR 10 1 "u" "E2U+sip" "!^\\+49(00)(4)$!sip:\\2.\\1@groups.example;user=phone!i" .
5.0.0.9.4   NAPTR 10 1 "" "" "" 5.next.enum.test.
5.next      NAPTR 10 1 "" "" "" 5.end.enum.test.
5.end       NAPTR 10 1 "u" "E2U+pstn:tel" "!^\\+(.*)$!tel:\\1!" .
6.0.0.9.4   NAPTR 10 1 "" "" "" 6.loop
6.loop      NAPTR 10 1 "" "" "" 6.0.0.9.4
7.0.0.9.4   CNAME 1.0.0.9.4
8.0.0.9.4   TXT "no NAPTR here"
*.1.9.4     NAPTR 10 1 "u" "E2U+sip" "!^.*$!sip:wild.example!" .
"#;

fn resolver(domains: &[&str], server: SocketAddr) -> (Resolver, Arc<Telemetry>) {
    let domains = domains.iter().map(|domain| (*domain).to_owned()).collect();
    let telemetry = Arc::new(Telemetry::new().unwrap());
    let options = Options::new(domains, vec![server]);
    (
        Resolver::new(options, Arc::clone(&telemetry)).unwrap(),
        telemetry,
    )
}

/// How often the servers were asked about a number.
fn searches(telemetry: &Telemetry) -> u64 {
    let text = telemetry.metrics.render();
    let counts = text
        .lines()
        .filter(|line| line.starts_with("sms_c_enum_lookup_stop_duration_count"));
    counts
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum()
}

#[tokio::test]
async fn s6_1_the_records_of_a_real_server() {
    if !runs() {
        return;
    }
    let server = RealServer::zones(2, port(), &[("enum.test", Some(RECORDS))]);
    let (resolver, telemetry) = resolver(&["enum.test"], server.address);
    assert_eq!(resolver.health().await, Ok(()));
    for (number, expected) in [
        ("+49001", "voip-gateway.example.com"),
        ("+49002", "first.example"),
        ("+49003", "sms.example"),
        ("+49005", "tel:49005"),
        ("+49007", "voip-gateway.example.com"),
        ("+49008", "absent"),
        ("+49009", "absent"),
        ("+491234567", "wild.example"),
    ] {
        assert_eq!(ask(&resolver, number).await, expected, "{number}");
        assert_eq!(ask(&resolver, number).await, expected, "{number}, cached");
    }
    assert_eq!(
        searches(&telemetry),
        8,
        "none was asked about twice, found or not"
    );
    let looped = ask(&resolver, "+49006").await;
    assert!(
        looped.ends_with("the records lead round in a circle"),
        "{looped}"
    );
    let Lookup::Found(found) = resolver.lookup("+49004").await else {
        panic!("not found");
    };
    assert_eq!(found.uri, "sip:4.00@groups.example;user=phone");
    assert_eq!(found.domain.as_deref(), Some("groups.example"));
}

#[tokio::test]
async fn s6_1_an_answer_too_large_for_a_datagram_comes_by_tcp() {
    if !runs() {
        return;
    }
    let mut records = String::new();
    for n in 0..24 {
        let host = "x".repeat(150);
        writeln!(
            records,
            r#"1 NAPTR {n} 1 "u" "E2U+x" "!^.*$!sip:{n}@{host}!" ."#
        )
        .unwrap();
    }
    records += r#"1 NAPTR 100 1 "u" "E2U+sip" "!^.*$!sip:the-last.example!" ."#;
    let server = RealServer::zones(2, port(), &[("enum.test", Some(&records))]);
    let (resolver, _) = resolver(&["enum.test"], server.address);
    assert_eq!(ask(&resolver, "1").await, "the-last.example");
}

#[tokio::test]
async fn s6_1_a_sub_zone_on_another_server_is_found_by_one_that_recurses() {
    if !runs() {
        return;
    }
    let port = port();
    let delegation = "9.4 NS ns.9.4\nns.9.4 A 127.0.0.3\n";
    let sip = r#"1.0.0 NAPTR 1 1 "u" "E2U+sip" "!^.*$!sip:delegated.example!" ."#;
    let parent = RealServer::zones(2, port, &[("enum.test", Some(delegation))]);
    let _child = RealServer::zones(3, port, &[("9.4.enum.test", Some(sip))]);
    let recursive = RealServer::recursive(port, "enum.test", 2);
    let (through, _) = resolver(&["enum.test"], recursive.address);
    assert_eq!(ask(&through, "+49001").await, "delegated.example");
    assert_eq!(ask(&through, "+49002").await, "absent");
    let (direct, _) = resolver(&["enum.test"], parent.address);
    let said = ask(&direct, "+49001").await;
    assert!(said.contains("one that recurses is needed"), "{said}");
}

#[tokio::test]
async fn s6_1_a_broken_domain_gives_way_to_the_next() {
    if !runs() {
        return;
    }
    let sip = r#"1 NAPTR 1 1 "u" "E2U+sip" "!^.*$!sip:good.example!" ."#;
    let zones = [("broken.test", None), ("good.test", Some(sip))];
    let server = RealServer::zones(2, port(), &zones);
    let (both, _) = resolver(&["broken.test", "good.test"], server.address);
    assert_eq!(ask(&both, "1").await, "good.example");
    let said = ask(&both, "2").await;
    assert!(said.starts_with("failed: broken.test: "), "{said}");
    assert!(said.contains("Server Failure"), "{said}");
    let ill = both.health().await.unwrap_err();
    assert!(
        ill.starts_with("broken.test: ") && !ill.contains("good.test"),
        "{ill}"
    );
}

//! Servers that are silent, broken or of no use: nobody waits longer than allowed (S6.3).

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::proto::op::ResponseCode;
use tokio::time::Instant;
use zajil_core::port::NumberLookup as _;
use zajil_enum::Resolver;
use zajil_telemetry::Telemetry;

use crate::fake::{Fake, Says, ask, options, pass, resolver, sip};

const SECOND: Duration = Duration::from_secs(1);
/// What a busy machine may add.
const SLACK: Duration = Duration::from_millis(1_500);

fn silent() -> Fake {
    Fake::start(|_| Says::Silence)
}

#[tokio::test]
async fn s6_3_a_silent_server_costs_the_time_limit_once_and_is_remembered() {
    let server = silent();
    let mut options = options(&[&server]);
    options.timeout = Duration::from_millis(300);
    options.domains.push("second.example".to_owned());
    let resolver = resolver(options);
    let start = Instant::now();
    assert!(
        ask(&resolver, "1")
            .await
            .contains("no name server answered in time")
    );
    let took = start.elapsed();
    assert!(
        took >= Duration::from_millis(300) && took < SLACK,
        "{took:?}"
    );
    let asked = server.asked();
    assert!(ask(&resolver, "1").await.starts_with("failed"));
    assert_eq!(server.asked(), asked, "remembered for 5 s");
    pass(5 * SECOND).await;
    server.say(|_| sip(60, "gw.example"));
    assert_eq!(ask(&resolver, "1").await, "gw.example");
}

#[tokio::test]
async fn s6_1_the_second_server_answers_for_a_silent_one_and_is_asked_first_from_then() {
    let (first, second) = (silent(), Fake::sip(60));
    let mut options = options(&[&first, &second]);
    options.timeout = 4 * SECOND;
    let resolver = resolver(options);
    let start = Instant::now();
    assert_eq!(ask(&resolver, "1").await, "gw.example");
    assert!(start.elapsed() < SECOND + SLACK);
    let asked = first.asked();
    assert_eq!(ask(&resolver, "2").await, "gw.example");
    assert_eq!((first.asked(), second.asked()), (asked, 2));
}

#[tokio::test]
async fn s6_1_the_second_server_is_asked_at_once_when_the_first_is_of_no_use() {
    let codes = [
        ResponseCode::ServFail,
        ResponseCode::Refused,
        ResponseCode::NotImp,
    ];
    for says in codes.map(Says::Code).into_iter().chain([Says::Refers]) {
        let shown = format!("{says:?}");
        let (first, second) = (Fake::start(move |_| says.clone()), Fake::sip(60));
        let resolver = resolver(options(&[&first, &second]));
        let start = Instant::now();
        assert_eq!(ask(&resolver, "1").await, "gw.example", "{shown}");
        assert!(start.elapsed() < SECOND, "{shown}");
        assert_eq!((first.asked(), second.asked()), (1, 1), "{shown}");
    }
}

#[tokio::test]
async fn s6_1_a_silent_domain_leaves_time_for_the_next() {
    let server = Fake::start(|name| match name {
        "1.e164.example" => Says::Silence,
        _ => sip(3_600, "second.example"),
    });
    let mut options = options(&[&server]);
    options.timeout = SECOND;
    options.domains.push("other.example".to_owned());
    let resolver = resolver(options);
    assert_eq!(ask(&resolver, "1").await, "second.example");
    let asked = server.asked();
    // Not for the hour of its records: the first domain has a right to be asked again.
    pass(60 * SECOND).await;
    assert_eq!(ask(&resolver, "1").await, "second.example");
    assert!(server.asked() > asked);
}

#[tokio::test]
async fn s6_3_after_five_failures_nobody_is_asked_for_a_while_then_one() {
    let server = Fake::start(|_| Says::Code(ResponseCode::ServFail));
    let resolver = resolver(options(&[&server]));
    for number in 1..=5 {
        let said = ask(&resolver, &number.to_string()).await;
        assert!(said.contains("Server Failure"), "{said}");
    }
    assert_eq!(server.asked(), 5);
    assert!(ask(&resolver, "6").await.contains("did not answer lately"));
    pass(5 * SECOND).await;
    assert!(
        ask(&resolver, "7").await.contains("Server Failure"),
        "a probe"
    );
    assert!(ask(&resolver, "8").await.contains("did not answer lately"));
    assert_eq!(server.asked(), 6);
    pass(9 * SECOND).await;
    assert!(
        ask(&resolver, "8").await.contains("did not answer lately"),
        "it doubled"
    );
    pass(SECOND).await;
    server.say(|_| Says::NxDomain(Some(60)));
    // A probe that its caller gives up leaves its turn to the next.
    let mut given_up = resolver.lookup("9");
    assert!(futures_util::poll!(&mut given_up).is_pending());
    assert!(ask(&resolver, "10").await.contains("did not answer lately"));
    drop(given_up);
    assert_eq!(ask(&resolver, "11").await, "absent");
    assert_eq!(ask(&resolver, "12").await, "absent");
}

#[tokio::test]
async fn s6_3_a_dead_domain_of_several_is_passed_over_and_counted() {
    let server = Fake::start(|name| {
        if name.ends_with("dead.example") {
            Says::Silence
        } else {
            sip(60, "gw.example")
        }
    });
    let mut options = options(&[&server]);
    options.timeout = SECOND;
    options.domains = vec!["dead.example".to_owned(), "live.example".to_owned()];
    let telemetry = Arc::new(Telemetry::new().unwrap());
    let resolver = Resolver::new(options, Arc::clone(&telemetry)).unwrap();
    for number in 1..=5 {
        assert_eq!(ask(&resolver, &number.to_string()).await, "gw.example");
    }
    let counted = |success: bool, times: u32| {
        let metric = "sms_c_enum_lookup_stop_duration_count";
        let line = format!("{metric}{{success=\"{success}\"}} {times}\n");
        let text = telemetry.metrics.render();
        assert!(text.contains(&line), "{line} in {text}");
    };
    counted(false, 5);
    counted(true, 5);
    let asked = server.asked();
    for number in 6..=30 {
        assert_eq!(ask(&resolver, &number.to_string()).await, "gw.example");
    }
    assert_eq!(server.asked(), asked + 25, "the dead one is not asked");
    counted(false, 5);
    counted(true, 30);
    server.say(|name| match name {
        "1.4.dead.example" => sip(60, "revived.example"),
        _ => Says::NxDomain(Some(60)),
    });
    // What is passed over is not taken for absent.
    assert!(
        ask(&resolver, "32")
            .await
            .contains("dead.example: the name servers did not answer")
    );
    pass(5 * SECOND).await;
    assert_eq!(ask(&resolver, "41").await, "revived.example");
    assert_eq!(ask(&resolver, "33").await, "absent");
}

#[tokio::test]
async fn queries_are_bounded_and_one_more_fails_at_once() {
    let server = silent();
    let mut options = options(&[&server]);
    options.most_queries = NonZeroUsize::new(2).unwrap();
    let resolver = resolver(options);
    let mut under_way = [resolver.lookup("1"), resolver.lookup("2")];
    for query in &mut under_way {
        assert!(futures_util::poll!(query).is_pending());
    }
    let start = Instant::now();
    assert!(ask(&resolver, "3").await.contains("too many numbers"));
    assert!(start.elapsed() < SECOND);
    drop(under_way);
    server.say(|_| sip(60, "gw.example"));
    assert_eq!(ask(&resolver, "3").await, "gw.example", "not remembered");
}

#[tokio::test]
async fn health_names_the_domains_at_fault() {
    let server = Fake::start(|name| match name {
        "good.example" => Says::Naptr(60, Vec::new()),
        "gone.example" => Says::NxDomain(Some(60)),
        _ => Says::Code(ResponseCode::Refused),
    });
    let with = |domains: &[&str]| {
        let mut options = options(&[&server]);
        options.domains = domains.iter().map(|domain| (*domain).to_owned()).collect();
        resolver(options)
    };
    assert_eq!(with(&["good.example"]).health().await, Ok(()));
    let all = with(&["good.example", "gone.example", "shut.example"]);
    let ills = all.health().await.unwrap_err();
    let (gone, shut) = ills.split_once("; ").unwrap();
    assert_eq!(gone, "gone.example: there is no such domain");
    assert!(
        shut.starts_with("shut.example: name server 127.0.0.1:"),
        "{shut}"
    );
}

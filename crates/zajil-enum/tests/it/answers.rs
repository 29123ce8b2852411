//! What is asked, what is remembered, and for how long (S6.1, S6.3).

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::proto::op::ResponseCode;
use zajil_core::enum_query::Lookup;
use zajil_core::port::NumberLookup as _;
use zajil_enum::{Error, Options, Resolver};
use zajil_telemetry::Telemetry;

use crate::fake::{Fake, Says, ask, options, pass, resolver, sip};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn s6_1_a_number_is_asked_for_under_its_name_and_all_is_told() {
    let server = Fake::start(|name| match name {
        "0.0.1.0.5.5.5.1.e164.example" => sip(60, "VoIP-Gateway.Example.com"),
        _ => Says::NxDomain(None),
    });
    let resolver = resolver(options(&[&server]));
    let Lookup::Found(found) = resolver.lookup("+1-555-0100").await else {
        panic!("not found");
    };
    assert_eq!(found.uri, "sip:+15550100@VoIP-Gateway.Example.com");
    assert_eq!(found.domain.as_deref(), Some("voip-gateway.example.com"));
    assert_eq!((&*found.service, &*found.zone), ("E2U+sip", "e164.example"));
    assert_eq!(ask(&resolver, "15550100").await, "voip-gateway.example.com");
    assert_eq!(ask(&resolver, "Zajil").await, "absent");
    assert_eq!(
        server.asked(),
        1,
        "one number in three spellings, and a name"
    );
}

#[tokio::test]
async fn s6_1_the_first_domain_that_has_the_number_answers() {
    let server = Fake::start(|name| match name {
        "1.a.example" | "3.a.example" => Says::NxDomain(Some(60)),
        "2.a.example" => sip(60, "a"),
        "1.b.example" | "2.b.example" => sip(60, "b"),
        "4.a.example" => Says::Code(ResponseCode::ServFail),
        "4.b.example" => sip(60, "b"),
        "3.b.example" => Says::Naptr(60, vec!["1 1 u E2U+email:mailto !a!b! .".to_owned()]),
        _ => Says::NxDomain(None),
    });
    let mut options = options(&[&server]);
    options.domains = vec!["a.example".to_owned(), "b.example.".to_owned()];
    let resolver = resolver(options);
    for (number, expected) in [("1", "b"), ("2", "a"), ("3", "absent"), ("4", "b")] {
        assert_eq!(ask(&resolver, number).await, expected, "{number}");
    }
    assert_eq!(server.asked(), 2 + 1 + 2 + 2);
}

#[tokio::test]
async fn s6_3_answers_live_as_long_as_their_records_within_floor_and_ceiling() {
    for (ttl, alive, dead) in [(20, 19, 20), (0, 9, 10), (9_999, 29, 30)] {
        let server = Fake::sip(ttl);
        let mut options = options(&[&server]);
        (options.ttl_floor, options.ttl_ceiling) = (10 * SECOND, 30 * SECOND);
        let resolver = resolver(options);
        assert_eq!(ask(&resolver, "1").await, "gw.example");
        pass(alive * SECOND).await;
        assert_eq!(ask(&resolver, "1").await, "gw.example");
        assert_eq!(server.asked(), 1, "{ttl}: alive");
        pass((dead - alive) * SECOND).await;
        assert_eq!(ask(&resolver, "1").await, "gw.example");
        assert_eq!(server.asked(), 2, "{ttl}: dead");
    }
}

#[tokio::test]
async fn s6_3_misses_live_as_long_as_the_zone_says() {
    // What a zone that says nothing gets is the default, 60 s.
    for (ttl, alive, dead) in [(Some(20), 19, 20), (Some(0), 4, 5), (None, 59, 60)] {
        let server = Fake::start(move |_| Says::NxDomain(ttl));
        let resolver = resolver(options(&[&server]));
        assert_eq!(ask(&resolver, "1").await, "absent");
        pass(alive * SECOND).await;
        assert_eq!(ask(&resolver, "1").await, "absent");
        assert_eq!(server.asked(), 1, "{ttl:?}: alive");
        pass((dead - alive) * SECOND).await;
        assert_eq!(ask(&resolver, "1").await, "absent");
        assert_eq!(server.asked(), 2, "{ttl:?}: dead");
    }
}

#[tokio::test]
async fn s6_3_a_chain_lives_as_long_as_its_shortest_record() {
    let server = Fake::start(|name| match name {
        "1.e164.example" => Says::Naptr(7, vec!["1 1 - - - next.example.".to_owned()]),
        _ => sip(3_600, "end.example"),
    });
    let resolver = resolver(options(&[&server]));
    assert_eq!(ask(&resolver, "1").await, "end.example");
    assert_eq!(server.asked(), 2);
    pass(7 * SECOND).await;
    assert_eq!(ask(&resolver, "1").await, "end.example");
    assert_eq!(server.asked(), 4);
}

#[tokio::test]
async fn rfc_6116_chains_end() {
    let server = Fake::start(|name| {
        let next = |name: &str| Says::Naptr(60, vec![format!("1 1 - - - {name}.")]);
        match name {
            "1.e164.example" => next("1.E164.example"),
            "2.e164.example" => next("h1.example"),
            "3.e164.example" => Says::Naptr(
                60,
                vec![
                    "1 1 - - - empty.example.".to_owned(),
                    "1 2 u E2U+sip !^.*$!sip:second! .".to_owned(),
                    "2 1 u E2U+sip !^.*$!sip:other-order! .".to_owned(),
                ],
            ),
            "empty.example" => Says::NxDomain(Some(60)),
            "4.e164.example" => Says::Naptr(
                60,
                vec![
                    "1 1 - - - broken.example.".to_owned(),
                    "1 2 u E2U+sip !^.*$!sip:second! .".to_owned(),
                ],
            ),
            "broken.example" => Says::Code(ResponseCode::ServFail),
            hop => {
                let number = hop.trim_start_matches('h').trim_end_matches(".example");
                next(&format!("h{}.example", number.parse::<u32>().unwrap() + 1))
            }
        }
    });
    let resolver = resolver(options(&[&server]));
    assert!(
        ask(&resolver, "1")
            .await
            .ends_with("lead round in a circle")
    );
    assert_eq!(server.asked(), 1);
    assert!(
        ask(&resolver, "2")
            .await
            .ends_with("lead on more than 5 times")
    );
    assert_eq!(server.asked(), 1 + 6);
    assert_eq!(ask(&resolver, "3").await, "second");
    let (loops, chains) = (ask(&resolver, "1").await, ask(&resolver, "2").await);
    assert!(loops.starts_with("failed") && chains.starts_with("failed"));
    assert_eq!(
        server.asked(),
        1 + 6 + 2,
        "what breaks the rules is remembered too"
    );
}

#[tokio::test]
async fn s6_3_a_hundred_at_once_cost_one_query() {
    let server = Fake::sip(60);
    let telemetry = Arc::new(Telemetry::new().unwrap());
    let resolver = Resolver::new(options(&[&server]), Arc::clone(&telemetry)).unwrap();
    let mut callers: Vec<_> = (0..100).map(|_| resolver.lookup("+15550100")).collect();
    // The first of them drives the query, and gives up.
    assert!(futures_util::poll!(&mut callers[0]).is_pending());
    drop(callers.remove(0));
    for answer in futures_util::future::join_all(callers).await {
        assert_eq!(answer.domain(), Some("gw.example"));
    }
    assert_eq!(server.asked(), 1);
    assert_eq!(ask(&resolver, "15550100").await, "gw.example");
    let text = telemetry.metrics.render();
    for line in [
        "sms_c_enum_cache_hit_count 1",
        "sms_c_enum_cache_miss_count 100",
        "sms_c_enum_cache_size_size 1",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
}

#[tokio::test]
async fn s6_3_the_cache_is_bounded_and_can_be_cleared() {
    let server = Fake::sip(60);
    let telemetry = Arc::new(Telemetry::new().unwrap());
    let mut options = options(&[&server]);
    options.cache_capacity = NonZeroUsize::new(10).unwrap();
    let resolver = Resolver::new(options, Arc::clone(&telemetry)).unwrap();
    for number in 1_000..1_050 {
        assert_eq!(ask(&resolver, &number.to_string()).await, "gw.example");
        assert!(telemetry.metrics.enum_size.get() <= 10);
    }
    assert!(telemetry.metrics.enum_size.get() > 5);
    resolver.clear();
    assert_eq!(telemetry.metrics.enum_size.get(), 0);
    let before = server.asked();
    let mut early = resolver.lookup("1");
    assert!(futures_util::poll!(&mut early).is_pending());
    resolver.clear();
    assert_eq!(early.await.domain(), Some("gw.example"));
    assert_eq!(ask(&resolver, "1").await, "gw.example");
    assert_eq!(
        server.asked(),
        before + 2,
        "what was asked before a clearing is not kept"
    );
}

#[tokio::test]
async fn options_that_make_no_sense_are_refused() {
    let refused = |change: &dyn Fn(&mut Options)| {
        let address = "127.0.0.1:53".parse().unwrap();
        let mut options = Options::new(vec!["e164.arpa".to_owned()], vec![address]);
        change(&mut options);
        Resolver::new(options, Arc::new(Telemetry::new().unwrap())).err()
    };
    assert!(refused(&|_| {}).is_none());
    assert!(matches!(
        refused(&|o| o.domains.clear()),
        Some(Error::NoDomain)
    ));
    for bad in ["", ".", "a..b", "a b", "ä.example", &"a.".repeat(120)] {
        let error = refused(&|o| o.domains = vec![bad.to_owned()]);
        assert!(matches!(error, Some(Error::BadDomain(_))), "{bad}");
    }
    let changes: [&dyn Fn(&mut Options); 4] = [
        &|o| o.timeout = Duration::ZERO,
        &|o| o.ttl_floor = o.ttl_ceiling + SECOND,
        &|o| o.breaker_failures = 0,
        &|o| o.failure_ttl = Duration::MAX,
    ];
    for change in changes {
        assert!(matches!(refused(change), Some(Error::BadOption(_))));
    }
}

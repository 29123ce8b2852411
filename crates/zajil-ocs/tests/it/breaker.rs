//! The breaker as callers and operators see it (D14).

use std::time::Duration;

use zajil_core::charge::Mode;
use zajil_core::port::Charger;
use zajil_ocs::{Breaker, Options};
use zajil_testkit::fake::ocs::{Behaviour, FakeOcs};

use crate::fixture::{
    ACCOUNT, SHORT, call, charge, client, client_and_telemetry, options, until, why,
};

const PAUSE: Duration = Duration::from_secs(1);

fn impatient(fake: &FakeOcs) -> Options {
    let mut options = options(fake, Mode::Debit);
    options.breaker = Breaker {
        failures: 3,
        shortest: PAUSE,
        longest: PAUSE * 4,
    };
    options
}

#[tokio::test]
async fn d14_opens_answers_at_once_probes_and_closes() {
    let fake = FakeOcs::start().await;
    fake.set_balance(ACCOUNT, 100);
    let (client, telemetry) = client_and_telemetry(impatient(&fake));
    let usable = || telemetry.metrics.charger_usable.get();
    assert_eq!(usable(), 1);
    fake.refuse();
    for id in 1..=3 {
        assert_eq!(usable(), 1);
        assert_eq!(charge(&client, &call(id, 1)).await, "failed Untouched");
    }
    assert_eq!(usable(), 0);
    fake.listen();
    let refused = why(&client, &call(4, 1)).await;
    assert!(
        refused.contains("is not asked for now: no connection"),
        "{refused}"
    );
    assert!(fake.calls().is_empty());
    assert!(
        client.health().await.is_err(),
        "it answers, but is not asked yet"
    );
    let over = tokio::time::Instant::now() + PAUSE;
    until("the pause is over", || tokio::time::Instant::now() > over).await;
    assert_eq!(charge(&client, &call(5, 1)).await, "granted");
    assert_eq!(usable(), 1);
    let methods: Vec<String> = fake.calls().into_iter().map(|call| call.method).collect();
    let ping = "SessionSv1.Ping";
    assert_eq!(methods, [ping, ping, "SessionSv1.ProcessMessage"]);
    client.health().await.unwrap();
}

#[tokio::test]
async fn d14_stays_open_while_probes_fail() {
    let fake = FakeOcs::start().await;
    fake.set_balance(ACCOUNT, 100);
    fake.behave(Behaviour::Status(503));
    let (client, telemetry) = client_and_telemetry(impatient(&fake));
    // Three calls open the breaker; the first one after the pause probes.
    let mut ticks = tokio::time::interval(PAUSE / 10);
    let deadline = tokio::time::Instant::now() + PAUSE * 20;
    while fake.calls_of("SessionSv1.Ping").is_empty() {
        assert!(ticks.tick().await < deadline, "no probe");
        let got = charge(&client, &call(1, 1)).await;
        assert!(got.starts_with("failed"), "{got}");
    }
    assert_eq!(telemetry.metrics.charger_usable.get(), 0);
    assert_eq!(fake.calls_of("SessionSv1.ProcessMessage").len(), 3);
    assert_eq!(fake.debited(ACCOUNT), 0);
}

#[tokio::test]
async fn d14_timeouts_open_it_and_refusals_do_not() {
    let fake = FakeOcs::start().await;
    fake.set_balance(ACCOUNT, 0);
    let mut options = impatient(&fake);
    options.timeout = SHORT;
    let client = client(options);
    for id in 1..=10 {
        let got = charge(&client, &call(id, 1)).await;
        assert_eq!(got, "refused NoCredit");
    }
    fake.behave(Behaviour::Fails("SERVER_ERROR: new".into()));
    for id in 11..=20 {
        assert_eq!(charge(&client, &call(id, 1)).await, "failed Unknown");
    }
    fake.behave(Behaviour::Stall);
    for id in 21..=23 {
        assert_eq!(charge(&client, &call(id, 1)).await, "failed Unknown");
    }
    let begun = tokio::time::Instant::now();
    assert_eq!(charge(&client, &call(24, 1)).await, "failed Untouched");
    assert!(begun.elapsed() < SHORT);
    assert_eq!(fake.calls().len(), 23);
}

#[tokio::test]
async fn d14_a_system_that_says_it_is_down_is_left_alone_as_a_silent_one() {
    for word in [
        "SERVER_ERROR: REPLY_TIMEOUT",
        "NOT_CONNECTED: RALs",
        "ATTRIBUTES_ERROR:NOT_CONNECTED: AttributeS",
        "MAX_CONCURRENT_RPC_EXCEEDED",
        "rpc: can't find service SessionSv1.ProcessMessage",
        "PARTIALLY_EXECUTED",
        "PARTIALLY_EXECUTED: INSUFFICIENT_CREDIT",
    ] {
        let fake = FakeOcs::start().await;
        fake.behave(Behaviour::Fails(word.into()));
        let client = client(impatient(&fake));
        for id in 1..=3 {
            assert!(client.unusable().is_none(), "{word}");
            let got = charge(&client, &call(id, 1)).await;
            assert!(got.starts_with("failed"), "{word}: {got}");
        }
        let refused = why(&client, &call(4, 1)).await;
        assert!(
            refused.contains("is not asked for now"),
            "{word}: {refused}"
        );
        assert!(refused.contains(word), "{refused}");
        assert_eq!(fake.calls().len(), 3, "{word}");
    }
}

#[tokio::test]
async fn d14_answers_about_an_account_or_a_refund_do_not_open_it() {
    for word in [
        "RALS_ERROR:ACCOUNT_NOT_FOUND",
        "RALS_ERROR:UNAUTHORIZED_DESTINATION",
        "CHARGERS_ERROR:NOT_FOUND",
        "MANDATORY_IE_MISSING: [Account]",
    ] {
        let fake = FakeOcs::start().await;
        fake.behave(Behaviour::Fails(word.into()));
        let client = client(impatient(&fake));
        for id in 1..=5 {
            charge(&client, &call(id, 1)).await;
        }
        assert!(client.unusable().is_none(), "{word}");
    }
    let fake = FakeOcs::start().await;
    let missing = "rpc: can't find service APIerSv1.AddBalance";
    fake.behave(Behaviour::Fails(missing.into()));
    let client = client(impatient(&fake));
    for id in 1..=5 {
        client.refund(&call(id, 1)).await.unwrap_err();
    }
    assert!(client.unusable().is_none());
}

#[tokio::test]
async fn d14_a_probe_that_its_caller_gives_up_leaves_its_turn_to_the_next_call() {
    let fake = FakeOcs::start().await;
    fake.set_balance(ACCOUNT, 100);
    let client = client(impatient(&fake));
    fake.refuse();
    for id in 1..=3 {
        charge(&client, &call(id, 1)).await;
    }
    fake.listen();
    fake.behave(Behaviour::Stall);
    until("the pause is over", || client.unusable().is_none()).await;
    let mut probe = client.health();
    let ticks = async { until("a probe", || !fake.calls().is_empty()).await };
    tokio::select! {
        ended = &mut probe => panic!("{ended:?}"),
        () = ticks => {}
    }
    assert!(client.unusable().is_some(), "one probe at a time");
    drop(probe);
    assert!(client.unusable().is_none());
    fake.behave(Behaviour::Normal);
    assert_eq!(charge(&client, &call(4, 1)).await, "granted");
}

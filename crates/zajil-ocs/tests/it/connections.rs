//! Connections: kept, found closed, never trusted with a debit twice (D14).

use zajil_core::charge::Mode;
use zajil_testkit::fake::ocs::{Behaviour, FakeOcs};

use crate::fixture::{ACCOUNT, SHORT, call, charge, client, options, until, why};

#[tokio::test]
async fn d14_connections_are_used_again() {
    for mode in Mode::ALL {
        let fake = FakeOcs::start().await;
        fake.set_balance(ACCOUNT, 100);
        let client = client(options(&fake, mode));
        for id in 1..=20 {
            assert_eq!(charge(&client, &call(id, 1)).await, "granted");
        }
        assert_eq!(fake.accepted(), 1);
    }
}

#[tokio::test]
async fn d14_a_connection_that_was_closed_meanwhile_is_not_used() {
    for mode in Mode::ALL {
        let fake = FakeOcs::start().await;
        fake.set_balance(ACCOUNT, 100);
        let client = client(options(&fake, mode));
        for id in 1..=10 {
            assert_eq!(charge(&client, &call(id, 1)).await, "granted", "{mode:?}");
            fake.disconnect();
        }
        assert_eq!(fake.calls().len(), 10, "{mode:?}");
        assert_eq!(fake.accepted(), 10, "{mode:?}");
    }
}

#[tokio::test]
async fn d14_a_kept_connection_that_dies_under_a_request_repeats_what_is_harmless() {
    for (behaviour, mode, expected, calls) in [
        (Behaviour::Ignore, Mode::Authorize, "granted", 3),
        (Behaviour::Close, Mode::Authorize, "granted", 3),
        (Behaviour::Reset, Mode::Authorize, "granted", 3),
        (Behaviour::Truncate, Mode::Authorize, "failed Untouched", 2),
        (Behaviour::Ignore, Mode::Debit, "failed Unknown", 2),
        (Behaviour::Close, Mode::Debit, "failed Unknown", 2),
        (Behaviour::Reset, Mode::Debit, "failed Unknown", 2),
    ] {
        let fake = FakeOcs::start().await;
        fake.set_balance(ACCOUNT, 100);
        let client = client(options(&fake, mode));
        assert_eq!(charge(&client, &call(1, 1)).await, "granted");
        fake.behave_once(behaviour.clone());
        let got = charge(&client, &call(2, 1)).await;
        assert_eq!(got, expected, "{mode:?} {behaviour:?}");
        assert_eq!(fake.calls().len(), calls, "{mode:?} {behaviour:?}");
        assert_eq!(charge(&client, &call(3, 1)).await, "granted");
    }
}

#[tokio::test]
async fn d14_a_harmless_request_is_repeated_once_only() {
    let fake = FakeOcs::start().await;
    fake.set_balance(ACCOUNT, 100);
    let client = client(options(&fake, Mode::Authorize));
    assert_eq!(charge(&client, &call(1, 1)).await, "granted");
    fake.behave(Behaviour::Ignore);
    assert_eq!(charge(&client, &call(2, 1)).await, "failed Untouched");
    assert_eq!(fake.calls().len(), 3);
}

#[tokio::test]
async fn d14_no_connection_means_no_money() {
    for mode in Mode::ALL {
        let fake = FakeOcs::start().await;
        fake.set_balance(ACCOUNT, 100);
        let client = client(options(&fake, mode));
        fake.refuse();
        assert_eq!(charge(&client, &call(1, 1)).await, "failed Untouched");
        fake.listen();
        assert_eq!(charge(&client, &call(1, 1)).await, "granted");
    }
    let fake = FakeOcs::start().await;
    let mut options = options(&fake, Mode::Debit);
    options.url = "http://no-such-host.invalid:2080/jsonrpc".into();
    options.timeout = SHORT * 10;
    let client = client(options);
    assert_eq!(charge(&client, &call(1, 1)).await, "failed Untouched");
    let why = why(&client, &call(1, 1)).await;
    assert!(
        why.contains("no connection to no-such-host.invalid:2080"),
        "{why}"
    );
}

#[tokio::test]
async fn d14_a_half_read_answer_is_not_taken_for_the_next() {
    let fake = FakeOcs::start().await;
    fake.set_balance(ACCOUNT, 100);
    let mut options = options(&fake, Mode::Authorize);
    options.timeout = SHORT;
    let client = client(options);
    fake.behave_once(Behaviour::Drip);
    assert_eq!(charge(&client, &call(1, 1)).await, "failed Untouched");
    until("an answer after the drip", || fake.calls().len() == 1).await;
    assert_eq!(charge(&client, &call(2, 500)).await, "refused NoCredit");
    assert_eq!(fake.accepted(), 2);
}

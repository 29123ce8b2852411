//! Giving back what a debit took (D14).

use zajil_core::charge::{Failed, Mode, Money};
use zajil_core::port::Charger;
use zajil_ocs::Refund;
use zajil_testkit::fake::ocs::{Behaviour, FakeOcs};

use crate::fixture::{ACCOUNT, SHORT, call, charge, client, options};

#[tokio::test]
async fn d14_a_refund_restores_the_balance() {
    for way in Refund::ALL {
        let fake = FakeOcs::start().await;
        fake.set_balance(ACCOUNT, 10);
        let mut options = options(&fake, Mode::Debit);
        options.refund = way;
        let client = client(options);
        assert_eq!(charge(&client, &call(1, 4)).await, "granted");
        assert_eq!(fake.balance(ACCOUNT), 6);
        client.refund(&call(1, 4)).await.unwrap();
        assert_eq!(fake.balance(ACCOUNT), 10, "{way:?}");
        assert_eq!(fake.debited(ACCOUNT), 0, "{way:?}");
    }
}

#[tokio::test]
async fn d14_a_cdr_that_exists_was_given_back() {
    let fake = FakeOcs::start().await;
    fake.set_balance(ACCOUNT, 10);
    let mut options = options(&fake, Mode::Debit);
    options.refund = Refund::Cdr;
    let client = client(options);
    charge(&client, &call(1, 4)).await;
    for _ in 0..3 {
        client.refund(&call(1, 4)).await.unwrap();
        assert_eq!(fake.balance(ACCOUNT), 10);
    }
}

#[tokio::test]
async fn d14_a_refund_that_fails_says_what_is_known_of_the_money() {
    for (behaviour, expected) in [
        (Behaviour::Stall, Money::Unknown),
        (Behaviour::Close, Money::Unknown),
        (Behaviour::Reset, Money::Unknown),
        (Behaviour::Garbage, Money::Unknown),
        (Behaviour::Status(500), Money::Unknown),
        (
            Behaviour::Fails("PARTIALLY_EXECUTED".into()),
            Money::Unknown,
        ),
        (Behaviour::Fails("SERVER_ERROR: new".into()), Money::Unknown),
        (Behaviour::Status(401), Money::Untouched),
        (Behaviour::Fails("NOT_CONNECTED".into()), Money::Untouched),
        (
            Behaviour::Fails("SERVER_ERROR: ACCOUNT_NOT_FOUND".into()),
            Money::Untouched,
        ),
        (
            Behaviour::Fails("rpc: can't find service".into()),
            Money::Untouched,
        ),
    ] {
        for way in Refund::ALL {
            let fake = FakeOcs::start().await;
            fake.behave(behaviour.clone());
            let mut options = options(&fake, Mode::Debit);
            options.refund = way;
            if behaviour == Behaviour::Stall {
                options.timeout = SHORT;
            }
            let Failed { money, .. } = client(options).refund(&call(1, 4)).await.unwrap_err();
            assert_eq!(money, expected, "{way:?} {behaviour:?}");
            assert_eq!(fake.calls().len(), 1, "{way:?} {behaviour:?}");
        }
    }
    let fake = FakeOcs::start().await;
    fake.refuse();
    let client = client(options(&fake, Mode::Debit));
    let Failed { money, why } = client.refund(&call(1, 4)).await.unwrap_err();
    assert_eq!(money, Money::Untouched, "{why}");
}

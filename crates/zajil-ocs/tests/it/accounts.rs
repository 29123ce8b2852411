//! Turns and bounds: many calls, one account (D14).

use std::sync::Arc;

use tokio::task::JoinSet;
use zajil_core::charge::Mode;
use zajil_ocs::Client;
use zajil_testkit::fake::ocs::{Behaviour, FakeOcs};

use crate::fixture::{ACCOUNT, SHORT, call, charge, client, options, until, why};

/// Charges messages `1..=count` at once, each from the account that `calling` names.
async fn storm(client: &Arc<Client>, count: u64, calling: fn(u64) -> String) -> Vec<String> {
    let mut storm = JoinSet::new();
    for id in 1..=count {
        let client = Arc::clone(client);
        let mut call = call(id, 1);
        call.calling = calling(id);
        storm.spawn(async move { charge(&client, &call).await });
    }
    storm.join_all().await
}

fn count(verdicts: &[String], which: &str) -> usize {
    verdicts.iter().filter(|verdict| *verdict == which).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d14_a_thousand_debits_at_once_spend_the_balance_exactly() {
    let fake = FakeOcs::start().await;
    fake.set_balance(ACCOUNT, 500);
    let client = Arc::new(client(options(&fake, Mode::Debit)));
    let verdicts = storm(&client, 1_000, |_| format!("+{ACCOUNT}")).await;
    assert_eq!(count(&verdicts, "granted"), 500);
    assert_eq!(count(&verdicts, "refused NoCredit"), 500);
    assert_eq!((fake.balance(ACCOUNT), fake.debited(ACCOUNT)), (0, 500));
    assert_eq!(fake.calls().len(), 1_000);
    assert_eq!(
        fake.accepted(),
        1,
        "one after the other needs one connection"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d14_calls_of_one_account_are_sent_one_after_the_other() {
    let (own, shared) = (Some("{calling}"), Some(ACCOUNT));
    for (mode, account, one_per_account, expected) in [
        (Mode::Debit, None, None, 1),
        (Mode::Debit, own, None, 1),
        (Mode::Debit, shared, None, 8),
        (Mode::Debit, shared, Some(true), 1),
        (Mode::Debit, None, Some(false), 8),
        (Mode::Authorize, None, None, 8),
        (Mode::Authorize, None, Some(true), 1),
    ] {
        let fake = FakeOcs::start().await;
        fake.set_balance(ACCOUNT, 100);
        fake.behave(Behaviour::Hold);
        let mut options = options(&fake, mode);
        options.account = account.map(str::to_owned);
        options.one_per_account = one_per_account;
        let client = Arc::new(client(options));
        let waiting = Arc::clone(&client);
        let storm = async move { storm(&waiting, 8, |_| format!("+{ACCOUNT}")).await };
        let release = async {
            until("calls under way", || fake.calls().len() >= expected).await;
            assert_eq!(fake.calls().len(), expected);
            fake.behave(Behaviour::Normal);
        };
        let (verdicts, ()) = tokio::join!(storm, release);
        assert_eq!(count(&verdicts, "granted"), 8);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d14_more_senders_than_calls_at_once_wait_and_all_are_charged() {
    let fake = FakeOcs::start().await;
    for id in 1..=60 {
        fake.set_balance(&format!("{id}"), 1);
    }
    fake.behave(Behaviour::Hold);
    let mut options = options(&fake, Mode::Debit);
    options.most_at_once = 10;
    let client = Arc::new(client(options));
    let waiting = Arc::clone(&client);
    let storm = async move { storm(&waiting, 60, |id| format!("+{id}")).await };
    let release = async {
        until("ten calls under way", || fake.calls().len() == 10).await;
        fake.behave(Behaviour::Normal);
    };
    let (verdicts, ()) = tokio::join!(storm, release);
    assert_eq!(count(&verdicts, "granted"), 60);
}

#[tokio::test]
async fn d14_a_limit_of_the_node_is_not_called_a_fault_of_the_charging_system() {
    for (most_at_once, most_waiting, sentence) in [
        (1, 3, "1 calls (ocs_max_concurrent) were under way"),
        (10, 1, "1 calls are waiting already"),
    ] {
        let fake = FakeOcs::start().await;
        fake.behave(Behaviour::Stall);
        let mut options = options(&fake, Mode::Debit);
        options.timeout = SHORT;
        (options.most_at_once, options.most_waiting) = (most_at_once, most_waiting);
        let client = client(options);
        let mut other = call(2, 1);
        other.calling = "2".into();
        let first = call(1, 1);
        let (first, why) = tokio::join!(why(&client, &first), why(&client, &other));
        assert!(first.contains("did not answer in time"), "{first}");
        assert!(why.contains("not sent, by this node's own limit"), "{why}");
        assert!(why.contains(sentence), "{why}");
        assert_eq!(fake.calls().len(), 1);
    }
}

#[tokio::test]
async fn d14_waiting_for_a_turn_is_bounded_in_time_and_number() {
    let fake = FakeOcs::start().await;
    fake.set_balance(ACCOUNT, 100);
    fake.behave(Behaviour::Stall);
    let mut options = options(&fake, Mode::Debit);
    options.timeout = SHORT;
    options.most_waiting = 3;
    let client = Arc::new(client(options));
    let begun = tokio::time::Instant::now();
    let mut verdicts = storm(&client, 5, |_| format!("+{ACCOUNT}")).await;
    assert!(begun.elapsed() < SHORT * 10);
    verdicts.sort_unstable();
    // One was sent; two waited in vain; two found no place.
    assert_eq!(count(&verdicts, "failed Unknown"), 1);
    assert_eq!(count(&verdicts, "failed Untouched"), 4);
    assert_eq!(fake.calls().len(), 1);
    assert_eq!(fake.debited(ACCOUNT), 1);
}

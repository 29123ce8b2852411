//! Receipts of carriers: matched however they are written and whenever they come (D19).

use std::num::NonZeroU32;
use std::time::Duration;

use smpp_codec::pdu::Sm;
use zajil_core::clock::Timestamp;
use zajil_core::event::{Event, EventName};
use zajil_core::id::MessageId;
use zajil_core::message::Life;
use zajil_core::retry::schedule::ErrorClass;
use zajil_core::smpp::carrier::{Carrier, DeliveredAt, ErrorKey, Handling, WithoutReceipt};
use zajil_core::status::{FinalStatus, Status};
use zajil_smpp::sim::{self, IdForm, Receipts};
use zajil_store::shelf::{Kind, Page, Record, Shelf as _, Start};
use zajil_store::{AwaitedParts as _, Store as _};

use crate::carriers::{Sim, Upstream, carrier, upstream, wait_for};

fn receipting(sim: &Sim) -> Carrier {
    Carrier {
        delivered_at: DeliveredAt::Receipt,
        ..carrier("up", &[sim.port])
    }
}

async fn sim(receipts: Receipts) -> Sim {
    Sim::start(sim::Options {
        receipts,
        first_id: 0x0386_01fa,
        ..sim::Options::default()
    })
    .await
}

async fn shelf(up: &Upstream, kind: Kind) -> Vec<Record> {
    let page = Page {
        kind,
        from: Start::After(0),
        offset: 0,
        limit: 100,
    };
    up.centre.store.shelf(page).await.unwrap()
}

/// Whether a message is held for its receipt.
async fn is_held(up: &Upstream, id: MessageId) -> bool {
    let message = up.centre.store.message(id).await.unwrap().unwrap();
    let events = up.centre.store.events(id).await.unwrap();
    let taken = events.iter().any(|event| event.name == EventName::Taken);
    taken
        && matches!(
            message.life,
            Life::Pending {
                leased_until: Some(_)
            }
        )
}

/// Nothing is left over of messages that have ended.
async fn nothing_waits(up: &Upstream) {
    wait_for(async || {
        let never = Timestamp::from_secs(i64::from(u32::MAX));
        let left = up.centre.store.overdue_parts(never, 1).await.unwrap();
        left.is_empty().then_some(())
    })
    .await;
}

/// D19: in any form of its id, early or late, with parameters or by its text, a receipt ends its
/// message; once, however often it comes.
#[tokio::test]
async fn d19_a_receipt_ends_its_message_however_it_comes() {
    for (ids, _) in IdForm::ALL {
        for early in [false, true] {
            let sim = sim(Receipts {
                ids,
                early,
                doubled: true,
                parameters: early,
                ..Receipts::default()
            })
            .await;
            let up = upstream(vec![receipting(&sim)]).await;
            let mut all = Vec::new();
            for number in 0..3 {
                all.push(up.submit("up", &format!("text {number}")).await);
            }
            for id in all {
                let message = up.delivered(id).await;
                assert_eq!(message.attempts.get(), 0, "{ids} {early}");
            }
            assert_eq!(sim.texts().len(), 3, "{ids} {early}");
            nothing_waits(&up).await;
        }
    }
}

/// D19: small ids can be meant both ways; a carrier that has given one with a letter means all of
/// its receipts' digits in decimal.
#[tokio::test]
async fn d19_ids_that_can_be_meant_both_ways_are_meant_as_the_others() {
    let sim = Sim::start(sim::Options {
        receipts: Receipts {
            ids: IdForm::HexThenDecimal,
            delay: Duration::from_secs(2),
            ..Receipts::default()
        },
        first_id: 10,
        ..sim::Options::default()
    })
    .await;
    let up = upstream(vec![receipting(&sim)]).await;
    let mut all = Vec::new();
    for number in 0..20 {
        all.push(up.submit("up", &format!("text {number}")).await);
    }
    for id in all {
        up.delivered(id).await;
    }
    assert_eq!(sim.texts().len(), 20);
    nothing_waits(&up).await;
}

/// D19: of small ids one in decimal is another in hexadecimal. What has ended under the one reading
/// swallows no receipt that comes, early or not, for the other.
#[tokio::test]
async fn d19_what_has_ended_swallows_no_receipt_of_another_small_id() {
    for early in [false, true] {
        let sim = Sim::start(sim::Options {
            receipts: Receipts {
                ids: IdForm::Upper,
                early,
                ..Receipts::default()
            },
            first_id: 10,
            ..sim::Options::default()
        })
        .await;
        let up = upstream(vec![receipting(&sim)]).await;
        // "a" to "f", and "10", which is "a" if it is read in decimal.
        for number in 10..=16 {
            let id = up.submit("up", &format!("text {number}")).await;
            up.delivered(id).await;
        }
        assert_eq!(sim.texts().len(), 7, "{early}");
        nothing_waits(&up).await;
    }
}

/// A carrier whose responses decide may send receipts all the same: they are answered and counted,
/// and nothing is kept of them.
#[tokio::test]
async fn d19_receipts_that_nobody_waits_for_are_not_kept() {
    let sim = sim(Receipts::default()).await;
    let up = upstream(vec![carrier("up", &[sim.port])]).await;
    wait_for(async || (sim.carrier.receivers() == 1).then_some(())).await;
    let stranger = crate::bench::sm("+46701133111", "+46709771337", b"hello");
    sim.carrier.tell("zajil", &stranger, 4_711);
    wait_for(async || (sim.carrier.receipted() == 1).then_some(())).await;
    assert_eq!(shelf(&up, Kind::SmppUnmatched).await, []);
    let metrics = up.centre.telemetry.metrics.render();
    let counted = "zajil_smpp_carrier_receipts_total{carrier=\"up\",outcome=\"unmatched\"} 1";
    assert!(metrics.contains(counted), "{metrics}");
}

/// The response alone delivers nothing; a receipt says what became of it, and of what failed the
/// log says why.
#[tokio::test]
async fn d19_a_message_waits_for_its_receipt_and_may_fail() {
    let sim = sim(Receipts {
        delay: Duration::from_millis(1_500),
        failing_every: NonZeroU32::new(1),
        ..Receipts::default()
    })
    .await;
    let up = upstream(vec![receipting(&sim)]).await;
    let id = up.submit("up", "hello").await;
    wait_for(async || is_held(&up, id).await.then_some(())).await;
    let events = up.centre.store.events(id).await.unwrap();
    let taken = events.iter().find(|event| event.name == EventName::Taken);
    assert_eq!(taken.unwrap().description, "'up' took it as 59113978");
    up.becomes(id, Status::Final(FinalStatus::Failed)).await;
    let events = up.centre.store.events(id).await.unwrap();
    let last = &events.last().unwrap().description;
    assert_eq!(last, "receipt UNDELIV, err:011");
    nothing_waits(&up).await;
}

/// A carrier of whose receipts every so many tell of an error that passes, as it is set.
async fn failing_for_now(every: u32) -> (Sim, Upstream) {
    let sim = sim(Receipts {
        failing_every: NonZeroU32::new(every),
        ..Receipts::default()
    })
    .await;
    let mut up = receipting(&sim);
    let temporary = Handling::Again(ErrorClass::Temporary);
    up.errors
        .insert(ErrorKey::parse("receipt:011").unwrap(), temporary);
    let up = upstream(vec![up]).await;
    (sim, up)
}

/// D10: an error code that passes is tried again, if the carrier's codes are set.
#[tokio::test]
async fn d10_error_codes_of_receipts_mean_what_was_set() {
    let (sim, up) = failing_for_now(2).await;
    // The first id is even: it fails, and the next try gets the next id.
    let id = up.submit("up", "hello").await;
    let message = up.delivered(id).await;
    assert_eq!(message.attempts.get(), 1);
    assert_eq!(sim.texts(), ["hello", "hello"]);
}

/// D19, per part: a long message is delivered when the receipts of all its parts say so.
#[tokio::test]
async fn d19_a_long_message_waits_for_all_its_receipts() {
    let sim = sim(Receipts::default()).await;
    let up = upstream(vec![receipting(&sim)]).await;
    let id = up.submit("up", &"0123456789".repeat(40)).await;
    up.delivered(id).await;
    let registered = |sm: &Sm| sm.registered_delivery.0;
    let asked: Vec<u8> = sim.carrier.seen().iter().map(registered).collect();
    assert_eq!(asked, [1, 1, 1]);
    nothing_waits(&up).await;
}

/// D19: a peer may send the receipts of an account to any of its sessions: those of another carrier
/// too, that binds as the same account.
#[tokio::test]
async fn d19_a_receipt_may_come_to_another_carrier_of_the_same_account() {
    for early in [false, true] {
        let sim = sim(Receipts {
            early,
            ..Receipts::default()
        })
        .await;
        let mut other = receipting(&sim);
        other.name = zajil_testkit::build::name("other");
        let up = upstream(vec![receipting(&sim), other]).await;
        wait_for(async || (sim.carrier.receivers() == 2).then_some(())).await;
        let mut all = Vec::new();
        for number in 0..4 {
            all.push(up.submit("up", &format!("text {number}")).await);
            all.push(up.submit("other", &format!("text {number}")).await);
        }
        for id in all {
            up.delivered(id).await;
        }
        assert_eq!(sim.texts().len(), 8, "{early}");
        nothing_waits(&up).await;
        assert_eq!(shelf(&up, Kind::SmppUnmatched).await, []);
    }
}

/// Receipts that decide about nothing are not kept, though the account has others that do; and what
/// nobody has submitted is.
#[tokio::test]
async fn d19_a_receipt_of_what_was_delivered_with_its_response_is_dropped() {
    let sim = sim(Receipts {
        delay: Duration::from_secs(3_600),
        ..Receipts::default()
    })
    .await;
    let mut other = receipting(&sim);
    other.name = zajil_testkit::build::name("other");
    let up = upstream(vec![carrier("up", &[sim.port]), other]).await;
    wait_for(async || (sim.carrier.receivers() == 2).then_some(())).await;
    let id = up.submit("up", "hello").await;
    up.delivered(id).await;
    let taken = sim.carrier.seen().remove(0);
    // To either session.
    for number in 1..=4 {
        sim.carrier.tell("zajil", &taken, 0x0386_01fa);
        wait_for(async || (sim.carrier.receipted() == number).then_some(())).await;
    }
    assert_eq!(shelf(&up, Kind::SmppUnmatched).await, []);
    sim.carrier.tell("zajil", &taken, 4_711);
    wait_for(async || (sim.carrier.receipted() == 5).then_some(())).await;
    assert_eq!(shelf(&up, Kind::SmppUnmatched).await.len(), 1);
}

/// How a carrier decides is changed while messages wait: what it has taken before is ended by its
/// receipts still, over the session of a sister, too.
#[tokio::test]
async fn d19_a_carrier_that_decides_otherwise_now_is_a_sister_still() {
    let sim = sim(Receipts {
        delay: Duration::from_secs(3_600),
        ..Receipts::default()
    })
    .await;
    let up = upstream(vec![receipting(&sim)]).await;
    let id = up.submit("up", "hello").await;
    wait_for(async || is_held(&up, id).await.then_some(())).await;
    let taken = sim.carrier.seen().remove(0);
    let mut other = receipting(&sim);
    other.name = zajil_testkit::build::name("other");
    let changed = std::sync::Arc::new(Carrier {
        enabled: false,
        ..carrier("up", &[sim.port])
    });
    up.carriers.send_replace([changed.clone()].into());
    wait_for(async || (sim.carrier.receivers() == 0).then_some(())).await;
    up.carriers.send_replace([changed, other.into()].into());
    wait_for(async || (sim.carrier.receivers() == 1).then_some(())).await;
    sim.carrier.tell("zajil", &taken, 0x0386_01fa);
    up.delivered(id).await;
}

/// A peer gives an id again, for another number and over another carrier of the account: what it
/// meant before swallows no receipt.
#[tokio::test]
async fn d19_an_id_that_a_sister_was_given_again_ends_the_message_of_the_sister() {
    let options = || sim::Options {
        receipts: Receipts {
            delay: Duration::from_secs(3_600),
            ..Receipts::default()
        },
        first_id: 4_711,
        ..sim::Options::default()
    };
    let first = Sim::start(options()).await;
    let by_response = std::sync::Arc::new(carrier("up", &[first.port]));
    let mut sister = receipting(&first);
    sister.name = zajil_testkit::build::name("other");
    let up = upstream(vec![Carrier::clone(&by_response), sister.clone()]).await;
    let id = up.submit_to("+46709771338", "up", "hello").await;
    up.delivered(id).await;
    let port = first.end().await;
    let second = Sim::start_on(port, options()).await;
    let id = up.submit("other", "hello").await;
    wait_for(async || is_held(&up, id).await.then_some(())).await;
    let taken = second.carrier.seen().remove(0);
    sister.enabled = false;
    let none = [std::sync::Arc::new(sister.clone())].into();
    up.carriers.send_replace(none);
    wait_for(async || (second.carrier.receivers() == 0).then_some(())).await;
    (up.carriers).send_replace([by_response, sister.into()].into());
    wait_for(async || (second.carrier.receivers() == 1).then_some(())).await;
    second.carrier.tell("zajil", &taken, 4_711);
    up.delivered(id).await;
}

/// What waits for receipts outlives the sessions that submitted it.
#[tokio::test]
async fn d19_a_receipt_finds_its_message_on_a_later_session() {
    let first = sim(Receipts {
        delay: Duration::from_secs(3_600),
        ..Receipts::default()
    })
    .await;
    let up = upstream(vec![receipting(&first)]).await;
    let id = up.submit("up", "hello").await;
    wait_for(async || is_held(&up, id).await.then_some(())).await;
    let taken = first.carrier.seen().remove(0);
    let port = first.end().await;
    let second = Sim::start_on(port, sim::Options::default()).await;
    second.carrier.tell("zajil", &taken, 0x0386_01fa);
    up.delivered(id).await;
    assert!(second.texts().is_empty(), "it was not submitted again");
}

/// D19: what matches nothing is kept to be looked at, and answered, or it would come for ever.
#[tokio::test]
async fn d19_a_receipt_that_matches_nothing_is_kept() {
    let sim = sim(Receipts::default()).await;
    let up = upstream(vec![receipting(&sim)]).await;
    wait_for(async || (sim.carrier.receivers() == 1).then_some(())).await;
    let stranger = crate::bench::sm("+46701133111", "+46709771337", b"hello");
    sim.carrier.tell("zajil", &stranger, 4_711);
    wait_for(async || (sim.carrier.receipted() == 1).then_some(())).await;
    let kept = shelf(&up, Kind::SmppUnmatched).await;
    assert!(kept[0].body.contains("\"id\":\"4711\""), "{kept:?}");
    let metrics = up.centre.telemetry.metrics.render();
    let counted = "zajil_smpp_carrier_receipts_total{carrier=\"up\",outcome=\"unmatched\"} 1";
    assert!(metrics.contains(counted), "{metrics}");
}

/// A receipt that does not come: what was set for that happens, and the message is not held on.
#[tokio::test]
async fn d19_a_receipt_that_does_not_come_is_not_waited_for() {
    for (rule, wanted) in [
        (WithoutReceipt::Fail, FinalStatus::Failed),
        (WithoutReceipt::Deliver, FinalStatus::Delivered),
    ] {
        let sim = sim(Receipts {
            delay: Duration::from_secs(3_600),
            ..Receipts::default()
        })
        .await;
        let up = upstream(vec![Carrier {
            receipt_timeout: Duration::from_secs(1),
            without_receipt: rule,
            ..receipting(&sim)
        }])
        .await;
        let id = up.submit("up", "hello").await;
        up.becomes(id, Status::Final(wanted)).await;
        nothing_waits(&up).await;
    }
}

/// S9.1, D19: with a wait that is longer than the life of the message, as the defaults are, the
/// rule for receipts that do not come applies all the same.
#[tokio::test]
async fn d19_a_receipt_is_waited_for_no_longer_than_the_message_lives() {
    let sim = sim(Receipts {
        delay: Duration::from_secs(3_600),
        ..Receipts::default()
    })
    .await;
    let up = upstream(vec![Carrier {
        without_receipt: WithoutReceipt::Deliver,
        ..receipting(&sim)
    }])
    .await;
    let id = up.submit_for("up", "hello", Duration::from_secs(8)).await;
    up.delivered(id).await;
    nothing_waits(&up).await;
}

/// D10: three parts that failed together are one attempt that failed.
#[tokio::test]
async fn d10_the_parts_of_a_message_fail_in_one_attempt() {
    let (_sim, up) = failing_for_now(1).await;
    let id = up.submit("up", &"0123456789".repeat(40)).await;
    let events = wait_for(async || {
        let events = up.centre.store.events(id).await.unwrap();
        let taken = |event: &&Event| event.name == EventName::Taken;
        (events.iter().filter(taken).count() >= 3).then_some(events)
    })
    .await;
    let turn = |event: &Event| match event.name {
        EventName::Taken => Some(true),
        EventName::DeliveryAttempt(_) => Some(false),
        _ => None,
    };
    let turns: Vec<bool> = events.iter().filter_map(turn).collect();
    let by_turns = turns.windows(2).all(|pair| pair[0] != pair[1]);
    assert!(by_turns, "{events:?}");
}

/// D19: a carrier that gives an id again will say nothing more of the message that had it: that one
/// ends by the rule for receipts that do not come, and is not held on.
#[tokio::test]
async fn d19_an_id_that_is_given_again_ends_the_former_wait() {
    let first = sim(Receipts {
        delay: Duration::from_secs(3_600),
        ..Receipts::default()
    })
    .await;
    let up = upstream(vec![Carrier {
        without_receipt: WithoutReceipt::Deliver,
        ..receipting(&first)
    }])
    .await;
    let former = up.submit("up", "hello").await;
    wait_for(async || is_held(&up, former).await.then_some(())).await;
    let port = first.end().await;
    let options = sim::Options {
        receipts: Receipts {
            failing_every: NonZeroU32::new(1),
            ..Receipts::default()
        },
        first_id: 0x0386_01fa,
        ..sim::Options::default()
    };
    let _second = Sim::start_on(port, options).await;
    let latter = up.submit("up", "hello again").await;
    up.delivered(former).await;
    up.becomes(latter, Status::Final(FinalStatus::Failed)).await;
    nothing_waits(&up).await;
}

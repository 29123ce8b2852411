//! Charging on the way in (S7, D14): what clients, logs, CDRs and the books say.

use std::sync::Arc;
use std::time::Duration;

use expect_test::{Expect, expect};
use zajil_core::charge::{FailureAction, Mode};
use zajil_core::port::Intake as _;
use zajil_core::status::FinalStatus;
use zajil_engine::{Charging, Options};
use zajil_store::contract::{Error, Store as _};
use zajil_testkit::build;

use crate::moody::Mood;
use crate::scenario::World;

fn options(mode: Mode, on_failure: FailureAction) -> Options {
    let charging = Charging {
        by_default: true,
        mode,
        on_failure,
        refund_on: vec![FinalStatus::Failed, FinalStatus::Expired],
        ..Charging::default()
    };
    Options {
        charging,
        ..Options::default()
    }
}

async fn check(options: Options, timeline: &str, expected: Expect) {
    let mut world = World::new(options).await;
    world.play(timeline).await;
    expected.assert_eq(&world.finish().await);
}

const EVERY_ANSWER: &str = "
        route 44 gw
        charges granted refused failed unknown
        submit 111 441 granted
        submit 111 442 refused
        submit 111 443 failed
        submit 111 444 unknown
        offer gw
        books";

#[tokio::test(start_paused = true)]
async fn s7_2_authorize_every_answer_when_failures_are_allowed() {
    let options = options(Mode::Authorize, FailureAction::Allow);
    check(options, EVERY_ANSWER, expect![[r#"
        route 44 gw => route 1
        charges granted refused failed unknown
        submit 111 441 granted => m1 111>441 pending dest Some(gw)
        submit 111 442 refused => refused, no_credit: charging refused message m2: insufficient balance
        submit 111 443 failed => m3 111>443 pending dest Some(gw)
        submit 111 444 unknown => m4 111>444 pending dest Some(gw)
        offer gw => [m1 m3 m4]
        books => [("charge", m1, 1), ("charge", m2, 1), ("charge", m3, 1), ("charge", m4, 1)]
        m1:
          +0s message_inserted
          +0s message_routed route 1 to 'gw'
          +0s charging_attempted authorized
        m2:
          +0s message_inserted
          +0s message_routed route 1 to 'gw'
          +0s charging_attempted
          +0s charging_failed insufficient balance
          +0s message_failed rejected
        m3:
          +0s message_inserted
          +0s message_routed route 1 to 'gw'
          +0s charging_attempted
          +0s charging_failed no answer, money untouched
        m4:
          +0s message_inserted
          +0s message_routed route 1 to 'gw'
          +0s charging_attempted
          +0s charging_failed no answer, money unknown
        cdr m2 rejected by Some("gw"), attempts 0
    "#]]).await;
}

#[tokio::test(start_paused = true)]
async fn s7_2_authorize_every_answer_when_failures_are_denied() {
    let options = options(Mode::Authorize, FailureAction::Deny);
    check(options, EVERY_ANSWER, expect![[r#"
        route 44 gw => route 1
        charges granted refused failed unknown
        submit 111 441 granted => m1 111>441 pending dest Some(gw)
        submit 111 442 refused => refused, no_credit: charging refused message m2: insufficient balance
        submit 111 443 failed => refused, charging_down: charging is not available, and message m3 was rejected: try again
        submit 111 444 unknown => refused, charging_down: charging is not available, and message m4 was rejected: try again
        offer gw => [m1]
        books => [("charge", m1, 1), ("charge", m2, 1), ("charge", m3, 1), ("charge", m4, 1)]
        m1:
          +0s message_inserted
          +0s message_routed route 1 to 'gw'
          +0s charging_attempted authorized
        m2:
          +0s message_inserted
          +0s message_routed route 1 to 'gw'
          +0s charging_attempted
          +0s charging_failed insufficient balance
          +0s message_failed rejected
        m3:
          +0s message_inserted
          +0s message_routed route 1 to 'gw'
          +0s charging_attempted
          +0s charging_failed no answer, money untouched
          +0s message_failed rejected
        m4:
          +0s message_inserted
          +0s message_routed route 1 to 'gw'
          +0s charging_attempted
          +0s charging_failed no answer, money unknown
          +0s message_failed rejected
        cdr m2 rejected by Some("gw"), attempts 0
        cdr m3 rejected by Some("gw"), attempts 0
        cdr m4 rejected by Some("gw"), attempts 0
    "#]]).await;
}

#[tokio::test(start_paused = true)]
async fn d14_debit_every_answer_when_failures_are_allowed() {
    let options = options(Mode::Debit, FailureAction::Allow);
    check(options, EVERY_ANSWER, expect![[r#"
        route 44 gw => route 1
        charges granted refused failed unknown
        submit 111 441 granted => m1 111>441 pending dest Some(gw)
        submit 111 442 refused => refused, no_credit: charging refused message m2: insufficient balance
        submit 111 443 failed => m3 111>443 pending dest Some(gw)
        submit 111 444 unknown => m4 111>444 pending dest Some(gw)
        offer gw => [m1 m3 m4]
        books => [("charge", m1, 1), ("charge", m2, 1), ("charge", m3, 1), ("charge", m4, 1)]
        m1:
          +0s message_inserted
          +0s message_routed route 1 to 'gw'
          +0s charging_attempted 1 debited
        m2:
          +0s message_inserted
          +0s message_routed route 1 to 'gw'
          +0s charging_attempted
          +0s charging_failed insufficient balance
          +0s message_failed rejected
        m3:
          +0s message_inserted
          +0s message_routed route 1 to 'gw'
          +0s charging_attempted
          +0s charging_failed no answer, money untouched
        m4:
          +0s message_inserted
          +0s message_routed route 1 to 'gw'
          +0s charging_attempted
          +0s charging_failed no answer, money unknown
        cdr m2 rejected by Some("gw"), attempts 0
    "#]]).await;
}

#[tokio::test(start_paused = true)]
async fn d14_debit_every_answer_when_failures_are_denied() {
    let options = options(Mode::Debit, FailureAction::Deny);
    check(options, EVERY_ANSWER, expect![[r#"
        route 44 gw => route 1
        charges granted refused failed unknown
        submit 111 441 granted => m1 111>441 pending dest Some(gw)
        submit 111 442 refused => refused, no_credit: charging refused message m2: insufficient balance
        submit 111 443 failed => refused, charging_down: charging is not available, and message m3 was rejected: try again
        submit 111 444 unknown => refused, charging_down: charging is not available, and message m4 was rejected: try again
        offer gw => [m1]
        books => [("charge", m1, 1), ("charge", m2, 1), ("charge", m3, 1), ("charge", m4, 1)]
        m1:
          +0s message_inserted
          +0s message_routed route 1 to 'gw'
          +0s charging_attempted 1 debited
        m2:
          +0s message_inserted
          +0s message_routed route 1 to 'gw'
          +0s charging_attempted
          +0s charging_failed insufficient balance
          +0s message_failed rejected
        m3:
          +0s message_inserted
          +0s message_routed route 1 to 'gw'
          +0s charging_attempted
          +0s charging_failed no answer, money untouched
          +0s message_failed rejected
        m4:
          +0s message_inserted
          +0s message_routed route 1 to 'gw'
          +0s charging_attempted
          +0s charging_failed no answer, money unknown
          +0s message_failed rejected
        cdr m2 rejected by Some("gw"), attempts 0
        cdr m3 rejected by Some("gw"), attempts 0
        cdr m4 rejected by Some("gw"), attempts 0
    "#]]).await;
}

#[tokio::test(start_paused = true)]
async fn s7_1_the_route_says_who_is_charged_and_what_ends_here_is_not() {
    let timeline = "
        route 1 free charged=no
        route 2 paid charged=yes
        route 3 drop charged=yes
        route 4 reply hi
        submit 100 111 free
        submit 100 211 paid
        submit 100 311 dropped
        submit 100 411 answered
        submit 100 511 nowhere
        books";
    let options = options(Mode::Authorize, FailureAction::Allow);
    check(
        options,
        timeline,
        expect![[r#"
        route 1 free charged=no => route 1
        route 2 paid charged=yes => route 2
        route 3 drop charged=yes => route 3
        route 4 reply hi => route 4
        submit 100 111 free => m1 100>111 pending dest Some(free)
        submit 100 211 paid => m2 100>211 pending dest Some(paid)
        submit 100 311 dropped => m3 100>311 dropped dest None
        submit 100 411 answered => m4 100>411 delivered dest None
        submit 100 511 nowhere => m6 100>511 pending dest None
        books => [("charge", m2, 1), ("charge", m6, 1)]
        m1:
          +0s message_inserted
          +0s message_routed route 1 to 'free'
        m2:
          +0s message_inserted
          +0s message_routed route 2 to 'paid'
          +0s charging_attempted authorized
        m3:
          +0s message_inserted
          +0s message_dropped route 3
        m4:
          +0s message_inserted
          +0s auto_reply_sent route 4, message m5
          +0s message_delivered route 4
        m5:
          +0s message_inserted auto-reply to message m4
          +0s message_routed route 1 to 'free'
        m6:
          +0s message_inserted
          +0s routing_failed no route matches
          +0s charging_attempted authorized
        cdr m3 dropped by None, attempts 0
        cdr m4 delivered by None, attempts 1
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn d6_a_repetition_is_charged_once_and_has_the_first_answer_again() {
    for mode in Mode::ALL {
        let mut world = World::new(options(mode, FailureAction::Allow)).await;
        world
            .play(
                "
                charges granted refused granted
                submit 111 441 a key=k
                submit 111 441 a key=k
                submit 111 441 b key=k
                submit 111 442 c key=l
                submit 111 442 c key=l",
            )
            .await;
        let charges = world.ledger.calls().len();
        let told = world.finish().await;
        assert_eq!(charges, 2, "{told}");
        let lines: Vec<&str> = told.lines().skip(1).take(5).collect();
        // One snapshot for both modes.
        expect![[r#"
            submit 111 441 a key=k => m1 111>441 pending dest None
            submit 111 441 a key=k => again m1 111>441 pending dest None
            submit 111 441 b key=k => refused, key_reused: this idempotency key came with another request before: use a new key
            submit 111 442 c key=l => refused, no_credit: charging refused message m2: insufficient balance
            submit 111 442 c key=l => refused, no_credit: charging refused message m2: insufficient balance"#]].assert_eq(&lines.join("\n"));
    }
}

#[tokio::test(start_paused = true)]
async fn d14_a_crash_while_the_charge_is_out_neither_loses_the_message_nor_asks_again() {
    for on_failure in FailureAction::ALL {
        let options = options(Mode::Debit, on_failure);
        let world = World::new(options.clone()).await;
        world.ledger.expect(&["stalls"]);
        let submit = world.engine.submit(build::submission("111", "441", "x"));
        // The client waits for a while and goes; the node dies with the answer outstanding.
        let given_up = tokio::time::timeout(Duration::from_secs(5), submit).await;
        assert!(given_up.is_err());
        assert_eq!(world.ledger.calls().len(), 1);
        let store = Arc::clone(&world.store);
        drop(world);

        let mut world = World::over(store, options).await;
        world
            .play("offer gw unrouted\n +34s\n offer gw unrouted")
            .await;
        world.play("+2s\n offer gw unrouted\n books").await;
        match on_failure {
            FailureAction::Allow => expect![[r#"
                offer gw unrouted => []
                +34s
                offer gw unrouted => []
                +2s
                offer gw unrouted => [m1]
                books => []
                m1:
                  +0s message_inserted
                  +0s routing_failed no route matches
                  +36s charging_attempted
                  +36s charging_failed no answer was recorded; money may have moved
            "#]],
            FailureAction::Deny => expect![[r#"
                offer gw unrouted => []
                +34s
                offer gw unrouted => []
                +2s
                offer gw unrouted => []
                books => []
                m1:
                  +0s message_inserted
                  +0s routing_failed no route matches
                  +36s charging_attempted
                  +36s charging_failed no answer was recorded; money may have moved
                  +36s message_failed rejected
                cdr m1 rejected by None, attempts 0
            "#]],
        }
        .assert_eq(&world.finish().await);
    }
}

#[tokio::test(start_paused = true)]
async fn d14_an_answer_is_not_lost_because_the_client_went_away_or_the_store_was_busy() {
    let mut world = World::new(options(Mode::Debit, FailureAction::Deny)).await;
    let engine = Arc::clone(&world.engine);
    {
        let mut submit = engine.submit(build::submission("111", "441", "x"));
        // Polled once: the errand is under way when the client goes.
        let first = std::future::poll_fn(|context| {
            std::task::Poll::Ready(submit.as_mut().poll(context).is_ready())
        });
        assert!(!first.await);
    }
    world.let_tasks_work().await;
    world.play("offer gw unrouted\n books").await;
    expect![[r#"
        offer gw unrouted => [m1]
        books => [("charge", m1, 1)]
        m1:
          +0s message_inserted
          +0s routing_failed no route matches
          +0s charging_attempted 1 debited
    "#]]
    .assert_eq(&world.finish().await);
}

#[tokio::test(start_paused = true)]
async fn s8_a_message_that_ended_before_its_charge_was_answered_ends_once_in_its_log() {
    let mut world = World::new(options(Mode::Debit, FailureAction::Allow)).await;
    world.play("route 44 reply closed gw\n charges late").await;
    let engine = Arc::clone(&world.engine);
    let submit = async move { engine.submit(build::submission("111", "441", "x")).await };
    let mut submit = std::pin::pin!(submit);
    // Polled once: the errand is under way.
    let first = std::future::poll_fn(|context| {
        std::task::Poll::Ready(submit.as_mut().poll(context).is_ready())
    });
    assert!(!first.await);
    world.play("+1s\n +40s\n delivered m1 gw").await;
    world.ledger.late.notify_one();
    assert!(submit.await.is_ok());
    world.let_tasks_work().await;
    expect![[r#"
        route 44 reply closed gw => route 1
        charges late
        +1s
        +40s
        delivered m1 gw => m1 111>441 delivered dest Some(gw)
        m1:
          +0s message_inserted
          +0s message_routed route 1 to 'gw'
          +41s charging_attempted
          +41s charging_failed no answer was recorded; money may have moved
          +41s delivery_attempt_1 gw
          +41s message_delivered gw
          +41s charging_attempted 1 debited; the answer came late
          +41s auto_reply_sent route 1, message m2
        m2:
          +41s message_inserted auto-reply to message m1
          +41s routing_failed no route matches
        cdr m1 delivered by Some("gw"), attempts 1
    "#]]
    .assert_eq(&world.finish().await);
}

#[tokio::test(start_paused = true)]
async fn d14_nothing_is_charged_that_cannot_be_written_down() {
    let world = World::new(options(Mode::Debit, FailureAction::Allow)).await;
    let down = Error::Down("gone".into());
    world.store.expect([Mood::Refuse(down)]);
    let submit = world.engine.submit(build::submission("111", "441", "x"));
    assert!(submit.await.is_err());
    assert!(world.ledger.calls().is_empty());
    assert_eq!(world.store.figures().await.unwrap().messages, 0);
}

#[tokio::test(start_paused = true)]
async fn d14_a_debit_is_given_back_once_when_the_message_ends_undelivered() {
    let timeline = "
        route 44 gw
        submit 111 441 delivered
        submit 111 442 failed
        submit 111 443 unknown
        submit 111 444 later
        delivered m1 gw
        charges granted unknown failed granted
        ended m2
        +5s
        ended m3
        +5s
        ended m4
        +5s
        +20s
        books";
    let options = options(Mode::Debit, FailureAction::Allow);
    check(options, timeline, expect![[r#"
        route 44 gw => route 1
        submit 111 441 delivered => m1 111>441 pending dest Some(gw)
        submit 111 442 failed => m2 111>442 pending dest Some(gw)
        submit 111 443 unknown => m3 111>443 pending dest Some(gw)
        submit 111 444 later => m4 111>444 pending dest Some(gw)
        delivered m1 gw => m1 111>441 delivered dest Some(gw)
        charges granted unknown failed granted
        ended m2 => m2 111>442 failed dest Some(gw)
        +5s
        ended m3 => m3 111>443 failed dest Some(gw)
        +5s
        ended m4 => m4 111>444 failed dest Some(gw)
        +5s
        +20s
        books => [("charge", m1, 1), ("charge", m2, 1), ("charge", m3, 1), ("charge", m4, 1), ("refund", m2, 1), ("refund", m3, 1), ("refund", m4, 1), ("refund", m4, 1)]
        m1:
          +0s message_inserted
          +0s message_routed route 1 to 'gw'
          +0s charging_attempted 1 debited
          +0s delivery_attempt_1 gw
          +0s message_delivered gw
        m2:
          +0s message_inserted
          +0s message_routed route 1 to 'gw'
          +0s charging_attempted 1 debited
          +0s message_failed failed
          +5s charging_attempted 1 refunded
        m3:
          +0s message_inserted
          +0s message_routed route 1 to 'gw'
          +0s charging_attempted 1 debited
          +5s message_failed failed
          +10s charging_failed refund of 1 unknown: no answer, money unknown
        m4:
          +0s message_inserted
          +0s message_routed route 1 to 'gw'
          +0s charging_attempted 1 debited
          +10s message_failed failed
          +35s charging_attempted 1 refunded
        cdr m1 delivered by Some("gw"), attempts 1
        cdr m2 failed by Some("gw"), attempts 0
        cdr m3 failed by Some("gw"), attempts 0
        cdr m4 failed by Some("gw"), attempts 0
    "#]]).await;
}

#[tokio::test(start_paused = true)]
async fn d14_an_asynchronous_submit_is_charged_before_it_is_taken() {
    for mode in Mode::ALL {
        let mut world = World::new(options(mode, FailureAction::Deny)).await;
        world
            .play(
                "
                charges granted refused failed
                async 111 441 a
                async 111 442 b
                async 111 443 c
                +1s
                offer gw unrouted",
            )
            .await;
        let told = world.finish().await;
        let lines: Vec<&str> = told.lines().take(6).collect();
        match mode {
            Mode::Authorize => expect![[r#"
                charges granted refused failed
                async 111 441 a => taken, dest None
                async 111 442 b => refused, no_credit: charging refused message m2: insufficient balance
                async 111 443 c => refused, charging_down: charging is not available, and message m3 was rejected: try again
                +1s
                offer gw unrouted => [m1]"#]],
            Mode::Debit => expect![[r#"
                charges granted refused failed
                async 111 441 a => taken, dest None
                async 111 442 b => refused, no_credit: charging refused message m2: insufficient balance
                async 111 443 c => refused, charging_down: charging is not available, and message m3 was rejected: try again
                +1s
                offer gw unrouted => [m1]"#]],
        }
        .assert_eq(&lines.join("\n"));
    }
}

#[tokio::test(start_paused = true)]
async fn d14_while_nobody_can_be_asked_a_debit_fails_without_being_written_down_first() {
    let timeline = "
        charges granted open open open
        submit 111 441 a key=k
        submit 111 441 a key=k
        submit 111 442 b key=l
        submit 111 443 c
        books";
    for on_failure in FailureAction::ALL {
        let options = options(Mode::Debit, on_failure);
        let mut world = World::new(options).await;
        world.play(timeline).await;
        let told = world.finish().await;
        let lines: Vec<&str> = told.lines().skip(1).take(5).collect();
        match on_failure {
            FailureAction::Allow => expect![[r#"
                submit 111 441 a key=k => m1 111>441 pending dest None
                submit 111 441 a key=k => again m1 111>441 pending dest None
                submit 111 442 b key=l => m2 111>442 pending dest None
                submit 111 443 c => m3 111>443 pending dest None
                books => [("charge", m1, 1)]"#]],
            FailureAction::Deny => expect![[r#"
                submit 111 441 a key=k => m1 111>441 pending dest None
                submit 111 441 a key=k => again m1 111>441 pending dest None
                submit 111 442 b key=l => refused, charging_down: charging is not available, and message m2 was rejected: try again
                submit 111 443 c => refused, charging_down: charging is not available, and message m3 was rejected: try again
                books => [("charge", m1, 1)]"#]],
        }
        .assert_eq(&lines.join("\n"));
    }
}

//! Charging that waits for its answer (D14), and the frontends that follow the first (D12).

use super::*;
use crate::message::Arranged;

const AFTER: Duration = Duration::from_secs(60);

/// Waits for the charging system until 30 s from now.
fn charging(on_failure: FailureAction) -> Message {
    Message {
        life: Life::Charging {
            until: at(NOW + 30),
            on_failure,
        },
        ..pending()
    }
}

/// Waits for `gw`, whose turn is over 10 s from now; then `b`, then `c`.
fn followed() -> Message {
    let fallback = Fallback {
        rest: vec![name("b"), name("c")],
        after: AFTER,
        at: at(NOW + 10),
    };
    Message {
        arranged: Arranged {
            fallback: Some(fallback),
            ..Arranged::default()
        },
        ..pending()
    }
}

#[test]
fn d14_every_report_on_a_message_that_waits_for_its_charge() {
    expect![[r#"
        the message is still being charged
        the message is still being charged
        the message is still being charged
        the message is still being charged
        nothing about the message is due
        the message is still being charged
        the message is still being charged
        the message is still being charged
        pending; dest gw; attempts 0; after -
          charging_attempted: authorized
        pending; dest gw; attempts 0; after -; 3 debited
          charging_attempted: 3 debited
        pending; dest gw; attempts 0; after -; charge_failed
          charging_attempted
          charging_failed: no answer
        rejected at t+1100.000 by node-b; dest gw; attempts 0; after -
          charging_attempted
          charging_failed: no answer
          message_failed: rejected
        the message is still being charged
        the message is still being charged
        the message is still being charged
        the message is still being charged
        the message is still being charged
        the message is still being charged
        the message is still being charged
        the message is still being charged
    "#]]
    .assert_eq(&table(&charging(FailureAction::Allow), NOW));
}

#[test]
fn d14_an_answer_that_is_lost_is_a_failure_and_never_a_second_call() {
    let lost = |action| reported(charging(action), &Report::Overdue, NOW + 30);
    let early = reported(charging(FailureAction::Allow), &Report::Overdue, NOW + 29);
    assert_eq!(early, "nothing about the message is due\n");
    let both = lost(FailureAction::Allow) + &lost(FailureAction::Deny);
    expect![[r#"
        pending; dest gw; attempts 0; after -; charge_failed
          charging_attempted
          charging_failed: no answer was recorded; money may have moved
        rejected at t+1130.000 by node-b; dest gw; attempts 0; after -
          charging_attempted
          charging_failed: no answer was recorded; money may have moved
          message_failed: rejected
    "#]]
    .assert_eq(&both);
}

#[test]
fn d14_a_message_that_waits_for_its_charge_cannot_be_edited() {
    let mut message = charging(FailureAction::Deny);
    let before = message.clone();
    let change = Edit {
        attempts: Some(Attempt::new(1)),
        ..Edit::default()
    };
    let refused = edit(&mut message, change, &scene(NOW));
    assert_eq!(refused, Err(Unchanged::Charging));
    assert_eq!(message, before);
}

#[test]
fn d14_a_life_that_is_over_waits_for_the_charge() {
    let mut message = charging(FailureAction::Allow);
    message.expires = at(NOW + 1);
    assert_eq!(message.next_turn(), at(NOW + 30));
    let early = report(&mut message, &Report::Overdue, &scene(NOW + 29));
    assert_eq!(early, Err(Unchanged::NotYet));
    report(&mut message, &Report::Overdue, &scene(NOW + 30)).unwrap();
    assert!(message.ending().is_none() && message.charge_failed);
    report(&mut message, &Report::Overdue, &scene(NOW + 30)).unwrap();
    assert!(message.is_dead_letter());
}

#[test]
fn d14_money_that_was_taken_is_known_however_late_the_answer_comes() {
    let paid = Report::Charged(Settlement::Granted {
        debited: NonZeroU32::new(3),
    });
    let mut told = String::new();
    for action in FailureAction::ALL {
        let mut message = charging(action);
        report(&mut message, &Report::Overdue, &scene(NOW + 30)).unwrap();
        let events = report(&mut message, &paid, &scene(NOW + 40)).unwrap();
        told += &shown(&message, &events);
        // Once.
        assert!(report(&mut message, &paid, &scene(NOW + 41)).is_err());
    }
    expect![[r#"
        pending; dest gw; attempts 0; after -; 3 debited
          charging_attempted: 3 debited; the answer came late
        rejected at t+1130.000 by node-b; dest gw; attempts 0; after -; 3 debited
          charging_attempted: 3 debited; the answer came late
    "#]]
    .assert_eq(&told);
}

#[test]
fn d12_only_the_frontend_that_has_the_message_can_give_it_up() {
    let by = |by: &str| Report::Refused {
        by: Some(name(by)),
        reason: None,
    };
    let mut message = followed();
    report(&mut message, &by("gw"), &scene(NOW)).unwrap();
    assert_eq!(message.dest_smsc, Some(name("b")));
    // The same again, as a client that did not hear the answer says it.
    let again = report(&mut message, &by("gw"), &scene(NOW));
    assert_eq!(again, Err(Unchanged::NotTheirs));
    assert_eq!(message.dest_smsc, Some(name("b")));
}

#[test]
fn d12_each_frontend_has_its_turn_and_the_last_keeps_the_message() {
    let mut message = followed();
    assert_eq!(message.next_turn(), at(NOW + 10));
    let mut told = String::new();
    for now in [NOW + 9, NOW + 10, NOW + 69, NOW + 70, NOW + 500] {
        told += &match report(&mut message, &Report::Overdue, &scene(now)) {
            Ok(events) => shown(&message, &events),
            Err(unchanged) => format!("{unchanged}\n"),
        };
    }
    expect![[r#"
        nothing about the message is due
        pending; dest b; attempts 0; after -; then [c] at t+1170.000
          message_routed: fallback to 'b': 'gw' did not take it within 60 s
        nothing about the message is due
        pending; dest c; attempts 0; after -
          message_routed: fallback to 'c': 'b' did not take it within 60 s
        nothing about the message is due
    "#]]
    .assert_eq(&told);
    assert_eq!(message.next_turn(), at(EXPIRES));
}

#[test]
fn d12_a_frontend_that_holds_the_message_has_taken_it() {
    let mut message = followed();
    message.life = Life::Pending {
        leased_until: Some(at(NOW + 40)),
    };
    let events = report(&mut message, &Report::Overdue, &scene(NOW + 10)).unwrap();
    expect![[r#"
        leased until t+1140.000; dest gw; attempts 0; after -; then [b, c] at t+1200.000
    "#]]
    .assert_eq(&shown(&message, &events));
}

#[test]
fn d12_a_failed_attempt_prolongs_the_turn_and_a_refusal_ends_it() {
    let failed = reported(followed(), &failed_attempt(None, Some(300)), NOW);
    let refusal = Report::Refused {
        by: None,
        reason: Some("barred".into()),
    };
    let mut message = followed();
    let mut told = failed;
    for _ in 0..3 {
        let events = report(&mut message, &refusal, &scene(NOW)).unwrap();
        told += &shown(&message, &events);
    }
    expect![[r#"
        pending; dest gw; attempts 1; after t+1400.000; then [b, c] at t+1460.000
          delivery_attempt_1: failed; again in 300 s
        pending; dest b; attempts 1; after -; then [c] at t+1160.000
          delivery_attempt_1: refused: barred
          message_routed: fallback to 'b': 'gw' refused it
        pending; dest c; attempts 2; after -
          delivery_attempt_2: refused: barred
          message_routed: fallback to 'c': 'b' refused it
        failed at t+1100.000 by node-b; dest c; attempts 2; after -
          message_failed: barred
    "#]]
    .assert_eq(&told);
}

#[test]
fn d12_an_operator_who_names_the_frontend_ends_the_turns_and_a_new_due_time_moves_them() {
    let mut message = followed();
    let later = Edit {
        deliver_after: Some(Some(at(NOW + 100))),
        ..Edit::default()
    };
    edit(&mut message, later, &scene(NOW)).unwrap();
    assert_eq!(message.next_turn(), at(NOW + 160));
    let rerouted = Edit {
        dest_smsc: Some(Some(name("z"))),
        ..Edit::default()
    };
    edit(&mut message, rerouted, &scene(NOW)).unwrap();
    assert_eq!(message.arranged, Arranged::default());
}

#[test]
fn s9_1_life_ends_before_the_next_turn() {
    let mut message = followed();
    let events = report(&mut message, &Report::Overdue, &scene(EXPIRES)).unwrap();
    assert!(message.is_dead_letter());
    assert_eq!(events.len(), 1);
}

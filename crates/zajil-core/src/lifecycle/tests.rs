//! Every row of the life-cycle table, by report and state.

use expect_test::{Expect, expect};

use super::*;
use crate::event::NodeName;
use crate::message::sample::{EXPIRES, INSERTED, at, name, pending};

const NOW: i64 = 1_100;

fn scene(now: i64) -> Scene {
    Scene {
        now: at(now),
        node: NodeName::new("node-b"),
    }
}

/// A message as it lies in the queue, leased to a poller.
fn leased() -> Message {
    Message {
        life: Life::Pending {
            leased_until: Some(at(NOW + 60)),
        },
        ..pending()
    }
}

fn over(how: FinalStatus) -> Message {
    let ending = Ending {
        how,
        at: at(NOW - 1),
        node: NodeName::new("node-a"),
    };
    Message {
        life: Life::Ended(ending),
        ..leased()
    }
}

fn delivered_report() -> Report {
    Report::Delivered { by: None, at: None }
}

fn failed_attempt(reason: Option<&str>, retry_after: Option<u64>) -> Report {
    Report::AttemptFailed {
        reason: reason.map(str::to_owned),
        by: None,
        retry_after: retry_after.map(Duration::from_secs),
        class: None,
        schedules: std::sync::Arc::default(),
    }
}

fn ended_report(how: FinalStatus, reason: Option<&str>) -> Report {
    Report::Ended {
        how,
        reason: reason.map(str::to_owned),
    }
}

fn arranged(message: &Message) -> String {
    let mut text = String::new();
    if let Some(Fallback { rest, at, .. }) = &message.arranged.fallback {
        text += &format!("; then {rest:?} at {at:?}");
    }
    if let Some(parts) = message.arranged.debited {
        text += &format!("; {parts} debited");
    }
    if message.charge_failed {
        text += "; charge_failed";
    }
    text
}

/// What a report or an edit can change, on one line, then the lines it adds to the log.
fn shown(message: &Message, events: &[Event]) -> String {
    let life = match &message.life {
        Life::Charging { until, on_failure } => {
            format!("charging until {until:?}, else {}", on_failure.as_str())
        }
        Life::Pending { leased_until: None } => "pending".to_owned(),
        Life::Pending {
            leased_until: Some(until),
        } => format!("leased until {until:?}"),
        Life::Ended(ending) => format!("{} at {:?} by {}", ending.how, ending.at, ending.node),
    };
    let dest = message.dest_smsc.as_ref().map_or("-", FrontendName::as_str);
    let due = message
        .deliver_after
        .map_or("-".to_owned(), |due| format!("{due:?}"));
    let mut lines = format!(
        "{life}; dest {dest}; attempts {}; after {due}{}\n",
        message.attempts.get(),
        arranged(message)
    );
    for event in events {
        assert_eq!(
            (event.at.secs() >= INSERTED, event.source.as_str()),
            (true, "node-b")
        );
        let line = format!("  {}: {}", event.name.as_str(), event.description);
        lines += line.trim_end_matches(": ");
        lines.push('\n');
    }
    lines
}

fn reported(mut message: Message, what: &Report, now: i64) -> String {
    let before = message.clone();
    match report(&mut message, what, &scene(now)) {
        Ok(events) => {
            assert_eq!(message.updated_at, at(now));
            shown(&message, &events)
        }
        Err(unchanged) => {
            assert_eq!(message, before, "an error leaves the message as it was");
            format!("{unchanged}\n")
        }
    }
}

/// Every report there is, with what distinguishes its rows.
fn reports() -> Vec<Report> {
    let mut reports = vec![
        delivered_report(),
        Report::Delivered {
            by: Some(name("other")),
            at: Some(at(NOW - 5)),
        },
        failed_attempt(None, None),
        failed_attempt(Some("absent subscriber"), Some(30)),
        Report::Overdue,
        Report::Removed,
        Report::Refused {
            by: None,
            reason: None,
        },
        Report::Refused {
            by: None,
            reason: Some("barred".into()),
        },
    ];
    reports.extend(settlements().map(Report::Charged));
    for how in FinalStatus::ALL
        .into_iter()
        .filter(|how| *how != FinalStatus::Delivered)
    {
        reports.push(ended_report(how, None));
        reports.push(ended_report(how, Some("unknown subscriber")));
    }
    reports
}

fn settlements() -> [Settlement; 4] {
    let why = "no answer".to_owned();
    [
        Settlement::Granted { debited: None },
        Settlement::Granted {
            debited: NonZeroU32::new(3),
        },
        Settlement::Uncharged { why: why.clone() },
        Settlement::Rejected { why },
    ]
}

fn table(message: &Message, now: i64) -> String {
    reports()
        .iter()
        .map(|what| reported(message.clone(), what, now))
        .collect()
}

#[test]
fn d11_every_report_on_a_pending_message() {
    let expected = expect![[r#"
        delivered at t+1100.000 by node-b; dest gw; attempts 0; after -
          delivery_attempt_1: gw
          message_delivered: gw
        delivered at t+1095.000 by node-b; dest other; attempts 0; after -
          delivery_attempt_1: other
          message_delivered: other
        pending; dest gw; attempts 1; after t+1220.000
          delivery_attempt_1: failed; again in 120 s
        pending; dest gw; attempts 1; after t+1130.000
          delivery_attempt_1: failed: absent subscriber; again in 30 s
        nothing about the message is due
        failed at t+1100.000 by node-b; dest gw; attempts 0; after -
          message_deleted: removed before delivery
        failed at t+1100.000 by node-b; dest gw; attempts 0; after -
          message_failed: failed
        failed at t+1100.000 by node-b; dest gw; attempts 0; after -
          message_failed: barred
        nothing about the message is due
        pending; dest gw; attempts 0; after -; 3 debited
          charging_attempted: 3 debited; the answer came late
        nothing about the message is due
        nothing about the message is due
        expired at t+1100.000 by node-b; dest gw; attempts 0; after -
          message_dead_letter: expired after 0 failed attempts
        expired at t+1100.000 by node-b; dest gw; attempts 0; after -
          message_dead_letter: unknown subscriber
        failed at t+1100.000 by node-b; dest gw; attempts 0; after -
          message_failed: failed
        failed at t+1100.000 by node-b; dest gw; attempts 0; after -
          message_failed: unknown subscriber
        rejected at t+1100.000 by node-b; dest gw; attempts 0; after -
          message_failed: rejected
        rejected at t+1100.000 by node-b; dest gw; attempts 0; after -
          message_failed: unknown subscriber
        dropped at t+1100.000 by node-b; dest gw; attempts 0; after -
          message_dropped
        dropped at t+1100.000 by node-b; dest gw; attempts 0; after -
          message_dropped: unknown subscriber
    "#]];
    expected.assert_eq(&table(&pending(), NOW));
    assert_eq!(
        table(&leased(), NOW).replace("leased until t+1160.000", "pending"),
        table(&pending(), NOW),
        "a lease makes no difference"
    );
}

#[test]
fn d11_every_report_on_a_message_past_its_life_that_nobody_has_swept_yet() {
    expect![[r#"
        delivered at t+2000.000 by node-b; dest gw; attempts 0; after -
          delivery_attempt_1: gw
          message_delivered: gw
        delivered at t+1095.000 by node-b; dest other; attempts 0; after -
          delivery_attempt_1: other
          message_delivered: other
        pending; dest gw; attempts 1; after t+2120.000
          delivery_attempt_1: failed; again in 120 s
        pending; dest gw; attempts 1; after t+2030.000
          delivery_attempt_1: failed: absent subscriber; again in 30 s
        expired at t+2000.000 by node-b; dest gw; attempts 0; after -
          message_dead_letter: expired after 0 failed attempts
        failed at t+2000.000 by node-b; dest gw; attempts 0; after -
          message_deleted: removed before delivery
        failed at t+2000.000 by node-b; dest gw; attempts 0; after -
          message_failed: failed
        failed at t+2000.000 by node-b; dest gw; attempts 0; after -
          message_failed: barred
        nothing about the message is due
        leased until t+1160.000; dest gw; attempts 0; after -; 3 debited
          charging_attempted: 3 debited; the answer came late
        nothing about the message is due
        nothing about the message is due
        expired at t+2000.000 by node-b; dest gw; attempts 0; after -
          message_dead_letter: expired after 0 failed attempts
        expired at t+2000.000 by node-b; dest gw; attempts 0; after -
          message_dead_letter: unknown subscriber
        failed at t+2000.000 by node-b; dest gw; attempts 0; after -
          message_failed: failed
        failed at t+2000.000 by node-b; dest gw; attempts 0; after -
          message_failed: unknown subscriber
        rejected at t+2000.000 by node-b; dest gw; attempts 0; after -
          message_failed: rejected
        rejected at t+2000.000 by node-b; dest gw; attempts 0; after -
          message_failed: unknown subscriber
        dropped at t+2000.000 by node-b; dest gw; attempts 0; after -
          message_dropped
        dropped at t+2000.000 by node-b; dest gw; attempts 0; after -
          message_dropped: unknown subscriber
    "#]]
    .assert_eq(&table(&leased(), EXPIRES));
}

#[test]
fn d11_no_report_and_no_edit_changes_a_message_that_has_ended() {
    for how in FinalStatus::ALL {
        let late = |what: &Report| {
            let paid = |s: &Settlement| matches!(s, Settlement::Granted { debited: Some(_) });
            matches!(what, Report::Charged(settlement) if paid(settlement))
        };
        // Money that was taken is known however late: see `arranging`.
        for what in reports().into_iter().filter(|what| !late(what)) {
            let line = reported(over(how), &what, EXPIRES + 1);
            assert_eq!(line, format!("the message is already {how}\n"), "{what:?}");
        }
        let mut message = over(how);
        let change = Edit {
            dest_smsc: Some(None),
            ..Edit::default()
        };
        let refused = edit(&mut message, change, &scene(NOW));
        assert_eq!(refused, Err(Unchanged::AlreadyFinal(how)));
        assert_eq!(message, over(how));
    }
}

#[test]
fn s9_1_life_is_over_at_expires_and_not_a_moment_before() {
    let just_before = at(EXPIRES).minus(Duration::from_millis(1));
    let early = Scene {
        now: just_before,
        ..scene(0)
    };
    let mut message = leased();
    assert_eq!(
        report(&mut message, &Report::Overdue, &early),
        Err(Unchanged::NotYet)
    );
    assert_eq!(message, leased());
    assert!(report(&mut message, &Report::Overdue, &scene(EXPIRES)).is_ok());
    assert!(message.is_dead_letter());
    assert_eq!(message.deliver_time(), None);
}

#[test]
fn s9_1_only_an_expired_message_is_a_dead_letter() {
    for how in FinalStatus::ALL {
        assert_eq!(
            over(how).is_dead_letter(),
            how == FinalStatus::Expired,
            "{how}"
        );
        assert_eq!(
            over(how).deliver_time().is_some(),
            how == FinalStatus::Delivered,
            "{how}"
        );
    }
}

#[test]
fn s3_2_each_failure_doubles_the_wait_and_gives_the_lease_back() {
    let mut message = leased();
    let mut now = NOW;
    let mut waits = Vec::new();
    for n in 1..=5 {
        message.life = Life::Pending {
            leased_until: Some(at(now + 600)),
        };
        report(&mut message, &failed_attempt(None, None), &scene(now)).unwrap();
        assert_eq!(message.life, Life::Pending { leased_until: None });
        assert_eq!(message.attempts, Attempt::new(n));
        waits.push(message.due().since(at(now)).as_secs() / 60);
        now += 1;
    }
    assert_eq!(waits, [2, 4, 8, 16, 32]);
    report(&mut message, &failed_attempt(None, Some(0)), &scene(now)).unwrap();
    assert_eq!(
        message.due(),
        at(now),
        "the frontend's own wait counts, zero included"
    );
    let mut worn = Message {
        attempts: Attempt::new(u32::MAX),
        ..leased()
    };
    report(&mut worn, &failed_attempt(None, None), &scene(NOW)).unwrap();
    assert_eq!(
        (worn.attempts, worn.due()),
        (Attempt::new(u32::MAX), Timestamp::MAX)
    );
}

#[test]
fn a_reporters_clock_is_kept_between_insertion_and_now() {
    let delivered_at = |reported: i64, now: i64| {
        let mut message = leased();
        let what = Report::Delivered {
            by: None,
            at: Some(at(reported)),
        };
        report(&mut message, &what, &scene(now)).unwrap();
        message.deliver_time().unwrap().secs()
    };
    assert_eq!(
        delivered_at(NOW - 50, NOW),
        NOW - 50,
        "plausible: taken as it is"
    );
    assert_eq!(delivered_at(NOW + 3_600, NOW), NOW, "ahead of us");
    assert_eq!(
        delivered_at(INSERTED - 3_600, NOW),
        INSERTED,
        "before it was sent"
    );
    assert_eq!(delivered_at(0, NOW), INSERTED);
    // Our own clock stepped back behind the insertion: now is the best that is left.
    assert_eq!(delivered_at(NOW, INSERTED - 10), INSERTED - 10);
}

fn edited(change: Edit, expected: &Expect) {
    let mut message = leased();
    let result = edit(&mut message, change, &scene(NOW));
    expected.assert_eq(&match result {
        Ok(events) => {
            assert_eq!(message.updated_at == at(NOW), !events.is_empty());
            shown(&message, &events)
        }
        Err(unchanged) => format!("{unchanged}\n"),
    });
}

#[test]
fn an_empty_edit_changes_nothing_and_leaves_the_lease() {
    let mut message = leased();
    assert_eq!(
        edit(&mut message, Edit::default(), &scene(NOW)),
        Ok(Vec::new())
    );
    assert_eq!(message, leased());
}

#[test]
fn an_edit_reroutes_and_takes_the_message_from_its_poller() {
    let to_other = Edit {
        dest_smsc: Some(Some(name("other"))),
        ..Edit::default()
    };
    edited(
        to_other,
        &expect![[r#"
        pending; dest other; attempts 0; after -
          message_routed: set to 'other' by an edit
    "#]],
    );
    let to_location = Edit {
        dest_smsc: Some(None),
        ..Edit::default()
    };
    edited(
        to_location,
        &expect![[r#"
        pending; dest -; attempts 0; after -
          message_routed: set to '' by an edit
    "#]],
    );
}

#[test]
fn an_edit_changes_every_field_it_names_and_logs_them_once() {
    let change = Edit {
        dest_smsc: None,
        body: Some(("longer".into(), std::num::NonZeroU32::new(2).unwrap())),
        deliver_after: Some(Some(at(1_500))),
        expires: Some(at(3_000)),
        attempts: Some(Attempt::new(4)),
        source_imsi: Some(Some("001".into())),
        dest_imsi: Some(Some("002".into())),
        charge_failed: Some(true),
        report: None,
        origin: Some(Box::default()),
        unless_held: false,
    };
    edited(
        change.clone(),
        &expect![[r#"
            pending; dest gw; attempts 4; after t+1500.000; charge_failed
              message_updated: message_body, deliver_after, expires, delivery_attempts, source_imsi, dest_imsi, charge_failed, registered_delivery
        "#]],
    );
    let mut message = leased();
    edit(&mut message, change, &scene(NOW)).unwrap();
    assert_eq!(
        (message.content.body.as_str(), message.content.parts.get()),
        ("longer", 2)
    );
    assert_eq!((message.expires, message.charge_failed), (at(3_000), true));
    assert_eq!(message.content.source_imsi.as_deref(), Some("001"));
    assert_eq!(message.content.dest_imsi.as_deref(), Some("002"));
    assert_eq!(message.content.destination, leased().content.destination);
    assert!(message.arranged.origin.is_some());
}

#[test]
fn an_edit_whose_status_is_refused_changes_nothing_at_all() {
    let mut message = leased();
    let change = Edit {
        dest_smsc: Some(Some(name("other"))),
        attempts: Some(Attempt::new(3)),
        report: Some(Report::Overdue),
        ..Edit::default()
    };
    assert_eq!(
        edit(&mut message, change, &scene(NOW)),
        Err(Unchanged::NotYet)
    );
    assert_eq!(message, leased());
}

#[test]
fn an_edit_makes_a_message_due_at_once() {
    let mut message = Message {
        deliver_after: Some(at(1_900)),
        ..leased()
    };
    let change = Edit {
        deliver_after: Some(None),
        ..Edit::default()
    };
    edit(&mut message, change, &scene(NOW)).unwrap();
    assert_eq!(message.due(), at(INSERTED));
}

#[test]
fn a_status_set_by_an_edit_is_reported_after_the_other_changes() {
    edited(
        Edit {
            dest_smsc: Some(Some(name("other"))),
            attempts: Some(Attempt::new(2)),
            report: Some(delivered_report()),
            ..Edit::default()
        },
        &expect![[r#"
            delivered at t+1100.000 by node-b; dest other; attempts 2; after -
              message_routed: set to 'other' by an edit
              message_updated: delivery_attempts
              delivery_attempt_3: other
              message_delivered: other
        "#]],
    );
    edited(
        Edit {
            report: Some(ended_report(
                FinalStatus::Failed,
                Some("ended by an operator"),
            )),
            ..Edit::default()
        },
        &expect![[r#"
            failed at t+1100.000 by node-b; dest gw; attempts 0; after -
              message_failed: ended by an operator
        "#]],
    );
}

#[test]
fn a_new_text_brings_its_coding_along_or_keeps_the_former() {
    let mut message = leased();
    let text = |coding| Edit {
        body: Some((
            Text {
                body: "new".into(),
                coding,
            },
            std::num::NonZeroU32::MIN,
        )),
        ..Edit::default()
    };
    let coding = TransferCoding {
        data_coding_scheme: Some(0x08),
        character_set: Some(CharacterSet::Ucs2),
    };
    for coding in [Some(coding), None] {
        edit(&mut message, text(coding), &scene(NOW)).unwrap();
        let tp = &message.content.tp;
        assert_eq!(
            (tp.data_coding_scheme, tp.character_set),
            (Some(0x08), Some(CharacterSet::Ucs2))
        );
    }
}

#[test]
fn an_edit_that_puts_a_message_off_past_its_end_prolongs_its_life() {
    let put_off = |due: i64, expires: Option<i64>| {
        let mut message = leased();
        let change = Edit {
            deliver_after: Some(Some(at(due))),
            expires: expires.map(at),
            ..Edit::default()
        };
        let events = edit(&mut message, change, &scene(NOW)).unwrap();
        (message.expires, events[0].description.clone())
    };
    let both = "deliver_after, expires".to_owned();
    let day = 24 * 60 * 60;
    assert_eq!(
        put_off(EXPIRES - 1, None),
        (at(EXPIRES), "deliver_after".to_owned())
    );
    assert_eq!(put_off(EXPIRES, None), (at(EXPIRES + day), both.clone()));
    assert_eq!(
        put_off(EXPIRES + 5, Some(EXPIRES + 9)),
        (at(EXPIRES + 9), both)
    );
}

mod arranging;
mod heard;

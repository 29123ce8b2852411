//! What a finished message leaves behind (S10.1).

use std::num::NonZeroU32;

use super::*;
use crate::event::{NodeName, Scene};
use crate::lifecycle::{self, Report};
use crate::message::sample::{EXPIRES, INSERTED, at, name, pending};

fn finished(reports: &[Report], now: i64) -> Message {
    let mut message = pending();
    message.content.source_smsc = Some(name("app"));
    message.content.parts = NonZeroU32::new(3).unwrap();
    let scene = Scene {
        now: at(now),
        node: NodeName::new("node-b"),
    };
    for report in reports {
        lifecycle::report(&mut message, report, &scene).unwrap();
    }
    message
}

fn delivered() -> Report {
    Report::Delivered {
        by: Some(name("backup")),
        at: Some(at(1_500)),
    }
}

fn attempt_failed() -> Report {
    Report::AttemptFailed {
        reason: None,
        by: None,
        retry_after: None,
        class: None,
        schedules: std::sync::Arc::default(),
    }
}

#[test]
fn s10_2_a_message_leaves_no_cdr_before_its_end() {
    assert_eq!(of(&pending()), None);
    assert_eq!(of(&finished(&[attempt_failed()], 1_200)), None);
}

#[test]
fn s10_1_every_column_of_a_delivered_message() {
    let expected = Cdr {
        message_id: 7,
        calling_number: "7726".into(),
        called_number: "+15551234567".into(),
        source_smsc: Some("app".into()),
        dest_smsc: Some("backup".into()),
        origin_node: "node-a".into(),
        destination_node: "node-b".into(),
        submission_time: at(INSERTED),
        delivery_time: Some(at(1_500)),
        expiry_time: at(EXPIRES),
        status: FinalStatus::Delivered,
        delivery_attempts: 3,
        message_parts: 3,
        deadletter: false,
        message_body: Some("hello".into()),
    };
    let message = finished(&[attempt_failed(), attempt_failed(), delivered()], 1_600);
    assert_eq!(of(&message), Some(expected));
}

#[test]
fn s10_1_status_attempts_and_dead_letter_by_the_way_it_ended() {
    let ended = |how| Report::Ended { how, reason: None };
    for (reports, now, status, attempts, deadletter) in [
        (vec![delivered()], 1_600, FinalStatus::Delivered, 1, false),
        (
            vec![Report::Overdue],
            EXPIRES,
            FinalStatus::Expired,
            0,
            true,
        ),
        (
            vec![attempt_failed(), Report::Overdue],
            EXPIRES,
            FinalStatus::Expired,
            1,
            true,
        ),
        (
            vec![ended(FinalStatus::Failed)],
            1_600,
            FinalStatus::Failed,
            0,
            false,
        ),
        (
            vec![ended(FinalStatus::Rejected)],
            1_600,
            FinalStatus::Rejected,
            0,
            false,
        ),
        (
            vec![ended(FinalStatus::Dropped)],
            1_600,
            FinalStatus::Dropped,
            0,
            false,
        ),
        (vec![Report::Removed], 1_600, FinalStatus::Failed, 0, false),
    ] {
        let cdr = of(&finished(&reports, now)).unwrap();
        assert_eq!(
            (
                cdr.status,
                cdr.delivery_attempts,
                cdr.deadletter,
                cdr.delivery_time.is_some()
            ),
            (
                status,
                attempts,
                deadletter,
                status == FinalStatus::Delivered
            ),
            "{reports:?}"
        );
    }
}

#[test]
fn s10_1_columns_that_may_be_null_are_and_a_missing_sender_is_empty() {
    let mut message = pending();
    message.content.source = crate::number::Sender::default();
    message.dest_smsc = None;
    let scene = Scene {
        now: at(EXPIRES),
        node: NodeName::new("node-a"),
    };
    lifecycle::report(&mut message, &Report::Overdue, &scene).unwrap();
    let cdr = of(&message).unwrap();
    assert_eq!(
        (cdr.calling_number.as_str(), cdr.source_smsc, cdr.dest_smsc),
        ("", None, None)
    );
}

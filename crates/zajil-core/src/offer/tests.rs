//! Who is offered what, condition by condition (S3.1).

use super::*;
use crate::location::{Location, Sighting};
use crate::message::Ending;
use crate::message::sample::{EXPIRES, INSERTED, at, name, pending};
use crate::status::FinalStatus;

const NOW: i64 = 1_100;

fn asker(frontend: &str, include_unrouted: bool) -> Asker {
    Asker {
        name: name(frontend),
        include_unrouted,
    }
}

/// Whether `gw` is offered the message, with and without `include-unrouted`.
fn offered(message: &Message, serving: Option<&FrontendName>, now: Timestamp) -> (bool, bool) {
    let to = |unrouted| may_offer(message, &asker("gw", unrouted), serving, now);
    (to(false), to(true))
}

#[test]
fn s3_1_dest_smsc_then_location_then_include_unrouted_decide() {
    let (gw, other) = (name("gw"), name("other"));
    for (dest_smsc, serving, expected) in [
        (Some(&gw), None, (true, true)),
        (Some(&gw), Some(&other), (true, true)),
        (Some(&other), None, (false, false)),
        (Some(&other), Some(&gw), (false, false)),
        (None, Some(&gw), (true, true)),
        (None, Some(&other), (false, false)),
        (None, None, (false, true)),
    ] {
        let message = Message {
            dest_smsc: dest_smsc.cloned(),
            ..pending()
        };
        let case = format!("dest {dest_smsc:?}, serving {serving:?}");
        assert_eq!(offered(&message, serving, at(NOW)), expected, "{case}");
    }
}

#[test]
fn s3_1_names_are_compared_exactly() {
    let message = Message {
        dest_smsc: Some(name("GW")),
        ..pending()
    };
    assert_eq!(offered(&message, None, at(NOW)), (false, false));
}

#[test]
fn s3_3_a_location_that_is_not_live_decides_nothing() {
    let unrouted = Message {
        dest_smsc: None,
        ..pending()
    };
    let sighting = Sighting {
        location: Some(name("other")),
        expires: Some(Some(at(NOW))),
        ..Sighting::default()
    };
    let location = Location::first(1, "001".into(), sighting, at(INSERTED));
    for (now, expected) in [(NOW - 1, (false, false)), (NOW, (false, true))] {
        let serving = location.serving(at(now));
        assert_eq!(offered(&unrouted, serving, at(now)), expected, "at {now}");
    }
}

#[test]
fn s3_1_offered_from_deliver_after_until_just_before_expires() {
    let later = Message {
        deliver_after: Some(at(1_500)),
        ..pending()
    };
    for (message, now, expected) in [
        (pending(), at(INSERTED), true),
        (
            later.clone(),
            at(1_500).minus(std::time::Duration::from_millis(1)),
            false,
        ),
        (later, at(1_500), true),
        (
            pending(),
            at(EXPIRES).minus(std::time::Duration::from_millis(1)),
            true,
        ),
        (pending(), at(EXPIRES), false),
        (
            Message {
                deliver_after: Some(at(EXPIRES + 1)),
                ..pending()
            },
            at(EXPIRES + 1),
            false,
        ),
    ] {
        assert_eq!(
            offered(&message, None, now),
            (expected, expected),
            "{now:?}"
        );
    }
}

#[test]
fn d7_a_leased_message_is_offered_again_when_the_lease_ends() {
    let leased_until = |until| Life::Pending {
        leased_until: Some(at(until)),
    };
    let message = Message {
        life: leased_until(NOW),
        ..pending()
    };
    assert_eq!(offered(&message, None, at(NOW - 1)), (false, false));
    assert_eq!(offered(&message, None, at(NOW)), (true, true));
    let put_off = Message {
        deliver_after: Some(at(NOW + 5)),
        ..message
    };
    assert_eq!(
        offered(&put_off, None, at(NOW)),
        (false, false),
        "both must be over"
    );
    assert_eq!(offered(&put_off, None, at(NOW + 5)), (true, true));
}

#[test]
fn s3_1_a_message_that_has_ended_is_offered_to_nobody() {
    for how in FinalStatus::ALL {
        let ending = Ending {
            how,
            at: at(NOW),
            node: pending().origin_node,
        };
        let message = Message {
            life: Life::Ended(ending),
            ..pending()
        };
        assert_eq!(
            offered(&message, Some(&name("gw")), at(NOW)),
            (false, false),
            "{how}"
        );
    }
}

#[test]
fn d7_a_lease_lasts_from_one_second_to_one_hour() {
    for (asked, granted) in [(0, false), (1, true), (3_600, true), (3_601, false)] {
        assert_eq!(lease_seconds(asked).is_some(), granted, "{asked}");
    }
    assert_eq!(lease_seconds(60), Some(std::time::Duration::from_secs(60)));
}

//! Makers of what the cases store: short to write, the same each time.

use std::sync::Arc;

use std::num::NonZeroU32;

use zajil_core::clock::Timestamp;
use zajil_core::event::{EventName, NodeName, Scene};
use zajil_core::frontend::{FrontendName, FrontendType, Registration};
use zajil_core::id::MessageId;
use zajil_core::lifecycle::Report;
use zajil_core::location::Sighting;
use zajil_core::message::{Arranged, Content, Ending, Life, Message, TransferFields};
use zajil_core::number::{Msisdn, Sender};
use zajil_core::offer::Asker;
use zajil_core::port::Dedupe;
use zajil_core::retry::Attempt;
use zajil_core::status::FinalStatus;

use crate::contract::Draft;

/// A life long enough for cases that are not about it: a day.
pub(super) const DAY: i64 = 86_400;

/// An instant, in seconds from the beginning of the case.
pub(super) fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(1_800_000_000 + secs)
}

pub(super) fn node() -> NodeName {
    NodeName::new("node-a")
}

pub(super) fn scene(now: Timestamp) -> Scene {
    Scene { now, node: node() }
}

pub(super) fn name(text: &str) -> FrontendName {
    FrontendName::parse(text).unwrap()
}

pub(super) fn id(number: u64) -> MessageId {
    MessageId::new(number).unwrap()
}

/// The asker that takes only what is decided for it.
pub(super) fn plain(frontend: &str) -> Asker {
    Asker {
        name: name(frontend),
        include_unrouted: false,
    }
}

/// The asker that takes unrouted messages too.
pub(super) fn fallback(frontend: &str) -> Asker {
    Asker {
        name: name(frontend),
        include_unrouted: true,
    }
}

/// An unrouted message of second 0, to +15550000000 plus its id.
pub(super) fn message(number: u64) -> Message {
    Message {
        id: id(number),
        content: Content {
            source: Sender::restore("7726"),
            destination: Msisdn::restore(&format!("+{}", 15_550_000_000 + number)),
            body: format!("text {number}"),
            source_smsc: Some(name("api")),
            source_imsi: None,
            dest_imsi: None,
            parts: NonZeroU32::MIN,
            part_number: None,
            tp: TransferFields::default(),
            send_time: None,
            raw_pdu: None,
            raw_data: false,
            raw_sip: false,
        },
        dest_smsc: None,
        inserted_at: at(0),
        updated_at: at(0),
        expires: at(DAY),
        deliver_after: None,
        attempts: Attempt::default(),
        charge_failed: false,
        arranged: Arranged::default(),
        origin_node: node(),
        life: Life::Pending { leased_until: None },
    }
}

/// A draft with the first line of its log.
pub(super) fn draft(message: Message) -> Draft {
    let events = vec![scene(message.inserted_at).event(EventName::Inserted, "")];
    Draft {
        message: Arc::new(message),
        events,
        dedupe: None,
    }
}

/// A draft that nothing routes.
pub(super) fn unrouted(number: u64) -> Draft {
    draft(message(number))
}

/// A draft for one frontend.
pub(super) fn routed(number: u64, to: &str) -> Draft {
    draft(Message {
        dest_smsc: Some(name(to)),
        ..message(number)
    })
}

/// A draft that nothing routes, to this number.
pub(super) fn to_number(number: u64, destination: &str) -> Draft {
    let mut message = message(number);
    message.content.destination = Msisdn::restore(destination);
    draft(message)
}

/// A draft whose repetition is recognised until `until`.
pub(super) fn keyed(mut draft: Draft, key: u8, body: u8, until: Timestamp) -> Draft {
    draft.dedupe = Some((
        Dedupe {
            key: [key; 32],
            body: [body; 32],
        },
        until,
    ));
    draft
}

/// A draft that a drop route has ended on its way in.
pub(super) fn dropped(number: u64) -> Draft {
    let mut draft = unrouted(number);
    let at = draft.message.inserted_at;
    Arc::make_mut(&mut draft.message).life = Life::Ended(Ending {
        how: FinalStatus::Dropped,
        at,
        node: node(),
    });
    draft
        .events
        .push(scene(at).event(EventName::Dropped, "route 1"));
    draft
}

pub(super) fn delivered() -> Report {
    Report::Delivered { by: None, at: None }
}

pub(super) fn failed_attempt() -> Report {
    Report::AttemptFailed {
        reason: None,
        by: None,
        retry_after: None,
        class: None,
        schedules: std::sync::Arc::default(),
    }
}

pub(super) fn ended(how: FinalStatus) -> Report {
    Report::Ended {
        how,
        reason: Some("because".into()),
    }
}

/// A live sighting without an end.
pub(super) fn sighting(imsi: &str, msisdn: &str, location: &str) -> Sighting {
    Sighting {
        imsi: Some(imsi.into()),
        msisdn: Some(msisdn.into()),
        location: Some(name(location)),
        ..Sighting::default()
    }
}

pub(super) fn registration(frontend: &str) -> Registration {
    Registration {
        name: name(frontend),
        kind: FrontendType::Smpp,
        ip_address: Some("192.0.2.1".into()),
        hostname: None,
        uptime_seconds: Some(5),
        configuration: Some("{\"binds\":2}".into()),
    }
}

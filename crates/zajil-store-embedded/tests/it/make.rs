//! Makers of what the tests store.

use std::num::NonZeroU32;

use zajil_core::clock::Timestamp;
use zajil_core::event::{EventName, NodeName, Scene};
use zajil_core::frontend::FrontendName;
use zajil_core::id::MessageId;
use zajil_core::message::{Arranged, Content, Life, Message, TransferFields};
use zajil_core::number::{Msisdn, Sender};
use zajil_core::retry::Attempt;
use zajil_store::contract::Draft;

pub(crate) fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(1_800_000_000 + secs)
}

pub(crate) fn scene(secs: i64) -> Scene {
    Scene {
        now: at(secs),
        node: NodeName::new("n1"),
    }
}

pub(crate) fn id(number: u64) -> MessageId {
    MessageId::new(number).unwrap()
}

pub(crate) fn draft(number: u64, dest: &str, secs: i64) -> Draft {
    let message = Message {
        id: id(number),
        content: Content {
            source: Sender::restore("+15550001111"),
            destination: Msisdn::restore(&format!("+1555{number:07}")),
            body: format!("message number {number}, with some text of ordinary length behind it"),
            source_smsc: FrontendName::parse("test").ok(),
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
        dest_smsc: FrontendName::parse(dest).ok(),
        inserted_at: at(secs),
        updated_at: at(secs),
        expires: at(secs + 86_400),
        deliver_after: None,
        attempts: Attempt::default(),
        charge_failed: false,
        arranged: Arranged::default(),
        origin_node: NodeName::new("n1"),
        life: Life::Pending { leased_until: None },
    };
    let events = vec![scene(secs).event(EventName::Inserted, "")];
    Draft {
        message: std::sync::Arc::new(message),
        events,
        dedupe: None,
    }
}

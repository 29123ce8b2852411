//! A message for the tests of this crate.

use std::num::NonZeroU32;

use super::{Arranged, Content, Life, Message, TransferFields};
use crate::clock::Timestamp;
use crate::event::NodeName;
use crate::frontend::FrontendName;
use crate::id::MessageId;
use crate::number::{Msisdn, Sender};
use crate::retry::Attempt;

/// When the message was inserted, in seconds.
pub(crate) const INSERTED: i64 = 1_000;
/// When its life is over, in seconds.
pub(crate) const EXPIRES: i64 = 2_000;

/// The instant of a second.
pub(crate) fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

/// A frontend's name.
pub(crate) fn name(text: &str) -> FrontendName {
    FrontendName::parse(text).unwrap()
}

/// A message that waits for the frontend `gw`, never put off, held by nobody.
pub(crate) fn pending() -> Message {
    Message {
        id: MessageId::new(7).unwrap(),
        content: Content {
            source: Sender::restore("7726"),
            destination: Msisdn::restore("+15551234567"),
            body: "hello".into(),
            source_smsc: None,
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
        dest_smsc: Some(name("gw")),
        inserted_at: at(INSERTED),
        updated_at: at(INSERTED),
        expires: at(EXPIRES),
        deliver_after: None,
        attempts: Attempt::default(),
        charge_failed: false,
        arranged: Arranged::default(),
        origin_node: NodeName::new("node-a"),
        life: Life::Pending { leased_until: None },
    }
}

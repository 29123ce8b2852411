//! The message (S2): what was submitted, where it goes, and how far it has come.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::charge::FailureAction;
use crate::clock::Timestamp;
use crate::concatenation::Concatenation;
use crate::event::NodeName;
use crate::frontend::FrontendName;
use crate::id::MessageId;
use crate::number::{Msisdn, Sender};
use crate::retry::Attempt;
use crate::smpp::Origin;
use crate::status::{FinalStatus, Status};

mod transfer;

/// `tp_dcs_character_set` (S2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CharacterSet {
    /// GSM 7-bit default alphabet, with extension and shift tables.
    Gsm7,
    /// Octets without a meaning of ours.
    EightBit,
    /// ISO 8859-1, from doors that speak it.
    Latin1,
    /// UCS-2, read as UTF-16.
    Ucs2,
}

impl CharacterSet {
    /// Every character set, in the order of S2.
    pub const ALL: [Self; 4] = [Self::Gsm7, Self::EightBit, Self::Latin1, Self::Ucs2];

    /// The word in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gsm7 => "gsm7",
            Self::EightBit => "8bit",
            Self::Latin1 => "latin1",
            Self::Ucs2 => "ucs2",
        }
    }

    /// The character set that `word` names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|set| set.as_str() == word)
    }
}

/// The transfer-protocol fields of S2 (`tp_*`), as submitted or decoded from a PDU.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TransferFields {
    /// `tp_data_coding_scheme`: the DCS octet.
    pub data_coding_scheme: Option<u8>,
    /// `tp_dcs_character_set`.
    pub character_set: Option<CharacterSet>,
    /// `tp_dcs_coding_group`.
    pub coding_group: Option<String>,
    /// `tp_dcs_compressed`.
    pub compressed: Option<bool>,
    /// `tp_dcs_has_message_class`.
    pub has_message_class: Option<bool>,
    /// `tp_dcs_message_class`, 0–3.
    pub message_class: Option<u8>,
    /// `tp_user_data_header`: a JSON object as text.
    pub user_data_header: Option<String>,
    /// Which part of which text it is, as its user data header says. An edit does not change it,
    /// unlike [`Content::parts`].
    pub concatenation: Option<Concatenation>,
}

/// A text as messages keep it: no database holds U+0000.
#[must_use]
pub fn storable(text: &str) -> String {
    text.replace('\0', "\u{FFFD}")
}

/// What was submitted, after translation of its numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// `source_msisdn`.
    pub source: Sender,
    /// `destination_msisdn`.
    pub destination: Msisdn,
    /// `message_body`; empty for a PDU without text.
    pub body: String,
    /// `source_smsc`: the frontend or client that submitted.
    pub source_smsc: Option<FrontendName>,
    /// `source_imsi`.
    pub source_imsi: Option<String>,
    /// `dest_imsi`.
    pub dest_imsi: Option<String>,
    /// `message_parts`: how many segments the whole takes.
    pub parts: NonZeroU32,
    /// `message_part_number`, from 1, when this message is one part of several.
    pub part_number: Option<NonZeroU32>,
    /// The `tp_*` fields.
    pub tp: TransferFields,
    /// `send_time`: when the sender says it was sent.
    pub send_time: Option<Timestamp>,
    /// `raw_pdu`: the PDU as submitted.
    pub raw_pdu: Option<Vec<u8>>,
    /// `raw_data_flag`.
    pub raw_data: bool,
    /// `raw_sip_flag`.
    pub raw_sip: bool,
}

/// How a message ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// In which way.
    pub how: FinalStatus,
    /// When; `deliver_time` of a delivered one.
    pub at: Timestamp,
    /// The node that wrote it: `destination_node` of the CDR.
    pub node: NodeName,
}

/// Who is next when the frontend of a message does not take it (D12).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallback {
    /// The frontends that have not had their turn, in order; never empty.
    pub rest: Vec<FrontendName>,
    /// `fallback_after`: how long each has to take it.
    pub after: Duration,
    /// When the turn of the present one is over, unless it holds the message then.
    pub at: Timestamp,
}

/// What the pipeline has arranged for a message beyond its frontend.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Arranged {
    /// Who is next; none when nobody is left.
    pub fallback: Option<Fallback>,
    /// How many parts the charging system has taken the price of.
    pub debited: Option<NonZeroU32>,
    /// What its application wants to hear of it, and calls things.
    pub origin: Option<Box<Origin>>,
}

/// Where a message is in its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Life {
    /// Written down before its price is taken, and not offered yet (D14): if the answer of the
    /// charging system is lost, this record of it is not.
    Charging {
        /// When the answer counts as lost.
        until: Timestamp,
        /// What happens then.
        on_failure: FailureAction,
    },
    /// Not ended: offered when due.
    Pending {
        /// Until when a poller holds it (D7); past instants mean nobody does.
        leased_until: Option<Timestamp>,
    },
    /// Ended, once and for all.
    Ended(Ending),
}

/// A message with its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// `id`.
    pub id: MessageId,
    /// What was submitted.
    pub content: Content,
    /// `dest_smsc`: the frontend that must deliver; none = a location decides, or nobody yet.
    pub dest_smsc: Option<FrontendName>,
    /// `inserted_at`.
    pub inserted_at: Timestamp,
    /// `updated_at`.
    pub updated_at: Timestamp,
    /// `expires`: the end of its life if nobody delivers it.
    pub expires: Timestamp,
    /// `deliver_after`: not offered before.
    pub deliver_after: Option<Timestamp>,
    /// `delivery_attempts`: failed ones.
    pub attempts: Attempt,
    /// `charge_failed`: it went on although charging failed (S7.2).
    pub charge_failed: bool,
    /// What else was arranged for it.
    pub arranged: Arranged,
    /// The node that accepted it.
    pub origin_node: NodeName,
    /// Where it is in its life.
    pub life: Life,
}

impl Message {
    /// `status`.
    #[must_use]
    pub fn status(&self) -> Status {
        match &self.life {
            Life::Charging { .. } | Life::Pending { .. } => Status::Pending,
            Life::Ended(ending) => Status::Final(ending.how),
        }
    }

    /// How it ended, if it did.
    #[must_use]
    pub fn ending(&self) -> Option<&Ending> {
        match &self.life {
            Life::Charging { .. } | Life::Pending { .. } => None,
            Life::Ended(ending) => Some(ending),
        }
    }

    /// `deliver_time`.
    #[must_use]
    pub fn deliver_time(&self) -> Option<Timestamp> {
        let ending = self.ending()?;
        (ending.how == FinalStatus::Delivered).then_some(ending.at)
    }

    /// `deadletter`: its life ran out undelivered (S9.1).
    #[must_use]
    pub fn is_dead_letter(&self) -> bool {
        self.ending()
            .is_some_and(|ending| ending.how == FinalStatus::Expired)
    }

    /// From when on it may be offered, leases included; the order of offers is (`due`, `id`).
    ///
    /// A message that was never put off counts from its insertion, so the longest-waiting is first.
    #[must_use]
    pub fn due(&self) -> Timestamp {
        let due = self.deliver_after.unwrap_or(self.inserted_at);
        match self.life {
            Life::Pending {
                leased_until: Some(until),
            } => due.max(until),
            Life::Charging { until, .. } => due.max(until),
            Life::Pending { leased_until: None } | Life::Ended(_) => due,
        }
    }

    /// When time alone next changes something about it, as long as it has not ended: its life is
    /// over, its frontend has had its turn, or the answer of the charging system is lost.
    #[must_use]
    pub fn next_turn(&self) -> Timestamp {
        let fallback = self.arranged.fallback.as_ref().map(|next| next.at);
        let first = fallback.map_or(self.expires, |at| at.min(self.expires));
        match self.life {
            // Until its charge is answered nothing else ends it.
            Life::Charging { until, .. } => until,
            Life::Pending { .. } | Life::Ended(_) => first,
        }
    }
}

#[cfg(test)]
pub(crate) mod sample;

//! Parts of one text that came as messages of their own, joined for display (D9).
//!
//! The messages stay what they are: each is delivered, charged and ended alone.

use std::collections::BTreeMap;
use std::time::Duration;

use sms_codec::join;
use sms_codec::tpdu::{Direction, Tpdu};
use sms_codec::user_data::UserData;

use crate::clock::Timestamp;
use crate::frontend::FrontendName;
use crate::id::MessageId;
use crate::message::{Content, Message, storable};
use crate::number;

pub use sms_codec::udh::{Concatenation, Reference};

/// How far apart the parts of one text may come. Senders use a reference again soon.
pub const WINDOW: Duration = Duration::from_secs(24 * 3_600);

/// How many messages before one, and how many after it, are looked at for its other parts.
pub const MOST_ON_A_SIDE: u32 = 499;

/// A part that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Its number, from 1.
    pub number: u8,
    /// The message that it is.
    pub id: MessageId,
}

/// A text as far as its parts have come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// How many parts the text has.
    pub total: u8,
    /// The parts that are there, by number, each once.
    pub parts: Vec<Part>,
    /// Their texts in order; what is missing is named in square brackets.
    pub body: String,
}

impl Joined {
    /// Whether every part is there.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.parts.len() == usize::from(self.total)
    }
}

/// What the parts of one text have in common, as one comparable text: reference and its width,
/// total, both numbers as D8 compares them, and who submitted. None for a message that is whole.
#[must_use]
pub fn key(content: &Content) -> Option<String> {
    let concatenation = content.tp.concatenation.filter(|part| part.total > 1)?;
    let (bits, reference) = match concatenation.reference {
        Reference::Bits8(reference) => (8, u16::from(reference)),
        Reference::Bits16(reference) => (16, reference),
    };
    // The source comes last: it alone may hold a line feed.
    Some(format!(
        "{bits}.{reference}.{}\n{}\n{}\n{}",
        concatenation.total,
        number::key(content.destination.as_str()),
        content
            .source_smsc
            .as_ref()
            .map_or("", FrontendName::as_str),
        number::key(content.source.as_str()),
    ))
}

/// The text that `message` is a part of; none if it is whole.
///
/// Of several `candidates` for one part the nearest in time is taken, then the one with the lower
/// id. Those that do not belong to the text are passed over.
#[must_use]
pub fn joined(message: &Message, candidates: &[Message]) -> Option<Joined> {
    let common = key(&message.content)?;
    let own = message.content.tp.concatenation?;
    let mut nearest: BTreeMap<u8, &Message> = BTreeMap::from([(own.sequence, message)]);
    let distance = |other: &Message| (apart(message.inserted_at, other.inserted_at), other.id);
    for candidate in candidates {
        let Some(part) = candidate.content.tp.concatenation else {
            continue;
        };
        if part.sequence == own.sequence
            || key(&candidate.content).as_deref() != Some(&*common)
            || !same_sender(&message.content, &candidate.content)
            || apart(message.inserted_at, candidate.inserted_at) > WINDOW
        {
            continue;
        }
        let taken = nearest.entry(part.sequence).or_insert(candidate);
        if distance(candidate) < distance(taken) {
            *taken = candidate;
        }
    }
    Some(Joined {
        total: own.total,
        parts: nearest
            .iter()
            .map(|(number, part)| Part {
                number: *number,
                id: part.id,
            })
            .collect(),
        body: body(own.total, &nearest),
    })
}

/// A PDU from a mobile need not say the number of its sender: then the IMSI tells senders apart.
fn same_sender(one: &Content, other: &Content) -> bool {
    !one.source.as_str().is_empty() || one.source_imsi == other.source_imsi
}

fn apart(one: Timestamp, other: Timestamp) -> Duration {
    one.max(other).since(one.min(other))
}

/// The texts in order. Neighbours that are still the PDUs they came as are read as one, since
/// senders cut within a character.
fn body(total: u8, parts: &BTreeMap<u8, &Message>) -> String {
    let mut text = String::new();
    let mut run = Vec::new();
    let mut next = 1;
    for (number, part) in parts {
        if *number > next {
            finish(&mut run, &mut text);
            text.push_str(&gap(next, number - 1));
        }
        match user_data(&part.content) {
            Some(data) => run.push(data),
            None => {
                finish(&mut run, &mut text);
                text.push_str(&part.content.body);
            }
        }
        next = number.saturating_add(1);
    }
    finish(&mut run, &mut text);
    let last = parts.keys().next_back().copied().unwrap_or_default();
    if last < total {
        text.push_str(&gap(last + 1, total));
    }
    text
}

fn finish(run: &mut Vec<UserData>, text: &mut String) {
    let joined = join::text(run.iter()).unwrap_or_default();
    text.push_str(&storable(&joined));
    run.clear();
}

fn gap(from: u8, to: u8) -> String {
    if from == to {
        format!("[part {from} missing]")
    } else {
        format!("[parts {from}-{to} missing]")
    }
}

/// The user data of a message whose text is still what its PDU says.
fn user_data(content: &Content) -> Option<UserData> {
    let octets = content.raw_pdu.clone()?.into();
    // The octets do not say who sent them, but what they mean tells.
    [Direction::MsToSc, Direction::ScToMs]
        .into_iter()
        .filter_map(|direction| Tpdu::decode_either(direction, &octets).ok())
        .filter_map(|(_, tpdu)| match tpdu {
            Tpdu::Submit(pdu) => Some(pdu.user_data),
            Tpdu::Deliver(pdu) => Some(pdu.user_data),
            Tpdu::Command(_)
            | Tpdu::DeliverReport(_)
            | Tpdu::StatusReport(_)
            | Tpdu::SubmitReport(_) => None,
        })
        .find(|data| {
            data.concatenation() == content.tp.concatenation
                && data
                    .text()
                    .is_some_and(|text| storable(&text) == content.body)
        })
}

#[cfg(test)]
mod tests;

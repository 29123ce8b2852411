//! How many parts a text takes, and the coding that this implies (D9).

use std::num::NonZeroU32;

use sms_codec::segment::{self, Alphabet, Choice};
use zajil_core::lifecycle::{Text, TransferCoding};
use zajil_core::message::{CharacterSet, TransferFields};
use zajil_core::outcome::Refusal;
use zajil_core::port::Submission;

/// A reference ties at most this many parts together (3GPP TS 23.040 9.2.3.24.1).
const MOST_PARTS: u32 = 255;

/// How many parts the text takes, and the coding that this implies (D9).
pub(crate) fn count(submission: &Submission) -> Result<(NonZeroU32, TransferFields), Refusal> {
    let (parts, tp) = measure(&submission.body, submission.tp.clone());
    let parts = submission.parts.unwrap_or(parts);
    check_parts(parts)?;
    Ok((parts, tp))
}

/// What an edit makes of a text: counted and coded as if it had been submitted without any coding.
pub(crate) fn recount(text: &mut Text) -> Result<NonZeroU32, Refusal> {
    let (parts, tp) = measure(&text.body, TransferFields::default());
    check_parts(parts)?;
    text.coding = Some(TransferCoding {
        data_coding_scheme: tp.data_coding_scheme,
        character_set: tp.character_set,
    });
    Ok(parts)
}

fn check_parts(parts: NonZeroU32) -> Result<(), Refusal> {
    if parts.get() > MOST_PARTS {
        let rule = format!("would be {parts}; a message has at most {MOST_PARTS} parts");
        return Err(Refusal::field("message_parts", rule));
    }
    Ok(())
}

/// The parts of a text under these transfer fields, and the fields with the coding filled in.
pub(crate) fn measure(body: &str, mut tp: TransferFields) -> (NonZeroU32, TransferFields) {
    if body.is_empty() {
        return (NonZeroU32::MIN, tp);
    }
    let mut options = segment::Options::PLAIN;
    if tp.character_set == Some(CharacterSet::Ucs2) {
        options.choice = Choice::Ucs2;
    }
    let plan = segment::count(body, &options);
    if tp.data_coding_scheme.is_none() && tp.character_set.is_none() {
        tp.character_set = Some(match plan.alphabet {
            Alphabet::Gsm7(_) => CharacterSet::Gsm7,
            Alphabet::Ucs2 => CharacterSet::Ucs2,
        });
    }
    if tp.data_coding_scheme.is_none() {
        // 3GPP TS 23.038 4, general group. It has no code for Latin-1.
        tp.data_coding_scheme = match tp.character_set {
            Some(CharacterSet::Gsm7) => Some(0x00),
            Some(CharacterSet::EightBit) => Some(0x04),
            Some(CharacterSet::Ucs2) => Some(0x08),
            Some(CharacterSet::Latin1) | None => None,
        };
    }
    (plan.parts, tp)
}

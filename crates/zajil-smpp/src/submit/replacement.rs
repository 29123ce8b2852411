//! What takes the place of a message that waits: the contents of a `replace_sm`, or of a submit
//! with `replace_if_present_flag`.

use std::num::NonZeroU32;

use smpp_codec::Status;
use smpp_codec::flags::EsmClass;
use smpp_codec::pdu::ReplaceSm;
use smpp_codec::tlv::Tag;
use zajil_core::clock::Timestamp;
use zajil_core::lifecycle::Edit;
use zajil_core::message::{Message, storable};
use zajil_core::port::Submission;
use zajil_core::smpp::{Account, Named, Origin};

use super::{receipt, times, unusable};
use crate::number;
use crate::text::{self, Carried, Incoming, Unusable};

/// Makes edits of messages that wait.
#[derive(Debug)]
pub(crate) struct Replacement;

impl Replacement {
    /// What a `replace_sm` makes of a message: empty fields leave things as they are.
    ///
    /// # Errors
    /// What the answer says, and why.
    pub(crate) fn of(
        pdu: &ReplaceSm,
        message: &Message,
        account: &Account,
        now: Timestamp,
    ) -> Result<Edit, Unusable> {
        if pdu.sm_default_msg_id != 0 {
            let why = "there are no predefined messages";
            return Err(unusable(Status::RINVDFTMSGID, why));
        }
        if pdu.registered_delivery.0 & !0x1F != 0 {
            let why = "registered_delivery has reserved bits";
            return Err(unusable(Status::RINVREGDLVFLG, why));
        }
        let times = (&pdu.schedule_delivery_time, &pdu.validity_period);
        let kept = (message.deliver_after, message.expires);
        let (deliver_after, expires) = times_kept(times, kept, now)?;
        let asked = pdu.registered_delivery;
        let before = message.arranged.origin.as_deref();
        let origin = Origin {
            receipt: receipt(asked),
            intermediate: asked.wants_intermediate(),
            acks: asked.acks(),
            ..before.cloned().unwrap_or_else(|| names_of(message))
        };
        let empty = pdu.short_message.octets().is_empty();
        let body = if empty && pdu.tlvs.get(Tag::MESSAGE_PAYLOAD).is_none() {
            None
        } else {
            let read = text::read(
                Incoming {
                    esm_class: EsmClass::default(),
                    data_coding: origin.coding,
                    short_message: Some(&pdu.short_message),
                    tlvs: &pdu.tlvs,
                },
                account.alphabet,
            )?;
            let Carried::Text(body, _) = read else {
                let why = "only a text takes the place of a text";
                return Err(unusable(Status::RREPLACEFAIL, why));
            };
            Some((storable(&body).into(), NonZeroU32::MIN))
        };
        Ok(Edit {
            body,
            deliver_after,
            expires,
            origin: Some(Box::new(origin)),
            unless_held: true,
            ..Edit::default()
        })
    }

    /// What a submit makes of a message that it replaces.
    pub(crate) fn by(submission: &Submission, now: Timestamp) -> Edit {
        Edit {
            body: Some((submission.body.clone().into(), NonZeroU32::MIN)),
            deliver_after: Some(submission.deliver_after),
            expires: submission.expires.filter(|end| *end > now),
            origin: submission.origin.clone(),
            unless_held: true,
            ..Edit::default()
        }
    }
}

type New = (Option<Option<Timestamp>>, Option<Timestamp>);

/// The new times, in the place of those that the message has.
fn times_kept(
    (schedule, validity): (&smpp_codec::text::Text, &smpp_codec::text::Text),
    (deliver_after, expires): (Option<Timestamp>, Timestamp),
    now: Timestamp,
) -> Result<New, Unusable> {
    let (new_after, new_end) = times((schedule, validity), now)?;
    let after = if schedule.is_empty() {
        deliver_after
    } else {
        new_after
    };
    let begins = after.unwrap_or(now).max(now);
    if new_end.unwrap_or(expires) <= begins {
        let why = "the validity ends before the delivery may begin";
        let status = if validity.is_empty() {
            Status::RINVSCHED
        } else {
            Status::RINVEXPIRY
        };
        return Err(unusable(status, why));
    }
    Ok(((!schedule.is_empty()).then_some(new_after), new_end))
}

/// The names of a message whose application said nothing that was worth keeping.
fn names_of(message: &Message) -> Origin {
    let named = |text: &str| {
        let address = number::write(text);
        Named {
            ton: address.ton,
            npi: address.npi,
            value: address.value.to_str().into_owned(),
        }
    };
    Origin {
        source: named(message.content.source.as_str()),
        destination: named(message.content.destination.as_str()),
        ..Origin::default()
    }
}

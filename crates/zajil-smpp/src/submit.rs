//! A `submit_sm`, `data_sm` or destination of a `submit_multi` as a submission.

use bytes::Bytes;
use smpp_codec::Status;
use smpp_codec::address::Address;
use smpp_codec::flags::{EsmClass, Final, Mode, RegisteredDelivery};
use smpp_codec::pdu::{DataSm, Sm, SubmitMulti};
use smpp_codec::text::{ShortMessage, Text};
use smpp_codec::time::Time;
use smpp_codec::tlv::{Tag, Tlvs};
use sms_codec::address as gsm;
use sms_codec::pid::Pid;
use sms_codec::tpdu::{Submit, Tpdu};
use sms_codec::user_data::UserData;
use zajil_core::clock::Timestamp;
use zajil_core::frontend::FrontendName;
use zajil_core::message::{TransferFields, storable};
use zajil_core::number::Given;
use zajil_core::port::Submission;
use zajil_core::receipt::On;
use zajil_core::route::SourceType;
use zajil_core::smpp::{Account, DefaultAlphabet, Named, Origin};

pub(crate) use self::replacement::Replacement;
use crate::number;
pub(crate) use crate::text::Unusable;
use crate::text::{self, Carried, Incoming};

mod repeat;
mod replacement;

/// `set_dpf`: an alert is wanted if the delivery fails.
const SET: u8 = 1;

/// A submission, and what it replaces.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) submission: Submission,
    /// The sender and the destination, as they were named, of a message that it takes the place of
    /// if one waits.
    pub(crate) replaces: Option<(String, String)>,
    /// The subscriber and the application, as they were named, where it wants an alert.
    pub(crate) watch: Option<(Named, Named)>,
}

/// What the operations that submit have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'p> {
    service_type: &'p Text,
    source: &'p Address,
    esm_class: EsmClass,
    protocol_id: u8,
    priority: u8,
    schedule: &'p Text,
    validity: &'p Text,
    registered_delivery: RegisteredDelivery,
    replace: u8,
    default_message: u8,
    data_coding: u8,
    short_message: Option<&'p ShortMessage>,
    tlvs: &'p Tlvs,
}

impl<'p> Request<'p> {
    pub(crate) fn of_submit(pdu: &'p Sm) -> Self {
        Self {
            service_type: &pdu.service_type,
            source: &pdu.source_addr,
            esm_class: pdu.esm_class,
            protocol_id: pdu.protocol_id,
            priority: pdu.priority_flag,
            schedule: &pdu.schedule_delivery_time,
            validity: &pdu.validity_period,
            registered_delivery: pdu.registered_delivery,
            replace: pdu.replace_if_present_flag,
            default_message: pdu.sm_default_msg_id,
            data_coding: pdu.data_coding,
            short_message: Some(&pdu.short_message),
            tlvs: &pdu.tlvs,
        }
    }

    pub(crate) fn of_multi(pdu: &'p SubmitMulti) -> Self {
        Self {
            service_type: &pdu.service_type,
            source: &pdu.source_addr,
            esm_class: pdu.esm_class,
            protocol_id: pdu.protocol_id,
            priority: pdu.priority_flag,
            schedule: &pdu.schedule_delivery_time,
            validity: &pdu.validity_period,
            registered_delivery: pdu.registered_delivery,
            replace: pdu.replace_if_present_flag,
            default_message: pdu.sm_default_msg_id,
            data_coding: pdu.data_coding,
            short_message: Some(&pdu.short_message),
            tlvs: &pdu.tlvs,
        }
    }

    pub(crate) fn of_data(pdu: &'p DataSm) -> Self {
        static NONE: Text = Text::EMPTY;
        Self {
            service_type: &pdu.service_type,
            source: &pdu.source_addr,
            esm_class: pdu.esm_class,
            protocol_id: 0,
            priority: 0,
            schedule: &NONE,
            validity: &NONE,
            registered_delivery: pdu.registered_delivery,
            replace: 0,
            default_message: 0,
            data_coding: pdu.data_coding,
            short_message: None,
            tlvs: &pdu.tlvs,
        }
    }

    /// The submission to one destination, and what it replaces.
    ///
    /// # Errors
    /// What the answer says, and why, for the log.
    pub(crate) fn to(
        &self,
        destination: &Address,
        account: &Account,
        now: Timestamp,
    ) -> Result<Made, Unusable> {
        self.check()?;
        let named = number::read(self.source);
        let allowed = account.sender(&named);
        let not_sender = unusable(Status::RINVSRCADR, "the sender is not one of the account's");
        let sender = allowed.ok_or(not_sender)?;
        let from = (&account.system_id, account.alphabet);
        let mut submission = self.submission((sender, destination), from, now)?;
        // Who replaces what is there looks for it by its addresses.
        let findable = account.by_address || self.replace == 1;
        let alert = self.tlvs.u8(Tag::SET_DPF) == Some(SET);
        let origin = self.origin(destination, (findable, alert));
        submission.origin = origin.map(Box::new);
        submission.dedupe = repeat::fingerprint(self, destination, account);
        let replaces = (self.replace == 1).then(|| (named, number::read(destination)));
        if replaces.is_some() && submission.raw_pdu.is_some() {
            let why = "only a text takes the place of a text";
            return Err(unusable(Status::RINVREPFLAG, why));
        }
        let watch = alert.then(|| (named_as(destination), named_as(self.source)));
        Ok(Made {
            submission,
            replaces,
            watch,
        })
    }

    /// The submission of a message that a carrier delivers.
    ///
    /// # Errors
    /// What the answer says, and why, for the log.
    pub(crate) fn of_carrier(
        &self,
        destination: &Address,
        from: (&FrontendName, DefaultAlphabet),
        now: Timestamp,
    ) -> Result<Submission, Unusable> {
        self.submission((&number::read(self.source), destination), from, now)
    }

    fn submission(
        &self,
        (sender, destination): (&str, &Address),
        (source_smsc, alphabet): (&FrontendName, DefaultAlphabet),
        now: Timestamp,
    ) -> Result<Submission, Unusable> {
        let (deliver_after, expires) = times((self.schedule, self.validity), now)?;
        let not_sender = unusable(Status::RINVSRCADR, "the sender is no number and no name");
        let source = match sender {
            "" => None,
            sender => Some(Given::parse(sender).map_err(|_| not_sender)?),
        };
        let called = Given::parse(&number::read(destination));
        let not_called = unusable(Status::RINVDSTADR, "the destination is not a number");
        let incoming = Incoming {
            esm_class: self.esm_class,
            data_coding: self.data_coding,
            short_message: self.short_message,
            tlvs: self.tlvs,
        };
        let carried = text::read(incoming, alphabet)?;
        let mut submission = Submission {
            source,
            destination: called.map_err(|_| not_called)?,
            body: String::new(),
            source_smsc: Some(source_smsc.clone()),
            source_type: Some(SourceType::Smpp),
            dest_smsc: None,
            source_imsi: None,
            dest_imsi: None,
            parts: None,
            part_number: None,
            tp: TransferFields::default(),
            send_time: None,
            expires,
            deliver_after,
            raw_pdu: None,
            raw_data: false,
            raw_sip: false,
            dedupe: None,
            origin: None,
        };
        match carried {
            Carried::Text(body, class) => {
                submission.body = storable(&body);
                submission.tp.has_message_class = class.map(|_| true);
                submission.tp.message_class = class.map(sms_codec::dcs::Class::code);
            }
            Carried::UserData(data) => self.put(&mut submission, data)?,
        }
        Ok(submission)
    }

    /// What the application said besides, where it said anything.
    fn origin(&self, destination: &Address, (findable, alert): (bool, bool)) -> Option<Origin> {
        let asked = self.registered_delivery;
        let kind = self.esm_class.kind();
        let reference = self.tlvs.u16(Tag::USER_MESSAGE_REFERENCE);
        let plain = asked.0 == 0 && kind == 0 && self.data_coding == 0 && reference.is_none();
        (!plain || findable || alert || !self.service_type.is_empty()).then(|| Origin {
            receipt: receipt(asked),
            intermediate: asked.wants_intermediate(),
            acks: asked.acks(),
            kind,
            source: named_as(self.source),
            destination: named_as(destination),
            reference,
            service_type: self.service_type.to_str().into_owned(),
            coding: self.data_coding,
            known_as: None,
            findable,
            alert,
            error: None,
        })
    }

    /// What we cannot do is refused, not passed over.
    fn check(&self) -> Result<(), Unusable> {
        if self.esm_class.mode() == Mode::Forward {
            let why = "no answer waits for a delivery here";
            return Err(unusable(Status::RINVESMCLASS, why));
        }
        let kind = self.esm_class.kind();
        if ![0, EsmClass::DELIVERY_ACK, EsmClass::MANUAL_ACK].contains(&kind) {
            let why = "receipts and notifications are not submitted";
            return Err(unusable(Status::RINVESMCLASS, why));
        }
        if self.priority > 4 {
            return Err(unusable(Status::RINVPRTFLG, "priority_flag is 0 to 4"));
        }
        if self.replace > 1 {
            let why = "replace_if_present_flag is 0 or 1";
            return Err(unusable(Status::RINVREPFLAG, why));
        }
        if self.default_message != 0 {
            let why = "there are no predefined messages";
            return Err(unusable(Status::RINVDFTMSGID, why));
        }
        if self.registered_delivery.0 & !0x1F != 0 {
            let why = "registered_delivery has reserved bits";
            return Err(unusable(Status::RINVREGDLVFLG, why));
        }
        Ok(())
    }

    /// One short message with a header, or data: kept as the PDU that a mobile would have sent.
    fn put(&self, submission: &mut Submission, data: UserData) -> Result<(), Unusable> {
        let called = submission.destination.as_str();
        let (ton, digits) = match called.strip_prefix('+') {
            Some(digits) => (gsm::TypeOfNumber::International, digits),
            None => (gsm::TypeOfNumber::Unknown, called),
        };
        let not_called = unusable(Status::RINVDSTADR, "the destination is not a number");
        let address = gsm::Address::new(ton, gsm::NumberingPlan::Telephone, digits)
            .map_err(|_| not_called)?;
        submission.body = storable(&data.text().unwrap_or_default());
        let concatenation = data.concatenation();
        let number = |octet: u8| std::num::NonZeroU32::new(octet.into());
        submission.parts = concatenation
            .and_then(|part| number(part.total))
            .or(Some(std::num::NonZeroU32::MIN));
        submission.part_number = concatenation.and_then(|part| number(part.sequence));
        let mut pdu = Submit::new(address, data);
        pdu.pid = Pid(self.protocol_id);
        let tpdu = Tpdu::Submit(pdu);
        submission.tp = TransferFields::of(&tpdu);
        let octets: Bytes = tpdu.encode();
        submission.raw_pdu = Some(octets.to_vec());
        submission.raw_data = true;
        Ok(())
    }
}

/// Which endings `registered_delivery` asks for.
const fn receipt(asked: RegisteredDelivery) -> On {
    match asked.at_the_end() {
        Final::Never => On::Never,
        Final::Always => On::Always,
        Final::Failure => On::Failure,
        Final::Success => On::Success,
    }
}

/// `deliver_after` and `expires`.
fn times(
    (schedule, validity): (&Text, &Text),
    now: Timestamp,
) -> Result<(Option<Timestamp>, Option<Timestamp>), Unusable> {
    let at = |time: Time| Timestamp::from_millis(time.resolve(now.millis()));
    let schedule = Time::parse(schedule)
        .map_err(|_| unusable(Status::RINVSCHED, "schedule_delivery_time is not a time"))?;
    let validity = Time::parse(validity)
        .map_err(|_| unusable(Status::RINVEXPIRY, "validity_period is not a time"))?;
    let deliver_after = schedule.map(at).filter(|after| *after > now);
    let expires = validity.map(at);
    let begins = deliver_after.unwrap_or(now);
    if expires.is_some_and(|expires| expires <= begins) {
        let why = "the validity ends before the delivery may begin";
        return Err(unusable(Status::RINVEXPIRY, why));
    }
    Ok((deliver_after, expires))
}

fn named_as(address: &Address) -> Named {
    Named {
        ton: address.ton,
        npi: address.npi,
        value: address.value.to_str().into_owned(),
    }
}

const fn unusable(status: Status, why: &'static str) -> Unusable {
    Unusable { status, why }
}

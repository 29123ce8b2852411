//! TPDUs and relay messages as named fields, for people, for JSON and for comparison.
//!
//! Fields that do not apply are absent; flags are 0 or 1 as the bits are written.

mod tree;

use crate::address::Address;
use crate::dcs::{Alphabet, Dcs};
use crate::gsm7::{self, Language, Shift};
use crate::rp;
use crate::time::{Timestamp, Zone};
use crate::tpdu::{self, Command, Deliver, DeliverReport, SubmitReport};
use crate::tpdu::{Parameters, ReportKind, StatusReport, Submit, Tpdu};
use crate::udh::{Header, Ports, Reference};
use crate::user_data::UserData;
use crate::validity::Validity;

pub use tree::Tree;

type Fields = Vec<(&'static str, Tree)>;

/// The fields of a TPDU (3GPP TS 23.040 9.2.2).
#[must_use]
pub fn tpdu(tpdu: &Tpdu) -> Tree {
    let mut fields = vec![("type", text(tpdu.name()))];
    match tpdu {
        Tpdu::Submit(pdu) => submit(pdu, &mut fields),
        Tpdu::Command(pdu) => command(pdu, &mut fields),
        Tpdu::DeliverReport(pdu) => deliver_report(pdu, &mut fields),
        Tpdu::Deliver(pdu) => deliver(pdu, &mut fields),
        Tpdu::StatusReport(pdu) => status_report(pdu, &mut fields),
        Tpdu::SubmitReport(pdu) => submit_report(pdu, &mut fields),
    }
    Tree::Group(fields)
}

/// The fields of a relay message (3GPP TS 24.011 7.3).
#[must_use]
pub fn rp(message: &rp::Message) -> Tree {
    let mut fields = vec![
        ("rp", text(message.name())),
        ("mr", message.reference.into()),
    ];
    if let rp::Body::Data {
        originator,
        destination,
        ..
    } = &message.body
    {
        let digits = |address: &Option<Address>| match address {
            Some(address) => Tree::Text(address.value()),
            None => Tree::Null,
        };
        fields.push(("oa", digits(originator)));
        fields.push(("da", digits(destination)));
    }
    if let rp::Body::Error {
        cause, diagnostic, ..
    } = &message.body
    {
        fields.push(("cause", cause.value().into()));
        fields.push(("cause_name", text(cause.name())));
        if !diagnostic.octets().is_empty() {
            fields.push(("diagnostic", hex(diagnostic.octets())));
        }
    }
    if let Some(octets) = message.tpdu() {
        fields.push(("tpdu", hex(octets)));
        if let Some(summary) = report_summary(message) {
            fields.push(("user_data", Tree::Text(summary)));
        }
    }
    Tree::Group(fields)
}

/// The text of bare septets, one in each octet: each code shows, even an unused escape.
#[must_use]
pub fn septets(septets: &[u8], shift: Shift) -> Tree {
    Tree::Group(vec![
        ("text", Tree::Text(gsm7::decode_each(septets, shift))),
        ("locking", Tree::Text(language(shift.locking))),
        ("single", Tree::Text(language(shift.single))),
    ])
}

fn language(language: Language) -> String {
    match language {
        Language::Default => "default".into(),
        language => format!("{}({})", language.name(), language.id()),
    }
}

/// The report in an acknowledgement or error, in a few words.
fn report_summary(message: &rp::Message) -> Option<String> {
    let kind = match &message.body {
        rp::Body::Acknowledgement(_) => ReportKind::Acknowledgement,
        rp::Body::Error { .. } => ReportKind::Error,
        rp::Body::Data { .. } | rp::Body::MemoryAvailable => return None,
    };
    let direction = match message.direction {
        rp::Direction::MsToNetwork => tpdu::Direction::MsToSc,
        rp::Direction::NetworkToMs => tpdu::Direction::ScToMs,
    };
    let octets = message.tpdu()?;
    let report = Tpdu::decode_report(direction, kind, octets).ok()?;
    let parameters = match &report {
        Tpdu::DeliverReport(report) => &report.parameters,
        Tpdu::SubmitReport(report) => &report.parameters,
        _ => return None,
    };
    let indicator = parameters.indicator().first().copied().unwrap_or_default();
    Some(format!(
        "{} ({}, PI={indicator})",
        hex_string(octets),
        report.name()
    ))
}

fn submit(pdu: &Submit, fields: &mut Fields) {
    fields.extend([
        ("tp_rd", flag(pdu.reject_duplicates)),
        ("tp_vpf", pdu.validity.format().into()),
        ("tp_srr", flag(pdu.status_report_request)),
        ("tp_udhi", flag(pdu.user_data.has_header())),
        ("tp_rp", flag(pdu.reply_path)),
        ("mr", pdu.reference.into()),
        ("da", address(&pdu.destination)),
        ("pid", pdu.pid.0.into()),
        ("dcs", pdu.user_data.dcs().0.into()),
    ]);
    fields.extend(validity(&pdu.validity).map(|validity| ("vp", validity)));
    user_data(&pdu.user_data, fields);
}

fn command(pdu: &Command, fields: &mut Fields) {
    fields.extend([
        ("tp_srr", flag(pdu.status_report_request)),
        ("tp_udhi", flag(pdu.data.has_header())),
        ("mr", pdu.reference.into()),
        ("pid", pdu.pid.0.into()),
        ("ct", pdu.kind.code().into()),
        ("mn", pdu.message_number.into()),
        ("da", address(&pdu.destination)),
        (
            "cdl",
            u8::try_from(pdu.data.octets().len())
                .unwrap_or(u8::MAX)
                .into(),
        ),
        ("cd", hex(pdu.data.octets())),
    ]);
}

fn deliver(pdu: &Deliver, fields: &mut Fields) {
    fields.push(("tp_mms", flag(!pdu.more_messages)));
    loop_prevention(pdu.loop_prevention, fields);
    fields.extend([
        ("tp_sri", flag(pdu.status_report_indication)),
        ("tp_udhi", flag(pdu.user_data.has_header())),
        ("tp_rp", flag(pdu.reply_path)),
        ("oa", address(&pdu.originator)),
        ("pid", pdu.pid.0.into()),
        ("dcs", pdu.user_data.dcs().0.into()),
        ("scts", timestamp(&pdu.timestamp)),
    ]);
    user_data(&pdu.user_data, fields);
}

fn status_report(pdu: &StatusReport, fields: &mut Fields) {
    let user_data = pdu.parameters.as_ref().and_then(Parameters::user_data);
    fields.push(("tp_mms", flag(!pdu.more_messages)));
    loop_prevention(pdu.loop_prevention, fields);
    fields.extend([
        ("tp_srq", flag(pdu.about_command)),
        ("tp_udhi", flag(user_data.is_some_and(UserData::has_header))),
        ("mr", pdu.reference.into()),
        ("ra", address(&pdu.recipient)),
        ("scts", timestamp(&pdu.timestamp)),
        ("dt", timestamp(&pdu.discharge_time)),
        ("st", hex(&[pdu.status.0])),
    ]);
    if let Some(parameters) = &pdu.parameters {
        optional(parameters, fields);
    }
}

fn deliver_report(pdu: &DeliverReport, fields: &mut Fields) {
    fields.extend(pdu.failure_cause.map(|cause| ("fcs", hex(&[cause.0]))));
    report_header(&pdu.parameters, fields);
    optional(&pdu.parameters, fields);
}

fn submit_report(pdu: &SubmitReport, fields: &mut Fields) {
    fields.extend(pdu.failure_cause.map(|cause| ("fcs", hex(&[cause.0]))));
    fields.push(("scts", timestamp(&pdu.timestamp)));
    report_header(&pdu.parameters, fields);
    optional(&pdu.parameters, fields);
}

fn report_header(parameters: &Parameters, fields: &mut Fields) {
    if parameters.user_data().is_some_and(UserData::has_header) {
        fields.push(("tp_udhi", 1_u8.into()));
    }
}

fn optional(parameters: &Parameters, fields: &mut Fields) {
    fields.push(("pi", hex(parameters.indicator())));
    fields.extend(parameters.pid().map(|pid| ("pid", pid.0.into())));
    fields.extend(parameters.dcs().map(|dcs| ("dcs", dcs.0.into())));
    if let Some(data) = parameters.user_data() {
        user_data(data, fields);
    }
}

/// The flag is shown only if it is set: few have heard of it.
fn loop_prevention(set: bool, fields: &mut Fields) {
    if set {
        fields.push(("tp_lp", 1_u8.into()));
    }
}

fn user_data(data: &UserData, fields: &mut Fields) {
    let dcs = data.dcs();
    fields.push(("udl", data.length().into()));
    fields.push(("alphabet", text(alphabet_name(dcs))));
    fields.extend(
        dcs.class()
            .map(|class| ("message_class", class.code().into())),
    );
    if let Some(waiting) = dcs.waiting() {
        let waiting = Tree::Group(vec![
            ("store", Tree::Flag(waiting.store)),
            ("active", Tree::Flag(waiting.active)),
            ("type", text(waiting.kind.name())),
        ]);
        fields.push(("mwi", waiting));
    }
    if let Some(data) = data.header() {
        header(&data, fields);
    }
    match data.text() {
        Some(text) => fields.push(("text", Tree::Text(text))),
        None => fields.push(("data", hex(data.body()))),
    }
}

const fn alphabet_name(dcs: Dcs) -> &'static str {
    match dcs.alphabet() {
        Alphabet::Gsm7 | Alphabet::Reserved => "gsm7",
        Alphabet::EightBit => "8bit",
        Alphabet::Ucs2 => "ucs2",
    }
}

fn header(header: &Header, fields: &mut Fields) {
    let elements = header.elements().map(|element| {
        Tree::Group(vec![
            ("iei", hex(&[element.id])),
            ("data", hex(element.data)),
        ])
    });
    fields.push(("udh", Tree::List(elements.collect())));
    if let Some(parts) = header.concatenation() {
        let (reference, bits) = match parts.reference {
            Reference::Bits8(reference) => (u16::from(reference), 8_u8),
            Reference::Bits16(reference) => (reference, 16),
        };
        let parts = Tree::Group(vec![
            ("ref", reference.into()),
            ("ref_bits", bits.into()),
            ("total", parts.total.into()),
            ("seq", parts.sequence.into()),
        ]);
        fields.push(("concat", parts));
    }
    if let Some(ports) = header.ports() {
        let (to, from, bits) = match ports {
            Ports::Bits8 {
                destination,
                source,
            } => (destination.into(), source.into(), 8_u8),
            Ports::Bits16 {
                destination,
                source,
            } => (destination, source, 16),
        };
        let ports = vec![
            ("dst", to.into()),
            ("src", from.into()),
            ("bits", bits.into()),
        ];
        fields.push(("ports", Tree::Group(ports)));
    }
    if let Some(waiting) = header.waiting().next() {
        let waiting = Tree::Group(vec![
            ("store", Tree::Flag(waiting.store())),
            ("type", text(waiting.kind())),
            ("count", waiting.count.into()),
        ]);
        fields.push(("mwi_udh", waiting));
    }
    let shift = header.shift();
    for (name, language) in [
        ("locking_shift", shift.locking),
        ("single_shift", shift.single),
    ] {
        if language != Language::Default {
            fields.push((name, language.id().into()));
        }
    }
}

fn address(address: &Address) -> Tree {
    Tree::Group(vec![
        ("toa", hex(&[address.type_of_address()])),
        ("ton", address.ton().code().into()),
        ("npi", address.npi().code().into()),
        ("value", Tree::Text(address.value())),
    ])
}

fn timestamp(timestamp: &Timestamp) -> Tree {
    Tree::Group(time_fields(timestamp).into())
}

fn time_fields(timestamp: &Timestamp) -> [(&'static str, Tree); 3] {
    let time = timestamp.local();
    let local = format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
        time.year, time.month, time.day, time.hour, time.minute, time.second
    );
    let zone: Zone = timestamp.zone();
    [
        ("local", Tree::Text(local)),
        ("tz_quarters", zone.signed_quarters().into()),
        ("tz_sign_bit", flag(zone.negative)),
    ]
}

fn validity(validity: &Validity) -> Option<Tree> {
    let mut fields = Vec::new();
    match validity {
        Validity::Absent => return None,
        Validity::Relative(octet) => {
            fields.extend([("format", text("relative")), ("octet", (*octet).into())]);
        }
        Validity::Enhanced(octets) => {
            fields.extend([("format", text("enhanced")), ("octets", hex(octets))]);
        }
        Validity::Absolute(timestamp) => {
            fields.push(("format", text("absolute")));
            fields.extend(time_fields(timestamp));
        }
    }
    fields.extend(
        validity
            .seconds()
            .map(|seconds| ("seconds", seconds.into())),
    );
    Some(Tree::Group(fields))
}

fn flag(set: bool) -> Tree {
    Tree::Number(i64::from(set))
}

fn text(text: &str) -> Tree {
    Tree::Text(text.into())
}

fn hex(octets: &[u8]) -> Tree {
    Tree::Text(hex_string(octets))
}

fn hex_string(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

//! What a TPDU says, in the words of S2.

use sms_codec::dcs::{Alphabet, Class, Dcs, Meaning};
use sms_codec::describe::{self, Tree};
use sms_codec::tpdu::Tpdu;

use super::{CharacterSet, TransferFields};

impl TransferFields {
    /// The `tp_*` fields of an SMS-SUBMIT or SMS-DELIVER; none of another TPDU.
    #[must_use]
    pub fn of(tpdu: &Tpdu) -> Self {
        let data = match tpdu {
            Tpdu::Submit(pdu) => &pdu.user_data,
            Tpdu::Deliver(pdu) => &pdu.user_data,
            Tpdu::Command(_)
            | Tpdu::DeliverReport(_)
            | Tpdu::StatusReport(_)
            | Tpdu::SubmitReport(_) => return Self::default(),
        };
        let dcs = data.dcs();
        let header = data.has_header().then(|| header(&describe::tpdu(tpdu)));
        Self {
            data_coding_scheme: Some(dcs.0),
            character_set: Some(match dcs.alphabet() {
                Alphabet::Gsm7 | Alphabet::Reserved => CharacterSet::Gsm7,
                Alphabet::EightBit => CharacterSet::EightBit,
                Alphabet::Ucs2 => CharacterSet::Ucs2,
            }),
            coding_group: Some(coding_group(dcs).to_owned()),
            compressed: Some(dcs.is_compressed()),
            has_message_class: Some(dcs.class().is_some()),
            message_class: dcs.class().map(Class::code),
            user_data_header: header,
            concatenation: data.concatenation(),
        }
    }
}

/// The coding groups of 3GPP TS 23.038 4, in the reference's manner.
const fn coding_group(dcs: Dcs) -> &'static str {
    match dcs.meaning() {
        Meaning::General {
            automatic_deletion: false,
            ..
        } => "general_data_coding",
        Meaning::General {
            automatic_deletion: true,
            ..
        } => "automatic_deletion",
        Meaning::Waiting { waiting, .. } if waiting.store => "message_waiting_store",
        Meaning::Waiting { .. } => "message_waiting_discard",
        Meaning::ClassOnly { .. } => "data_coding_message_class",
        Meaning::Reserved(_) => "reserved",
    }
}

/// The decoded elements as the text of a JSON object.
fn header(described: &Tree) -> String {
    const NAMES: [(&str, &str); 6] = [
        ("udh", "elements"),
        ("concat", "concat"),
        ("ports", "ports"),
        ("mwi_udh", "mwi"),
        ("locking_shift", "locking_shift"),
        ("single_shift", "single_shift"),
    ];
    let fields = NAMES
        .into_iter()
        .filter_map(|(name, shown)| Some((shown, described.get(name)?.clone())));
    Tree::Group(fields.collect()).to_string()
}

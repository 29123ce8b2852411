//! What a receipt of a carrier says, and which ids it may mean (D19).

use smpp_codec::address::Address;
use smpp_codec::flags::EsmClass;
use smpp_codec::pdu::{DataSm, Sm};
use smpp_codec::receipt;
use smpp_codec::state::MessageState;
use smpp_codec::tlv::{Tag, Tlvs};
use zajil_core::frontend::FrontendName;
use zajil_core::receipt::NetworkError;
use zajil_core::smpp::carrier::ReceiptIds;
use zajil_store::record::SmppUnmatched;

use crate::number;

/// So many digits of a number must agree: how a carrier writes the rest is its affair.
const TAIL: usize = 6;
/// The longest id that is kept, in octets (SMPP 5.0, 4.7.14).
const LONGEST_ID: usize = 64;
/// The longest error that is kept, in characters: three digits are what the standard has.
const LONGEST_ERROR: usize = 32;

/// A receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    /// The carrier's id, as the receipt writes it; empty when it names none.
    pub(crate) id: String,
    /// The number that the message went to.
    pub(crate) from: String,
    /// What became of it; none when it names no state that is known.
    pub(crate) state: Option<MessageState>,
    /// `err`, or the last two octets of `network_error_code`.
    pub(crate) error: Option<String>,
    /// The error as receipts to applications tell it: `network_error_code`, or a number in `err`.
    pub(crate) network: Option<NetworkError>,
    /// Whether it tells of a state on the way, whatever the state is.
    pub(crate) on_the_way: bool,
}

impl Said {
    /// The receipt that a delivery is; `None` when it is a message. Parameters count more than the
    /// text: that is often cut, or translated.
    pub(crate) fn of(pdu: &Sm) -> Option<Self> {
        let text = pdu.short_message.octets();
        Self::read(pdu.esm_class, &pdu.source_addr, text, &pdu.tlvs)
    }

    /// The receipt that a `data_sm` is.
    pub(crate) fn of_data(pdu: &DataSm) -> Option<Self> {
        Self::read(pdu.esm_class, &pdu.source_addr, &[], &pdu.tlvs)
    }

    fn read(esm_class: EsmClass, source: &Address, text: &[u8], tlvs: &Tlvs) -> Option<Self> {
        let kind = esm_class.kind();
        let is_receipt = kind & (EsmClass::RECEIPT | EsmClass::INTERMEDIATE) != 0;
        if !is_receipt {
            return None;
        }
        let text = tlvs.get(Tag::MESSAGE_PAYLOAD).map_or(text, |text| &**text);
        let parsed = receipt::parse(text).unwrap_or_default();
        let named = tlvs.text(Tag::RECEIPTED_MESSAGE_ID);
        let named = named.map(|id| id.to_str().into_owned());
        let named = named.filter(|id| !id.trim().is_empty());
        let id = named.or(parsed.id).unwrap_or_default();
        let state = tlvs.u8(Tag::MESSAGE_STATE).map(MessageState::from_octet);
        let known = state.filter(|state| !matches!(state, MessageState::Other(_)));
        let code = tlvs.get(Tag::NETWORK_ERROR_CODE);
        let network = code.and_then(|octets| match octets[..] {
            // No error is no code, and whose it is must be known (5.0, 4.8.4.42).
            [_, 0, 0] => None,
            [network, high, low] if NetworkError::NETWORKS.contains(&network) => {
                let code = u16::from_be_bytes([high, low]);
                Some(NetworkError { network, code })
            }
            _ => None,
        });
        let error = parsed
            .error
            .or(network.map(|network| network.code.to_string()));
        Some(Self {
            id: id.chars().take(LONGEST_ID).collect(),
            from: number::read(source),
            state: known.or(parsed.state),
            network: network.or_else(|| centres_own(error.as_deref())),
            error: error.map(|error| error.chars().take(LONGEST_ERROR).collect()),
            on_the_way: kind & EsmClass::INTERMEDIATE != 0,
        })
    }

    /// What is kept of a receipt that belongs to nothing.
    pub(crate) fn unmatched(&self, carrier: FrontendName) -> SmppUnmatched {
        SmppUnmatched {
            carrier,
            id: self.id.clone(),
            from: self.from.clone(),
            state: self.word().to_owned(),
            error: self.error.clone(),
            network: self.network,
        }
    }

    /// What was kept of a receipt that belonged to nothing.
    pub(crate) fn kept(kept: &SmppUnmatched) -> Self {
        Self {
            id: kept.id.clone(),
            from: kept.from.clone(),
            state: MessageState::from_word(&kept.state),
            error: kept.error.clone(),
            network: kept.network.or_else(|| centres_own(kept.error.as_deref())),
            on_the_way: false,
        }
    }

    /// The word of its state; empty when it names none that is known.
    pub(crate) fn word(&self) -> &'static str {
        self.state.map_or("", MessageState::word)
    }

    /// Whether nothing follows it. `ACCEPTD` is final by the standard, and yet what most carriers
    /// say on the way; what says nothing that is known ends nothing.
    pub(crate) fn is_final(&self) -> bool {
        let is_final = |state: MessageState| state.is_final() && state != MessageState::Accepted;
        !self.on_the_way && self.state.is_some_and(is_final)
    }

    /// What it says, for the log of a message.
    pub(crate) fn told(&self) -> String {
        let state = self.state.map_or("of no known state", MessageState::word);
        match &self.error {
            Some(error) => format!("receipt {state}, err:{error}"),
            None => format!("receipt {state}"),
        }
    }
}

/// `err` is a code of the carrier's own, if it is a number and means a failure.
fn centres_own(error: Option<&str>) -> Option<NetworkError> {
    let code = error?.trim().parse().ok().filter(|code| *code != 0)?;
    Some(NetworkError {
        network: NetworkError::CENTRE,
        code,
    })
}

/// An id as it is kept: in small letters, without leading zeros.
pub(crate) fn key(id: &str) -> String {
    let id: String = id.trim().chars().take(LONGEST_ID).collect();
    let id = id.to_ascii_lowercase();
    let short = id.trim_start_matches('0');
    if short.is_empty() && !id.is_empty() {
        return "0".to_owned();
    }
    short.to_owned()
}

/// The keys that an id of a receipt may stand for, the likeliest first. Only the first is certain;
/// for the others the number must agree.
pub(crate) fn keys(id: &str, written: ReceiptIds) -> Vec<String> {
    let plain = key(id);
    if plain.is_empty() {
        return Vec::new();
    }
    let in_hex = plain.parse::<u128>().map(|number| format!("{number:x}"));
    let in_decimal = u128::from_str_radix(&plain, 16).map(|number| number.to_string());
    // What is no number of that kind was not written so.
    match written {
        ReceiptIds::Same => vec![plain],
        ReceiptIds::HexThenDecimal => vec![in_hex.unwrap_or(plain)],
        ReceiptIds::DecimalThenHex => vec![in_decimal.unwrap_or(plain)],
        ReceiptIds::Auto => {
            let mut all = vec![plain];
            all.extend(in_hex);
            all.extend(in_decimal);
            all.dedup();
            all
        }
    }
}

/// Whether an id can only be meant in hexadecimal.
pub(crate) fn is_hexadecimal(id: &str) -> bool {
    let id = id.trim();
    id.bytes().all(|octet| octet.is_ascii_hexdigit())
        && id.bytes().any(|octet| octet.is_ascii_alphabetic())
}

/// The end of a number, by which receipts are compared with messages.
pub(crate) fn tail(number: &str) -> String {
    let digits: Vec<char> = number.chars().filter(char::is_ascii_digit).collect();
    let from = digits.len().saturating_sub(TAIL);
    digits.get(from..).unwrap_or_default().iter().collect()
}

#[cfg(test)]
mod tests {
    use smpp_codec::text::ShortMessage;
    use smpp_codec::tlv::Tlv;

    use super::*;

    /// D19: hexadecimal, decimal, capitals and leading zeros name the same message.
    #[test]
    fn d19_ids_are_matched_however_they_are_written() {
        for (response, receipt) in [
            ("12345", "12345"),
            ("000012345", "12345"),
            ("12345", "0000012345"),
            ("38601fa", "0059113978"),
            ("59113978", "38601FA"),
            ("a-B-7", "A-b-7"),
            ("0", "000"),
            (
                "7c6f1a52-9f1e-4a8e-8f5e-0f4f1c2b3a4d",
                "7C6F1A52-9F1E-4A8E-8F5E-0F4F1C2B3A4D",
            ),
        ] {
            let all = keys(receipt, ReceiptIds::Auto);
            assert!(all.contains(&key(response)), "{response} {receipt}");
        }
        assert!(!keys("12346", ReceiptIds::Auto).contains(&key("12345")));
        let certain = &keys("12345", ReceiptIds::Auto)[0];
        assert_eq!(certain, "12345", "as it is comes first");
    }

    /// D19: where it is set how a carrier writes its ids, a receipt means one id only, in the
    /// habits that are known: plain decimal, zeros in front, hexadecimal in the response and ten
    /// decimal digits in the receipt, the other way round, and UUIDs.
    #[test]
    fn d19_a_setting_leaves_one_reading() {
        use ReceiptIds::{DecimalThenHex, HexThenDecimal, Same};
        let uuid = "7c6f1a52-9f1e-4a8e-8f5e-0f4f1c2b3a4d";
        for (written, response, receipt) in [
            (Same, "10", "10"),
            (Same, "0000000010", "10"),
            (Same, "1F", "000000001f"),
            (Same, uuid, uuid),
            (HexThenDecimal, "a", "10"),
            (HexThenDecimal, "10", "16"),
            (HexThenDecimal, "00038601FA", "0059113978"),
            (DecimalThenHex, "16", "10"),
            (DecimalThenHex, "0059113978", "38601FA"),
            (DecimalThenHex, "11", "b"),
            // Not a number as it was set: as it is.
            (HexThenDecimal, "1f", "1F"),
            (HexThenDecimal, uuid, uuid),
            (DecimalThenHex, uuid, uuid),
        ] {
            let meant = keys(receipt, written);
            assert_eq!(meant, [key(response)], "{written:?} {response} {receipt}");
        }
        assert!(keys("  ", Same).is_empty(), "it names none");
    }

    #[test]
    fn numbers_agree_by_their_ends() {
        assert_eq!(tail("+46709771337"), tail("0709771337"));
        assert_eq!(tail("155"), "155");
        assert_ne!(tail("+46709771337"), tail("+46709771338"));
    }

    fn said(esm_class: u8, text: &str, tlvs: Tlvs) -> Option<Said> {
        let sm = Sm {
            source_addr: number::write("+46709771337"),
            esm_class: EsmClass(esm_class),
            short_message: ShortMessage::new(text.as_bytes().to_vec()).unwrap(),
            tlvs,
            ..Sm::default()
        };
        Said::of(&sm)
    }

    #[test]
    fn d19_receipts_are_told_from_messages_and_read() {
        let text = "id:0059113978 sub:001 dlvrd:001 submit date:2401020304 \
                    done date:2401020305 stat:DELIVRD err:000 text:hello";
        assert_eq!(said(0, text, Tlvs::NONE), None, "a mobile may write that");
        let plain = said(4, text, Tlvs::NONE).unwrap();
        assert_eq!(
            (plain.id.as_str(), plain.state),
            ("0059113978", Some(MessageState::Delivered))
        );
        assert!(plain.is_final());
        assert_eq!(plain.told(), "receipt DELIVRD, err:000");
        let mut tlvs = Tlvs::NONE;
        let id = smpp_codec::text::Text::new("38601fa").unwrap();
        tlvs.push_text(Tag::RECEIPTED_MESSAGE_ID, &id);
        tlvs.push_u8(Tag::MESSAGE_STATE, 5);
        let by_parameters = said(4, "gone", tlvs).unwrap();
        assert_eq!(by_parameters.id, "38601fa");
        assert_eq!(by_parameters.state, Some(MessageState::Undeliverable));
        for (esm_class, state) in [(0x20, "DELIVRD"), (4, "ENROUTE"), (4, "ACCEPTD")] {
            let text = format!("id:7 stat:{state}");
            assert!(
                !said(esm_class, &text, Tlvs::NONE).unwrap().is_final(),
                "{state}"
            );
        }
        assert_eq!(
            said(4, "thank you", Tlvs::NONE).unwrap().id,
            "",
            "it names nothing"
        );
    }

    /// D19: a state that nobody knows ends nothing, and hides neither the id nor the error.
    #[test]
    fn d19_a_receipt_of_no_known_state_names_its_message_and_is_not_its_end() {
        let odd = said(4, "id:77 sub:001 stat:ROUTED err:000 text:", Tlvs::NONE).unwrap();
        assert_eq!((odd.id.as_str(), odd.state), ("77", None));
        assert!(!odd.is_final());
        assert_eq!(odd.told(), "receipt of no known state, err:000");
        let silent = said(4, "thank you", Tlvs::NONE).unwrap();
        assert!(!silent.is_final());
        let mut tlvs = Tlvs::NONE;
        tlvs.push_u8(Tag::MESSAGE_STATE, 99);
        let text = said(4, "id:7 stat:DELIVRD", tlvs).unwrap();
        assert_eq!(
            text.state,
            Some(MessageState::Delivered),
            "the text says more"
        );
    }

    /// D19: an id that is there and empty does not hide the one in the text.
    #[test]
    fn d19_an_empty_parameter_hides_no_id() {
        let mut tlvs = Tlvs::NONE;
        tlvs.push_text(Tag::RECEIPTED_MESSAGE_ID, &smpp_codec::text::Text::EMPTY);
        let said = said(4, "id:77 stat:DELIVRD", tlvs).unwrap();
        assert_eq!(said.id, "77");
    }

    /// SMPP 5.0, 4.8.4.42: a code of no error, or of nobody, does not hide the one in the text; and
    /// what was kept of a receipt says the same again.
    #[test]
    fn d19_a_code_that_says_nothing_hides_no_error() {
        for (octets, network, code) in [
            (vec![3, 0, 27], NetworkError::GSM, 27),
            (vec![3, 0, 0], NetworkError::CENTRE, 34),
            (vec![0, 0, 27], NetworkError::CENTRE, 34),
            (vec![9, 0, 27], NetworkError::CENTRE, 34),
        ] {
            let mut tlvs = Tlvs::NONE;
            tlvs.push(Tlv::new(Tag::NETWORK_ERROR_CODE, octets.clone()).unwrap());
            let read = said(4, "id:7 stat:UNDELIV err:034", tlvs).unwrap();
            let wanted = NetworkError { network, code };
            assert_eq!(read.network, Some(wanted), "{octets:?}");
            let again = Said::kept(&read.unmatched(FrontendName::parse("up").unwrap()));
            assert_eq!(again, read);
        }
    }

    #[test]
    fn an_error_is_cut_at_a_length() {
        let text = format!("id:7 stat:UNDELIV err:{}", "9".repeat(200));
        let said = said(4, &text, Tlvs::NONE).unwrap();
        assert_eq!(said.error.map(|error| error.len()), Some(LONGEST_ERROR));
    }

    /// SMPP 5.0, 4.3.1: a receipt may come as a `data_sm`, its text as a parameter or not at all.
    #[test]
    fn d19_a_receipt_comes_in_data_sm_too() {
        let mut tlvs = Tlvs::NONE;
        let id = smpp_codec::text::Text::new("38601fa").unwrap();
        tlvs.push_text(Tag::RECEIPTED_MESSAGE_ID, &id);
        tlvs.push_u8(Tag::MESSAGE_STATE, 2);
        let data = |esm_class| DataSm {
            source_addr: number::write("+46709771337"),
            esm_class: EsmClass(esm_class),
            tlvs: tlvs.clone(),
            ..DataSm::default()
        };
        let said = Said::of_data(&data(4)).unwrap();
        assert_eq!((said.id.as_str(), said.is_final()), ("38601fa", true));
        assert_eq!(Said::of_data(&data(0)), None, "a message");
    }
}

//! Receipts for an application: taken from its queue, sent, and answered for (D19).

use std::time::Duration;

use smpp_codec::address::Address;
use smpp_codec::flags::EsmClass;
use smpp_codec::pdu::Sm;
use smpp_codec::receipt::{Receipt as Written, TEXT_OCTETS};
use smpp_codec::state::MessageState;
use smpp_codec::text::{ShortMessage, Text};
use smpp_codec::tlv::{Tag, Tlv, Tlvs};
use smpp_codec::{Pdu, Status};
use zajil_core::port::{Answer, Handed, ReceiptAnswer, ReceiptAsk};
use zajil_core::receipt::{NetworkError, Receipt, State};
use zajil_core::smpp::{Account, Named};

use super::deliver::{Session, WAIT};
use crate::link::Lost;
use crate::pump::Source;
use crate::text;

/// A receipt comes back after so many times the response timer when nobody has answered for it:
/// longer than it waits for its place in the window, behind a message, and for its response.
const RESPONSES_IN_A_LEASE: u32 = 3;
/// It is not shorter than this, however short the timer.
const SHORTEST_LEASE: Duration = Duration::from_secs(30);
/// `err` in the text of a receipt.
const LARGEST_IN_TEXT: u16 = 999;

/// The receipts of the account of a session.
pub(super) struct Receipts<'s>(pub(super) &'s Session<'s>);

impl Source for Receipts<'_> {
    type Item = Handed;
    type Done = (Handed, ReceiptAnswer);

    fn room(&self) -> usize {
        self.0.room
    }

    fn ask(&self, limit: usize) -> Answer<'_, Vec<Handed>> {
        let response = self.0.server.options.limits.response;
        self.0.server.parts.desk.receipts(ReceiptAsk {
            account: self.0.account.system_id.clone(),
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
            lease: (response * RESPONSES_IN_A_LEASE).max(SHORTEST_LEASE),
            wait: WAIT,
        })
    }

    async fn work(&self, handed: Handed) -> Option<Self::Done> {
        let session = self.0;
        let receipt = &handed.receipt;
        let pdu = write(receipt, session.account, session.bound.knows_parameters());
        let answer = match session.request(Pdu::DeliverSm(pdu)).await {
            Ok(Status::ROK) => ReceiptAnswer::Taken,
            Ok(status @ (Status::RX_P_APPN | Status::RX_R_APPN)) => {
                ReceiptAnswer::Refused(status.to_string())
            }
            Err(Lost::Unsent) => ReceiptAnswer::Unsent,
            Ok(_) | Err(_) => ReceiptAnswer::Later,
        };
        Some((handed, answer))
    }

    async fn finish(&self, done: Vec<Self::Done>) {
        let count = done.len();
        let told = self.0.server.parts.desk.answer_receipts(done);
        if let Err(refusal) = told.await {
            tracing::warn!(count, %refusal, "receipts could not be answered for");
        }
    }

    async fn give_back(&self, handed: Handed) {
        self.finish(vec![(handed, ReceiptAnswer::Unsent)]).await;
    }
}

/// A receipt as a `deliver_sm`; only peers of 3.4 and later know optional parameters.
pub(super) fn write(receipt: &Receipt, account: &Account, parameters: bool) -> Sm {
    let state = state(receipt.state);
    let network = receipt.error.unwrap_or(NetworkError {
        network: NetworkError::CENTRE,
        code: error(receipt.state),
    });
    // The text has three digits.
    let in_text = Some(network.code).filter(|code| *code <= LARGEST_IN_TEXT);
    let delivered = u16::from(receipt.state == State::Delivered);
    let written = Written {
        id: &account.receipt_ids.write(receipt.known_as),
        submitted: 1,
        delivered,
        submit_ms: receipt.submitted_at.millis(),
        done_ms: receipt.done_at.millis(),
        state,
        error: in_text.unwrap_or(error(receipt.state)),
        text: &text::plain(&receipt.text, account.alphabet, TEXT_OCTETS),
    };
    let mut tlvs = Tlvs::NONE;
    if parameters {
        let code = network.code.to_be_bytes();
        let network = [network.network, code[0], code[1]];
        // The one of the response to the submit, whatever the text says (3.4, 5.3.2.12).
        let id = account.response_ids.write(receipt.known_as);
        tlvs.push_text(Tag::RECEIPTED_MESSAGE_ID, &Text::until_zero(id));
        tlvs.push_u8(Tag::MESSAGE_STATE, state.octet());
        if let Some(tlv) = Tlv::new(Tag::NETWORK_ERROR_CODE, network.to_vec()) {
            tlvs.push(tlv);
        }
        if let Some(reference) = receipt.reference {
            tlvs.push_u16(Tag::USER_MESSAGE_REFERENCE, reference);
        }
    }
    let kind = if receipt.state.is_final() {
        EsmClass::RECEIPT
    } else {
        EsmClass::INTERMEDIATE
    };
    Sm {
        source_addr: address(&receipt.from),
        destination_addr: address(&receipt.to),
        esm_class: EsmClass(kind),
        // Its longest text has less than 254 octets.
        short_message: ShortMessage::new(written.write()).unwrap_or_default(),
        tlvs,
        ..Sm::default()
    }
}

pub(super) fn address(named: &Named) -> Address {
    Address {
        ton: named.ton,
        npi: named.npi,
        value: Text::until_zero(named.value.clone()),
    }
}

/// A state in SMPP's words.
pub(crate) const fn state(state: State) -> MessageState {
    match state {
        State::Enroute => MessageState::Enroute,
        State::Delivered => MessageState::Delivered,
        State::Expired => MessageState::Expired,
        State::Deleted => MessageState::Deleted,
        State::Undeliverable => MessageState::Undeliverable,
        State::Rejected => MessageState::Rejected,
    }
}

/// `err` of a receipt, and the code in `network_error_code`, where no network has said why: what
/// kind of failure it was.
pub(crate) const fn error(state: State) -> u16 {
    match state {
        State::Delivered => 0,
        State::Undeliverable => 1,
        State::Expired => 2,
        State::Deleted => 3,
        State::Rejected => 4,
        State::Enroute => 5,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use zajil_core::clock::Timestamp;
    use zajil_core::frontend::FrontendName;
    use zajil_core::id::MessageId;
    use zajil_core::smpp::{DefaultAlphabet, IdForm};

    use super::*;
    use crate::accounts::tests::account;

    fn receipt(state: State) -> Receipt {
        let named = |ton, npi, value: &str| Named {
            ton,
            npi,
            value: value.into(),
        };
        let id = MessageId::new(59_113_978).unwrap();
        Receipt {
            message: id,
            account: FrontendName::parse("shop").unwrap(),
            known_as: id,
            from: named(1, 1, "46709771337"),
            to: named(5, 0, "SHOP"),
            reference: Some(0x0102),
            state,
            error: None,
            // 2027-01-15 08:00 and 08:01 UTC.
            submitted_at: Timestamp::from_secs(1_800_000_000),
            done_at: Timestamp::from_secs(1_800_000_060),
            text: "Räksmörgås @ 10 € ☃".into(),
        }
    }

    #[test]
    fn d19_the_text_is_the_canonical_one_in_every_state() {
        let mut all = String::new();
        for state in State::ALL {
            let pdu = write(&receipt(state), &account(DefaultAlphabet::Utf8), true);
            let text = String::from_utf8(pdu.short_message.octets().to_vec()).unwrap();
            all.push_str(&format!("{:#04x} {text}\n", pdu.esm_class.0));
        }
        expect![[r#"
            0x20 id:59113978 sub:001 dlvrd:000 submit date:2701150800 done date:2701150801 stat:ENROUTE err:005 text:Räksmörgås @ 10 
            0x04 id:59113978 sub:001 dlvrd:001 submit date:2701150800 done date:2701150801 stat:DELIVRD err:000 text:Räksmörgås @ 10 
            0x04 id:59113978 sub:001 dlvrd:000 submit date:2701150800 done date:2701150801 stat:EXPIRED err:002 text:Räksmörgås @ 10 
            0x04 id:59113978 sub:001 dlvrd:000 submit date:2701150800 done date:2701150801 stat:DELETED err:003 text:Räksmörgås @ 10 
            0x04 id:59113978 sub:001 dlvrd:000 submit date:2701150800 done date:2701150801 stat:UNDELIV err:001 text:Räksmörgås @ 10 
            0x04 id:59113978 sub:001 dlvrd:000 submit date:2701150800 done date:2701150801 stat:REJECTD err:004 text:Räksmörgås @ 10 
        "#]]
        .assert_eq(&all);
    }

    #[test]
    fn d19_a_receipt_goes_back_along_the_addresses_of_its_submit() {
        let pdu = write(
            &receipt(State::Delivered),
            &account(DefaultAlphabet::Gsm7),
            true,
        );
        let from = &pdu.source_addr;
        assert_eq!(
            (from.ton, from.npi, &*from.value.to_str()),
            (1, 1, "46709771337")
        );
        let to = &pdu.destination_addr;
        assert_eq!((to.ton, to.npi, &*to.value.to_str()), (5, 0, "SHOP"));
        let id = pdu.tlvs.text(Tag::RECEIPTED_MESSAGE_ID).unwrap();
        assert_eq!(id.to_str(), "59113978");
        assert_eq!(pdu.tlvs.u8(Tag::MESSAGE_STATE), Some(2));
        assert_eq!(
            pdu.tlvs.get(Tag::NETWORK_ERROR_CODE).unwrap()[..],
            [8, 0, 0]
        );
        assert_eq!(pdu.tlvs.u16(Tag::USER_MESSAGE_REFERENCE), Some(0x0102));
        // What the alphabet lacks does not keep the rest away.
        let text = pdu.short_message.octets();
        assert!(
            text.ends_with(b"text:R\x7bksm\x7crg\x0fs \0 10 \x1b\x65 ?"),
            "{text:?}"
        );
    }

    #[test]
    fn d19_a_peer_of_3_3_gets_the_text_alone() {
        let pdu = write(
            &receipt(State::Delivered),
            &account(DefaultAlphabet::Latin1),
            false,
        );
        assert_eq!(pdu.tlvs, Tlvs::NONE);
        assert!(!pdu.short_message.octets().is_empty());
    }

    /// D19: what a network said of a failure goes into the text, as far as it fits, and whole into
    /// the parameter.
    #[test]
    fn d19_a_receipt_says_why_in_the_words_of_the_network() {
        for (code, text) in [(27, "err:027"), (999, "err:999"), (0x1234, "err:001")] {
            let failed = Receipt {
                error: Some(NetworkError {
                    network: NetworkError::GSM,
                    code,
                }),
                ..receipt(State::Undeliverable)
            };
            let pdu = write(&failed, &account(DefaultAlphabet::Gsm7), true);
            let written = String::from_utf8_lossy(pdu.short_message.octets()).into_owned();
            assert!(written.contains(text), "{code}: {written}");
            let [high, low] = code.to_be_bytes();
            let parameter = pdu.tlvs.get(Tag::NETWORK_ERROR_CODE).unwrap();
            assert_eq!(parameter[..], [3, high, low]);
        }
    }

    /// D19: the text writes the id as the account wants it, the parameter as the response did.
    #[test]
    fn d19_a_receipt_names_the_id_in_the_forms_of_the_account() {
        use IdForm::{Decimal, Hex, HexUpper};
        for (response_ids, receipt_ids, parameter, text) in [
            (Hex, Decimal, "38601fa", "id:59113978 "),
            (Decimal, Hex, "59113978", "id:38601fa "),
            (HexUpper, HexUpper, "38601FA", "id:38601FA "),
        ] {
            let account = Account {
                response_ids,
                receipt_ids,
                ..account(DefaultAlphabet::Gsm7)
            };
            let pdu = write(&receipt(State::Delivered), &account, true);
            assert!(pdu.short_message.octets().starts_with(text.as_bytes()));
            let id = pdu.tlvs.text(Tag::RECEIPTED_MESSAGE_ID).unwrap();
            assert_eq!(id.to_str(), parameter);
        }
    }
}

//! What makes two submits of an application the same (D6).

use sha2::{Digest as _, Sha256};
use smpp_codec::address::Address;
use smpp_codec::tlv::Tag;
use zajil_core::port::Dedupe;
use zajil_core::smpp::Account;

use super::Request;

/// What a client numbers its messages and their parts with.
const REFERENCES: [Tag; 4] = [
    Tag::USER_MESSAGE_REFERENCE,
    Tag::SAR_MSG_REF_NUM,
    Tag::SAR_TOTAL_SEGMENTS,
    Tag::SAR_SEGMENT_SEQNUM,
];

/// The fingerprint of a submit, where its account wants repetitions recognised and it has a
/// reference: `user_message_reference`, `sar_msg_ref_num`, or a header. Without one, two messages
/// that say the same are two messages. It says all of the submit, so it is the body's digest too.
pub(super) fn fingerprint(
    request: &Request<'_>,
    destination: &Address,
    account: &Account,
) -> Option<Dedupe> {
    let has = |tag: &Tag| request.tlvs.get(*tag).is_some();
    let referenced = REFERENCES.iter().take(2).any(has) || request.esm_class.has_header();
    if !account.idempotent || !referenced || request.replace == 1 {
        return None;
    }
    let mut digest = Sha256::new();
    let mut add = |octets: &[u8]| {
        // With its length, so that nothing can be moved from one field to the next.
        digest.update(
            u64::try_from(octets.len())
                .unwrap_or(u64::MAX)
                .to_be_bytes(),
        );
        digest.update(octets);
    };
    add(b"smpp");
    add(account.system_id.as_str().as_bytes());
    for address in [request.source, destination] {
        add(&[address.ton, address.npi]);
        add(address.value.octets());
    }
    for tag in REFERENCES.iter().chain(&[Tag::MESSAGE_PAYLOAD]) {
        add(request.tlvs.get(*tag).map_or(&[][..], |value| &value[..]));
    }
    add(&[request.esm_class.0, request.data_coding]);
    let text = request.short_message;
    add(text.map_or(&[][..], |text| &text.octets()[..]));
    let key: [u8; 32] = digest.finalize().into();
    Some(Dedupe { key, body: key })
}

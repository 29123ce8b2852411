//! A message as clients see it (S2): written by hand, field by field, because every submit and
//! every offer answers with it.

use axum::http::StatusCode;
use axum::response::Response;
pub(crate) use schema::AcceptedOut;
use zajil_core::clock::Timestamp;
use zajil_core::concatenation::Joined;
use zajil_core::frontend::FrontendName;
use zajil_core::message::{CharacterSet, Life, Message};

use crate::{json, time};

/// The octets that a message takes beside its text.
const FRAME: usize = 1_280;
/// The octets after which a page takes no further message.
const LARGEST_PAGE: usize = 8 << 20;

/// `,"name":`, ready to be written.
macro_rules! key {
    ($name:literal) => {
        concat!(",\"", $name, "\":")
    };
}

/// An answer with one message: `{"status":"success","data":…}`.
pub(crate) fn one(status: StatusCode, message: &Message) -> Response {
    let mut out = Vec::with_capacity(FRAME + message.content.body.len());
    out.extend_from_slice(br#"{"status":"success","data":"#);
    write(&mut out, message);
    out.push(b'}');
    json::written(status, out)
}

/// An answer with one message that is a part of a text, and the text as far as it is there.
pub(crate) fn one_of_several(message: &Message, joined: Option<&Joined>) -> Response {
    let text = joined.map_or(0, |joined| joined.body.len());
    let mut out = Vec::with_capacity(2 * FRAME + message.content.body.len() + text);
    out.extend_from_slice(br#"{"status":"success","data":"#);
    write_fields(&mut out, message);
    if let Some(joined) = joined {
        write_joined(&mut out, joined);
    }
    out.extend_from_slice(b"}}");
    json::written(StatusCode::OK, out)
}

fn write_joined(out: &mut Vec<u8>, joined: &Joined) {
    let present = u64::try_from(joined.parts.len()).unwrap_or(u64::MAX);
    number(out, ",\"joined\":{\"parts_total\":", joined.total.into());
    number(out, key!("parts_present"), present);
    truth(out, key!("complete"), Some(joined.is_complete()));
    optional(out, key!("message_body"), Some(&joined.body));
    raw(out, key!("parts"), "[");
    for (index, part) in joined.parts.iter().enumerate() {
        let open = if index == 0 { "{" } else { ",{" };
        raw(out, open, "\"message_part_number\":");
        number(out, "", part.number.into());
        number(out, key!("id"), part.id.get());
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
}

/// An answer with all of these messages: who has leased one must see it.
pub(crate) fn many(messages: &[Message]) -> Response {
    listed(messages, usize::MAX)
}

/// An answer with a page of these messages: it ends with the first that brings it to about 8 MiB,
/// however many were asked for. A client pages on with an `offset` that counts what it has got.
pub(crate) fn page(messages: &[Message]) -> Response {
    listed(messages, LARGEST_PAGE)
}

fn listed(messages: &[Message], most: usize) -> Response {
    let text: usize = messages
        .iter()
        .map(|message| FRAME + message.content.body.len())
        .sum();
    let mut out = Vec::with_capacity(64 + text.min(most));
    out.extend_from_slice(br#"{"status":"success","data":["#);
    for (index, message) in messages.iter().enumerate() {
        if out.len() >= most {
            break;
        }
        if index > 0 {
            out.push(b',');
        }
        write(&mut out, message);
    }
    out.extend_from_slice(b"]}");
    json::written(StatusCode::OK, out)
}

/// The answer to `create_async`: the message is not stored yet (D5).
pub(crate) fn accepted(message: &Message) -> Response {
    let mut out = Vec::with_capacity(FRAME + message.content.body.len());
    out.extend_from_slice(br#"{"status":"success","data":{"status":"accepted","message":"#);
    write(&mut out, message);
    out.extend_from_slice(b"}}");
    json::written(StatusCode::ACCEPTED, out)
}

fn write(out: &mut Vec<u8>, message: &Message) {
    write_fields(out, message);
    out.push(b'}');
}

/// An object that is still open.
fn write_fields(out: &mut Vec<u8>, message: &Message) {
    let content = &message.content;
    number(out, "{\"id\":", message.id.get());
    optional(
        out,
        key!("source_msisdn"),
        Some(content.source.as_str()).filter(|s| !s.is_empty()),
    );
    optional(
        out,
        key!("destination_msisdn"),
        Some(content.destination.as_str()),
    );
    optional(out, key!("message_body"), Some(&content.body));
    let dest_smsc = message.dest_smsc.as_ref().map(FrontendName::as_str);
    optional(
        out,
        key!("source_smsc"),
        content.source_smsc.as_ref().map(FrontendName::as_str),
    );
    optional(out, key!("dest_smsc"), dest_smsc);
    optional(out, key!("destination_smsc"), dest_smsc);
    optional(out, key!("source_imsi"), content.source_imsi.as_deref());
    optional(out, key!("dest_imsi"), content.dest_imsi.as_deref());
    number(out, key!("message_parts"), content.parts.get().into());
    let part = content.part_number.map(|part| part.get().into());
    optional_number(out, key!("message_part_number"), part);
    transfer_fields(out, message);
    optional(out, key!("status"), Some(message.status().as_str()));
    instant(out, key!("send_time"), content.send_time);
    instant(out, key!("deliver_time"), message.deliver_time());
    instant(out, key!("delivered_at"), message.deliver_time());
    instant(out, key!("inserted_at"), Some(message.inserted_at));
    instant(out, key!("updated_at"), Some(message.updated_at));
    instant(out, key!("expires"), Some(message.expires));
    instant(out, key!("deliver_after"), message.deliver_after);
    let leased_until = match message.life {
        Life::Pending { leased_until } => leased_until,
        Life::Charging { .. } | Life::Ended(_) => None,
    };
    instant(out, key!("leased_until"), leased_until);
    number(
        out,
        key!("delivery_attempts"),
        message.attempts.get().into(),
    );
    truth(out, key!("deadletter"), Some(message.is_dead_letter()));
    truth(out, key!("charge_failed"), Some(message.charge_failed));
    truth(out, key!("raw_data_flag"), Some(content.raw_data));
    truth(out, key!("raw_sip_flag"), Some(content.raw_sip));
    octets(out, key!("raw_pdu"), content.raw_pdu.as_deref());
}

fn transfer_fields(out: &mut Vec<u8>, message: &Message) {
    let tp = &message.content.tp;
    let scheme = tp.data_coding_scheme.map(|octet| [octet]);
    octets(
        out,
        key!("tp_data_coding_scheme"),
        scheme.as_ref().map(<[u8; 1]>::as_slice),
    );
    optional(
        out,
        key!("tp_dcs_character_set"),
        tp.character_set.map(CharacterSet::as_str),
    );
    optional(out, key!("tp_dcs_coding_group"), tp.coding_group.as_deref());
    truth(out, key!("tp_dcs_compressed"), tp.compressed);
    truth(out, key!("tp_dcs_has_message_class"), tp.has_message_class);
    optional_number(
        out,
        key!("tp_dcs_message_class"),
        tp.message_class.map(u64::from),
    );
    // JSON already: it is kept as the text of an object.
    raw(
        out,
        key!("tp_user_data_header"),
        tp.user_data_header.as_deref().unwrap_or("null"),
    );
}

fn raw(out: &mut Vec<u8>, key: &str, value: &str) {
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(value.as_bytes());
}

fn optional(out: &mut Vec<u8>, key: &str, value: Option<&str>) {
    out.extend_from_slice(key.as_bytes());
    match value {
        Some(value) => json::text(out, value),
        None => out.extend_from_slice(b"null"),
    }
}

fn number(out: &mut Vec<u8>, key: &str, value: u64) {
    let mut digits = [0_u8; 20];
    let mut start = digits.len();
    let mut rest = value;
    for slot in digits.iter_mut().rev() {
        *slot = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        start -= 1;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(key.as_bytes());
    out.extend(digits.iter().skip(start));
}

fn optional_number(out: &mut Vec<u8>, key: &str, value: Option<u64>) {
    match value {
        Some(value) => number(out, key, value),
        None => raw(out, key, "null"),
    }
}

fn truth(out: &mut Vec<u8>, key: &str, value: Option<bool>) {
    raw(
        out,
        key,
        value.map_or("null", |value| if value { "true" } else { "false" }),
    );
}

fn instant(out: &mut Vec<u8>, key: &str, at: Option<Timestamp>) {
    out.extend_from_slice(key.as_bytes());
    match at {
        Some(at) => {
            out.push(b'"');
            out.extend_from_slice(&time::write(at));
            out.push(b'"');
        }
        None => out.extend_from_slice(b"null"),
    }
}

/// Octets as a string of hexadecimal digits.
fn octets(out: &mut Vec<u8>, key: &str, value: Option<&[u8]>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let Some(value) = value else {
        return raw(out, key, "null");
    };
    out.extend_from_slice(key.as_bytes());
    out.push(b'"');
    for octet in value {
        out.extend([octet >> 4, octet & 15].map(|nibble| DIGITS[usize::from(nibble)]));
    }
    out.push(b'"');
}

mod schema;
#[cfg(test)]
mod tests;

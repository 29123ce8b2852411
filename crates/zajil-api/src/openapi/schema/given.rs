//! Schemas of what requests may hold: what [`Field`](crate::dto::field::Field) takes, no less.

use serde_json::{Value, json};
use zajil_core::number;

use super::{Schema, grammar};
use crate::dto::field::SHORT;

/// Text of at most `most` characters; empty text and null count as absent.
pub(crate) fn text(most: usize) -> Schema {
    Schema::plain(
        json!({ "type": ["string", "null"], "maxLength": most, "pattern": "^[^\\u0000]*$" }),
    )
}

/// The name of a frontend: no control characters, and not only blanks.
pub(crate) fn frontend() -> Schema {
    of(SHORT, &grammar::name())
}

/// Text of this form; empty text and null count as absent.
fn of(most: usize, form: &str) -> Schema {
    Schema::plain(json!({
        "type": ["string", "null"], "maxLength": most, "pattern": format!("^({form})?$"),
    }))
}

/// Text of this form, which must be there.
fn needed(most: usize, form: &str) -> Schema {
    Schema::plain(json!({
        "type": "string", "minLength": 1, "maxLength": most, "pattern": format!("^({form})$"),
    }))
}

/// The name of a frontend or of whom a key is for, which must be there.
pub(crate) fn needed_frontend() -> Schema {
    needed(SHORT, &grammar::name())
}

/// A prefix of called numbers (S4.1).
pub(crate) fn called_prefix() -> Schema {
    of(number::LONGEST, &grammar::called_prefix())
}

/// A prefix of calling numbers, or the beginning of a sender name (S4.1).
pub(crate) fn calling_prefix() -> Schema {
    of(number::LONGEST, &grammar::calling_prefix())
}

/// A host name as answers of ENUM have it (S6.2).
pub(crate) fn enum_domain() -> Schema {
    of(SHORT, &grammar::enum_domain())
}

/// `host:port`.
pub(crate) fn host() -> Schema {
    of(2 * SHORT, &grammar::host())
}

/// `host:port`, which must be there.
pub(crate) fn needed_host() -> Schema {
    needed(2 * SHORT, &grammar::host())
}

/// A host name or an IP address.
pub(crate) fn server_name() -> Schema {
    of(SHORT, &grammar::server_name())
}

/// A path from the root.
pub(crate) fn absolute_path(most: usize) -> Schema {
    of(most, "/[^\\u0000]*")
}

/// An IP address or network, which must be there.
pub(crate) fn needed_network() -> Schema {
    needed(2 * SHORT, &grammar::network())
}

/// A scope of a key; the longest names a frontend.
pub(crate) fn scope() -> Schema {
    needed("frontend:".len() + SHORT, &grammar::scope())
}

/// A media type.
pub(crate) fn media_type() -> Schema {
    of(SHORT, &grammar::media_type())
}

/// A URL of HTTP.
pub(crate) fn url(most: usize) -> Schema {
    of(most, "https?://[!-\"$-.0->@-~][!-~]*")
}

/// A word of letters, digits and signs that a name of a machine has.
pub(crate) fn machine_word(most: usize) -> Schema {
    of(most, "[0-9A-Za-z_.-]*")
}

/// Letters, digits and signs of ASCII.
pub(crate) fn graphic(most: usize) -> Schema {
    of(most, "[!-~]*")
}

/// One of these words in any case, which must be there.
pub(crate) fn needed_word_in_any_case(words: &[&str]) -> Schema {
    needed(SHORT, &grammar::any_case(words))
}

/// An IP address.
pub(crate) fn address() -> Schema {
    of(SHORT, &grammar::address())
}

/// A sender: a number or a name.
pub(crate) fn sender() -> Schema {
    of(number::LONGEST, &grammar::sender())
        .says(
            "A number of up to 20 digits, or a sender name of up to 11 characters of the GSM 7-bit \
             alphabet.",
        )
        .example("+15550000001")
}

/// A telephone number, which must be there.
pub(crate) fn destination() -> Schema {
    Schema::plain(json!({ "type": "string", "pattern": "^\\+?[0-9]{3,20}$" }))
        .says(
            "3 to 20 digits with an optional leading `+`; translation rules see it first, and the \
             configuration may ask for more or less.",
        )
        .example("+15551234567")
}

/// A number before the numbering rules saw it, or a part of one.
pub(crate) fn number() -> Schema {
    of(number::LONGEST, &grammar::name())
}

/// 3 to 20 digits with an optional plus.
pub(crate) fn plain_number() -> Schema {
    of(number::LONGEST, &grammar::plain_number())
}

/// A sender that must be there.
pub(crate) fn needed_sender() -> Schema {
    needed(number::LONGEST, &grammar::sender())
}

/// A part of a number that is digits, with separators or without.
pub(crate) fn part_of_number() -> Schema {
    of(number::LONGEST, &grammar::digits())
}

/// An integer within bounds, or its decimal text.
pub(crate) fn integer(least: i64, most: i64) -> Schema {
    Schema::plain(json!({
        "type": ["integer", "string", "null"], "minimum": least, "maximum": most,
        "pattern": format!("^({})?$", decimals(least, most)),
    }))
}

/// An integer that must be there.
pub(crate) fn needed_integer(least: i64, most: i64) -> Schema {
    Schema::plain(json!({
        "type": ["integer", "string"], "minimum": least, "maximum": most,
        "pattern": format!("^({})$", decimals(least, most)),
    }))
}

/// No field of ours takes a negative number.
fn decimals(least: i64, most: i64) -> String {
    grammar::integer(least.unsigned_abs(), most.unsigned_abs())
}

/// A truth value in any of its spellings.
pub(crate) fn boolean() -> Schema {
    Schema::plain(json!({ "enum": [true, false, null, 1, 0, "true", "false", "1", "0", ""] }))
}

/// An instant; without an offset it is taken as UTC.
pub(crate) fn time() -> Schema {
    Schema::plain(json!({
        "type": ["string", "null"],
        "anyOf": [{ "format": "date-time" }, { "maxLength": 0 }],
    }))
    .example("2026-01-31T12:00:00Z")
}

/// One of these words; empty text and null count as absent.
pub(crate) fn word<const N: usize>(words: [&str; N]) -> Schema {
    let mut all: Vec<Value> = words.iter().map(|word| json!(word)).collect();
    all.extend([Value::Null, json!("")]);
    Schema::plain(json!({ "enum": all }))
}

/// One of these words, which must be there.
pub(crate) fn needed_word<const N: usize>(words: [&str; N]) -> Schema {
    Schema::plain(json!({ "type": "string", "enum": words.as_slice() }))
}

/// Octets in hexadecimal.
pub(crate) fn hex(most: usize) -> Schema {
    Schema::plain(json!({
        "type": ["string", "null"], "maxLength": most, "pattern": "^([0-9A-Fa-f]{2})*$",
    }))
}

/// An object, or a text that holds one.
pub(crate) fn any_object() -> Schema {
    Schema::plain(json!({ "type": ["object", "string", "null"] }))
}

/// The name of a frontend; null takes it away, and empty text is no name.
pub(crate) fn cleared_frontend() -> Schema {
    Schema::plain(json!({
        "type": ["string", "null"], "minLength": 1, "maxLength": SHORT,
        "pattern": format!("^({})$", grammar::name()),
    }))
}

/// A name of printable characters, which must be there.
pub(crate) fn needed_name(most: usize) -> Schema {
    Schema::plain(json!({
        "type": "string", "minLength": 1, "maxLength": most,
        "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]*$",
    }))
}

/// An international mobile subscriber identity.
pub(crate) fn imsi() -> Schema {
    Schema::plain(json!({ "type": ["string", "null"], "pattern": "^[0-9]{0,15}$" }))
}

/// One octet in hexadecimal.
pub(crate) fn octet() -> Schema {
    Schema::plain(json!({ "type": ["string", "null"], "pattern": "^([0-9A-Fa-f]{2})?$" }))
}

/// Octets in hexadecimal, which must be there.
pub(crate) fn needed_hex() -> Schema {
    Schema::plain(json!({ "type": "string", "pattern": "^([0-9A-Fa-f]{2})+$" }))
}

/// A header that holds text.
pub(crate) fn header_text(most: usize) -> Schema {
    Schema::plain(json!({
        "type": "string", "minLength": 1, "maxLength": most, "pattern": "^[ -~]+$",
    }))
}

/// The name of a frontend in a header; an empty one counts as absent.
pub(crate) fn header_frontend() -> Schema {
    Schema::plain(json!({
        "type": "string", "maxLength": SHORT, "pattern": format!("^({})?$", grammar::name()),
    }))
}

/// The name of a frontend outside a body.
pub(crate) fn query_frontend() -> Schema {
    needed_frontend()
}

/// Digits that a number contains.
pub(crate) fn digits() -> Schema {
    Schema::plain(json!({ "type": "string", "pattern": "^\\+?[0-9]{1,20}$" }))
}

/// A whole number, compared as it stands; an empty one counts as absent.
pub(crate) fn query_number() -> Schema {
    Schema::plain(json!({ "type": "string" }))
}

/// An instant in a query; an empty one counts as absent.
pub(crate) fn query_time() -> Schema {
    Schema::plain(json!({
        "type": "string", "anyOf": [{ "format": "date-time" }, { "maxLength": 0 }],
    }))
}

/// Words with commas between them.
pub(crate) fn list_of_words() -> Schema {
    Schema::plain(json!({ "type": "string", "pattern": "^[a-z_]+(,[a-z_]+){0,31}$" }))
}

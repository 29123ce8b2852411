//! Schemas of what requests may hold: what [`Field`](crate::dto::field::Field) takes, no less.

use serde_json::{Value, json};
use zajil_core::number;

use super::Schema;

/// Text of at most `most` characters; empty text and null count as absent.
pub(crate) fn text(most: usize) -> Schema {
    Schema::plain(
        json!({ "type": ["string", "null"], "maxLength": most, "pattern": "^[^\\u0000]*$" }),
    )
}

/// Text that must be there.
pub(crate) fn needed_text(most: usize) -> Schema {
    Schema::plain(json!({
        "type": "string", "minLength": 1, "maxLength": most, "pattern": "^[^\\u0000]*$",
    }))
}

/// The name of a frontend: no control characters, and not only blanks.
pub(crate) fn frontend() -> Schema {
    Schema::plain(json!({
        "type": ["string", "null"], "maxLength": 255, "pattern": format!("^({NAME})?$"),
    }))
}

/// The name of a frontend, which must be there.
pub(crate) fn needed_frontend() -> Schema {
    Schema::plain(json!({
        "type": "string", "minLength": 1, "maxLength": 255, "pattern": format!("^{NAME}$"),
    }))
}

/// Printable characters of which the first is no blank.
const NAME: &str = "[!-~\\u00a1-\\uffff][^\\u0000-\\u001f\\u007f-\\u009f]*";

/// A sender: a number or a name.
pub(crate) fn sender() -> Schema {
    number()
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

/// A part of a number: digits, with separators or without.
pub(crate) fn number() -> Schema {
    Schema::plain(json!({
        "type": ["string", "null"], "maxLength": number::LONGEST,
        "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]*$",
    }))
}

/// An integer within bounds, or its decimal text.
pub(crate) fn integer(least: i64, most: i64) -> Schema {
    Schema::plain(json!({
        "type": ["integer", "string", "null"], "minimum": least, "maximum": most,
        "pattern": "^([+-]?[0-9]+)?$",
    }))
}

/// An integer that must be there.
pub(crate) fn needed_integer(least: i64, most: i64) -> Schema {
    Schema::plain(json!({
        "type": ["integer", "string"], "minimum": least, "maximum": most,
        "pattern": "^[+-]?[0-9]+$",
    }))
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
        "type": ["string", "null"], "minLength": 1, "maxLength": 255,
        "pattern": format!("^{NAME}$"),
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
        "type": "string", "maxLength": 255, "pattern": format!("^({NAME})?$"),
    }))
}

/// The name of a frontend outside a body.
pub(crate) fn query_frontend() -> Schema {
    Schema::plain(json!({
        "type": "string", "minLength": 1, "maxLength": 255, "pattern": format!("^{NAME}$"),
    }))
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

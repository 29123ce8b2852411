//! Schemas of what answers hold.

use serde_json::json;

use super::Schema;

/// Text.
pub(crate) fn text() -> Schema {
    Schema::plain(json!({ "type": "string" }))
}

/// A count or a number that is not negative.
pub(crate) fn count() -> Schema {
    Schema::plain(json!({ "type": "integer", "minimum": 0 }))
}

/// The number of a record.
pub(crate) fn id() -> Schema {
    Schema::plain(json!({ "type": "integer", "minimum": 1, "maximum": 9_007_199_254_740_991_u64 }))
}

/// An integer within bounds.
pub(crate) fn integer(least: i64, most: i64) -> Schema {
    Schema::plain(json!({ "type": "integer", "minimum": least, "maximum": most }))
}

/// A number from 0 to 1.
pub(crate) fn share() -> Schema {
    Schema::plain(json!({ "type": "number", "minimum": 0, "maximum": 1 }))
}

/// A truth value.
pub(crate) fn boolean() -> Schema {
    Schema::plain(json!({ "type": "boolean" }))
}

/// An instant in UTC, with milliseconds.
pub(crate) fn time() -> Schema {
    Schema::plain(json!({ "type": "string", "format": "date-time" }))
}

/// One of these words.
pub(crate) fn word<const N: usize>(words: [&str; N]) -> Schema {
    Schema::plain(json!({ "type": "string", "enum": words.as_slice() }))
}

/// Always this word.
pub(crate) fn exactly(word: &str) -> Schema {
    Schema::plain(json!({ "const": word }))
}

/// Octets in hexadecimal.
pub(crate) fn hex() -> Schema {
    Schema::plain(json!({ "type": "string", "pattern": "^([0-9A-F]{2})*$" }))
}

/// An object that is kept as it came.
pub(crate) fn any_object() -> Schema {
    Schema::plain(json!({ "type": "object" }))
}

/// The number of a row.
pub(crate) fn row() -> Schema {
    integer(1, i64::MAX)
}

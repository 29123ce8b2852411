//! The mark of a move between stores as a JSON object.

use serde::{Deserialize, Serialize};

use super::{Form, VERSION, damaged, decode, encode, instant};
use crate::contract::Error;
use crate::transfer::{Mark, Role, Row, Table, Value};

/// Version 1.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MarkForm {
    v: u32,
    id: String,
    role: RoleForm,
    other: String,
    at: i64,
    done: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reached: Option<ReachedForm>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RoleForm {
    Source,
    Target,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReachedForm {
    table: String,
    key: Vec<ValueForm>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ValueForm {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl Form for MarkForm {
    const WHAT: &'static str = "mark of a move";

    fn version(&self) -> u32 {
        self.v
    }
}

/// Writes a mark.
#[must_use]
pub fn encode_mark(mark: &Mark) -> String {
    let value = |value: &Value| match value {
        Value::Null => ValueForm::Null,
        Value::Int(number) => ValueForm::Int(*number),
        Value::Text(text) => ValueForm::Text(text.clone()),
        Value::Bytes(octets) => ValueForm::Bytes(octets.clone()),
    };
    encode(&MarkForm {
        v: VERSION,
        id: mark.id.clone(),
        role: match mark.role {
            Role::Source => RoleForm::Source,
            Role::Target => RoleForm::Target,
        },
        other: mark.other.clone(),
        at: mark.at.millis(),
        done: mark.done,
        reached: mark.reached.as_ref().map(|(table, key)| ReachedForm {
            table: table.name().to_owned(),
            key: key.iter().map(value).collect(),
        }),
    })
}

/// Reads a mark.
///
/// # Errors
/// [`Error::Damaged`] when the text is not a mark of a known version.
pub fn decode_mark(text: &str) -> Result<Mark, Error> {
    let form: MarkForm = decode(text)?;
    let reached = form.reached.map(|reached| {
        let table = Table::ALL.into_iter().find(|t| t.name() == reached.table);
        let table = table.ok_or_else(|| damaged(MarkForm::WHAT, "a table that is not known"))?;
        Ok((table, reached.key.into_iter().map(value).collect::<Row>()))
    });
    Ok(Mark {
        id: form.id,
        role: match form.role {
            RoleForm::Source => Role::Source,
            RoleForm::Target => Role::Target,
        },
        other: form.other,
        at: instant(MarkForm::WHAT, form.at)?,
        done: form.done,
        reached: reached.transpose()?,
    })
}

fn value(form: ValueForm) -> Value {
    match form {
        ValueForm::Null => Value::Null,
        ValueForm::Int(number) => Value::Int(number),
        ValueForm::Text(text) => Value::Text(text),
        ValueForm::Bytes(octets) => Value::Bytes(octets),
    }
}

//! Tables whose columns are those that are carried.

use zajil_core::clock::Timestamp;
use zajil_store::transfer::{Form, Row, Table, Value};
use zajil_store::{Error, record};

use crate::conn::{Conn, Parameter, Step};
use crate::error::Done;

/// The statements of a table.
struct Plain {
    select: &'static str,
    insert: &'static str,
}

macro_rules! plain {
    ($table:literal, $key:literal, $columns:literal, $read:literal, $write:literal) => {
        Plain {
            select: concat!(
                "SELECT ",
                $read,
                " FROM ",
                $table,
                " WHERE ",
                $key,
                " > $1 ORDER BY ",
                $key,
                " LIMIT $2"
            ),
            insert: concat!("INSERT INTO ", $table, " (", $columns, ") SELECT ", $write),
        }
    };
    ($table:literal, $key:literal, $columns:literal, $write:literal) => {
        plain!($table, $key, $columns, $columns, $write)
    };
}

/// A page of the shelf: what is left of a kind, and what the next kind begins with. Kinds are few,
/// and their order must not depend on the database's language.
const SHELF: &str = "SELECT * FROM ((SELECT kind, id, name, revision, added_at, written_at, body \
     FROM shelf WHERE kind = $1 AND id > $2 ORDER BY id LIMIT $3) UNION ALL \
     (SELECT kind, id, name, revision, added_at, written_at, body FROM shelf WHERE kind = \
     (SELECT min(k.kind COLLATE \"C\") FROM shelf_kind k WHERE k.kind COLLATE \"C\" > $1 \
     AND EXISTS (SELECT 1 FROM shelf s WHERE s.kind = k.kind)) ORDER BY id LIMIT $3)) AS page \
     ORDER BY kind COLLATE \"C\", id LIMIT $3";

const SHELF_KIND: Plain = plain!(
    "shelf_kind",
    "kind COLLATE \"C\"",
    "kind, last_id, revision",
    "unnest($1::text[]), unnest($2::bigint[]), unnest($3::bigint[])"
);

const SHELF_ROWS: Plain = Plain {
    select: SHELF,
    insert: "INSERT INTO shelf (kind, id, name, revision, added_at, written_at, body) \
             SELECT unnest($1::text[]), unnest($2::bigint[]), unnest($3::text[]), \
             unnest($4::bigint[]), unnest($5::bigint[]), unnest($6::bigint[]), \
             unnest($7::text[])",
};

const POLICY: Plain = plain!(
    "policy",
    "frontend COLLATE \"C\"",
    "frontend, record",
    "unnest($1::text[]), unnest($2::text[])"
);

const ROUTE: Plain = plain!(
    "route",
    "id",
    "id, record",
    "unnest($1::bigint[]), unnest($2::text[])"
);

const RULE: Plain = plain!(
    "rule",
    "id",
    "id, record",
    "unnest($1::bigint[]), unnest($2::text[])"
);

/// The frontend that a location names, for as long as it decides, comes behind the rest.
const LOCATION: Plain = plain!(
    "location",
    "id",
    "id, imsi, number, updated_at, serves_until, record, frontend",
    "id, imsi, number, updated_at, serves_until, record",
    "unnest($1::bigint[]), unnest($2::text[]), unnest($3::text[]), unnest($4::bigint[]), \
         unnest($5::bigint[]), unnest($6::text[]), unnest($7::text[])"
);

const FRONTEND: Plain = plain!(
    "frontend",
    "id",
    "id, name, expires_at, swept, registrations, record",
    "id, name, expires_at, swept::int::bigint, registrations, record",
    "unnest($1::bigint[]), unnest($2::text[]), unnest($3::bigint[]), \
         unnest($4::bigint[]) <> 0, unnest($5::bigint[]), unnest($6::text[])"
);

const PART: Plain = plain!(
    "part",
    "id",
    "id, key, at",
    "unnest($1::bigint[]), unnest($2::text[]), unnest($3::bigint[])"
);

const KEY: Plain = plain!(
    "dedupe",
    "key",
    "key, body, message_id, until",
    "unnest($1::bytea[]), unnest($2::bytea[]), unnest($3::bigint[]), unnest($4::bigint[])"
);

const REFUND: Plain = plain!(
    "refund",
    "id",
    "id, begun, next_try, record",
    "unnest($1::bigint[]), unnest($2::bigint[]), unnest($3::bigint[]), unnest($4::text[])"
);

const RECEIPT: Plain = plain!(
    "receipt",
    "seq",
    "seq, message_id, account, due, made_at, tries, record",
    "unnest($1::bigint[]), unnest($2::bigint[]), unnest($3::text[]), \
         unnest($4::bigint[]), unnest($5::bigint[]), unnest($6::bigint[]), unnest($7::text[])"
);

const AWAITED: Plain = Plain {
    select: "SELECT carrier, id, message_id, tail, taken_at, until, parts, \
             delivered::int::bigint FROM awaited WHERE (carrier, id) > ($1, $2) \
             ORDER BY carrier, id LIMIT $3",
    insert: "INSERT INTO awaited \
             (carrier, id, message_id, tail, taken_at, until, parts, delivered) \
             SELECT unnest($1::text[]), unnest($2::text[]), unnest($3::bigint[]), \
             unnest($4::text[]), unnest($5::bigint[]), unnest($6::bigint[]), \
             unnest($7::bigint[]), unnest($8::bigint[]) <> 0",
};

/// None for those that lie otherwise here.
const fn statements(table: Table) -> Option<Plain> {
    Some(match table {
        Table::Counter | Table::Message | Table::Log => return None,
        Table::ShelfKind => SHELF_KIND,
        Table::Shelf => SHELF_ROWS,
        Table::Policy => POLICY,
        Table::Route => ROUTE,
        Table::Rule => RULE,
        Table::Location => LOCATION,
        Table::Frontend => FRONTEND,
        Table::Part => PART,
        Table::Key => KEY,
        Table::Refund => REFUND,
        Table::Receipt => RECEIPT,
        Table::Awaited => AWAITED,
    })
}

/// A page of a table.
pub(super) async fn rows(conn: &Conn, table: Table, after: &Row, limit: u32) -> Done<Vec<Row>> {
    let Some(plain) = statements(table) else {
        return Ok(Vec::new());
    };
    let mut parameters: Vec<Parameter<'_>> = Vec::with_capacity(3);
    for value in after {
        parameters.push(match value {
            Value::Null => Box::new(None::<i64>),
            Value::Int(number) => Box::new(*number),
            Value::Text(text) => Box::new(text.as_str()),
            Value::Bytes(octets) => Box::new(octets.as_slice()),
        });
    }
    parameters.push(Box::new(i64::from(limit)));
    let mut page = Vec::new();
    for row in conn.ask(Step::new(plain.select, parameters)).await? {
        let mut values = Row::with_capacity(table.columns().len());
        for (at, (_, form)) in table.columns().iter().enumerate() {
            values.push(match form {
                Form::Int => int(row.try_get(at)?),
                Form::Text => row.try_get::<_, Option<String>>(at)?.into(),
                Form::Bytes => {
                    let octets: Option<Vec<u8>> = row.try_get(at)?;
                    octets.map_or(Value::Null, Value::Bytes)
                }
            });
        }
        page.push(values);
    }
    Ok(page)
}

pub(super) fn int(number: Option<i64>) -> Value {
    number.map_or(Value::Null, Value::Int)
}

/// What adds rows.
pub(super) fn insert(table: Table, rows: &[Row]) -> Done<Option<Step<'_>>> {
    let Some(plain) = statements(table) else {
        return Ok(None);
    };
    let mut parameters: Vec<Parameter<'_>> = Vec::with_capacity(table.columns().len());
    for (at, (_, form)) in table.columns().iter().enumerate() {
        let values = rows.iter().map(|row| row.get(at));
        parameters.push(match form {
            Form::Int => Box::new(values.map(number).collect::<Vec<_>>()),
            Form::Text => Box::new(values.map(text).collect::<Vec<_>>()),
            Form::Bytes => Box::new(values.map(octets).collect::<Vec<_>>()),
        });
    }
    if table == Table::Location {
        let frontends: Result<Vec<Option<String>>, Error> = rows.iter().map(frontend).collect();
        parameters.push(Box::new(frontends?));
    }
    Ok(Some(Step::new(plain.insert, parameters)))
}

fn number(value: Option<&Value>) -> Option<i64> {
    match value {
        Some(Value::Int(number)) => Some(*number),
        _ => None,
    }
}

fn text(value: Option<&Value>) -> Option<&str> {
    match value {
        Some(Value::Text(text)) => Some(text),
        _ => None,
    }
}

fn octets(value: Option<&Value>) -> Option<&[u8]> {
    match value {
        Some(Value::Bytes(octets)) => Some(octets),
        _ => None,
    }
}

/// The frontend that a location names, as long as it decides.
fn frontend(row: &Row) -> Result<Option<String>, Error> {
    let [.., end, Value::Text(record)] = row.as_slice() else {
        return Err(Error::Damaged("not the row of a location".into()));
    };
    let location = record::decode_location(record)?;
    let decides = *end > Value::from(Timestamp::EPOCH);
    Ok(location
        .location
        .filter(|_| decides)
        .map(|name| name.to_string()))
}

//! A table `cdrs` that was there before us: whether our rows fit, and what is missing.

use std::time::Duration;

use crate::schema::{self, Column, Dialect, Kind};

/// How long that may take on a server: a unique key over the rows of years is made in it.
pub(crate) const WITHIN: Duration = Duration::from_secs(900);

/// A column of the table that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Present {
    pub(crate) name: String,
    /// The database's word for its type, without lengths.
    pub(crate) kind: String,
    /// Whether a row must bring a value.
    pub(crate) wanted: bool,
}

/// What keeps a message from having two rows (D16).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guard {
    /// A unique key of the table.
    Key,
    /// There is none: we look before we write, one writer at a time.
    Look,
}

/// The columns to add, or why our rows cannot be written, as the end of a sentence.
pub(crate) fn missing(dialect: Dialect, present: &[Present]) -> Result<Vec<Column>, String> {
    let mut missing = Vec::new();
    for column in schema::COLUMNS {
        let name = column.name;
        match present.iter().find(|there| there.name == name) {
            Some(there) if fits(dialect, column.kind, &there.kind) => {}
            Some(there) => {
                return Err(format!(
                    "has a column {name} of type {}; change it to {}",
                    there.kind,
                    dialect.spell(column.kind)
                ));
            }
            None if column.required => {
                return Err(format!(
                    "has no column {name}, so it is not one for CDRs; rename it, or name another \
                     database"
                ));
            }
            None => missing.push(column),
        }
    }
    let known = |name: &str| schema::COLUMNS.iter().any(|column| column.name == name);
    if let Some(strange) = present
        .iter()
        .find(|there| there.wanted && !known(&there.name))
    {
        let name = &strange.name;
        return Err(format!(
            "has a column {name} that we do not know and that needs a value; give it a default"
        ));
    }
    Ok(missing)
}

fn fits(dialect: Dialect, kind: Kind, found: &str) -> bool {
    let words: &[&str] = match (dialect, kind) {
        (Dialect::Sqlite, _) => return true,
        (_, Kind::Big) => &["bigint"],
        (Dialect::Postgres, Kind::Name | Kind::Word | Kind::Text) => &["character varying", "text"],
        (Dialect::Postgres, Kind::Time) => &["timestamp without time zone"],
        (Dialect::Postgres, Kind::Count | Kind::Number) => &["integer"],
        (Dialect::Postgres, Kind::Flag) => &["boolean"],
        (Dialect::MySql, Kind::Name | Kind::Word | Kind::Text) => {
            &["varchar", "text", "mediumtext", "longtext"]
        }
        (Dialect::MySql, Kind::Time) => &["datetime", "timestamp"],
        (Dialect::MySql, Kind::Count | Kind::Number) => &["int", "bigint"],
        (Dialect::MySql, Kind::Flag) => &["tinyint"],
    };
    words.contains(&found)
}

/// What an operator is told, once a start, when there is no key.
pub(crate) fn warn_without_key(place: &str) {
    tracing::warn!(
        place,
        "the table cdrs has no unique key on message_id, or on message_id and submission_time; \
         each row is looked for before it is written, one writer at a time. To make the key, \
         remove the doubles (docs/ops/cdr.md)"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(change: impl Fn(&mut Vec<Present>)) -> Vec<Present> {
        let word = |kind| match kind {
            Kind::Big => "bigint",
            Kind::Name | Kind::Word => "varchar",
            Kind::Text => "text",
            Kind::Time => "datetime",
            Kind::Count | Kind::Number => "int",
            Kind::Flag => "tinyint",
        };
        let column = |column: &Column| Present {
            name: column.name.to_owned(),
            kind: word(column.kind).to_owned(),
            wanted: column.required,
        };
        let mut present: Vec<Present> = schema::COLUMNS.iter().map(column).collect();
        change(&mut present);
        present
    }

    fn look(change: impl Fn(&mut Vec<Present>)) -> Result<Vec<&'static str>, String> {
        let missing = missing(Dialect::MySql, &table(change))?;
        Ok(missing.iter().map(|column| column.name).collect())
    }

    #[test]
    fn d16_a_table_is_adopted_when_our_rows_fit() {
        assert_eq!(look(|_| {}), Ok(vec![]));
        assert_eq!(
            look(|table| table.retain(|column| column.name != "origin_node")),
            Ok(vec!["origin_node"])
        );
        let error = look(|table| table.retain(|column| column.name != "status")).unwrap_err();
        assert!(error.starts_with("has no column status"), "{error}");
        let error = look(|table| table[0].kind = "int".into()).unwrap_err();
        assert_eq!(
            error,
            "has a column message_id of type int; change it to BIGINT"
        );
        let error = look(|table| {
            table.push(Present {
                name: "tariff".into(),
                kind: "int".into(),
                wanted: true,
            });
        });
        assert!(
            error
                .unwrap_err()
                .starts_with("has a column tariff that we do not know")
        );
    }
}

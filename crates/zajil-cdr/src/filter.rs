//! A search for CDRs as SQL (S10.3), the same for every database.

use zajil_core::clock::Timestamp;
use zajil_core::port::{CdrFilter, CdrPlace};
use zajil_core::status::FinalStatus;

use crate::schema::{self, Dialect};

/// A parameter of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Int(i64),
    Text(String),
    Time(Timestamp),
}

/// A statement with its parameters. It answers `id`, then [`schema::COLUMNS`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) sql: String,
    pub(crate) values: Vec<Value>,
}

/// The rows that fit, the newest `id` first.
pub(crate) fn query(
    dialect: Dialect,
    filter: &CdrFilter,
    before: Option<CdrPlace>,
    limit: u32,
) -> Query {
    let mut values = Vec::new();
    let sql = match &filter.number {
        None => select(dialect, &terms(filter, before), limit, &mut values),
        // One half for each column, each along its own index; what fits both comes once.
        Some(number) => {
            let half = |column, values: &mut Vec<Value>| {
                let mut terms = terms(filter, before);
                terms.push((column, Value::Text(number.clone())));
                let half = select(dialect, &terms, limit, values);
                format!(
                    "SELECT * FROM ({half}) AS {}",
                    column.trim_end_matches(" =")
                )
            };
            let calling = half("calling_number =", &mut values);
            let called = half("called_number =", &mut values);
            format!("{calling} UNION {called} ORDER BY id DESC LIMIT {limit}")
        }
    };
    Query { sql, values }
}

type Term = (&'static str, Value);

fn terms(filter: &CdrFilter, before: Option<CdrPlace>) -> Vec<Term> {
    let text = |column, value: &Option<String>| {
        value
            .as_ref()
            .map(|value| (column, Value::Text(value.clone())))
    };
    let status = filter.status.map(FinalStatus::as_str);
    [
        filter.message_id.map(|id| ("message_id =", Value::Int(id))),
        text("calling_number =", &filter.calling_number),
        text("called_number =", &filter.called_number),
        status.map(|word| ("status =", Value::Text(word.to_owned()))),
        text("source_smsc =", &filter.source_smsc),
        text("dest_smsc =", &filter.dest_smsc),
        filter
            .from
            .map(|at| ("submission_time >=", Value::Time(at))),
        filter.to.map(|at| ("submission_time <", Value::Time(at))),
        before.map(|CdrPlace(id)| ("id <", Value::Int(id))),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn select(dialect: Dialect, terms: &[Term], limit: u32, values: &mut Vec<Value>) -> String {
    let mut conditions = Vec::new();
    for (condition, value) in terms {
        values.push(value.clone());
        conditions.push(format!("{condition} {}", dialect.parameter(values.len())));
    }
    let hint = hint(dialect, terms);
    let place = match conditions.is_empty() {
        true => String::new(),
        false => format!(" WHERE {}", conditions.join(" AND ")),
    };
    let columns = schema::column_list();
    format!("SELECT id, {columns} FROM cdrs{hint}{place} ORDER BY id DESC LIMIT {limit}")
}

/// What makes a later page begin at its place.
///
/// For `column = v AND id < p` MariaDB walks the whole of `v` in its index down to `p` once `v` has
/// many rows, so that each page would cost more than the one before. Told which index it must use,
/// it begins at `p`.
fn hint(dialect: Dialect, terms: &[Term]) -> String {
    let has = |condition: &str| terms.iter().any(|(term, _)| *term == condition);
    // A message has one row: no other index may be forced upon its search.
    if dialect != Dialect::MySql || !has("id <") || has("message_id =") {
        return String::new();
    }
    let columns = ["calling_number", "called_number", "dest_smsc", "status"];
    let given = |column: &&str| has(&format!("{column} ="));
    match columns.into_iter().find(given) {
        Some(column) => format!("{HINT}{column})"),
        None => String::new(),
    }
}

const HINT: &str = " FORCE INDEX (idx_cdrs_";

impl Query {
    /// The same without hints, which fail on an adopted table that lacks an index.
    pub(crate) fn without_hints(mut self) -> Self {
        while let Some((before, rest)) = self.sql.split_once(HINT) {
            let after = rest.split_once(')').map_or("", |(_, after)| after);
            self.sql = format!("{before}{after}");
        }
        self
    }
}

/// Deletes the oldest rows before an instant, at most `limit`.
pub(crate) fn purge(dialect: Dialect, before: Timestamp, limit: u32) -> Query {
    let old = format!("submission_time < {}", dialect.parameter(1));
    let sql = match dialect {
        Dialect::MySql => {
            format!("DELETE FROM cdrs WHERE {old} ORDER BY submission_time LIMIT {limit}")
        }
        Dialect::Sqlite | Dialect::Postgres => format!(
            "DELETE FROM cdrs WHERE id IN \
             (SELECT id FROM cdrs WHERE {old} ORDER BY submission_time LIMIT {limit})"
        ),
    };
    Query {
        sql,
        values: vec![Value::Time(before)],
    }
}

/// The word of the column `status`. A table of the reference may hold words of its own, for which
/// the nearest of ours stands: not delivered.
pub(crate) fn status(word: &str) -> FinalStatus {
    let known = FinalStatus::ALL
        .into_iter()
        .find(|status| status.as_str() == word);
    known.unwrap_or(FinalStatus::Failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_3_a_search_by_number_follows_both_indexes() {
        let filter = CdrFilter {
            number: Some("+1".into()),
            status: Some(FinalStatus::Expired),
            ..CdrFilter::default()
        };
        let query = query(Dialect::Postgres, &filter, Some(CdrPlace(9)), 5);
        let half = |column: &str, first| {
            format!(
                "SELECT * FROM (SELECT id, {} FROM cdrs WHERE status = ${first} AND id < ${} AND \
                 {column} = ${} ORDER BY id DESC LIMIT 5) AS {column}",
                schema::column_list(),
                first + 1,
                first + 2,
            )
        };
        assert_eq!(
            query.sql,
            format!(
                "{} UNION {} ORDER BY id DESC LIMIT 5",
                half("calling_number", 1),
                half("called_number", 4)
            )
        );
        assert_eq!(query.values.len(), 6);
    }

    #[test]
    fn a_search_for_anything_has_no_condition() {
        let query = query(Dialect::MySql, &CdrFilter::default(), None, 7);
        assert!(
            query.sql.ends_with(" FROM cdrs ORDER BY id DESC LIMIT 7"),
            "{}",
            query.sql
        );
        assert!(query.values.is_empty());
    }
}

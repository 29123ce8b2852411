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

/// Which rows, from where on, how many.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page<'a> {
    pub(crate) filter: &'a CdrFilter,
    pub(crate) before: Option<CdrPlace>,
    pub(crate) limit: u32,
}

/// Whether a query names the index that it should use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hints {
    /// Where that is known to help.
    Given,
    /// No: they fail on an adopted table that lacks an index.
    Left,
}

/// The rows that fit, the newest `id` first.
pub(crate) fn query(dialect: Dialect, page: Page<'_>, hints: Hints) -> Query {
    let mut values = Vec::new();
    let terms = terms(page.filter, page.before);
    let mut select = |terms: &[Term]| {
        let hint = match hints {
            Hints::Given => hint(dialect, terms),
            Hints::Left => String::new(),
        };
        select(dialect, terms, &hint, &mut values)
    };
    let limit = page.limit;
    let sql = match &page.filter.number {
        None => format!("{} LIMIT {limit}", select(&terms)),
        // One half for each column, each along its own index; what fits both comes once.
        Some(number) => {
            let mut half = |column: &'static str| {
                let mut terms = terms.clone();
                terms.push((column, Value::Text(number.clone())));
                let name = column.trim_end_matches(" =");
                format!("SELECT * FROM ({} LIMIT {limit}) AS {name}", select(&terms))
            };
            let calling = half("calling_number =");
            let called = half("called_number =");
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

fn select(dialect: Dialect, terms: &[Term], hint: &str, values: &mut Vec<Value>) -> String {
    let mut conditions = Vec::new();
    for (condition, value) in terms {
        values.push(value.clone());
        conditions.push(format!("{condition} {}", dialect.parameter(values.len())));
    }
    let place = match conditions.is_empty() {
        true => String::new(),
        false => format!(" WHERE {}", conditions.join(" AND ")),
    };
    let columns = schema::column_list();
    format!("SELECT id, {columns} FROM cdrs{hint}{place} ORDER BY id DESC")
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
        Some(column) => format!(" FORCE INDEX (idx_cdrs_{column})"),
        None => String::new(),
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
        let page = Page {
            filter: &filter,
            before: Some(CdrPlace(9)),
            limit: 5,
        };
        let query = query(Dialect::Postgres, page, Hints::Given);
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
        let page = Page {
            filter: &CdrFilter::default(),
            before: None,
            limit: 7,
        };
        let query = query(Dialect::MySql, page, Hints::Given);
        assert!(
            query.sql.ends_with(" FROM cdrs ORDER BY id DESC LIMIT 7"),
            "{}",
            query.sql
        );
        assert!(query.values.is_empty());
    }

    #[test]
    fn s10_3_a_later_page_names_its_index_unless_it_is_told_not_to() {
        let filter = CdrFilter {
            number: Some("+1".into()),
            ..CdrFilter::default()
        };
        let page = Page {
            filter: &filter,
            before: Some(CdrPlace(9)),
            limit: 5,
        };
        let hinted = query(Dialect::MySql, page, Hints::Given).sql;
        for column in ["calling_number", "called_number"] {
            let hint = format!("FROM cdrs FORCE INDEX (idx_cdrs_{column}) WHERE");
            assert_eq!(hinted.matches(&hint).count(), 1, "{hinted}");
        }
        let plain = query(Dialect::MySql, page, Hints::Left).sql;
        assert!(!plain.contains("INDEX"), "{plain}");
    }
}

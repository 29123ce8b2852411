//! The reports of S10.3: the SQL files of the manual, with the operator's own days and numbers.
//!
//! A file runs as it is in any client. What may be another value has its name before it, in a
//! comment: `/*from*/ '2024-02-01'`.

use jiff::civil::DateTime;
use zajil_core::clock::Timestamp;
use zajil_core::port::Found;

use crate::schema::Dialect;
use crate::time;

/// An answer as text, as the database writes it; none is NULL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// A value for each column.
    pub rows: Vec<Vec<Option<String>>>,
}

/// Answers queries about CDRs.
pub trait Reports: Send + Sync + std::fmt::Debug {
    /// How its SQL is spelt.
    fn dialect(&self) -> Dialect;

    /// The answer to one query, in a transaction that may only read. The text of a failure is for
    /// the operator.
    fn report<'a>(&'a self, sql: &'a str) -> Found<'a, Rows>;
}

/// A question about the CDRs of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// Its name.
    pub name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
    mysql: &'static str,
}

macro_rules! reports {
    ($($name:literal),* $(,)?) => {
        [$(Report {
            name: $name,
            sqlite: sql!("sqlite", $name),
            postgres: sql!("postgres", $name),
            mysql: sql!("mysql", $name),
        }),*]
    };
}

macro_rules! sql {
    ($folder:literal, $name:literal) => {
        include_str!(concat!(
            "../../../docs/ops/reports/",
            $folder,
            "/",
            $name,
            ".sql"
        ))
    };
}

/// Every report, in the order of S10.3.
pub const REPORTS: [Report; 9] = reports![
    "by_number",
    "by_status",
    "delivery_time",
    "route_per_day",
    "per_hour",
    "failures",
    "per_node",
    "billing",
    "masked",
];

/// What a report is about. What is left out is everything, or what the file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// Submitted at or after this instant.
    pub from: Option<Timestamp>,
    /// Submitted before this instant.
    pub to: Option<Timestamp>,
    /// Calling or called by this number.
    pub number: Option<String>,
    /// At most so many rows.
    pub limit: Option<u32>,
}

impl Report {
    /// The report of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        REPORTS.into_iter().find(|report| report.name == name)
    }

    /// What it tells: its file's first line.
    #[must_use]
    pub fn about(self) -> &'static str {
        let line = self.sqlite.lines().next().unwrap_or_default();
        line.trim_start_matches("-- ")
    }

    /// The query.
    ///
    /// # Errors
    /// What the scope lacks, or has for nothing, as a sentence.
    pub fn sql(self, dialect: Dialect, scope: &Scope) -> Result<String, String> {
        let text = match dialect {
            Dialect::Sqlite => self.sqlite,
            Dialect::Postgres => self.postgres,
            Dialect::MySql => self.mysql,
        };
        let instant = |at: Timestamp| format!("'{}'", shown(at));
        let number = scope.number.as_deref();
        let name = self.name;
        match (number, text.contains("/*number*/")) {
            (None, true) => return Err(format!("{name} is about one number: say which")),
            (Some(_), false) => return Err(format!("{name} is not about one number")),
            _ => {}
        }
        if scope.limit.is_some() && !text.contains("/*limit*/") {
            return Err(format!("{name} has no limit: it has few rows"));
        }
        let values = [
            (
                "from",
                Some(instant(scope.from.unwrap_or(Timestamp::EPOCH))),
            ),
            ("to", Some(instant(scope.to.unwrap_or(Timestamp::MAX)))),
            ("limit", scope.limit.map(|limit| limit.to_string())),
            // The last: its text is not read for marks.
            ("number", number.map(|number| literal(dialect, number))),
        ];
        let given = values
            .into_iter()
            .filter_map(|(mark, value)| Some((mark, value?)));
        Ok(given.fold(text.to_owned(), |text, (mark, value)| {
            put(&text, mark, &value)
        }))
    }
}

/// Reads an RFC 3339 time, or one without an offset, or a day: those are in UTC.
///
/// # Errors
/// The rule that it breaks, as the end of a sentence.
pub fn instant(text: &str) -> Result<Timestamp, String> {
    let read = match text.parse::<jiff::Timestamp>() {
        Ok(at) => Some(Timestamp::from_millis(at.as_millisecond())),
        Err(_) => text.parse::<DateTime>().ok().map(time::instant),
    };
    read.ok_or_else(|| "must be a time such as 2026-01-31T12:00:00Z, or a day".to_owned())
}

/// The text with another value behind a mark.
fn put(text: &str, mark: &str, value: &str) -> String {
    let mark = format!("/*{mark}*/ ");
    let mut pieces = text.split(&mark);
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |done, piece| {
        // A quoted text without quotes in it, or a number.
        let rest = match piece.strip_prefix('\'') {
            Some(quoted) => quoted.split_once('\'').map_or("", |(_, rest)| rest),
            None => piece.trim_start_matches(|c: char| c.is_ascii_digit()),
        };
        format!("{done}{mark}{value}{rest}")
    })
}

/// An instant as every database reads it.
fn shown(at: Timestamp) -> String {
    time::civil(at)
        .strftime("%Y-%m-%d %H:%M:%S.%3f")
        .to_string()
}

/// A text as SQL.
fn literal(dialect: Dialect, text: &str) -> String {
    let quoted = text.replace('\'', "''");
    match dialect {
        Dialect::Sqlite => format!("'{quoted}'"),
        // In the one form that means the same whatever the server's settings are.
        Dialect::Postgres => format!("E'{}'", quoted.replace('\\', "\\\\")),
        // Our sessions read backslashes as escapes.
        Dialect::MySql => format!("'{}'", quoted.replace('\\', "\\\\")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIALECTS: [Dialect; 3] = [Dialect::Sqlite, Dialect::Postgres, Dialect::MySql];

    #[test]
    fn s10_3_every_report_is_about_a_time_and_only_reads() {
        for report in REPORTS {
            assert!(report.about().ends_with('.'), "{}", report.about());
            for (dialect, text) in
                DIALECTS
                    .into_iter()
                    .zip([report.sqlite, report.postgres, report.mysql])
            {
                let name = report.name;
                for mark in ["/*from*/ '", "/*to*/ '"] {
                    assert_eq!(text.matches(mark).count(), 1, "{name} {dialect:?} {mark}");
                }
                assert_eq!(
                    text.lines().next().unwrap(),
                    format!("-- {}", report.about())
                );
                let statement = text.lines().find(|line| !line.starts_with("--")).unwrap();
                let reads = statement.starts_with("SELECT ") || statement.starts_with("WITH ");
                assert!(reads, "{name} {dialect:?}: {statement}");
                assert_eq!(text.matches(';').count(), 1, "{name} {dialect:?}");
            }
        }
    }

    #[test]
    fn s10_3_marked_values_give_way_to_those_of_the_operator() {
        let scope = Scope {
            from: Some(Timestamp::from_millis(1_709_210_096_007)),
            to: None,
            number: Some("O'Neil \\ co".into()),
            limit: Some(7),
        };
        let report = Report::named("by_number").unwrap();
        let sql = report.sql(Dialect::MySql, &scope).unwrap();
        for part in [
            ">= /*from*/ '2024-02-29 12:34:56.007' AND",
            "< /*to*/ '9999-12-31 23:59:59.999'\n",
            "(calling_number = /*number*/ 'O''Neil \\\\ co' OR called_number = /*number*/ 'O''Neil",
            "LIMIT /*limit*/ 7;",
        ] {
            assert!(sql.contains(part), "{part} in {sql}");
        }
        let postgres = report.sql(Dialect::Postgres, &scope).unwrap();
        assert!(
            postgres.contains("= /*number*/ E'O''Neil \\\\ co'"),
            "{postgres}"
        );
        let sqlite = report.sql(Dialect::Sqlite, &scope).unwrap();
        assert!(sqlite.contains("= /*number*/ 'O''Neil \\ co'"), "{sqlite}");
    }

    #[test]
    fn s10_3_a_day_begins_at_midnight_utc() {
        for (text, millis) in [
            ("2024-02-29", 1_709_164_800_000),
            ("2024-02-29T12:34:56.007", 1_709_210_096_007),
            ("2024-02-29T13:34:56.007+01:00", 1_709_210_096_007),
        ] {
            assert_eq!(instant(text), Ok(Timestamp::from_millis(millis)), "{text}");
        }
        for text in ["", "yesterday", "2024-02-30", "2024"] {
            assert!(instant(text).is_err(), "{text}");
        }
    }

    #[test]
    fn s10_3_a_scope_that_does_not_fit_the_report_is_refused() {
        let sql = |name, scope| Report::named(name).unwrap().sql(Dialect::Sqlite, &scope);
        let number = Scope {
            number: Some("+1".into()),
            ..Scope::default()
        };
        let limit = Scope {
            limit: Some(1),
            ..Scope::default()
        };
        assert_eq!(
            sql("by_number", Scope::default()).unwrap_err(),
            "by_number is about one number: say which"
        );
        assert_eq!(
            sql("per_node", number).unwrap_err(),
            "per_node is not about one number"
        );
        assert_eq!(
            sql("per_node", limit).unwrap_err(),
            "per_node has no limit: it has few rows"
        );
        assert!(Report::named("archive").is_none(), "that is no report");
    }
}

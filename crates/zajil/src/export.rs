//! `zajil cdr export`: rows of the API in a form that other programs read.

use std::io::Write;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::cli::{FAILED, UNREACHABLE, complain, say};
use crate::client::{Remote, cell, encoded, list};
#[cfg(feature = "parquet")]
use crate::parquet_file::Parquet;
use crate::table;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// 64 bits.
    Long,
    /// 32 bits.
    Int,
    /// RFC 3339 in the API's answers.
    Time,
    Text,
    Flag,
}

/// The columns of an export, in the order of S10.1.
pub(crate) const COLUMNS: [(&str, Kind); 16] = [
    ("id", Kind::Long),
    ("message_id", Kind::Long),
    ("calling_number", Kind::Text),
    ("called_number", Kind::Text),
    ("source_smsc", Kind::Text),
    ("dest_smsc", Kind::Text),
    ("origin_node", Kind::Text),
    ("destination_node", Kind::Text),
    ("submission_time", Kind::Time),
    ("delivery_time", Kind::Time),
    ("expiry_time", Kind::Time),
    ("status", Kind::Text),
    ("delivery_attempts", Kind::Int),
    ("message_parts", Kind::Int),
    ("deadletter", Kind::Flag),
    ("message_body", Kind::Text),
];

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// One JSON object a line.
    Jsonl,
    /// Comma-separated, with a header (RFC 4180).
    Csv,
    /// Apache Parquet, compressed with Snappy; to a file or a pipe.
    #[cfg(feature = "parquet")]
    Parquet,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Submitted at or after this time (RFC 3339).
    #[arg(long)]
    from: Option<String>,
    /// Submitted before this time.
    #[arg(long)]
    to: Option<String>,
    /// Only this calling or called number.
    #[arg(long)]
    number: Option<String>,
    /// Only this status.
    #[arg(long)]
    status: Option<String>,
    /// How it is written; csv when left out, jsonl with --json.
    #[arg(long)]
    format: Option<Format>,
    /// Hide the last four digits of numbers.
    #[arg(long)]
    masked: bool,
}

/// Writes all rows that fit to the standard output, newest first.
pub(crate) fn run(server: &Remote, args: ExportArgs) -> anyhow::Result<ExitCode> {
    let usual = if server.shows_json() {
        Format::Jsonl
    } else {
        Format::Csv
    };
    let format = args.format.unwrap_or(usual);
    #[cfg(feature = "parquet")]
    if let Format::Parquet = format {
        let out = std::io::stdout();
        if std::io::IsTerminal::is_terminal(&out) {
            complain("parquet is not for a terminal: send it to a file, with > cdrs.parquet");
            return Ok(ExitCode::from(FAILED));
        }
        return pages(server, args, Parquet::new(out)?);
    }
    match format {
        Format::Csv => {
            say(&table::csv(COLUMNS.into_iter().map(|(name, _)| name)))?;
            pages(server, args, Lines(csv))
        }
        _ => pages(server, args, Lines(|row| format!("{row}\n"))),
    }
}

/// Where rows go.
pub(crate) trait Sink {
    /// Takes a page of rows.
    ///
    /// # Errors
    /// When it cannot be written, or a row does not fit its column.
    fn take(&mut self, rows: &[Value]) -> anyhow::Result<()>;

    /// After the last row.
    ///
    /// # Errors
    /// When the rest cannot be written.
    fn end(self) -> anyhow::Result<()>;
}

/// Rows as lines of text.
struct Lines(fn(&Value) -> String);

impl Sink for Lines {
    fn take(&mut self, rows: &[Value]) -> anyhow::Result<()> {
        let lines: String = rows.iter().map(self.0).collect();
        say(&lines).map(drop)
    }

    fn end(self) -> anyhow::Result<()> {
        Ok(std::io::stdout().flush()?)
    }
}

fn pages(server: &Remote, args: ExportArgs, mut sink: impl Sink) -> anyhow::Result<ExitCode> {
    let mut query = format!("/api/cdrs?limit=1000&masked={}", args.masked);
    for (name, value) in [
        ("from", args.from),
        ("to", args.to),
        ("number", args.number),
        ("status", args.status),
    ] {
        if let Some(value) = value {
            query += &format!("&{name}={}", encoded(&value));
        }
    }
    let mut before = String::new();
    loop {
        let answer = match server.call("GET", &(query.clone() + &before), None) {
            Ok(answer) => answer,
            Err(error) => {
                complain(&format!("{error:#}"));
                return Ok(ExitCode::from(UNREACHABLE));
            }
        };
        if answer.status >= 400 {
            complain(&cell(&answer.body["errors"]["detail"]));
            return Ok(ExitCode::from(FAILED));
        }
        sink.take(list(&answer.body["data"]))?;
        match answer.body["next"].as_i64() {
            Some(next) => before = format!("&before={next}"),
            None => break,
        }
    }
    sink.end()?;
    Ok(ExitCode::SUCCESS)
}

/// A row as CSV; null is an empty field.
fn csv(row: &Value) -> String {
    let field = |(column, _): &(&str, Kind)| match &row[*column] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let fields: Vec<String> = COLUMNS.iter().map(field).collect();
    table::csv(fields.iter().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn s10_3_a_field_is_quoted_where_it_must_be() {
        let row = json!({ "id": 1, "message_body": "a \"b\", c\nd", "deadletter": false });
        let line = csv(&row);
        assert!(line.starts_with("1,,"), "{line}");
        assert!(line.ends_with(",false,\"a \"\"b\"\", c\nd\"\r\n"), "{line}");
        assert_eq!(encoded("gw 1/é+"), "gw%201%2F%C3%A9%2B");
    }
}

//! `zajil cdr report`: the reports of S10.3, asked of the CDR database that is configured.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};
use zajil_cdr::report::{self, REPORTS, Report, Reports, Rows, Scope};
use zajil_cdr::{database, sqlite};
use zajil_telemetry::Telemetry;

use crate::cli::{self, FAILED, complain, say, say_data};
use crate::config::{self, Cdr, Overrides};
use crate::table;

/// How long a database may take: a report reads every row of its time.
const WITHIN: Duration = Duration::from_secs(600);

/// The columns that hold numbers; prices stay as they are written.
const NUMBERS: [&str; 10] = [
    "message_id",
    "messages",
    "percent",
    "average_s",
    "average_ms",
    "longest_s",
    "delivered",
    "hour",
    "failures",
    "parts",
];

/// How a report is printed.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// Aligned columns.
    Table,
    /// Comma-separated, with a header (RFC 4180).
    Csv,
    /// A list of objects.
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// Which report.
    #[arg(required_unless_present = "list")]
    name: Option<String>,
    /// Say which reports there are.
    #[arg(long)]
    list: bool,
    /// Submitted at or after this time (RFC 3339, or a day; UTC); from the first on without.
    #[arg(long)]
    from: Option<String>,
    /// Submitted before this time; to the last without.
    #[arg(long)]
    to: Option<String>,
    /// The number that the report is about.
    #[arg(long)]
    number: Option<String>,
    /// At most so many rows; 1,000 without, where there may be many.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: Option<u32>,
    /// How it is printed; as a table when left out, as JSON with --json.
    #[arg(long)]
    format: Option<Format>,
    /// Print the SQL and ask nothing.
    #[arg(long)]
    sql: bool,
    /// The configuration that the server runs with.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Its data directory.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// Runs `zajil cdr report`.
///
/// `json` is what `--json` says to every command.
pub(crate) fn run(args: ReportArgs, json: bool) -> anyhow::Result<ExitCode> {
    let usual = if json { Format::Json } else { Format::Table };
    let format = args.format.unwrap_or(usual);
    let Some(name) = args.name.filter(|_| !args.list) else {
        return say(&list(format));
    };
    let Some(report) = Report::named(&name) else {
        complain(&format!(
            "there is no report {name}; --list says which there are"
        ));
        return Ok(ExitCode::from(FAILED));
    };
    let instant = |flag: &str, text: Option<String>| {
        let read = text.map(|text| report::instant(&text)).transpose();
        read.map_err(|rule| anyhow::anyhow!("--{flag} {rule}"))
    };
    let scope = Scope {
        from: instant("from", args.from)?,
        to: instant("to", args.to)?,
        number: args.number,
        limit: args.limit,
    };
    let overrides = Overrides {
        data: args.data,
        ..Overrides::default()
    };
    let config = config::load(args.config.as_deref(), &cli::environment(), &overrides)?;
    let database = open(config.cdr)?;
    let sql = report.sql(database.dialect(), &scope);
    let sql = sql.map_err(anyhow::Error::msg)?;
    if args.sql && json {
        return say_data(json!({ "sql": sql }));
    }
    if args.sql {
        return say(&sql);
    }
    let rows = cli::runtime()?.block_on(database.report(&sql));
    let rows = rows.map_err(|why| anyhow::anyhow!("{name}: {}", with_remedy(report, why)))?;
    say(&shown(rows, format))
}

fn list(format: Format) -> String {
    let line = |report: Report| {
        vec![
            Some(report.name.to_owned()),
            Some(report.about().to_owned()),
        ]
    };
    let rows = Rows {
        columns: vec!["report".to_owned(), "tells".to_owned()],
        rows: REPORTS.map(line).to_vec(),
    };
    shown(rows, format)
}

fn shown(rows: Rows, format: Format) -> String {
    match format {
        Format::Table => as_table(&rows),
        Format::Csv => as_csv(&rows),
        Format::Json => as_json(rows),
    }
}

/// Where CDRs are, without a right but to read.
fn open(cdr: Cdr) -> anyhow::Result<Arc<dyn Reports>> {
    ensure!(cdr.enabled, "no CDRs are kept: cdr.cdr_enabled is false");
    let Some(mut server) = cdr.server else {
        if !cdr.path.exists() {
            bail!("there is no CDR file {} yet", cdr.path.display());
        }
        return Ok(Arc::new(sqlite::Reader::new(&cdr.path, WITHIN)));
    };
    server.statement_timeout = WITHIN;
    let telemetry = Arc::new(Telemetry::new()?);
    Ok(database::open(&server, telemetry).context("CDR database")?)
}

fn with_remedy(report: Report, why: String) -> String {
    let lacks_prices = report.name == "billing" && why.contains("billing_rates");
    match lacks_prices {
        true => format!("{why}; make the prices with docs/ops/reports/*/billing_rates.sql"),
        false => why,
    }
}

fn as_table(rows: &Rows) -> String {
    let head: Vec<&str> = rows.columns.iter().map(String::as_str).collect();
    let cell = |value: &Option<String>| value.clone().unwrap_or_default();
    let lines: Vec<Vec<String>> = rows
        .rows
        .iter()
        .map(|row| row.iter().map(cell).collect())
        .collect();
    table::aligned(&head, &lines)
}

fn as_csv(rows: &Rows) -> String {
    let head = table::csv(rows.columns.iter().map(String::as_str));
    let line = |row: &Vec<Option<String>>| {
        table::csv(row.iter().map(|value| value.as_deref().unwrap_or_default()))
    };
    head + &rows.rows.iter().map(line).collect::<String>()
}

fn as_json(rows: Rows) -> String {
    let columns = rows.columns;
    let value = |column: &str, text: Option<String>| match text {
        None => Value::Null,
        Some(text) if NUMBERS.contains(&column) => match text.parse() {
            Ok(number) => Value::Number(number),
            Err(_) => Value::String(text),
        },
        Some(text) => Value::String(text),
    };
    let object = |row: Vec<Option<String>>| {
        let pairs = columns.iter().zip(row);
        let pairs = pairs.map(|(column, text)| (column.clone(), value(column, text)));
        Value::Object(pairs.collect::<Map<_, _>>())
    };
    let list: Vec<Value> = rows.rows.into_iter().map(object).collect();
    format!("{:#}\n", Value::Array(list))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Rows {
        let text = |text: &str| Some(text.to_owned());
        Rows {
            columns: ["called_number", "messages", "percent", "price"]
                .map(str::to_owned)
                .to_vec(),
            rows: vec![
                vec![text("15551230000"), text("2"), text("50.0"), text("0.1900")],
                vec![text("a \"b\", c"), None, None, None],
            ],
        }
    }

    #[test]
    fn s10_3_numbers_are_numbers_in_json_and_telephone_numbers_are_not() {
        let json: Value = serde_json::from_str(&as_json(rows())).unwrap();
        let expected = serde_json::json!([
            { "called_number": "15551230000", "messages": 2, "percent": 50.0, "price": "0.1900" },
            { "called_number": "a \"b\", c", "messages": null, "percent": null, "price": null },
        ]);
        assert_eq!(json, expected);
    }

    #[test]
    fn s10_3_a_report_as_csv_has_a_header_and_quotes_where_it_must() {
        let expected = "called_number,messages,percent,price\r\n15551230000,2,50.0,0.1900\r\n\
                        \"a \"\"b\"\", c\",,,\r\n";
        assert_eq!(as_csv(&rows()), expected);
    }
}

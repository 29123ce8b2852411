//! SMPP in interleaved rounds: a submit next to the null server's, and whole lives with receipts.

pub(super) mod idle;

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context, Result};
use serde::Serialize;

use super::load::{self, Measured};
use super::rounds::{self, Spread};
use super::server::Server;
use super::{Bench, Options};

/// Enough for batches, and what one busy application opens at the most.
const BINDS: u32 = 8;
const WINDOW: u32 = 100;

const NULL: &str = "null submit_sm";
const NULL_LIFE: &str = "null, receipt";
const SUBMIT: &str = "submit_sm";
pub(super) const BY_CARRIER: &str = "life, carrier";
pub(super) const BY_RECEIPT: &str = "life, receipt";
const BY_APPLICATION: &str = "life, ESME";
const ROWS: [&str; 6] = [
    NULL,
    SUBMIT,
    NULL_LIFE,
    BY_CARRIER,
    BY_RECEIPT,
    BY_APPLICATION,
];

/// Numbers that begin so are routed to an application that is away, a carrier, one whose receipts
/// are waited for, an application.
const AWAY: &str = "1555";
const CARRIER: &str = "1556";
const RECEIPT: &str = "1558";
const APPLICATION: &str = "1557";

/// By row.
type Round = BTreeMap<&'static str, Measured>;

#[derive(Debug, Serialize)]
pub(super) struct Rounds {
    seconds: u32,
    binds: u32,
    window: u32,
    cores: usize,
    rounds: Vec<Round>,
}

pub(super) fn run(bench: &Bench, options: &Options) -> Result<Rounds> {
    let rounds = rounds::each(options, |number| round(bench, options, number))?;
    let rounds = Rounds {
        seconds: options.seconds(),
        binds: BINDS,
        window: WINDOW,
        cores: std::thread::available_parallelism()?.get(),
        rounds,
    };
    rounds.print();
    Ok(rounds)
}

fn round(bench: &Bench, options: &Options, number: u32) -> Result<Round> {
    let seconds = options.seconds();
    let mut round = Round::new();
    let mut null = |row, arguments: &[&str]| {
        let null = Server::null_smpp(bench, arguments)?;
        round.insert(row, measure(bench, &null, row, seconds)?);
        null.stop()
    };
    null(NULL, &[])?;
    null(NULL_LIFE, &["--receipts"])?;
    for row in [SUBMIT, BY_CARRIER, BY_RECEIPT, BY_APPLICATION] {
        let measured = through_zajil(bench, (row, number), &["--receipts"], seconds)?;
        round.insert(row, measured);
    }
    Ok(round)
}

/// Each row has a server and a store of its own, and a carrier of this kind: none finds what
/// another left.
pub(super) fn through_zajil(
    bench: &Bench,
    (row, number): (&str, u32),
    carrier: &[&str],
    seconds: u32,
) -> Result<Measured> {
    let binary = bench.zajil.as_ref();
    let binary = binary.context("there is no package zajil yet")?;
    let carrier = Server::null_smpp(bench, carrier)?;
    let data = bench.data_folder(&format!("smpp-{number}-{}", row.replace([' ', ','], "")));
    let zajil = Server::zajil(bench, binary, &data)?;
    furnish(&zajil, &carrier)?;
    let measured = measure(bench, &zajil, row, seconds)?;
    zajil.stop()?;
    carrier.stop()?;
    Ok(measured)
}

/// Accounts, a carrier in two ways, and a route to each.
fn furnish(zajil: &Server, carrier: &Server) -> Result<()> {
    for system_id in ["bench", "away", "sink"] {
        let account = serde_json::json!({
            "system_id": system_id, "password": "secret08", "max_binds": 100, "window": 100,
        });
        zajil.post("/api/smpp/accounts", &account.to_string())?;
    }
    for (name, delivered_at) in [("up", "response"), ("later", "receipt")] {
        let carrier = serde_json::json!({
            "name": name, "hosts": [carrier.smpp().to_string()], "system_id": "zajil",
            "password": "secret08", "window": WINDOW, "binds": 4, "delivered_at": delivered_at,
        });
        zajil.post("/api/smpp/carriers", &carrier.to_string())?;
    }
    let routes = [
        (AWAY, "away"),
        (CARRIER, "up"),
        (RECEIPT, "later"),
        (APPLICATION, "sink"),
    ];
    for (prefix, to) in routes {
        let route = serde_json::json!({ "called_prefix": format!("+{prefix}"), "dest_smsc": to });
        zajil.post("/api/routes", &route.to_string())?;
    }
    Ok(())
}

/// A second to warm up, then the run that counts.
fn measure(bench: &Bench, server: &Server, row: &str, seconds: u32) -> Result<Measured> {
    load(bench, server, row, 1)?;
    load(bench, server, row, seconds)
}

fn load(bench: &Bench, server: &Server, row: &str, seconds: u32) -> Result<Measured> {
    let mut command = Command::new(&bench.loadgen);
    command.args(["smpp", "--address", &server.smpp().to_string()]);
    command.args(["--binds", &BINDS.to_string()]);
    command.args(["--window", &WINDOW.to_string()]);
    command.args(["--duration", &format!("{seconds}s")]);
    command.args(["--server-pid", &server.pid().to_string()]);
    let prefix = match row {
        BY_CARRIER => CARRIER,
        BY_RECEIPT => RECEIPT,
        BY_APPLICATION => APPLICATION,
        _ => AWAY,
    };
    command.args(["--destination", &format!("{prefix}%07d")]);
    if row == BY_APPLICATION {
        command.args(["--sink", "sink:secret08", "--sinks", "4"]);
    }
    if matches!(row, NULL | SUBMIT) {
        return load::measure(command, "submit_sm");
    }
    command.arg("--receipts");
    load::measure(command, "receipt")
}

impl Rounds {
    fn print(&self) {
        println!();
        println!(
            "{} rounds of {} s, {} binds, window {}, {} cores; median (min-max)",
            self.rounds.len(),
            self.seconds,
            self.binds,
            self.window,
            self.cores
        );
        println!(
            "{:<14} {:>24} {:>9} {:>9} {:>11}   of null",
            "", "messages a second", "p50 ms", "p99 ms", "CPU us each"
        );
        for row in ROWS {
            self.print_row(row);
        }
        println!("a life runs until the last receipt; its latency is from submit to receipt");
    }

    fn print_row(&self, row: &str) {
        let of = |figure: fn(&Measured) -> f64| {
            let rounds = self.rounds.iter().filter_map(|round| round.get(row));
            Spread::of(rounds.map(figure))
        };
        let Some(rate) = of(|measured| measured.rate) else {
            return;
        };
        let median = |figure| of(figure).map_or(0.0, |spread| spread.median);
        let null = if matches!(row, NULL | SUBMIT) {
            NULL
        } else {
            NULL_LIFE
        };
        let share = |round: &Round| Some(round.get(row)?.rate / round.get(null)?.rate);
        let shares = Spread::of(self.rounds.iter().filter_map(share));
        let shares = shares.map_or_else(String::new, |Spread { median, min, max }| {
            format!("{median:.3} ({min:.3}-{max:.3})")
        });
        println!(
            "{row:<14} {:>24} {:>9.2} {:>9.2} {:>11.1}   {shares}",
            format!("{:.0} ({:.0}-{:.0})", rate.median, rate.min, rate.max),
            median(|measured| measured.p50_ms),
            median(|measured| measured.p99_ms),
            median(|measured| measured.cpu_us),
        );
        for measured in self.rounds.iter().filter_map(|round| round.get(row)) {
            for (kind, count) in &measured.errors {
                println!("{:<14} {count} failed: {kind}", "");
            }
        }
    }
}

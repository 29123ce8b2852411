//! Rates in interleaved rounds: null server, real server, null server, …

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;

use super::load::{Amount, CONNECTIONS, Load, Measured};
use super::plot::{self, Bar};
use super::server::Server;
use super::{Bench, Options};

const NULL: &str = "null submit";

/// What is measured of the real server: the row's name and the generator's scenario.
const ROWS: [(&str, &str); 4] = [
    ("submit", "submit"),
    ("create_async", "submit-async"),
    ("batch of 500", "batch"),
    ("life-cycle", "lifecycle"),
];

/// By row.
type Round = BTreeMap<&'static str, Measured>;

#[derive(Debug, Serialize)]
pub(super) struct Rounds {
    seconds: u32,
    connections: u32,
    cores: usize,
    rounds: Vec<Round>,
}

pub(super) fn run(bench: &Bench, options: &Options) -> Result<Rounds> {
    let rounds = each(options, |number| round(bench, options, number))?;
    if bench.zajil.is_none() {
        println!("there is no package zajil yet: only the null server was measured");
    }
    let cores = std::thread::available_parallelism()?.get();
    let rounds = Rounds {
        seconds: options.seconds(),
        connections: CONNECTIONS,
        cores,
        rounds,
    };
    rounds.print();
    if let Some(path) = &options.plot {
        super::write(path, rounds.plot().trim_end())?;
    }
    Ok(rounds)
}

/// So many rounds as are asked for, numbered from 1.
pub(super) fn each<R>(
    options: &Options,
    mut round: impl FnMut(u32) -> Result<R>,
) -> Result<Vec<R>> {
    (1..=options.rounds())
        .map(|number| {
            println!("round {number} of {}", options.rounds());
            round(number)
        })
        .collect()
}

fn round(bench: &Bench, options: &Options, number: u32) -> Result<Round> {
    let mut round = Round::new();
    let null = Server::null(bench)?;
    round.insert(NULL, measure(bench, options, &null, "submit")?);
    null.stop()?;
    if let Some(binary) = &bench.zajil {
        let data = bench.data_folder(&format!("round-{number}"));
        let zajil = Server::zajil(bench, binary, &data)?;
        for (row, scenario) in ROWS {
            round.insert(row, measure(bench, options, &zajil, scenario)?);
        }
        zajil.stop()?;
    }
    Ok(round)
}

/// A second to warm up, then the run that counts. Each scenario has a frontend of its own, so that
/// the life-cycle's pollers do not find what the submits before them left.
pub(super) fn measure(
    bench: &Bench,
    options: &Options,
    server: &Server,
    scenario: &str,
) -> Result<Measured> {
    let frontend = format!("bench_{}", scenario.replace('-', "_"));
    let load = |seconds| Load {
        scenario,
        frontend: &frontend,
        connections: CONNECTIONS,
        amount: Amount::Seconds(seconds),
        body: None,
        rate: None,
        core: None,
        more: &[],
    };
    load(1).run(bench, server)?;
    load(options.seconds()).run(bench, server)
}

impl Rounds {
    fn print(&self) {
        println!();
        println!(
            "{} rounds of {} s, {} connections, {} cores; median (min-max)",
            self.rounds.len(),
            self.seconds,
            self.connections,
            self.cores
        );
        println!(
            "{:<13} {:>24} {:>8} {:>8} {:>11}   of null",
            "", "per second", "p50 ms", "p99 ms", "CPU us each"
        );
        for row in [NULL].into_iter().chain(ROWS.map(|(row, _)| row)) {
            self.print_row(row);
        }
        println!("latencies are those of the row's last request: for a life-cycle, mark_delivered");
    }

    fn print_row(&self, row: &str) {
        let of = |figure: fn(&Measured) -> f64| {
            Spread::of(
                self.rounds
                    .iter()
                    .filter_map(|round| round.get(row))
                    .map(figure),
            )
        };
        let Some(rate) = of(|measured| measured.rate) else {
            return;
        };
        let median = |figure| of(figure).map_or(0.0, |spread| spread.median);
        let share = self
            .share(row)
            .map_or_else(String::new, |Spread { median, min, max }| {
                format!("{median:.2} ({min:.2}-{max:.2})")
            });
        println!(
            "{row:<13} {:>24} {:>8.2} {:>8.2} {:>11.1}   {share}",
            format!("{:.0} ({:.0}-{:.0})", rate.median, rate.min, rate.max),
            median(|measured| measured.p50_ms),
            median(|measured| measured.p99_ms),
            median(|measured| measured.cpu_us),
        );
        for (kind, count) in self.errors(row) {
            println!("{:<13} {count} failed in all rounds: {kind}", "");
        }
    }

    /// The rates of all rows, and what they are of the null server's in the same round.
    fn plot(&self) -> String {
        let rows = [NULL].into_iter().chain(ROWS.map(|(row, _)| row));
        let bars: Vec<Bar> = rows.filter_map(|row| self.bar(row)).collect();
        let title = format!(
            "Messages a second, embedded store, {} cores shared with the load generator",
            self.cores
        );
        plot::bars(&title, &bars)
    }

    fn bar(&self, row: &str) -> Option<Bar> {
        let rates = self.rounds.iter().filter_map(|round| round.get(row));
        let spread = Spread::of(rates.map(|measured| measured.rate))?;
        let share = self.share(row)?.median;
        Some(Bar {
            name: row.to_owned(),
            note: format!("{:.0} ({share:.2} of null)", spread.median),
            spread,
        })
    }

    fn share(&self, row: &str) -> Option<Spread> {
        Spread::of(
            self.rounds
                .iter()
                .filter_map(|round| Some(round.get(row)?.rate / round.get(NULL)?.rate)),
        )
    }

    fn errors(&self, row: &str) -> BTreeMap<&str, u64> {
        let mut sum = BTreeMap::new();
        for measured in self.rounds.iter().filter_map(|round| round.get(row)) {
            for (kind, count) in &measured.errors {
                *sum.entry(kind.as_str()).or_default() += count;
            }
        }
        sum
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
}

impl Spread {
    /// `None` of nothing.
    pub(super) fn of(figures: impl Iterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = figures.collect();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let upper = *sorted.get(sorted.len() / 2)?;
        let lower = *sorted.get((sorted.len() - 1) / 2)?;
        Some(Self {
            median: f64::midpoint(lower, upper),
            min,
            max,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_lies_in_the_middle() {
        let spread = |figures: &[f64]| Spread::of(figures.iter().copied());
        assert_eq!(
            spread(&[3.0, 1.0, 2.0]),
            Some(Spread {
                median: 2.0,
                min: 1.0,
                max: 3.0
            })
        );
        assert_eq!(
            spread(&[4.0, 1.0]),
            Some(Spread {
                median: 2.5,
                min: 1.0,
                max: 4.0
            })
        );
        assert_eq!(spread(&[]), None);
    }
}

//! What a message costs where there are many frontends, routes and locations, next to where there
//! are few. Both servers run all the time and are measured in turns.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::load::{Amount, CONNECTIONS, Load, Measured};
use super::server::Server;
use super::{Bench, Options};

/// Of one import.
const ROUTES_AT_ONCE: u32 = 5_000;
/// Routed by the number that follows 1555, located by the one that follows 1666.
const ROUTED: &str = r#"{"source_msisdn":"+15550001111","destination_msisdn":"+1555%07d",
"message_body":"A message of seventy characters, which is what people write, roughly..",
"source_smsc":"bench"}"#;
const LOCATED: &str = r#"{"source_msisdn":"+15550001111","destination_msisdn":"+1666%07d",
"message_body":"A message of seventy characters, which is what people write, roughly..",
"source_smsc":"bench"}"#;
const LOCATION: &str = r#"{"msisdn":"+1666%07d","imsi":"00101000%07d","location":"bench_gw"}"#;
const FRONTEND: &str = r#"{"frontend_name":"gw_%07d","frontend_type":"SMPP"}"#;

/// How much a server has to know.
#[derive(Debug, Clone, Copy, Serialize)]
struct Size {
    frontends: u32,
    routes: u32,
    locations: u32,
}

const SMALL: Size = Size {
    frontends: 10,
    routes: 100,
    locations: 1_000,
};
const LARGE: Size = Size {
    frontends: 10_000,
    routes: 100_000,
    locations: 1_000_000,
};
/// Enough to see that it works.
const QUICK: Size = Size {
    frontends: 100,
    routes: 1_000,
    locations: 10_000,
};

/// One scenario of a round.
#[derive(Debug, Serialize)]
pub(super) struct Round {
    scenario: &'static str,
    small: Measured,
    large: Measured,
}

#[derive(Debug, Serialize)]
pub(super) struct Scale {
    small: Size,
    large: Size,
    /// Before anything is submitted.
    resident_mib: [u64; 2],
    rounds: Vec<Round>,
}

pub(super) fn run(bench: &Bench, options: &Options) -> Result<Scale> {
    let absent = "there is no package zajil yet";
    let binary = bench.zajil.as_deref().context(absent)?;
    let sizes = [SMALL, if options.quick { QUICK } else { LARGE }];
    let start = |name, size| filled(bench, binary, &bench.data_folder(name), size);
    let [small, large] = [start("small", sizes[0])?, start("large", sizes[1])?];
    let resident_mib = [small.resident_mib()?, large.resident_mib()?];
    println!("resident: {} and {} MiB", resident_mib[0], resident_mib[1]);
    println!(
        "{:>10} {:>9} {:>9} {:>6} {:>9} {:>9} {:>6}",
        "", "few/s", "many/s", "ratio", "CPU few", "CPU many", "times"
    );
    let mut rounds = Vec::new();
    for _ in 0..options.rounds() {
        // A registration lives 90 s (S3.4).
        for (server, size) in [(&small, sizes[0]), (&large, sizes[1])] {
            let path = "/api/frontends/register";
            fill(bench, server, (path, FRONTEND), size.frontends)?;
        }
        for scenario in ["routed", "located", "life"] {
            let of = |server, size| measure(bench, server, (scenario, size), options.seconds());
            let round = Round {
                scenario,
                small: of(&small, sizes[0])?,
                large: of(&large, sizes[1])?,
            };
            round.print();
            rounds.push(round);
        }
    }
    small.stop()?;
    large.stop()?;
    Ok(Scale {
        small: sizes[0],
        large: sizes[1],
        resident_mib,
        rounds,
    })
}

/// A server that knows so much.
fn filled(bench: &Bench, binary: &Path, data: &Path, size: Size) -> Result<Server> {
    let server = Server::configured(bench, binary, data, "")?;
    fill(bench, &server, ("/api/locations", LOCATION), size.locations)?;
    // 2 digits of few routes, 5 of many: each number has one.
    let digits = usize::try_from(size.routes.ilog10())?;
    for first in (0..size.routes).step_by(ROUTES_AT_ONCE as usize) {
        let mut routes = String::new();
        for route in first..size.routes.min(first + ROUTES_AT_ONCE) {
            let (comma, frontend) = (if route > first { "," } else { "" }, route % size.frontends);
            write!(
                routes,
                r#"{comma}{{"called_prefix":"1555{route:0digits$}","#
            )?;
            write!(routes, r#""dest_smsc":"gw_{frontend:07}"}}"#)?;
        }
        server.post(
            "/api/routes/import",
            &format!(r#"{{"mode":"merge","routes":[{routes}]}}"#),
        )?;
    }
    Ok(server)
}

/// Posts so many of a kind, and wants every one taken.
fn fill(bench: &Bench, server: &Server, (path, body): (&str, &str), count: u32) -> Result<()> {
    let load = Load {
        amount: Amount::Count(count),
        body: Some(body),
        more: &["--path", path],
        ..load("post")
    };
    let posted = load.run(bench, server)?;
    ensure!(
        posted.ok == u64::from(count),
        "{path}: {} of {count} were taken: {:?}",
        posted.ok,
        posted.errors
    );
    Ok(())
}

fn measure(
    bench: &Bench,
    server: &Server,
    (scenario, size): (&str, Size),
    seconds: u32,
) -> Result<Measured> {
    let located = size.locations.to_string();
    let load = match scenario {
        "routed" => Load {
            body: Some(ROUTED),
            more: &["--numbers", "10000000"],
            ..load("submit")
        },
        "located" => Load {
            body: Some(LOCATED),
            more: &["--numbers", &located],
            ..load("submit")
        },
        _ => load("lifecycle"),
    };
    let seconds = Amount::Seconds(seconds);
    Load {
        amount: seconds,
        ..load
    }
    .run(bench, server)
}

fn load(scenario: &str) -> Load<'_> {
    Load {
        scenario,
        frontend: if scenario == "lifecycle" {
            "bench_life"
        } else {
            "bench_gw"
        },
        connections: CONNECTIONS,
        amount: Amount::Seconds(1),
        body: None,
        rate: None,
        core: None,
        more: &[],
    }
}

impl Round {
    fn print(&self) {
        println!(
            "{:>10} {:>9.0} {:>9.0} {:>6.2} {:>9.1} {:>9.1} {:>6.2} {:?}",
            self.scenario,
            self.small.rate,
            self.large.rate,
            self.large.rate / self.small.rate,
            self.small.cpu_us,
            self.large.cpu_us,
            self.large.cpu_us / self.small.cpu_us,
            (&self.small.errors, &self.large.errors)
        );
    }
}

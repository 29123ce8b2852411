//! What it costs when nothing outside answers: ENUM and charging configured, both black holes.

use std::net::{TcpListener, UdpSocket};

use anyhow::{Context, Result};
use serde::Serialize;

use super::load::{Amount, CONNECTIONS, Load, Measured};
use super::server::Server;
use super::{Bench, Options};

/// Routed, so that ENUM is asked: no frontend is named.
const BODY: &str = r#"{"source_msisdn":"+15550001111","destination_msisdn":"+1555%07d",
"message_body":"A message of seventy characters, which is what people write, roughly..",
"source_smsc":"bench"}"#;
const ROUTES: &str = r#"
[[sms_routes]]
called_prefix = "1"
dest_smsc = "bench_gw"
[[sms_routes]]
called_prefix = "1555"
enum_domain = "voip.example.com"
dest_smsc = "voip"
"#;

/// One round.
#[derive(Debug, Serialize)]
pub(super) struct Round {
    /// Nothing outside is configured.
    alone: Measured,
    /// While the breakers still let questions through.
    at_first: Measured,
    /// Afterwards.
    authorize: Measured,
    /// Afterwards, where money would move: each message is stored before it is charged.
    debit: Measured,
}

pub(super) fn run(bench: &Bench, options: &Options) -> Result<Vec<Round>> {
    let dns = UdpSocket::bind("127.0.0.1:0")?;
    // Connections are taken by the kernel, and nobody reads from them.
    let ocs = TcpListener::bind("127.0.0.1:0")?;
    let settings = |mode: &str| -> Result<String> {
        Ok(format!(
            "[enum]\nenum_domains = [\"e164.test\"]\nenum_dns_servers = [\"{}\"]\n\
             enum_timeout = 500\n[charging]\ndefault_charging_enabled = true\n\
             charging_mode = \"{mode}\"\nocs_timeout = 500\n\
             ocs_url = \"http://{}/jsonrpc\"\n{ROUTES}",
            dns.local_addr()?,
            ocs.local_addr()?
        ))
    };
    println!(
        "{:>10} {:>10} {:>7} {:>9}",
        "", "submits/s", "ratio", "p99 ms"
    );
    let mut rounds = Vec::new();
    for number in 0..options.rounds() {
        let name = |kind: &str| format!("outside-{kind}-{number}");
        let seconds = options.seconds();
        let [_, alone] = measure(bench, &name("alone"), ROUTES, seconds)?;
        let [at_first, authorize] =
            measure(bench, &name("authorize"), &settings("authorize")?, seconds)?;
        let [_, debit] = measure(bench, &name("debit"), &settings("debit")?, seconds)?;
        let round = Round {
            alone,
            at_first,
            authorize,
            debit,
        };
        round.print();
        rounds.push(round);
    }
    Ok(rounds)
}

/// Two runs on a new server: the first opens the breakers.
fn measure(bench: &Bench, name: &str, settings: &str, seconds: u32) -> Result<[Measured; 2]> {
    let binary = bench
        .zajil
        .as_ref()
        .context("there is no package zajil yet")?;
    let server = Server::configured(bench, binary, &bench.data_folder(name), settings)?;
    let load = Load {
        scenario: "submit",
        frontend: "bench_gw",
        connections: CONNECTIONS,
        amount: Amount::Seconds(seconds),
        body: Some(BODY),
        rate: None,
        core: None,
        more: &[],
    };
    let measured = [load.run(bench, &server)?, load.run(bench, &server)?];
    server.stop()?;
    Ok(measured)
}

impl Round {
    fn print(&self) {
        for (name, measured) in [
            ("alone", &self.alone),
            ("at first", &self.at_first),
            ("authorize", &self.authorize),
            ("debit", &self.debit),
        ] {
            println!(
                "{name:>10} {:>10.0} {:>7.2} {:>9.2} {:?}",
                measured.rate,
                measured.rate / self.alone.rate,
                measured.p99_ms,
                measured.errors
            );
        }
    }
}

//! The command line of `loadgen smpp`, and what all sub-commands write the same way.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use loadgen::http::{Limit, Rate};
use loadgen::smpp::{Account, Form, Options};

/// How much is sent, and what is told of it.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Client threads.
    #[arg(long, default_value_t = 1)]
    pub(crate) threads: usize,
    /// Requests per second over all connections, or `max`.
    #[arg(long, default_value = "max", value_parser = parse_rate)]
    pub(crate) rate: Rate,
    /// How long to send, such as 10s, 500ms or 2m.
    #[arg(long, default_value = "10s", value_parser = parse_duration, conflicts_with = "count")]
    duration: Duration,
    /// How many requests to send.
    #[arg(long)]
    count: Option<u64>,
    /// Report this process's CPU time as the server's; of several together.
    #[arg(long = "server-pid")]
    pub(crate) server_pids: Vec<u32>,
    /// Write the report as JSON to this file, `-` for standard output instead of the text.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
}

impl Run {
    pub(crate) fn limit(&self) -> Limit {
        self.count
            .map_or(Limit::Duration(self.duration), Limit::Count)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Smpp {
    #[command(flatten)]
    pub(crate) run: Run,
    /// The server, as host:port.
    #[arg(long, default_value = "127.0.0.1:2775")]
    address: String,
    /// Over TLS: the file with the authorities that the server's certificate is signed by.
    #[arg(long)]
    tls_ca: Option<PathBuf>,
    /// The name that its certificate is for.
    #[arg(long, default_value = "localhost", requires = "tls_ca")]
    tls_name: String,
    #[arg(long, default_value = "bench")]
    system_id: String,
    #[arg(long, default_value = "secret08")]
    password: String,
    /// Accounts that binds are dealt out to: with several, their names end with 1, 2, …
    #[arg(long, default_value_t = 1)]
    accounts: usize,
    /// Binds that submit.
    #[arg(long, default_value_t = 4)]
    binds: usize,
    /// They are transmitters, not transceivers.
    #[arg(long)]
    transmitters: bool,
    /// Receivers of the same account.
    #[arg(long, default_value_t = 0)]
    receivers: usize,
    /// An account that messages are routed to, as system_id:password; messages that come to it
    /// are counted.
    #[arg(long)]
    sink: Option<String>,
    /// Receivers of the sink.
    #[arg(long, default_value_t = 1)]
    sinks: usize,
    /// Submits without a response on one bind.
    #[arg(long, default_value_t = 100)]
    window: usize,
    #[arg(long, value_enum, default_value_t = Shape::Short)]
    form: Shape,
    /// Ask for receipts, and match them to the ids.
    #[arg(long)]
    receipts: bool,
    #[arg(long, default_value = "15550001111")]
    source: String,
    /// %07d in it stands for the running number.
    #[arg(long, default_value = "1555%07d")]
    destination: String,
    /// After the last submit, what is missing is given up when nothing has come for so long.
    #[arg(long, default_value = "10s", value_parser = parse_duration)]
    patience: Duration,
    /// Only bind, hold the binds for so long, and report the server's memory as JSON.
    #[arg(long, value_parser = parse_duration, requires = "server_pids")]
    pub(crate) idle: Option<Duration>,
}

/// How a message looks on the wire.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shape {
    /// 70 letters of the default alphabet.
    Short,
    /// 70 letters of UCS-2.
    Ucs2,
    /// 350 letters in message_payload.
    Payload,
    /// 280 letters in two submits, each with a user data header.
    Parts,
}

impl From<Shape> for Form {
    fn from(shape: Shape) -> Self {
        match shape {
            Shape::Short => Self::Short,
            Shape::Ucs2 => Self::Ucs2,
            Shape::Payload => Self::Payload,
            Shape::Parts => Self::Parts,
        }
    }
}

impl Smpp {
    pub(crate) fn options(&self) -> Result<Options> {
        let sink = self.sink.as_deref().map(|text| {
            let (system_id, password) = text
                .split_once(':')
                .context("--sink is not system_id:password")?;
            Ok::<_, anyhow::Error>((account(system_id, password), self.sinks))
        });
        Ok(Options {
            account: account(&self.system_id, &self.password),
            tls: self.tls_ca.clone().map(|ca| (ca, self.tls_name.clone())),
            accounts: self.accounts,
            binds: self.binds,
            transmitters: self.transmitters,
            receivers: self.receivers,
            sink: sink.transpose()?,
            window: self.window,
            rate: self.run.rate,
            limit: self.run.limit(),
            form: self.form.into(),
            receipts: self.receipts,
            source: self.source.clone(),
            destination: self.destination.clone(),
            patience: self.patience,
            threads: self.run.threads,
            server_pids: self.run.server_pids.clone(),
            ..Options::new(&self.address)
        })
    }
}

fn account(system_id: &str, password: &str) -> Account {
    Account {
        system_id: system_id.to_owned(),
        password: password.to_owned(),
    }
}

fn parse_rate(text: &str) -> Result<Rate, String> {
    if text == "max" {
        return Ok(Rate::Max);
    }
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(Rate::PerSecond(rate)),
        _ => Err("neither a positive number nor 'max'".to_owned()),
    }
}

pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let units = [("ms", 0.001), ("s", 1.0), ("m", 60.0)];
    let seconds = units
        .iter()
        .find_map(|(unit, seconds)| Some(text.strip_suffix(unit)?.parse::<f64>().ok()? * seconds));
    seconds
        .filter(|&seconds| seconds > 0.0)
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "not a duration such as 10s, 500ms or 2m".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_carry_a_unit() {
        assert_eq!(parse_duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("1.5m"), Ok(Duration::from_secs(90)));
        for bad in ["10", "s", "-1s", "0s", "NaNs", "1h"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_rate_is_a_positive_number_or_max() {
        assert_eq!(parse_rate("max"), Ok(Rate::Max));
        assert_eq!(parse_rate("20000"), Ok(Rate::PerSecond(20_000.0)));
        for bad in ["", "0", "-5", "inf", "full"] {
            assert!(parse_rate(bad).is_err(), "{bad}");
        }
    }
}

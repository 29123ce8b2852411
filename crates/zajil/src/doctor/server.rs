//! The running server: its ports, its answers, its clock, its metrics.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::Duration;

use serde_json::Value;
use zajil_core::clock::{Clock as _, Timestamp};
use zajil_engine::system::SystemClock;

use super::check::{Check, in_time};
use crate::client::Remote;
use crate::config::Config;

const WITHIN: Duration = Duration::from_secs(10);
/// Two clocks on one machine are one; on two they may differ so much.
const SKEW: Duration = Duration::from_secs(2);

/// Where the server of a configuration is reached from here.
pub(super) fn base(config: &Config) -> String {
    let scheme = if config.api.tls.is_some() {
        "https"
    } else {
        "http"
    };
    format!("{scheme}://{}", reached(config.api.listen))
}

fn reached(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// Whether the ports are free, or held by the server that has the data open.
pub(super) fn ports(config: &Config, held: bool) -> Vec<Check> {
    let metrics = config.metrics.map(|address| ("metrics port", address));
    let all = std::iter::once(("API port", config.api.listen)).chain(metrics);
    all.map(|(name, address)| port(name, address, held))
        .collect()
}

fn port(name: &'static str, address: SocketAddr, held: bool) -> Check {
    match TcpListener::bind(address) {
        Ok(_) if held && address.port() != 0 => {
            let sentence = format!("{address} is free, but a server has the data open");
            Check::warn(name, sentence).remedy("the server runs with other addresses: see --config")
        }
        Ok(_) => Check::ok(name, format!("{address} is free")),
        Err(_) if held => Check::ok(name, format!("{address} is taken, and a server runs")),
        Err(error) => Check::fail(name, format!("{address}: {error}")).remedy(format!(
            "another program has it (ss -ltnp sport = :{}), or the address is not of this machine",
            address.port()
        )),
    }
}

/// What the server says of itself.
pub(super) fn checks(remote: &Remote, metrics: Option<SocketAddr>) -> Vec<Check> {
    let asked = remote.clone();
    let answered = in_time("server", WITHIN, move || status(&asked));
    let reached = answered
        .iter()
        .all(|check| check.level != super::Level::Unreachable);
    let mut checks = answered;
    if !reached {
        return checks;
    }
    let asked = remote.clone();
    checks.extend(in_time("readiness", WITHIN, move || readiness(&asked)));
    if let Some(address) = metrics.filter(|address| address.port() != 0) {
        checks.extend(in_time("metrics", WITHIN, move || {
            scrape(reached_metrics(address))
        }));
    }
    checks
}

fn reached_metrics(address: SocketAddr) -> String {
    format!("http://{}", reached(address))
}

fn status(remote: &Remote) -> Vec<Check> {
    const NAME: &str = "server";
    let before = SystemClock.now();
    let base = remote.base();
    let answer = match remote.get("/api/status") {
        Ok(answer) => answer,
        Err(error) => {
            return vec![
                Check::unreachable(NAME, format!("{base}: {error:#}"))
                    .remedy("start it: zajil serve, or systemctl status zajil; else see --server"),
            ];
        }
    };
    let stamp = answer.body["timestamp"].as_str().and_then(millis);
    let Some(theirs) = stamp.filter(|_| answer.status == 200) else {
        let sentence = format!("{base} answers {}, but not as Zajil does", answer.status);
        return vec![Check::fail(NAME, sentence).remedy("another program has the port")];
    };
    let after = SystemClock.now();
    let name = answer.body["application"].as_str().unwrap_or("Zajil");
    let mut checks = vec![Check::ok(NAME, format!("{base} answers as '{name}'"))];
    let skew = before.since(theirs).max(theirs.since(after));
    if skew > SKEW {
        let sentence = format!(
            "the server's clock differs from this one by {} s",
            skew.as_secs()
        );
        checks.push(
            Check::warn("server clock", sentence).remedy("synchronise both machines (chrony)"),
        );
    }
    checks
}

/// An RFC 3339 time as the server writes it.
fn millis(text: &str) -> Option<Timestamp> {
    let mut numbers = text.trim_end_matches('Z').split(['-', 'T', ':', '.']);
    let mut next = || numbers.next()?.parse::<i64>().ok();
    let (year, month, day) = (next()?, next()?, next()?);
    let (hour, minute, second) = (next()?, next()?, next()?);
    // Days since 1970 of a civil date: years begin in March.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days =
        365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 719_469;
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    let millis = next().unwrap_or(0);
    Some(Timestamp::from_millis(seconds * 1_000 + millis))
}

fn readiness(remote: &Remote) -> Vec<Check> {
    const NAME: &str = "readiness";
    let answer = match remote.get("/readyz") {
        Ok(answer) => answer,
        Err(error) => return vec![Check::fail(NAME, format!("{error:#}"))],
    };
    if answer.status != 200 {
        let detail = answer
            .body
            .pointer("/errors/detail")
            .and_then(Value::as_str);
        let sentence = detail.unwrap_or("the server is not ready").to_owned();
        return vec![Check::fail(NAME, sentence).remedy("see the server's log around now")];
    }
    let parts = answer.body["parts"].as_object();
    let mut ill = Vec::new();
    let mut well = Vec::new();
    for (name, state) in parts.into_iter().flatten() {
        match state.as_str() {
            Some("ok") => well.push(name.as_str()),
            other => ill.push(format!("{name}: {}", other.unwrap_or("unknown"))),
        }
    }
    if ill.is_empty() {
        return vec![Check::ok(NAME, format!("ready: {}", well.join(", ")))];
    }
    vec![
        Check::fail(NAME, ill.join("; "))
            .remedy("it works without; mend what the part names: docs/ops/troubleshooting.md"),
    ]
}

fn scrape(base: String) -> Vec<Check> {
    const NAME: &str = "metrics";
    let shown = format!("{base}/metrics");
    match Remote::at(base, false).get("/metrics") {
        Ok(answer) if answer.status == 200 => vec![Check::ok(NAME, format!("{shown} answers"))],
        Ok(answer) => vec![
            Check::fail(NAME, format!("{shown} answers {}", answer.status))
                .remedy("another program has the port: see metrics.listen"),
        ],
        Err(error) => vec![
            Check::fail(NAME, format!("{shown}: {error:#}"))
                .remedy("the server runs with another metrics.listen, or without: see --config"),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_times_of_the_server_are_read_as_they_are_written() {
        for at in [0, 951_782_400_000, 1_704_067_199_999, 4_107_542_400_123] {
            let at = Timestamp::from_millis(at);
            let text = zajil_core::civil::rfc3339(at);
            assert_eq!(millis(std::str::from_utf8(&text).unwrap()), Some(at));
        }
        assert_eq!(millis("soon"), None);
    }
}

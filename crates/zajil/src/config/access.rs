//! The REST listener: where it is, its certificate, and whom it serves (S3.7, S3.8, S11).

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use zajil_api::{Mode, Network, Rate, RateLimits};

use super::file::{ApiSection, RateSection};
use super::resolve::Check;
use crate::tls::{ClientAuth, Files};

/// The REST listener.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    /// Address and port.
    pub(crate) listen: SocketAddr,
    /// `application` of `GET /api/status`.
    pub(crate) application: String,
    /// Larger requests are refused.
    pub(crate) max_body_bytes: usize,
    /// More connections are refused.
    pub(crate) max_connections: usize,
    /// Peers whose `X-Forwarded-For` is believed.
    pub(crate) trusted_proxies: Vec<Network>,
    /// The certificate; none = plain HTTP.
    pub(crate) tls: Option<Files>,
    /// The only networks that are served; empty = all.
    pub(crate) allowed_networks: Vec<Network>,
    /// `audit_retention_days`.
    pub(crate) audit_retention: Duration,
    access: Option<Mode>,
    max_connections_per_ip: Option<usize>,
    limits: RateLimits,
    limited: Option<bool>,
}

/// What an address of a public listener may have at a time, when nothing else is said.
const CONNECTIONS_PER_IP: usize = 1_000;

impl Api {
    /// Whether other machines can reach it, by themselves or through a proxy.
    fn is_public(&self) -> bool {
        self.listens_to_others() || !self.trusted_proxies.is_empty()
    }

    fn listens_to_others(&self) -> bool {
        !self.listen.ip().to_canonical().is_loopback()
    }

    /// Whether callers must say who they are: where others can reach it, unless the operator has
    /// said otherwise.
    pub(crate) fn mode(&self) -> Mode {
        self.access.unwrap_or(match self.is_public() {
            true => Mode::Required,
            false => Mode::Open,
        })
    }

    /// The limits of an address; none = unlimited.
    pub(crate) fn limits(&self) -> Option<RateLimits> {
        let limited = self.limited.unwrap_or_else(|| self.is_public());
        limited.then_some(self.limits)
    }

    /// The connections of an address; none = no limit but that of all.
    pub(crate) fn most_of_one(&self) -> Option<usize> {
        match self.max_connections_per_ip {
            Some(0) => None,
            Some(most) => Some(most),
            None => self.is_public().then_some(CONNECTIONS_PER_IP),
        }
    }

    /// What an operator should know of the choice, once the address is final.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.is_public() && self.mode() == Mode::Open {
            notes.push(format!(
                "api.access is open: whoever reaches {} may do everything{}",
                self.listen,
                match self.trusted_proxies.is_empty() {
                    true => "",
                    false => ", also through api.trusted_proxies",
                }
            ));
        }
        if self.listens_to_others() && self.tls.is_none() {
            notes.push(format!(
                "{} speaks plain HTTP: keys and texts can be read on the way; set \
                 api.tls_cert_path, or have a TLS proxy in front",
                self.listen
            ));
        }
        notes
    }
}

pub(super) fn api(section: ApiSection, rates: &RateSection, check: &mut Check<'_>) -> Option<Api> {
    let ip = section.listen_ip.as_deref().unwrap_or("127.0.0.1");
    let ip = ip.parse::<IpAddr>();
    if ip.is_err() {
        check.rule("api.listen_ip", "must be an IP address");
    }
    let kib = u64::from(section.max_body_kib.unwrap_or(1_024));
    let kib: usize = check.number("api.max_body_kib", kib, (1, 65_536));
    let connections = u64::from(section.max_connections.unwrap_or(10_000));
    let max_connections = check.number("api.max_connections", connections, (1, 1_000_000));
    let of_one = section.max_connections_per_ip;
    let of_one =
        of_one.map(|most| check.number("api.max_connections_per_ip", most.into(), (0, 1_000_000)));
    let access = match section.access.as_deref().unwrap_or("auto") {
        "auto" => None,
        "open" => Some(Mode::Open),
        "required" => Some(Mode::Required),
        _ => {
            check.rule("api.access", "must be auto, open or required");
            None
        }
    };
    let tls = tls(&section, check);
    let port = section.port.unwrap_or(match tls {
        Some(_) => 8443,
        None => 8080,
    });
    let days = section.audit_retention_days.unwrap_or(400);
    let day = Duration::from_secs(24 * 60 * 60);
    Some(Api {
        application: section.application.unwrap_or_else(|| "Zajil".to_owned()),
        max_body_bytes: kib * 1_024,
        max_connections,
        trusted_proxies: networks("api.trusted_proxies", &section.trusted_proxies, check),
        allowed_networks: networks("api.allowed_networks", &section.allowed_networks, check),
        audit_retention: check.time("api.audit_retention_days", days, 36_600, day),
        tls,
        access,
        max_connections_per_ip: of_one,
        limits: limits(rates, check),
        limited: rates.enabled,
        listen: SocketAddr::new(ip.ok()?, port),
    })
}

fn networks(key: &str, texts: &[String], check: &mut Check<'_>) -> Vec<Network> {
    let read = texts.iter().map(|text| text.parse());
    match read.collect::<Result<Vec<Network>, _>>() {
        Ok(networks) => networks,
        Err(_) => {
            let rule = "must be a list of IP addresses or networks as 10.0.0.0/8";
            check.rule(key, rule);
            Vec::new()
        }
    }
}

fn limits(rates: &RateSection, check: &mut Check<'_>) -> RateLimits {
    let mut rate = |key: &str, value: Option<u32>, default: u32| {
        let value = value.unwrap_or(default).into();
        Rate::per_second(check.number(key, value, (1, 1_000_000)))
    };
    RateLimits {
        submit: rate("rate_limits.submit", rates.submit, 100),
        submit_async: rate("rate_limits.submit_async", rates.submit_async, 1_000),
        read: rate("rate_limits.read", rates.read, 1_000),
        change: rate("rate_limits.change", rates.change, 1_000),
    }
}

fn tls(section: &ApiSection, check: &mut Check<'_>) -> Option<Files> {
    let wanted = section
        .enable_tls
        .unwrap_or(section.tls_cert_path.is_some());
    if !wanted {
        let unused = [
            ("api.tls_key_path", &section.tls_key_path),
            ("api.tls_client_ca_path", &section.tls_client_ca_path),
            ("api.tls_client_auth", &section.tls_client_auth),
        ];
        for (key, _) in unused.iter().filter(|(_, value)| value.is_some()) {
            check.note(key, "has no effect without TLS");
        }
        return None;
    }
    let (Some(certificate), Some(key)) = (&section.tls_cert_path, &section.tls_key_path) else {
        let rule = "needs both api.tls_cert_path and api.tls_key_path";
        check.rule(
            match section.enable_tls {
                Some(_) => "api.enable_tls",
                None => "api.tls_cert_path",
            },
            rule,
        );
        return None;
    };
    let auth = match section.tls_client_auth.as_deref().unwrap_or("required") {
        "required" => ClientAuth::Required,
        "optional" => ClientAuth::Optional,
        _ => {
            check.rule("api.tls_client_auth", "must be required or optional");
            ClientAuth::Required
        }
    };
    let authorities = section.tls_client_ca_path.as_ref().map(PathBuf::from);
    if authorities.is_none() && section.tls_client_auth.is_some() {
        check.rule("api.tls_client_auth", "needs api.tls_client_ca_path");
    }
    Some(Files {
        certificate: PathBuf::from(certificate),
        key: PathBuf::from(key),
        clients: authorities.map(|path| (path, auth)),
    })
}

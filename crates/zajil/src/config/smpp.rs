//! SMPP: the settings of the server that applications bind to.

use std::net::SocketAddr;
use std::time::Duration;

use zajil_core::event::NodeName;
use zajil_smpp::link::Limits;
use zajil_smpp::server::Options;

use super::file::SmppSection;
use super::resolve::Check;
use super::{Smpp, SmppListen};
use crate::tls::Files;

const SECOND: Duration = Duration::from_secs(1);
/// Where SMPP is served when nobody says otherwise: the port that IANA has for it.
const DEFAULT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 2775);

/// Where TLS is served and with what: all of it, or nothing.
fn tls(section: &SmppSection, check: &mut Check<'_>) -> Option<(SocketAddr, Files)> {
    let (listen, certificate, key) = match (
        &section.tls_listen,
        &section.tls_cert_path,
        &section.tls_key_path,
    ) {
        (None, None, None) => return None,
        (Some(listen), Some(certificate), Some(key)) => (listen, certificate, key),
        _ => {
            let rule = "needs smpp.tls_listen, smpp.tls_cert_path and smpp.tls_key_path";
            let given = [
                ("smpp.tls_listen", &section.tls_listen),
                ("smpp.tls_cert_path", &section.tls_cert_path),
                ("smpp.tls_key_path", &section.tls_key_path),
            ];
            let first = given.into_iter().find(|(_, value)| value.is_some());
            check.rule(first.map_or("smpp.tls_listen", |(name, _)| name), rule);
            return None;
        }
    };
    let Ok(address) = listen.parse() else {
        let rule = "must be an address with a port, as 127.0.0.1:3550";
        check.rule("smpp.tls_listen", rule);
        return None;
    };
    let files = Files {
        certificate: certificate.into(),
        key: key.into(),
        clients: None,
    };
    Some((address, files))
}

pub(super) fn smpp(section: SmppSection, node: &str, check: &mut Check<'_>) -> Smpp {
    let tls = tls(&section, check);
    let chosen = section.listen.map(|text| text.parse());
    let listen = match (section.enabled, chosen) {
        (Some(false), _) => SmppListen::Off,
        (_, None) => SmppListen::Default(DEFAULT),
        (_, Some(Ok(address))) => SmppListen::Chosen(address),
        (_, Some(Err(_))) => {
            let rule = "must be an address with a port, as 127.0.0.1:2775";
            check.rule("smpp.listen", rule);
            SmppListen::Off
        }
    };
    let system_id = section.system_id.unwrap_or_else(|| "zajil".to_owned());
    let printable = system_id.bytes().all(|octet| octet.is_ascii_graphic());
    if system_id.is_empty() || system_id.len() > 15 || !printable {
        check.rule(
            "smpp.system_id",
            "must have 1 to 15 letters, digits and signs",
        );
    }
    let mut time = |key: &str, value: Option<u64>, default| {
        check.time(key, value.unwrap_or(default), 3_600, SECOND)
    };
    let limits = Limits {
        session_init: time(
            "smpp.session_init_seconds",
            section.session_init_seconds,
            10,
        ),
        enquire_link: time(
            "smpp.enquire_link_seconds",
            section.enquire_link_seconds,
            30,
        ),
        inactivity: time("smpp.inactivity_seconds", section.inactivity_seconds, 90),
        response: time("smpp.response_seconds", section.response_seconds, 10),
    };
    let connections = u64::from(section.max_connections.unwrap_or(1_000));
    Smpp {
        listen,
        tls,
        server: Options {
            system_id,
            limits,
            max_connections: check.number("smpp.max_connections", connections, (1, 100_000)),
            node: NodeName::new(node),
        },
    }
}

//! ENUM, charging and traces: the settings of what is asked or told outside.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use zajil_core::charge::{FailureAction, Mode};
use zajil_core::enum_query::Services;
use zajil_core::event::NodeName;
use zajil_core::status::FinalStatus;
use zajil_engine::Charging;
use zajil_telemetry::trace;

use super::file::{ChargingSection, DnsServer, EnumSection, TracesSection};
use super::resolve::Check;

const MILLI: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
/// A charge that is not answered for so much longer than it may take counts as lost.
const GRACE: Duration = Duration::from_secs(10);
/// The endings that may be refunded: the others are not undelivered, or were not paid for.
const REFUNDABLE: [FinalStatus; 2] = [FinalStatus::Failed, FinalStatus::Expired];

/// None without a collector.
pub(super) fn traces(
    section: TracesSection,
    node: &str,
    check: &mut Check<'_>,
) -> Option<trace::Options> {
    let sampling = section.sampling.unwrap_or(0.01);
    if !(0.0..=1.0).contains(&sampling) {
        check.rule("traces.sampling", "must be from 0 to 1");
    }
    let endpoint = section.endpoint.filter(|text| !text.is_empty())?;
    if !endpoint.starts_with("http://") {
        check.rule(
            "traces.endpoint",
            "must begin with http://: a collector beside this node carries traces further",
        );
    }
    if !trace::BUILT {
        check.rule(
            "traces.endpoint",
            "needs a build with traces: cargo build --release --features otel",
        );
    }
    Some(trace::Options {
        endpoint,
        sampling,
        node: node.to_owned(),
    })
}

/// Addresses of name servers.
pub(super) fn name_servers(
    given: &[DnsServer],
    key: &str,
    check: &mut Check<'_>,
) -> Vec<SocketAddr> {
    let mut servers = Vec::new();
    for server in given {
        let address: Result<SocketAddr, _> = match server {
            DnsServer::Pair(ip, port) => ip.parse().map(|ip| SocketAddr::new(ip, *port)),
            DnsServer::Text(text) => text.parse(),
        };
        match address {
            Ok(address) => servers.push(address),
            Err(_) => check.rule(key, "must be a list of [\"ip\", port] or \"ip:port\""),
        }
    }
    servers
}

pub(super) fn number_lookup(
    section: EnumSection,
    check: &mut Check<'_>,
) -> Option<zajil_enum::Options> {
    let enabled = section
        .enum_enabled
        .unwrap_or(!section.enum_domains.is_empty());
    let servers = name_servers(&section.enum_dns_servers, "enum.enum_dns_servers", check);
    let mut options = zajil_enum::Options::new(section.enum_domains, servers);
    options.timeout = check.time(
        "enum.enum_timeout",
        section.enum_timeout.unwrap_or(5_000),
        60_000,
        MILLI,
    );
    match section.enum_services.map(|texts| Services::parse(&texts)) {
        None => {}
        Some(Ok(services)) => options.services = services,
        Some(Err(error)) => check.rule("enum.enum_services", error),
    }
    let size = section.enum_cache_size.unwrap_or(100_000).into();
    let size: usize = check.number("enum.enum_cache_size", size, (1, 10_000_000));
    options.cache_capacity = NonZeroUsize::new(size).unwrap_or(NonZeroUsize::MIN);
    let seconds = |check: &mut Check<'_>, key: &str, value: Option<u64>, default| {
        check.time(key, value.unwrap_or(default), 604_800, SECOND)
    };
    let (least, most) = (
        section.enum_cache_min_seconds,
        section.enum_cache_max_seconds,
    );
    options.ttl_floor = seconds(check, "enum.enum_cache_min_seconds", least, 5);
    options.ttl_ceiling = seconds(check, "enum.enum_cache_max_seconds", most, 86_400);
    if !enabled {
        return None;
    }
    if let Err(error) = options.check() {
        let key = match error {
            zajil_enum::Error::BadOption(_) => "enum.enum_cache_max_seconds",
            _ => "enum.enum_domains",
        };
        check.rule(key, error);
    }
    Some(options)
}

/// A word of a closed list; the first value without one.
fn word<T: Copy, const N: usize>(
    (key, value): (&str, Option<String>),
    all: [T; N],
    as_str: fn(T) -> &'static str,
    check: &mut Check<'_>,
) -> T {
    let Some(value) = value else { return all[0] };
    let found = all.into_iter().find(|item| as_str(*item) == value);
    found.unwrap_or_else(|| {
        check.rule(
            key,
            format!("must be one of {}", all.map(as_str).join(", ")),
        );
        all[0]
    })
}

pub(super) fn charging(
    mut section: ChargingSection,
    node: &str,
    check: &mut Check<'_>,
) -> (Charging, Option<zajil_ocs::Options>) {
    let timeout = check.time(
        "charging.ocs_timeout",
        section.ocs_timeout.unwrap_or(5_000),
        60_000,
        MILLI,
    );
    let mut refund_on = Vec::new();
    for text in &section.refund_on {
        match REFUNDABLE.into_iter().find(|how| how.as_str() == text) {
            Some(how) => refund_on.push(how),
            None => check.rule("charging.refund_on", "must be a list of failed and expired"),
        }
    }
    let charging = Charging {
        by_default: section.default_charging_enabled.unwrap_or(false),
        mode: word(
            ("charging.charging_mode", section.charging_mode.take()),
            Mode::ALL,
            Mode::as_str,
            check,
        ),
        on_failure: word(
            (
                "charging.charging_failure_action",
                section.charging_failure_action.take(),
            ),
            FailureAction::ALL,
            FailureAction::as_str,
            check,
        ),
        hold: timeout + GRACE,
        refund_on,
    };
    let Some(url) = section.ocs_url.take() else {
        if charging.by_default {
            check.rule("charging.ocs_url", "must be set when messages are charged");
        }
        if !charging.refund_on.is_empty() {
            check.rule(
                "charging.refund_on",
                "needs ocs_url: nothing is debited without it",
            );
        }
        return (charging, None);
    };
    let mut options = zajil_ocs::Options::new(url, node);
    options.mode = charging.mode;
    options.timeout = timeout;
    let options = ocs(section, options, check);
    check_sense(&charging, &options, check);
    (charging, Some(options))
}

/// What may be set each for itself, and makes no sense together.
fn check_sense(charging: &Charging, ocs: &zajil_ocs::Options, check: &mut Check<'_>) {
    use zajil_ocs::RequestType;
    let kind = ocs.request_type.as_str();
    let refunds = !charging.refund_on.is_empty();
    match (ocs.mode, ocs.request_type) {
        (Mode::Debit, RequestType::Prepaid) => {}
        (Mode::Authorize, _) if refunds => check.rule(
            "charging.refund_on",
            "must be empty unless charging_mode is debit: nothing is taken that could go back",
        ),
        (Mode::Debit, _) if refunds => check.rule(
            "charging.refund_on",
            format!(
                "must be empty unless ocs_request_type is *prepaid: with {kind} no balance is \
                 debited that could be given back"
            ),
        ),
        (Mode::Debit, _) => check.note(
            "charging.ocs_request_type",
            format!("is {kind}: although charging_mode is debit, no balance is debited"),
        ),
        (Mode::Authorize, RequestType::Prepaid | RequestType::Pseudoprepaid) => {}
        (Mode::Authorize, _) => check.note(
            "charging.ocs_request_type",
            format!("is {kind}: every message is granted and no account is looked at"),
        ),
    }
}

/// A submit waits for both, one after the other, and its client has an answer from the REST door
/// before that gives up: else it repeats what goes on without it.
pub(super) fn check_patience(
    number_lookup: Option<&zajil_enum::Options>,
    ocs: Option<&zajil_ocs::Options>,
    check: &mut Check<'_>,
) {
    let limit = zajil_api::Options::new("", NodeName::new("")).request_timeout;
    let lookup = number_lookup.map_or(Duration::ZERO, |options| options.timeout);
    let charge = ocs.map_or(Duration::ZERO, |options| options.timeout);
    if lookup + charge < limit {
        return;
    }
    let key = match lookup > charge {
        true => "enum.enum_timeout",
        false => "charging.ocs_timeout",
    };
    check.rule(
        key,
        format!(
            "is too long: ocs_timeout and enum_timeout together ({} ms) must stay below {} ms, \
             the time in which the REST API answers",
            (lookup + charge).as_millis(),
            limit.as_millis(),
        ),
    );
}

/// The rest of what concerns the charging system itself.
fn ocs(
    section: ChargingSection,
    mut ocs: zajil_ocs::Options,
    check: &mut Check<'_>,
) -> zajil_ocs::Options {
    ocs.account = section.ocs_account;
    ocs.subject = section.ocs_subject;
    ocs.destination = section.ocs_destination;
    ocs.source = section.ocs_source;
    ocs.tenant = section.ocs_tenant.unwrap_or(ocs.tenant);
    ocs.category = section.ocs_category.unwrap_or(ocs.category);
    ocs.attributes = section.ocs_attributes.unwrap_or(ocs.attributes);
    ocs.one_per_account = section.ocs_one_per_account;
    ocs.ca_file = section.ocs_ca_file.map(PathBuf::from);
    ocs.kept_connections = check.number(
        "charging.ocs_pool_size",
        section.ocs_pool_size.unwrap_or(16).into(),
        (1, 256),
    );
    ocs.most_at_once = check.number(
        "charging.ocs_max_concurrent",
        section.ocs_max_concurrent.unwrap_or(256).into(),
        (1, 10_000),
    );
    ocs.request_type = word(
        ("charging.ocs_request_type", section.ocs_request_type),
        zajil_ocs::RequestType::ALL,
        zajil_ocs::RequestType::as_str,
        check,
    );
    ocs.refund = word(
        ("charging.refund_method", section.refund_method),
        zajil_ocs::Refund::ALL,
        zajil_ocs::Refund::as_str,
        check,
    );
    match zajil_ocs::Client::check_options(&ocs) {
        Ok(()) => {}
        Err(zajil_ocs::Error::Url(why)) => check.rule("charging.ocs_url", why),
        Err(zajil_ocs::Error::Template { option, .. }) => check.rule(
            &format!("charging.{option}"),
            "may hold {calling}, {called} and {source_smsc} only",
        ),
        Err(zajil_ocs::Error::Certificates(why)) => check.rule("charging.ocs_ca_file", why),
    }
    ocs
}

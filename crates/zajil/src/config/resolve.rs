//! Settings as written become a configuration: defaults filled in, every rule checked.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use zajil_core::event::NodeName;
use zajil_core::id::NodeNumber;
use zajil_core::number::Strictness;
use zajil_core::route::{Charged, Terms};
use zajil_telemetry::log;

use super::file::{File, LiveSection, LogSection, MessagesSection, MetricsSection};
use super::place::Places;
use super::{
    Config, Invalid, Live, Messages, Node, Store, access, oidc, outside, records, seed, shared,
    webhooks,
};

const MINUTE: Duration = Duration::from_secs(60);

/// Collects what is wrong, so that one run of `config check` shows all of it.
pub(super) struct Check<'a> {
    places: &'a Places,
    wrong: Vec<String>,
    notes: Vec<String>,
}

impl Check<'_> {
    pub(super) fn rule(&mut self, key: &str, rule: impl std::fmt::Display) {
        let complaint = self.places.complaint(key, &rule.to_string());
        self.wrong.push(complaint);
    }

    /// What may be meant, but not by most.
    pub(super) fn note(&mut self, key: &str, what: impl std::fmt::Display) {
        let note = self.places.complaint(key, &what.to_string());
        self.notes.push(note);
    }

    pub(super) fn number<T: TryFrom<u64> + Default>(
        &mut self,
        key: &str,
        value: u64,
        range: (u64, u64),
    ) -> T {
        if !(range.0..=range.1).contains(&value) {
            self.rule(
                key,
                format!("must be from {} to {}, not {value}", range.0, range.1),
            );
        }
        T::try_from(value).unwrap_or_default()
    }

    pub(super) fn time(&mut self, key: &str, value: u64, most: u64, unit: Duration) -> Duration {
        let count: u32 = self.number(key, value, (1, most));
        unit * count
    }
}

pub(super) fn resolve(file: File, places: &Places) -> Result<Config, Invalid> {
    let mut check = Check {
        places,
        wrong: Vec::new(),
        notes: Vec::new(),
    };
    let directory = PathBuf::from(file.store.directory.as_deref().unwrap_or("zajil-data"));
    let cache_mib = file.store.cache_mib.unwrap_or(64).into();
    let cache_mib = check.number("store.cache_mib", cache_mib, (4, 65_536));
    let shared = shared::store(&file.store, &file.node, &mut check);
    let node_name = file
        .node
        .smsc_node_name
        .unwrap_or_else(|| "zajil@localhost".to_owned());
    if node_name.is_empty() || node_name.len() > 255 {
        check.rule("node.smsc_node_name", "must have 1 to 255 characters");
    }
    let node_number = NodeNumber::new(file.node.number.unwrap_or(0));
    if node_number.is_err() {
        check.rule("node.number", "must be from 0 to 31");
    }
    let api = access::api(file.api, &file.rate_limits, &mut check);
    let oidc = oidc::oidc(file.oidc, &mut check);
    let metrics = metrics(file.metrics, &mut check);
    let messages = messages(&file.messages, &mut check);
    let number_lookup = outside::number_lookup(file.number_lookup, &mut check);
    let (charging, ocs) = outside::charging(file.charging, &node_name, &mut check);
    outside::check_patience(number_lookup.as_ref(), ocs.as_ref(), &mut check);
    let cdr = records::cdr(file.cdr, &directory, &mut check);
    let live = live(&file.live, &mut check);
    let webhooks = webhooks::webhooks(file.webhooks, live.mask_numbers, &mut check);
    let smpp = super::smpp::smpp(file.smpp, &node_name, &mut check);
    let log = log_options(file.log, &mut check);
    let traces = outside::traces(file.traces, &node_name, &mut check);
    let routes = seed::routes(&file.sms_routes, |key, rule| check.rule(key, rule));
    if ocs.is_none() {
        note_charged(&routes, &mut check);
    }
    let rules = seed::rules(&file.translation_rules, |key, rule| check.rule(key, rule));
    match (node_number, api) {
        (Ok(number), Some(api)) if check.wrong.is_empty() => Ok(Config {
            node: Node {
                name: NodeName::new(&node_name),
                number,
            },
            api,
            oidc,
            metrics,
            store: Store {
                directory,
                cache_mib,
                shared,
            },
            messages,
            number_lookup,
            charging,
            ocs,
            cdr,
            live,
            webhooks,
            smpp,
            log,
            traces,
            routes,
            rules,
            notes: check.notes,
        }),
        _ => Err(Invalid(check.wrong)),
    }
}

/// Without a charging system, a route that asks for a charge is a mistake more often than not.
fn note_charged(routes: &[Terms], check: &mut Check<'_>) {
    let mut charged = routes.iter().map(|terms| terms.charged == Charged::Yes);
    if let Some(at) = charged.position(|charged| charged) {
        check.note(
            &format!("sms_routes[{at}]"),
            "charged is \"yes\", but there is no charging.ocs_url: nobody is charged",
        );
    }
}

fn live(section: &LiveSection, check: &mut Check<'_>) -> Live {
    let streams = u64::from(section.max_streams.unwrap_or(1_000));
    let kept = u64::from(section.kept_events.unwrap_or(65_536));
    Live {
        max_streams: check.number("live.max_streams", streams, (0, 100_000)),
        kept_events: check.number("live.kept_events", kept, (64, 4_194_304)),
        mask_numbers: section.mask_numbers.unwrap_or(false),
    }
}

fn metrics(section: MetricsSection, check: &mut Check<'_>) -> Option<SocketAddr> {
    if section.enabled == Some(false) {
        return None;
    }
    match section
        .listen
        .as_deref()
        .unwrap_or("127.0.0.1:9568")
        .parse()
    {
        Ok(address) => Some(address),
        Err(_) => {
            check.rule(
                "metrics.listen",
                "must be an address with a port, as 127.0.0.1:9568",
            );
            None
        }
    }
}

fn messages(section: &MessagesSection, check: &mut Check<'_>) -> Messages {
    let strictness = match section.number_check.as_deref().unwrap_or("digits") {
        "off" => Strictness::Off,
        "digits" => Strictness::Digits,
        "e164" => Strictness::E164,
        _ => {
            check.rule("messages.number_check", "must be off, digits or e164");
            Strictness::Digits
        }
    };
    let mut time = |key: &str, value: Option<u64>, default: u64, most: u64, unit: Duration| {
        check.time(key, value.unwrap_or(default), most, unit)
    };
    let year = 366 * 24 * 60;
    Messages {
        dead_letter_time: time(
            "messages.dead_letter_time_minutes",
            section.dead_letter_time_minutes,
            1_440,
            year,
            MINUTE,
        ),
        fingerprint_ttl: time(
            "messages.fingerprint_ttl_minutes",
            section.fingerprint_ttl_minutes,
            5,
            10_080,
            MINUTE,
        ),
        retention: time(
            "messages.message_retention_hours",
            section.message_retention_hours,
            24,
            8_784,
            60 * MINUTE,
        ),
        receipt_retention: time(
            "messages.receipt_retention_hours",
            section.receipt_retention_hours,
            72,
            8_784,
            60 * MINUTE,
        ),
        retention_check: time(
            "messages.retention_check_interval_minutes",
            section.retention_check_interval_minutes,
            60,
            10_080,
            MINUTE,
        ),
        event_ttl: time(
            "messages.event_ttl_days",
            section.event_ttl_days,
            7,
            3_660,
            24 * 60 * MINUTE,
        ),
        frontend_history: time(
            "messages.frontend_history_days",
            section.frontend_history_days,
            30,
            3_660,
            24 * 60 * MINUTE,
        ),
        strictness,
        intake_capacity: check.number(
            "messages.intake_capacity",
            section.intake_capacity.unwrap_or(10_000).into(),
            (1, 1_000_000),
        ),
    }
}

fn log_options(section: LogSection, check: &mut Check<'_>) -> log::Options {
    let format = match section.format.as_deref().unwrap_or("text") {
        "text" => log::Format::Text,
        "json" => log::Format::Json,
        _ => {
            check.rule("log.format", "must be text or json");
            log::Format::Text
        }
    };
    let filter = section.level.unwrap_or_else(|| "info".to_owned());
    if let Err(error) = log::check_filter(&filter) {
        check.rule("log.level", format!("cannot be read: {error}"));
    }
    let size = check.number(
        "log.max_size_mib",
        section.max_size_mib.unwrap_or(100),
        (1, 65_536),
    );
    let mib: u64 = 1 << 20;
    let when = match section.rotate.as_deref().unwrap_or("never") {
        "never" => log::When::Never,
        "daily" => log::When::Daily,
        "size" => log::When::Size(mib.saturating_mul(size)),
        _ => {
            check.rule("log.rotate", "must be never, daily or size");
            log::When::Never
        }
    };
    if when != log::When::Never && section.file.is_none() {
        check.rule(
            "log.rotate",
            "needs log.file: the standard error output is not rotated",
        );
    }
    let days = section.keep_days.unwrap_or(30);
    log::Options {
        format,
        filter,
        file: section.file.map(PathBuf::from),
        rotation: log::Rotation {
            when,
            keep: check.time("log.keep_days", days, 3_660, 24 * 60 * MINUTE),
        },
    }
}

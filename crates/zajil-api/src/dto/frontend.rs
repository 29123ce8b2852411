//! A frontend's registration on the wire (S3.4).

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zajil_core::clock::Timestamp;
use zajil_core::frontend::{FrontendStats, FrontendType, Presence, Registration};
use zajil_core::outcome::Refusal;
use zajil_core::policy::Pause;

use super::At;
use super::field::{Field, SHORT};
use super::policy::PauseOut;
use crate::openapi::schema::{self, Described, Schema, given, shown};

/// The most octets of a configuration, as JSON.
const LONGEST_CONFIGURATION: usize = 16 << 10;

/// The body of a registration.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RegistrationIn<'a> {
    #[serde(borrow)]
    frontend_name: Field<'a>,
    frontend_type: Field<'a>,
    ip_address: Field<'a>,
    hostname: Field<'a>,
    uptime_seconds: Field<'a>,
    configuration: Field<'a>,
}

impl RegistrationIn<'_> {
    /// The registration, `ip_address` as far as the frontend gives it.
    pub(crate) fn into_registration(self) -> Result<Registration, Refusal> {
        let words = FrontendType::ALL.map(FrontendType::as_str);
        let name = self.frontend_name.frontend("frontend_name")?;
        let kind = self
            .frontend_type
            .word("frontend_type", FrontendType::parse, &words)?;
        let uptime = self.uptime_seconds.integer("uptime_seconds", 0, 1 << 53)?;
        Ok(Registration {
            name: name.ok_or_else(|| Refusal::field("frontend_name", "is required"))?,
            kind: kind.ok_or_else(|| Refusal::field("frontend_type", "is required"))?,
            ip_address: self.ip_address.parsed("ip_address", address)?,
            hostname: self.hostname.text("hostname", SHORT)?,
            uptime_seconds: uptime.and_then(|seconds| u64::try_from(seconds).ok()),
            configuration: self
                .configuration
                .object("configuration", LONGEST_CONFIGURATION)?,
        })
    }
}

fn address(text: &str) -> Result<String, &'static str> {
    let address: IpAddr = text.parse().map_err(|_| "must be an IP address")?;
    Ok(address.to_string())
}

/// A frontend as it is shown.
#[derive(Debug, Serialize)]
pub(crate) struct FrontendOut<'a> {
    id: u64,
    frontend_name: &'a str,
    frontend_type: &'static str,
    ip_address: Option<&'a str>,
    hostname: Option<&'a str>,
    uptime_seconds: Option<u64>,
    configuration: Option<Value>,
    status: &'static str,
    paused: Option<PauseOut<'a>>,
    expires_at: At,
    last_seen_at: At,
    inserted_at: At,
    updated_at: At,
}

impl<'a> FrontendOut<'a> {
    /// The frontend as the clock sees it.
    pub(crate) fn new(presence: &'a Presence, pause: Option<&'a Pause>, now: Timestamp) -> Self {
        let registration = &presence.registration;
        let configuration = registration.configuration.as_deref();
        Self {
            id: presence.id,
            frontend_name: registration.name.as_str(),
            frontend_type: registration.kind.as_str(),
            ip_address: registration.ip_address.as_deref(),
            hostname: registration.hostname.as_deref(),
            uptime_seconds: registration.uptime_seconds,
            configuration: configuration.and_then(|text| serde_json::from_str(text).ok()),
            status: if presence.is_active(now) {
                "active"
            } else {
                "expired"
            },
            paused: pause.map(PauseOut::new),
            expires_at: At(presence.expires_at),
            last_seen_at: At(presence.last_seen_at),
            inserted_at: At(presence.inserted_at),
            updated_at: At(presence.last_seen_at),
        }
    }
}

/// The figures, with the names of today and the older ones.
#[derive(Debug, Serialize)]
pub(crate) struct StatsOut {
    active_count: u64,
    expired_count: u64,
    unique_frontends: u64,
    total_registrations: u64,
    active: u64,
    expired: u64,
}

impl From<FrontendStats> for StatsOut {
    fn from(stats: FrontendStats) -> Self {
        Self {
            active_count: stats.active,
            expired_count: stats.expired,
            unique_frontends: stats.unique,
            total_registrations: stats.registrations,
            active: stats.active,
            expired: stats.expired,
        }
    }
}

impl Described for RegistrationIn<'_> {
    const NAME: &'static str = "Registration";

    fn schema() -> Schema {
        schema::object(
            &["frontend_name", "frontend_type"],
            [
                (
                    "frontend_name",
                    given::needed_frontend().example("gateway_1"),
                ),
                (
                    "frontend_type",
                    given::needed_word_in_any_case(&FrontendType::ALL.map(FrontendType::as_str))
                        .says("SMPP, SIP, IMS, MAP or HTTP, in any case.")
                        .example("SMPP"),
                ),
                (
                    "ip_address",
                    given::address().says("The peer's when absent."),
                ),
                ("hostname", given::text(SHORT)),
                ("uptime_seconds", given::integer(0, 1 << 53)),
                (
                    "configuration",
                    given::any_object().says("An object, or a text that holds one."),
                ),
            ],
        )
    }
}

impl Described for FrontendOut<'_> {
    const NAME: &'static str = "Frontend";

    fn schema() -> Schema {
        schema::record([
            ("id", shown::id()),
            ("frontend_name", shown::text()),
            (
                "frontend_type",
                shown::word(FrontendType::ALL.map(FrontendType::as_str)),
            ),
            ("ip_address", shown::text().or_null()),
            ("hostname", shown::text().or_null()),
            ("uptime_seconds", shown::count().or_null()),
            ("configuration", shown::any_object().or_null()),
            ("status", shown::word(["active", "expired"])),
            ("paused", schema::of::<PauseOut<'_>>().or_null()),
            ("expires_at", shown::time()),
            ("last_seen_at", shown::time()),
            ("inserted_at", shown::time()),
            ("updated_at", shown::time()),
        ])
    }
}

impl Described for StatsOut {
    const NAME: &'static str = "FrontendStats";

    fn schema() -> Schema {
        schema::record([
            ("active_count", shown::count()),
            ("expired_count", shown::count()),
            ("unique_frontends", shown::count()),
            ("total_registrations", shown::count()),
            ("active", shown::count().says("As `active_count`.").older()),
            (
                "expired",
                shown::count().says("As `expired_count`.").older(),
            ),
        ])
    }
}

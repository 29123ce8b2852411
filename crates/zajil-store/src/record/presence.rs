//! Who is where: locations (S3.3) and frontend registrations (S3.4) as JSON objects.

use serde::{Deserialize, Serialize};

use zajil_core::clock::Timestamp;
use zajil_core::frontend::{FrontendName, FrontendType, Presence, Registration};
use zajil_core::location::Location;

use super::{Form, VERSION, damaged, decode, encode, instant, is_false, name};
use crate::contract::Error;

/// A location, version 1.
#[derive(Serialize, Deserialize)]
struct LocationForm {
    v: u32,
    id: u64,
    imsi: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    msisdn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ran_location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    imei: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    ims_capable: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    csfb: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    registered: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    inserted_at: i64,
    updated_at: i64,
}

/// A stretch of presence of a frontend, version 1.
#[derive(Serialize, Deserialize)]
struct PresenceForm {
    v: u32,
    id: u64,
    frontend_name: String,
    frontend_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip_address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hostname: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uptime_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    configuration: Option<String>,
    expires_at: i64,
    last_seen_at: i64,
    inserted_at: i64,
    registrations: u64,
    #[serde(default, skip_serializing_if = "is_false")]
    swept: bool,
}

impl Form for LocationForm {
    const WHAT: &'static str = "location";

    fn version(&self) -> u32 {
        self.v
    }
}

impl Form for PresenceForm {
    const WHAT: &'static str = "frontend registration";

    fn version(&self) -> u32 {
        self.v
    }
}

/// Writes a location.
#[must_use]
pub fn encode_location(location: &Location) -> String {
    encode(&LocationForm {
        v: VERSION,
        id: location.id,
        imsi: location.imsi.clone(),
        msisdn: location.msisdn.clone(),
        location: location.location.as_ref().map(FrontendName::to_string),
        ran_location: location.ran_location.clone(),
        imei: location.imei.clone(),
        ims_capable: location.ims_capable,
        csfb: location.csfb,
        registered: location.registered,
        expires: location.expires.map(Timestamp::millis),
        user_agent: location.user_agent.clone(),
        inserted_at: location.inserted_at.millis(),
        updated_at: location.updated_at.millis(),
    })
}

/// Reads a location.
///
/// # Errors
/// [`Error::Damaged`] when the text is not a location of a known version.
pub fn decode_location(text: &str) -> Result<Location, Error> {
    let form: LocationForm = decode(text)?;
    let at = |millis: i64| instant(LocationForm::WHAT, millis);
    let location = form
        .location
        .map(|text| name(LocationForm::WHAT, &text))
        .transpose()?;
    Ok(Location {
        id: form.id,
        imsi: form.imsi,
        msisdn: form.msisdn,
        location,
        ran_location: form.ran_location,
        imei: form.imei,
        ims_capable: form.ims_capable,
        csfb: form.csfb,
        registered: form.registered,
        expires: form.expires.map(at).transpose()?,
        user_agent: form.user_agent,
        inserted_at: at(form.inserted_at)?,
        updated_at: at(form.updated_at)?,
    })
}

/// Writes a registration.
#[must_use]
pub fn encode_presence(presence: &Presence) -> String {
    let registration = &presence.registration;
    encode(&PresenceForm {
        v: VERSION,
        id: presence.id,
        frontend_name: registration.name.to_string(),
        frontend_type: registration.kind.as_str().to_owned(),
        ip_address: registration.ip_address.clone(),
        hostname: registration.hostname.clone(),
        uptime_seconds: registration.uptime_seconds,
        configuration: registration.configuration.clone(),
        expires_at: presence.expires_at.millis(),
        last_seen_at: presence.last_seen_at.millis(),
        inserted_at: presence.inserted_at.millis(),
        registrations: presence.registrations,
        swept: presence.swept,
    })
}

/// Reads a registration.
///
/// # Errors
/// [`Error::Damaged`] when the text is not a registration of a known version.
pub fn decode_presence(text: &str) -> Result<Presence, Error> {
    let form: PresenceForm = decode(text)?;
    let at = |millis: i64| instant(PresenceForm::WHAT, millis);
    let kind = FrontendType::parse(&form.frontend_type)
        .ok_or_else(|| damaged(PresenceForm::WHAT, "an unknown frontend_type"))?;
    Ok(Presence {
        id: form.id,
        registration: Registration {
            name: name(PresenceForm::WHAT, &form.frontend_name)?,
            kind,
            ip_address: form.ip_address,
            hostname: form.hostname,
            uptime_seconds: form.uptime_seconds,
            configuration: form.configuration,
        },
        expires_at: at(form.expires_at)?,
        last_seen_at: at(form.last_seen_at)?,
        inserted_at: at(form.inserted_at)?,
        registrations: form.registrations,
        swept: form.swept,
    })
}

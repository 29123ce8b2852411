//! Frontends: the gateways that take messages to subscribers, and their registrations (S3.4).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;

/// How long a registration lives without being repeated (S3.4).
pub const REGISTRATION_LIFE: Duration = Duration::from_secs(90);

/// The name of a frontend or an API client: 1 to 255 printable characters, no blank at the ends.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrontendName(Arc<str>);

/// Why a text is not a name. The sentence completes "`field` …".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 255 printable characters")]
pub struct NotAName;

impl FrontendName {
    /// # Errors
    /// [`NotAName`] when empty, longer than the CDR column, or not printable.
    pub fn parse(text: &str) -> Result<Self, NotAName> {
        // Blanks count: a bound that a client can see is one of what it sent.
        let length = text.chars().count();
        let text = text.trim();
        if text.is_empty() || length > 255 || text.chars().any(char::is_control) {
            return Err(NotAName);
        }
        Ok(Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FrontendName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for FrontendName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The protocol a frontend speaks on its far side (S3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FrontendType {
    /// SMPP.
    Smpp,
    /// SIP.
    Sip,
    /// SMS over IMS.
    Ims,
    /// SS7 MAP.
    Map,
    /// HTTP.
    Http,
}

impl FrontendType {
    /// Every type, in the order of S3.4.
    pub const ALL: [Self; 5] = [Self::Smpp, Self::Sip, Self::Ims, Self::Map, Self::Http];

    /// The word in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Smpp => "SMPP",
            Self::Sip => "SIP",
            Self::Ims => "IMS",
            Self::Map => "MAP",
            Self::Http => "HTTP",
        }
    }

    /// The type that `word` names, in either case.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str().eq_ignore_ascii_case(word))
    }
}

/// What a frontend says of itself when it registers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// `frontend_name`.
    pub name: FrontendName,
    /// `frontend_type`.
    pub kind: FrontendType,
    /// `ip_address`; the door fills it from the peer when the frontend does not say.
    pub ip_address: Option<String>,
    /// `hostname`.
    pub hostname: Option<String>,
    /// `uptime_seconds`.
    pub uptime_seconds: Option<u64>,
    /// `configuration`: a JSON object as text.
    pub configuration: Option<String>,
}

/// One stretch of presence of a frontend: from its first registration until one was missed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence {
    /// `id` of the record.
    pub id: u64,
    /// What it said last.
    pub registration: Registration,
    /// Until when it counts as active without another registration.
    pub expires_at: Timestamp,
    /// Its last registration.
    pub last_seen_at: Timestamp,
    /// Its first registration of this stretch.
    pub inserted_at: Timestamp,
    /// How many registrations this stretch holds.
    pub registrations: u64,
    /// Whether the sweep has noticed that it went.
    pub swept: bool,
}

impl Presence {
    /// Whether the frontend counts as active: the clock decides, not the sweep.
    #[must_use]
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.expires_at > now
    }

    /// A registration that begins a new stretch.
    #[must_use]
    pub fn begin(id: u64, registration: Registration, now: Timestamp) -> Self {
        Self {
            id,
            registration,
            expires_at: now.plus(REGISTRATION_LIFE),
            last_seen_at: now,
            inserted_at: now,
            registrations: 1,
            swept: false,
        }
    }

    /// A repeated registration that prolongs this stretch.
    pub fn renew(&mut self, registration: Registration, now: Timestamp) {
        self.registration = registration;
        self.expires_at = now.plus(REGISTRATION_LIFE);
        self.last_seen_at = now;
        self.registrations = self.registrations.saturating_add(1);
        self.swept = false;
    }
}

/// The figures of `GET /api/frontends/stats` (S3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FrontendStats {
    /// Frontends whose registration lives.
    pub active: u64,
    /// Frontends known here whose last registration ran out.
    pub expired: u64,
    /// Different names ever registered and still in the history.
    pub unique: u64,
    /// Registrations received, repeated ones included.
    pub registrations: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_4_a_registration_lives_90_seconds_and_a_repeat_prolongs_it() {
        let at = Timestamp::from_secs;
        let registration = Registration {
            name: FrontendName::parse("gw").unwrap(),
            kind: FrontendType::Smpp,
            ip_address: None,
            hostname: None,
            uptime_seconds: None,
            configuration: None,
        };
        let mut presence = Presence::begin(1, registration.clone(), at(100));
        assert!(presence.is_active(at(189)) && !presence.is_active(at(190)));
        presence.renew(registration, at(150));
        assert!(presence.is_active(at(239)) && !presence.is_active(at(240)));
        assert_eq!((presence.inserted_at, presence.registrations), (at(100), 2));
    }

    #[test]
    fn names_and_types_are_checked() {
        assert!(FrontendName::parse(" ").is_err());
        assert!(FrontendName::parse("a\nb").is_err());
        assert!(FrontendName::parse(&"x".repeat(256)).is_err());
        assert_eq!(FrontendType::parse("smpp"), Some(FrontendType::Smpp));
        assert_eq!(FrontendType::parse("FAX"), None);
    }
}

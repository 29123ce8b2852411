//! Somebody else's message centre that we bind to, and how messages are written for it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv6Addr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use super::{BindType, DefaultAlphabet, LongText};
use crate::frontend::FrontendName;
use crate::retry::schedule::ErrorClass;

/// How we bind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BindMode {
    /// Each session both submits and is delivered to.
    Transceiver,
    /// Each bind is two sessions: one that submits, one that is delivered to.
    Pair,
    /// Sessions only submit; nothing comes back, receipts neither.
    Transmitter,
    /// Sessions are only delivered to.
    Receiver,
}

impl BindMode {
    /// Every mode.
    pub const ALL: [Self; 4] = [
        Self::Transceiver,
        Self::Pair,
        Self::Transmitter,
        Self::Receiver,
    ];

    /// The word in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transceiver => "transceiver",
            Self::Pair => "pair",
            Self::Transmitter => "transmitter",
            Self::Receiver => "receiver",
        }
    }

    /// The mode that `word` names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == word)
    }

    /// The sessions of one bind.
    #[must_use]
    pub const fn sessions(self) -> &'static [BindType] {
        match self {
            Self::Transceiver => &[BindType::Transceiver],
            Self::Pair => &[BindType::Transmitter, BindType::Receiver],
            Self::Transmitter => &[BindType::Transmitter],
            Self::Receiver => &[BindType::Receiver],
        }
    }
}

/// Where a carrier listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Host {
    name: String,
    port: u16,
}

/// A text names no host and port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be host:port, an IPv6 address in brackets")]
pub struct NotAHost;

impl Host {
    /// `host:port`; an IPv6 address stands in brackets.
    ///
    /// # Errors
    /// [`NotAHost`].
    pub fn parse(text: &str) -> Result<Self, NotAHost> {
        let (name, port) = text.rsplit_once(':').ok_or(NotAHost)?;
        // Nothing but digits: a sign or a leading zero would read as another port to another eye.
        let plain = port.starts_with(|first: char| first.is_ascii_digit() && first != '0');
        let port = port.parse().ok().filter(|_| plain);
        let name = match name.strip_prefix('[').and_then(|n| n.strip_suffix(']')) {
            Some(address) => {
                let address: Ipv6Addr = address.parse().map_err(|_| NotAHost)?;
                address.to_string()
            }
            None if is_host_name(name) => name.to_owned(),
            None => return Err(NotAHost),
        };
        Ok(Self {
            name,
            port: port.ok_or(NotAHost)?,
        })
    }

    /// The name or address, without brackets.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The port, from 1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }
}

fn is_host_name(name: &str) -> bool {
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || b".-_".contains(&octet);
    (1..=253).contains(&name.len()) && name.bytes().all(plain)
}

impl fmt::Display for Host {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.contains(':') {
            write!(out, "[{}]:{}", self.name, self.port)
        } else {
            write!(out, "{}:{}", self.name, self.port)
        }
    }
}

/// How the way to a carrier is protected. Files are of each node, and read at each connection, so
/// that an exchanged certificate needs no restart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// Whether it is spoken. Without it everything goes in the clear; with it nothing does.
    pub enabled: bool,
    /// Who the carrier's certificate must be for; none = the host that is connected to.
    pub server_name: Option<String>,
    /// The authorities (PEM) that it must be signed by; none = those of the system.
    pub ca_path: Option<PathBuf>,
    /// Our own certificate, for carriers that ask for one.
    pub identity: Option<Identity>,
}

/// A certificate with its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The chain (PEM), our own certificate first.
    pub cert_path: PathBuf,
    /// Its private key (PEM).
    pub key_path: PathBuf,
}

/// A text is no name that a certificate could be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a host name or an IP address")]
pub struct NotAServerName;

impl Tls {
    /// A name that a certificate may be for.
    ///
    /// # Errors
    /// [`NotAServerName`].
    pub fn server_name(text: &str) -> Result<String, NotAServerName> {
        let known = is_host_name(text) || text.parse::<Ipv6Addr>().is_ok();
        known.then(|| text.to_owned()).ok_or(NotAServerName)
    }
}

/// What we say who we are with. A client must be able to say it, so it is kept as it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// A password; the door checks its length.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The password itself, for the bind and the store.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("****")
    }
}

/// Type of number and numbering plan that addresses are sent with; what is none follows from the
/// number: international, short or alphanumeric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Plan {
    /// TON of numbers; that of letters is always 5.
    pub ton: Option<u8>,
    /// NPI of numbers; that of letters is always 0.
    pub npi: Option<u8>,
}

/// What it means that a carrier has delivered a message (D19).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeliveredAt {
    /// It has answered the submit.
    Response,
    /// It has sent a receipt that says so; receipts are asked for.
    Receipt,
}

impl DeliveredAt {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Response, Self::Receipt];

    /// The word in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Response => "response",
            Self::Receipt => "receipt",
        }
    }

    /// What `word` names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }
}

/// How a carrier writes in a receipt the id that it gave in its response. Capitals and zeros in
/// front never count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReceiptIds {
    /// Any way: what else it may mean than what it says counts when the number agrees.
    Auto,
    /// As it was.
    Same,
    /// Given in hexadecimal, written in decimal.
    HexThenDecimal,
    /// Given in decimal, written in hexadecimal.
    DecimalThenHex,
}

impl ReceiptIds {
    /// All.
    pub const ALL: [Self; 4] = [
        Self::Auto,
        Self::Same,
        Self::HexThenDecimal,
        Self::DecimalThenHex,
    ];

    /// The word in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Same => "same",
            Self::HexThenDecimal => "hex_then_decimal",
            Self::DecimalThenHex => "decimal_then_hex",
        }
    }

    /// What `word` names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }
}

/// What becomes of a message whose receipt does not come in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WithoutReceipt {
    /// The next frontend of its route gets it, or it has failed.
    Fail,
    /// It counts as delivered.
    Deliver,
    /// It is submitted again.
    Again,
}

impl WithoutReceipt {
    /// All.
    pub const ALL: [Self; 3] = [Self::Fail, Self::Deliver, Self::Again];

    /// The word in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Deliver => "deliver",
            Self::Again => "again",
        }
    }

    /// What `word` names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }
}

/// What is done about a message that a carrier did not take, or gave up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Handling {
    /// It is tried again, by the schedule of this class.
    Again(ErrorClass),
    /// This carrier never delivers it: the next one of the route has its turn, or it ends.
    Never,
}

impl Handling {
    /// The word for [`Self::Never`] in JSON; the others are those of the classes.
    pub const NEVER: &'static str = "permanent";

    /// The word in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Again(class) => class.as_str(),
            Self::Never => Self::NEVER,
        }
    }

    /// What `word` names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        if word == Self::NEVER {
            return Some(Self::Never);
        }
        ErrorClass::parse(word).map(Self::Again)
    }
}

/// An error of a carrier that means something else than it does elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ErrorKey {
    /// `command_status` of a response to a submit.
    Status(u32),
    /// `err` of a receipt, without leading zeros.
    Receipt(String),
}

/// A text names no error of a carrier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a command_status such as 0x45, or receipt: with an error code, such as receipt:11"
)]
pub struct NotAnError;

impl ErrorKey {
    /// `0x45`, `69`, or `receipt:011`.
    ///
    /// # Errors
    /// [`NotAnError`].
    pub fn parse(text: &str) -> Result<Self, NotAnError> {
        if let Some(code) = text.strip_prefix("receipt:") {
            let fits = (1..=8).contains(&code.len()) && code.bytes().all(|o| o.is_ascii_graphic());
            return fits.then(|| Self::receipt(code)).ok_or(NotAnError);
        }
        let status = match text.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16),
            None => text.parse(),
        };
        let status = status.ok().filter(|status| *status != 0);
        status.map(Self::Status).ok_or(NotAnError)
    }

    /// The error code of a receipt: zeros in front of it say nothing.
    #[must_use]
    pub fn receipt(code: &str) -> Self {
        let short = code.trim().trim_start_matches('0');
        Self::Receipt(if short.is_empty() { "0" } else { short }.to_ascii_lowercase())
    }
}

impl fmt::Display for ErrorKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(out, "{status:#x}"),
            Self::Receipt(code) => write!(out, "receipt:{code}"),
        }
    }
}

/// A carrier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carrier {
    /// Its name, and that of the frontend that it is.
    pub name: FrontendName,
    /// Whether we bind to it.
    pub enabled: bool,
    /// Where it listens, tried in order; never empty.
    pub hosts: Vec<Host>,
    /// How the way there is protected.
    pub tls: Tls,
    /// Who we are to it.
    pub system_id: String,
    /// With what we prove it.
    pub password: Password,
    /// `system_type` of the bind.
    pub system_type: String,
    /// `interface_version` of the bind: 0x33, 0x34 or 0x50.
    pub version: u8,
    /// How we bind.
    pub bind: BindMode,
    /// How many binds there are at a time; two sessions each for a pair.
    pub binds: NonZeroU32,
    /// `address_range` of the bind.
    pub address_range: String,
    /// TON and NPI of the address range; 0 without.
    pub range_plan: Plan,
    /// The sender of every message to it.
    pub forced_sender: Option<String>,
    /// How senders are sent.
    pub source_plan: Plan,
    /// How destinations are sent.
    pub destination_plan: Plan,
    /// What the default alphabet is to it.
    pub alphabet: DefaultAlphabet,
    /// `data_coding` of a text in that alphabet, for those that do not take it as 0.
    pub text_coding: u8,
    /// How long texts go to it.
    pub long_text: LongText,
    /// Whether it is told until when a message is worth delivering.
    pub send_validity: bool,
    /// Requests under way in one session.
    pub window: NonZeroU32,
    /// Parts of messages in a second, over all sessions of a node; none = as many as it takes.
    pub rate: Option<NonZeroU32>,
    /// It is asked whether it is there after so much silence.
    pub enquire_link: Duration,
    /// It has so long for a response.
    pub response: Duration,
    /// What it means that it has delivered.
    pub delivered_at: DeliveredAt,
    /// How its receipts write the ids that its responses give.
    pub receipt_ids: ReceiptIds,
    /// A receipt is waited for so long.
    pub receipt_timeout: Duration,
    /// What becomes of a message then.
    pub without_receipt: WithoutReceipt,
    /// Errors of it that mean something else than elsewhere.
    pub errors: BTreeMap<ErrorKey, Handling>,
}

impl Carrier {
    /// A carrier with this name, host and `system_id`, and the defaults for the rest.
    #[must_use]
    pub fn new(name: FrontendName, host: Host, (system_id, password): (String, Password)) -> Self {
        Self {
            name,
            enabled: true,
            hosts: vec![host],
            tls: Tls::default(),
            system_id,
            password,
            system_type: String::new(),
            version: 0x34,
            bind: BindMode::Transceiver,
            binds: NonZeroU32::MIN,
            address_range: String::new(),
            range_plan: Plan::default(),
            forced_sender: None,
            source_plan: Plan::default(),
            destination_plan: Plan::default(),
            alphabet: DefaultAlphabet::Gsm7,
            text_coding: 0,
            long_text: LongText::Udh,
            send_validity: true,
            window: NonZeroU32::MIN.saturating_add(9),
            rate: None,
            enquire_link: Duration::from_secs(30),
            response: Duration::from_secs(10),
            delivered_at: DeliveredAt::Response,
            receipt_ids: ReceiptIds::Auto,
            receipt_timeout: Duration::from_secs(2 * 86_400),
            without_receipt: WithoutReceipt::Fail,
            errors: BTreeMap::new(),
        }
    }

    /// What was set for a status of a response to a submit.
    #[must_use]
    pub fn on_status(&self, status: u32) -> Option<Handling> {
        self.errors.get(&ErrorKey::Status(status)).copied()
    }

    /// What was set for the error code of a receipt.
    #[must_use]
    pub fn on_receipt(&self, code: &str) -> Option<Handling> {
        self.errors.get(&ErrorKey::receipt(code)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_and_written() {
        for text in [
            "smsc.example.net:2775",
            "192.0.2.1:2776",
            "[2001:db8::1]:2775",
        ] {
            assert_eq!(Host::parse(text).unwrap().to_string(), text);
        }
        for text in [
            "",
            "host",
            "host:0",
            "host:70000",
            ":2775",
            "a b:1",
            "2001:db8::1:2775",
        ] {
            assert_eq!(Host::parse(text), Err(NotAHost), "{text}");
        }
    }

    #[test]
    fn errors_are_named_as_carriers_do() {
        for (text, shown) in [
            ("0x45", "0x45"),
            ("69", "0x45"),
            ("receipt:011", "receipt:11"),
            ("receipt:000", "receipt:0"),
            ("receipt:00A", "receipt:a"),
        ] {
            assert_eq!(ErrorKey::parse(text).unwrap().to_string(), shown);
        }
        for text in ["", "0", "0x", "failed", "receipt:", "receipt:a b"] {
            assert_eq!(ErrorKey::parse(text), Err(NotAnError), "{text}");
        }
    }

    #[test]
    fn a_password_is_not_told() {
        let told = format!("{:?}", Password::new("secret08".to_owned()));
        assert_eq!(told, "****");
    }
}

//! What an operator can set, and what is wrong with it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use zajil_core::charge::Mode;

/// How the charging system is reached and used (S7.1).
#[derive(Clone)]
pub struct Options {
    /// `ocs_url`: `http://` or `https://`, the name and password of Basic authentication within.
    pub url: String,
    /// `ocs_tenant`.
    pub tenant: String,
    /// `ocs_account`: who pays. A template of `{calling}`, `{called}` and `{source_smsc}`, numbers
    /// without `+`; unset, the calling number.
    pub account: Option<String>,
    /// `ocs_subject`: whose tariff; a template likewise; unset, the calling number.
    pub subject: Option<String>,
    /// `ocs_destination`: a template likewise; unset, the called number.
    pub destination: Option<String>,
    /// `ocs_source`: a template likewise; unset, `zajil`.
    pub source: Option<String>,
    /// `Category`: that of the rating profiles.
    pub category: String,
    /// `RequestType`.
    pub request_type: RequestType,
    /// Whether attributes are applied before the price is found (`GetAttributes`). A charging
    /// system without its attribute service fails every call that asks for them.
    pub attributes: bool,
    /// Whether money moves.
    pub mode: Mode,
    /// How a debit is given back.
    pub refund: Refund,
    /// `ocs_timeout`: for one call in all, its waiting included.
    pub timeout: Duration,
    /// Connections kept open between calls.
    pub kept_connections: usize,
    /// `ocs_max_concurrent`: calls under way at once; one more waits until its time is up.
    pub most_at_once: usize,
    /// Calls under way or waiting; one more fails at once.
    pub most_waiting: usize,
    /// `ocs_one_per_account`: whether this node sends calls for one account one after the other.
    /// CGRateS can let an account overdraw, or refuse one that could pay, when they are not. Unset,
    /// only where money moves and the calling number names the account: an account that many
    /// senders share would be a queue of them all.
    pub one_per_account: Option<bool>,
    /// When to stop asking.
    pub breaker: Breaker,
    /// `OriginHost`, which identifies a charge together with the message's id. Where
    /// [`Refund::Cdr`] is used, it must be one name for all nodes: any of them may give back.
    pub node: String,
    /// Certificates in PEM that sign the charging system's, instead of the system's roots.
    pub ca_file: Option<PathBuf>,
}

impl Options {
    /// The defaults.
    #[must_use]
    pub fn new(url: impl Into<String>, node: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            tenant: "cgrates.org".to_owned(),
            account: None,
            subject: None,
            destination: None,
            source: None,
            category: "sms".to_owned(),
            request_type: RequestType::Prepaid,
            attributes: false,
            mode: Mode::Authorize,
            refund: Refund::Balance,
            timeout: Duration::from_secs(5),
            kept_connections: 16,
            most_at_once: 256,
            most_waiting: 10_000,
            one_per_account: None,
            breaker: Breaker::default(),
            node: node.into(),
            ca_file: None,
        }
    }

    /// Whether calls for one account wait for each other.
    pub(crate) fn takes_turns(&self) -> bool {
        let account = self.account.as_deref();
        let of_one_sender = account.is_none_or(|template| template.contains("{calling}"));
        let by_default = self.mode == Mode::Debit && of_one_sender;
        self.one_per_account.unwrap_or(by_default)
    }
}

/// Without the URL: it may hold a password.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("tenant", &self.tenant)
            .field("request_type", &self.request_type)
            .field("mode", &self.mode)
            .field("refund", &self.refund)
            .field("timeout", &self.timeout)
            .field("breaker", &self.breaker)
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

/// When calls are no longer sent to a charging system that does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    /// Failures in a row that open it; refusals are answers, not failures.
    pub failures: u32,
    /// How long it stays open at first; doubles each time.
    pub shortest: Duration,
    /// How long it stays open at most.
    pub longest: Duration,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            failures: 5,
            shortest: Duration::from_secs(5),
            longest: Duration::from_secs(60),
        }
    }
}

/// How CGRateS treats the account. Only the first two look at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestType {
    /// `*prepaid`: checked, and debited at once.
    Prepaid,
    /// `*pseudoprepaid`: checked; debited by the CDR.
    Pseudoprepaid,
    /// `*postpaid`: granted unasked.
    Postpaid,
    /// `*rated`: granted unasked, no account.
    Rated,
    /// `*none`: granted unasked, no price.
    None,
}

impl RequestType {
    /// Every type.
    pub const ALL: [Self; 5] = [
        Self::Prepaid,
        Self::Pseudoprepaid,
        Self::Postpaid,
        Self::Rated,
        Self::None,
    ];

    /// The word in the configuration and on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prepaid => "*prepaid",
            Self::Pseudoprepaid => "*pseudoprepaid",
            Self::Postpaid => "*postpaid",
            Self::Rated => "*rated",
            Self::None => "*none",
        }
    }

    /// The type that `word` names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// How a debit is given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refund {
    /// `APIerSv1.AddBalance`: a `*sms` balance of as many units, named after the message. Right
    /// where accounts hold units; where they hold money it gives units for it.
    Balance,
    /// `CDRsV1.ProcessEvent` with `*refund`: what the stored CDR cost. It finds something to give
    /// back only where the charging system has stored a CDR of this charge (same `OriginID` and
    /// `OriginHost`); some versions say `OK` when they found none.
    Cdr,
}

impl Refund {
    /// Every way.
    pub const ALL: [Self; 2] = [Self::Balance, Self::Cdr];

    /// The word in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Balance => "balance",
            Self::Cdr => "cdr",
        }
    }

    /// The way that `word` names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.as_str() == word)
    }
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL is not one, or not `http` or `https`.
    #[error("ocs_url: {0}")]
    Url(&'static str),
    /// A template holds a brace that is no placeholder.
    #[error("{option}: '{text}' may hold {{calling}}, {{called}} and {{source_smsc}} only")]
    Template {
        /// Its name in the configuration.
        option: &'static str,
        /// What it says.
        text: String,
    },
    /// The certificates that the charging system's is checked against cannot be had.
    #[error("certificates for ocs_url: {0}")]
    Certificates(String),
}

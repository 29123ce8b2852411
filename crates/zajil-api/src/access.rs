//! Who may call what, from where and how often (S3.7, S3.8): the guard in front of every page.
//!
//! All that a call needs is in memory, so the guard neither waits nor touches the store; what is in
//! memory is renewed beside it ([`Access::refresh`]).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use zajil_core::clock::Timestamp;
use zajil_core::outcome::{Reason, Refusal};
use zajil_store::{Error, Store};

mod address;
mod bearer;
mod browser;
mod caller;
mod denial;
mod jwt;
mod keys;
mod limit;
mod network;
mod own;
mod record;
mod scope;
mod token;

pub use bearer::TokenRules;
pub(crate) use caller::{Caller, Client};
pub(crate) use denial::{Denied, mark};
pub use jwt::{Algorithm, MOST_JWKS_OCTETS};
pub(crate) use keys::{MOST as MOST_KEYS, all as all_keys};
pub use limit::Rate;
pub use network::{Network, NotANetwork, neighbourhood};
pub(crate) use own::check_own;
pub(crate) use record::{Key, Proof};
pub use scope::Scopes;
pub(crate) use scope::{Need, WORDS as SCOPE_WORDS};
pub(crate) use token::issue;

use bearer::Bearers;
use keys::{Entry, Keys};
use limit::{Paced, Table, Verdict};

/// Whether callers must say who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Everybody may do everything: for a listener that only this machine reaches.
    Open,
    /// A key, a token or a client certificate says who calls, and its scopes what they may do.
    Required,
}

/// How many calls a second an address may make (S3.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimits {
    /// Submits that are answered when they are stored.
    pub submit: Rate,
    /// Submits that are stored later.
    pub submit_async: Rate,
    /// Whatever only looks.
    pub read: Rate,
    /// All others: reports, registrations, edits.
    pub change: Rate,
}

/// The settings of the guard.
#[derive(Debug, Clone)]
pub struct AccessOptions {
    /// Whether callers must say who they are.
    pub mode: Mode,
    /// The only networks that are served; empty = all.
    pub networks: Vec<Network>,
    /// The limits of an address; none = unlimited. Keys may have one of their own.
    pub limits: Option<RateLimits>,
    /// Whose tokens are taken beside keys; none = nobody's.
    pub tokens: Option<TokenRules>,
}

impl Default for AccessOptions {
    fn default() -> Self {
        Self {
            mode: Mode::Open,
            networks: Vec::new(),
            limits: None,
            tokens: None,
        }
    }
}

/// The names in the certificate that a peer has proved to be its own: rides with each request of a
/// connection that has one.
#[derive(Debug, Clone)]
pub struct PeerNames(pub Arc<[String]>);

/// What an address may get wrong: so many at once, and one more each interval.
const GUESSES: u32 = 20;
const GUESS_INTERVAL: Duration = Duration::from_secs(30);
/// An address that guesses is told of in the log once in this time.
const TOLD_AGAIN: Duration = Duration::from_secs(600);

/// The guard with all that it remembers.
#[derive(Debug)]
pub struct Access {
    options: AccessOptions,
    keys: Keys,
    bearers: Option<Bearers>,
    calls: Table,
    guesses: Table,
    anybody: Arc<Caller>,
    nobody: Arc<Caller>,
}

/// Whose calls are counted together.
#[derive(Debug, Clone, Copy, Hash)]
enum Counted {
    Key(u64),
    Submit(u128),
    SubmitAsync(u128),
    Read(u128),
    Change(u128),
}

/// Why attempts of an address are counted.
#[derive(Debug, Clone, Copy, Hash)]
enum Wrong {
    Guess(u128),
    Told(u128),
}

/// Somebody who was recognised.
enum Known {
    Anybody,
    Nobody,
    Key(Arc<Entry>),
    /// A token is good until then.
    Token(Arc<Caller>, Timestamp),
}

/// A request that may go on.
pub(crate) struct Admitted {
    pub(crate) client: Client,
    pub(crate) verdict: Option<Verdict>,
}

impl Access {
    /// A guard that knows no keys yet.
    #[must_use]
    pub fn new(options: AccessOptions) -> Self {
        Self {
            bearers: options.tokens.clone().map(Bearers::new),
            options,
            keys: Keys::default(),
            calls: Table::new(),
            guesses: Table::new(),
            anybody: Arc::new(Caller::new("anybody".to_owned(), Scopes::all())),
            nobody: Arc::new(Caller::new("nobody".to_owned(), Scopes::default())),
        }
    }

    /// Whether callers must say who they are.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.options.mode
    }

    /// Whether no key opens anything.
    #[must_use]
    pub fn has_no_keys(&self) -> bool {
        self.keys.is_empty()
    }

    /// Takes over the key set of the token issuer, a JSON Web Key Set; answers with the number of
    /// keys in it that can be used.
    ///
    /// # Errors
    /// A sentence; the former set stays.
    pub fn trust_issuer(&self, jwks: &[u8]) -> Result<usize, String> {
        match &self.bearers {
            Some(bearers) => bearers.trust(jwks),
            None => Err("no tokens are taken".to_owned()),
        }
    }

    /// Waits until a token has come whose key is not known; for ever when no tokens are taken.
    pub async fn key_set_wanted(&self) {
        match &self.bearers {
            Some(bearers) => bearers.wanted().await,
            None => std::future::pending().await,
        }
    }

    /// Takes over what has changed in the store; to be called every second.
    ///
    /// # Errors
    /// Of the store: the keys stay as they were.
    pub async fn refresh(&self, store: &dyn Store) -> Result<(), Error> {
        self.keys.refresh(store).await
    }

    /// Writes down when keys were last used; to be called every minute, and at the end.
    ///
    /// # Errors
    /// Of the store: what is not written is written the next time.
    pub async fn write_uses(&self, store: &dyn Store, now: Timestamp) -> Result<(), Error> {
        self.keys.write_uses(store, now).await
    }

    /// Lets a request in, or says why not.
    pub(crate) fn admit(
        &self,
        request: &Request,
        (need, trusted): (Need, &[Network]),
        now: Timestamp,
    ) -> Result<Admitted, Denied> {
        let headers = request.headers();
        let address = address::client(request.extensions(), headers, trusted);
        self.check_address(address)?;
        let names = request.extensions().get::<PeerNames>();
        let known = match self.options.mode {
            Mode::Open => {
                browser::check(request, address)?;
                Known::Anybody
            }
            Mode::Required => self.recognise(headers, names, address, now)?,
        };
        let (caller, entry, until) = match &known {
            Known::Anybody => (&self.anybody, None, None),
            Known::Nobody => (&self.nobody, None, None),
            Known::Key(entry) => (&entry.caller, Some(entry), None),
            Known::Token(caller, until) => (caller, None, Some(*until)),
        };
        if let Some(entry) = entry {
            check_terms(entry, address, now)?;
        }
        let verdict = self.count(request, (need, address, entry), now)?;
        if !need.is_met_by(&caller.scopes) {
            return Err(match known {
                Known::Nobody => unknown("this needs a key: send X-API-Key or a bearer token"),
                Known::Anybody | Known::Key(_) | Known::Token(..) => {
                    forbidden(format!("this needs {}", need.words()))
                }
            });
        }
        if let Some(entry) = entry {
            entry.touch(now);
        }
        let caller = Arc::clone(caller);
        let client = Client {
            caller,
            address,
            key: entry.cloned(),
            until,
            counted: verdict.map(|(_, who, rate)| (who, rate)),
        };
        let verdict = verdict.map(|(verdict, ..)| verdict);
        Ok(Admitted { client, verdict })
    }

    /// Counts the other messages of a call that has many (D7): the rate is one of messages, however
    /// they come. They pass unless the caller owes already, and what comes next waits for them.
    pub(crate) fn owe(
        &self,
        client: &Client,
        messages: usize,
        now: Timestamp,
    ) -> Result<(), Denied> {
        let others = u32::try_from(messages.saturating_sub(1)).unwrap_or(u32::MAX);
        let Some((who, rate)) = client.counted.filter(|_| others > 0) else {
            return Ok(());
        };
        let verdict = self.calls.owe(who, rate, since_epoch(now), others);
        match verdict.allowed {
            true => Ok(()),
            false => Err(too_many(verdict, now)),
        }
    }

    /// Whether a client that was let in would still be, as far as its key or token goes: for what
    /// lasts longer than a call.
    pub(crate) fn still_admits(&self, client: &Client, need: Need, now: Timestamp) -> bool {
        let Some(opened_by) = &client.key else {
            return client.until.is_none_or(|until| now < until);
        };
        let key = self.keys.current(opened_by);
        key.is_some_and(|entry| {
            check_terms(&entry, client.address, now).is_ok() && need.is_met_by(&entry.caller.scopes)
        })
    }

    fn check_address(&self, address: Option<IpAddr>) -> Result<(), Denied> {
        let networks = &self.options.networks;
        let inside = |address| networks.iter().any(|network| network.contains(address));
        if networks.is_empty() || address.is_some_and(inside) {
            return Ok(());
        }
        Err(forbidden("this address is not served here"))
    }

    /// Who sent these headers. A wrong proof is never as good as none.
    fn recognise(
        &self,
        headers: &HeaderMap,
        names: Option<&PeerNames>,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Known, Denied> {
        let Some(sent) = credential(headers) else {
            let entry = names.and_then(|PeerNames(names)| self.keys.of_certificate(names));
            return Ok(entry.map_or(Known::Nobody, Known::Key));
        };
        // Right ones first: whoever shares an address with somebody who guesses may call.
        if let Some(entry) = sent.and_then(|sent| self.keys.of_secret(sent)) {
            return Ok(Known::Key(entry));
        }
        if let (Some(bearers), Some(sent)) = (&self.bearers, sent)
            && let Some((caller, until)) = bearers.recognise(sent, now).map_err(Denied::of)?
        {
            return Ok(Known::Token(caller, until));
        }
        let who = address.map_or(0, network::neighbourhood);
        let pace = Rate::slow(GUESSES, GUESS_INTERVAL);
        let since = since_epoch(now);
        let verdict = self.guesses.look(Wrong::Guess(who), pace, since);
        if !verdict.allowed {
            return Err(Denied::limited(
                "too many wrong keys came from this address",
                verdict,
                now,
            ));
        }
        let last = self.guesses.count(Wrong::Guess(who), pace, since);
        let seldom = Rate::slow(1, TOLD_AGAIN);
        if last.remaining == 0 && self.guesses.count(Wrong::Told(who), seldom, since).allowed {
            let address = address.map(tracing::field::display);
            tracing::warn!(address, "an address sends wrong keys and is put off");
        }
        Err(unknown("the key or token is not valid"))
    }

    /// Counts the call against the key's own rate, or else against the address.
    fn count(
        &self,
        request: &Request,
        (need, address, entry): (Need, Option<IpAddr>, Option<&Arc<Entry>>),
        now: Timestamp,
    ) -> Result<Option<(Verdict, Counted, Paced)>, Denied> {
        let own = entry.and_then(|entry| Some((entry.record(), entry.key.rate?)));
        let (who, rate): (Counted, Paced) = match (own, &self.options.limits) {
            (Some((record, rate)), _) => (Counted::Key(record), Rate::per_second(rate).into()),
            (None, Some(limits)) if need != Need::Open => {
                let who = address.map_or(0, network::neighbourhood);
                let looks = request.method().is_safe();
                let (who, rate) = match need {
                    Need::Submit => (Counted::Submit(who), limits.submit),
                    Need::SubmitAsync => (Counted::SubmitAsync(who), limits.submit_async),
                    _ if looks => (Counted::Read(who), limits.read),
                    _ => (Counted::Change(who), limits.change),
                };
                (who, rate.into())
            }
            (None, _) => return Ok(None),
        };
        let verdict = self.calls.count(who, rate, since_epoch(now));
        if verdict.allowed {
            return Ok(Some((verdict, who, rate)));
        }
        Err(too_many(verdict, now))
    }
}

/// The key or token of a request; the inner none = something that can be neither.
fn credential(headers: &HeaderMap) -> Option<Option<&str>> {
    if let Some(key) = headers.get("x-api-key") {
        return Some(key.to_str().ok().map(str::trim));
    }
    let sent = headers.get(AUTHORIZATION)?;
    let token = sent.to_str().ok().and_then(|text| {
        let (scheme, token) = text.trim().split_once(' ')?;
        let bearer = scheme.eq_ignore_ascii_case("bearer");
        bearer.then_some(token.trim_start())
    });
    Some(token)
}

fn check_terms(entry: &Entry, address: Option<IpAddr>, now: Timestamp) -> Result<(), Denied> {
    if entry.key.expires.is_some_and(|expires| expires <= now) {
        return Err(unknown("the key has expired"));
    }
    let networks = &entry.key.networks;
    let inside = |address| networks.iter().any(|network| network.contains(address));
    if networks.is_empty() || address.is_some_and(inside) {
        return Ok(());
    }
    Err(forbidden("the key may not be used from this address"))
}

fn too_many(verdict: Verdict, now: Timestamp) -> Denied {
    let detail = format!("more than {} calls a second", verdict.limit);
    Denied::limited(detail, verdict, now)
}

fn since_epoch(now: Timestamp) -> Duration {
    now.since(Timestamp::EPOCH)
}

fn unknown(detail: impl Into<String>) -> Denied {
    Denied::of(Refusal::new(Reason::Unauthenticated, detail))
}

fn forbidden(detail: impl Into<String>) -> Denied {
    Denied::of(Refusal::new(Reason::Forbidden, detail))
}

//! Bearers of tokens that an issuer elsewhere has signed (OAuth 2.0, OpenID Connect; S3.8).
//!
//! The guard never waits for the issuer: it judges by the key set that is in memory, and asks for
//! a newer one when a token names a key that it does not know. Whoever fetches it decides how
//! often ([`Bearers::wanted`]).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use quick_cache::sync::Cache;
use sha2::{Digest as _, Sha256};
use tokio::sync::Notify;
use zajil_core::clock::Timestamp;
use zajil_core::outcome::{Reason, Refusal};

use super::caller::Caller;
use super::jwt::{self, Algorithm, Jwks, Subject, Untrusted};

/// How many tokens are remembered as well signed; the rest cost a signature each time.
const REMEMBERED: usize = 10_000;

/// What a token must be.
#[derive(Debug, Clone)]
pub struct TokenRules {
    /// `iss`, octet by octet.
    pub issuer: String,
    /// `aud` must name one of these.
    pub audiences: Vec<String>,
    /// How it may be signed.
    pub algorithms: Vec<Algorithm>,
    /// The claim with the scopes: a name, or a JSON pointer.
    pub scope_claim: String,
    /// What values of that claim mean; when empty, they are scopes themselves.
    pub scope_map: BTreeMap<String, Vec<String>>,
    /// How far the issuer's clock may be from ours.
    pub leeway: Duration,
}

impl TokenRules {
    /// Of this issuer, for this audience, with scopes in `scope`.
    #[must_use]
    pub fn new(issuer: &str, audience: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            audiences: vec![audience.to_owned()],
            algorithms: Algorithm::ALL.to_vec(),
            scope_claim: "scope".to_owned(),
            scope_map: BTreeMap::new(),
            leeway: Duration::from_secs(30),
        }
    }
}

/// Somebody whose token is signed by the issuer.
#[derive(Debug)]
struct Bearer {
    caller: Arc<Caller>,
    begins: Option<Timestamp>,
    ends: Timestamp,
}

/// A key set, and the tokens that were found well signed by it: both go together.
#[derive(Debug)]
struct Trusted {
    jwks: Jwks,
    known: Cache<[u8; 32], Arc<Bearer>>,
}

/// Those who come with tokens.
#[derive(Debug)]
pub(crate) struct Bearers {
    rules: TokenRules,
    trusted: ArcSwapOption<Trusted>,
    wanted: Notify,
}

impl Bearers {
    pub(crate) fn new(rules: TokenRules) -> Self {
        Self {
            rules,
            trusted: ArcSwapOption::empty(),
            wanted: Notify::new(),
        }
    }

    /// Takes over the issuer's key set; tokens of keys that are gone open nothing from now on.
    /// Answers with the number of keys.
    ///
    /// # Errors
    /// A sentence; the former set stays.
    pub(crate) fn trust(&self, octets: &[u8]) -> Result<usize, String> {
        let jwks = Jwks::read(octets)?;
        let count = jwks.len();
        let known = Cache::new(REMEMBERED);
        self.trusted.store(Some(Arc::new(Trusted { jwks, known })));
        Ok(count)
    }

    /// Waits until a token has come whose key is not known. Many that come meanwhile are one.
    pub(crate) async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// Who bears this token, and until when it is good; none when it proves nothing.
    ///
    /// # Errors
    /// It is the issuer's, but does not do here or now; or nothing is known of the issuer yet.
    pub(crate) fn recognise(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Option<(Arc<Caller>, Timestamp)>, Refusal> {
        // What has no dot cannot be a token: a key, most often.
        if !token.contains('.') {
            return Ok(None);
        }
        let trusted = self.trusted.load();
        let Some(trusted) = trusted.as_deref() else {
            self.wanted.notify_one();
            let detail = "the keys of the token issuer are not known yet";
            return Err(Refusal::new(Reason::IssuerDown, detail));
        };
        let digest: [u8; 32] = Sha256::digest(token).into();
        let bearer = match trusted.known.get(&digest) {
            Some(bearer) => bearer,
            None => match jwt::claims(token, &trusted.jwks, &self.rules.algorithms) {
                Ok(claims) => {
                    let subject = jwt::subject(&claims, &self.rules).map_err(refused)?;
                    let bearer = Arc::new(Bearer::of(subject));
                    trusted.known.insert(digest, Arc::clone(&bearer));
                    bearer
                }
                Err(Untrusted::Forged) => return Ok(None),
                Err(Untrusted::UnknownKey) => {
                    self.wanted.notify_one();
                    return Ok(None);
                }
            },
        };
        bearer.check(now, self.rules.leeway)?;
        let until = bearer.ends.plus(self.rules.leeway);
        Ok(Some((Arc::clone(&bearer.caller), until)))
    }
}

impl Bearer {
    fn of(subject: Subject) -> Self {
        let who = format!("subject {}", subject.name);
        Self {
            caller: Arc::new(Caller::new(who, subject.scopes)),
            begins: subject.begins,
            ends: subject.ends,
        }
    }

    fn check(&self, now: Timestamp, leeway: Duration) -> Result<(), Refusal> {
        if self.ends.plus(leeway) <= now {
            return Err(refused("the token has expired"));
        }
        if self.begins.is_some_and(|begins| begins > now.plus(leeway)) {
            return Err(refused("the token is not valid yet"));
        }
        Ok(())
    }
}

fn refused(why: &'static str) -> Refusal {
    Refusal::new(Reason::Unauthenticated, why)
}

//! Who calls: what the guard found out, for the handlers behind it and the audit log.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::Extensions;
use zajil_core::clock::Timestamp;
use zajil_core::frontend::FrontendName;
use zajil_core::outcome::{Reason, Refusal};

use super::Counted;
use super::keys::Entry;
use super::limit::Paced;
use super::scope::Scopes;

/// Somebody with scopes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// As the audit log names them.
    pub(crate) who: String,
    pub(crate) scopes: Scopes,
}

impl Caller {
    pub(crate) fn new(who: String, scopes: Scopes) -> Self {
        Self { who, scopes }
    }
}

/// A caller at an address: rides with each request that was let in.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) caller: Arc<Caller>,
    pub(crate) address: Option<IpAddr>,
    /// The key that opened the door to it, if one did.
    pub(super) key: Option<Arc<Entry>>,
    /// Until when the token is good that opened it, if one did.
    pub(super) until: Option<Timestamp>,
    /// What its call was counted against, if anything.
    pub(super) counted: Option<(Counted, Paced)>,
}

impl Client {
    /// The client of a request. Every request behind the guard has one; if one had not, it may
    /// nothing.
    pub(crate) fn of(extensions: &Extensions) -> Result<&Self, Refusal> {
        extensions.get::<Self>().ok_or_else(|| {
            tracing::error!("a request came past the guard");
            Refusal::new(Reason::Internal, "internal error")
        })
    }

    /// Whose idempotency keys its submits carry: what one has sent is none of another's business.
    pub(crate) fn holder(&self) -> String {
        match &self.key {
            Some(key) => format!("key {}", key.record()),
            None => self.caller.who.clone(),
        }
    }

    /// Refuses unless the client may speak for this frontend.
    pub(crate) fn check_acts_for(&self, name: &FrontendName) -> Result<(), Refusal> {
        if self.caller.scopes.acts_for(name) {
            return Ok(());
        }
        let detail = format!("this needs the scope frontend:{name}");
        Err(Refusal::new(Reason::Forbidden, detail))
    }

    /// Refuses unless the client is an administrator.
    pub(crate) fn check_admin(&self) -> Result<(), Refusal> {
        if self.caller.scopes.is_admin() {
            return Ok(());
        }
        let detail = "this needs the scope admin";
        Err(Refusal::new(Reason::Forbidden, detail))
    }
}

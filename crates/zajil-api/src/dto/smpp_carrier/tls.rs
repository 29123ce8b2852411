//! TLS to a carrier on the wire, and how the carrier is doing.

use std::path::{Path, PathBuf};

use serde::Serialize;
use zajil_core::outcome::Refusal;
use zajil_core::port::CarrierState;
use zajil_core::smpp::carrier::{Identity, Tls};

use crate::dto::At;
use crate::dto::field::{Field, Read};
use crate::openapi::schema::{self, Described, Schema, shown};

/// The longest path of a file, in characters.
pub(crate) const LONGEST_PATH: usize = 1_024;

/// The fields of a request.
pub(super) struct TlsIn<'a> {
    pub(super) enabled: Field<'a>,
    pub(super) server_name: Field<'a>,
    pub(super) ca_path: Field<'a>,
    pub(super) cert_path: Field<'a>,
    pub(super) key_path: Field<'a>,
}

impl TlsIn<'_> {
    /// What it is after this.
    pub(super) fn apply(self, old: Tls) -> Result<Tls, Refusal> {
        let (cert, key) = match old.identity {
            Some(own) => (Some(own.cert_path), Some(own.key_path)),
            None => (None, None),
        };
        let file = |field: Field<'_>, name: &str, old| field.or_keep(old, |it| path(it, name));
        let cert = file(self.cert_path, "tls_cert_path", cert)?;
        let key = file(self.key_path, "tls_key_path", key)?;
        let name = |field: Field<'_>| field.parsed("tls_server_name", Tls::server_name);
        let tls = Tls {
            enabled: self.enabled.boolean("tls")?.unwrap_or(old.enabled),
            server_name: self.server_name.or_keep(old.server_name, name)?,
            ca_path: file(self.ca_path, "tls_ca_path", old.ca_path)?,
            identity: match (cert, key) {
                (Some(cert_path), Some(key_path)) => Some(Identity {
                    cert_path,
                    key_path,
                }),
                (None, None) => None,
                (Some(_), None) => {
                    let rule = "is required with tls_cert_path";
                    return Err(Refusal::field("tls_key_path", rule));
                }
                (None, Some(_)) => {
                    let rule = "is required with tls_key_path";
                    return Err(Refusal::field("tls_cert_path", rule));
                }
            },
        };
        // Who says whom to trust and forgets to switch it on would send the password in the clear.
        match tls.enabled || tls == Tls::default() {
            true => Ok(tls),
            false => Err(Refusal::field(
                "tls",
                "must be true while a tls_… field is set",
            )),
        }
    }
}

/// A file of the nodes. They may have been started anywhere, so it is named from the root.
pub(crate) fn path(field: Field<'_>, name: &str) -> Read<PathBuf> {
    let text = field.text(name, LONGEST_PATH)?;
    if text.as_ref().is_some_and(|text| !text.starts_with('/')) {
        return Err(Refusal::field(name, "must be an absolute path"));
    }
    Ok(text.map(PathBuf::from))
}

/// As it is shown.
#[derive(Debug, Serialize)]
pub(super) struct TlsOut<'a> {
    tls: bool,
    tls_server_name: Option<&'a str>,
    tls_ca_path: Option<&'a Path>,
    tls_cert_path: Option<&'a Path>,
    tls_key_path: Option<&'a Path>,
}

impl<'a> TlsOut<'a> {
    pub(super) fn new(tls: &'a Tls) -> Self {
        let identity = tls.identity.as_ref();
        Self {
            tls: tls.enabled,
            tls_server_name: tls.server_name.as_deref(),
            tls_ca_path: tls.ca_path.as_deref(),
            tls_cert_path: identity.map(|own| &*own.cert_path),
            tls_key_path: identity.map(|own| &*own.key_path),
        }
    }
}

/// How a carrier is doing on the node that answers.
#[derive(Debug, Serialize)]
pub(crate) struct StateOut {
    sessions: u32,
    last_error: Option<String>,
    last_error_at: Option<At>,
}

impl StateOut {
    pub(crate) fn new(state: CarrierState) -> Self {
        let (at, why) = state.last_error.unzip();
        Self {
            sessions: state.sessions,
            last_error: why,
            last_error_at: at.map(At),
        }
    }
}

impl Described for StateOut {
    const NAME: &'static str = "SmppCarrierState";

    fn schema() -> Schema {
        schema::record([
            ("sessions", shown::count()),
            ("last_error", shown::text().or_null()),
            ("last_error_at", shown::time().or_null()),
        ])
    }
}

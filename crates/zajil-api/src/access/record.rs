//! An API key as the shelf keeps it: JSON with a version of its own.

use serde::{Deserialize, Serialize};
use zajil_core::clock::Timestamp;

use super::network::Network;
use super::scope::Scopes;
use super::token::Hash;
use crate::time;

/// What proves that a caller has the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Proof {
    /// A secret, by its hash.
    Secret(Hash),
    /// A client certificate with this name: its common name, or a DNS name or URI in it.
    Certificate(String),
}

/// A key with its terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    /// What people call it.
    pub(crate) label: String,
    pub(crate) proof: Proof,
    pub(crate) scopes: Scopes,
    /// Where it may be used from; empty = anywhere.
    pub(crate) networks: Vec<Network>,
    /// Calls a second over all pages; none = the limits of an address.
    pub(crate) rate: Option<u32>,
    pub(crate) expires: Option<Timestamp>,
    pub(crate) last_used: Option<Timestamp>,
}

/// Version 1.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    version: u32,
    label: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<String>,
    scopes: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    networks: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_per_second: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<String>,
}

fn shown(at: Timestamp) -> String {
    String::from_utf8_lossy(&time::write(at)).into_owned()
}

impl Key {
    /// As it is stored.
    pub(crate) fn write(&self) -> Result<String, serde_json::Error> {
        let (hash, certificate) = match &self.proof {
            Proof::Secret(hash) => (Some(hash.text()), None),
            Proof::Certificate(name) => (None, Some(name.clone())),
        };
        serde_json::to_string(&Stored {
            version: 1,
            label: self.label.clone(),
            hash,
            certificate,
            scopes: self.scopes.words(),
            networks: self.networks.iter().map(ToString::to_string).collect(),
            rate_per_second: self.rate,
            expires_at: self.expires.map(shown),
            last_used_at: self.last_used.map(shown),
        })
    }

    /// From what was stored.
    ///
    /// # Errors
    /// A sentence: whoever wrote the record was newer, or somebody else. It opens nothing then.
    pub(crate) fn read(body: &str) -> Result<Self, String> {
        let stored: Stored = serde_json::from_str(body).map_err(|error| error.to_string())?;
        if stored.version != 1 {
            return Err(format!("version {} is not known here", stored.version));
        }
        let proof = match (stored.hash, stored.certificate) {
            (Some(hash), None) => {
                Proof::Secret(Hash::read(&hash).ok_or_else(|| "the hash is damaged".to_owned())?)
            }
            (None, Some(name)) => Proof::Certificate(name),
            _ => return Err("it has not exactly one of hash and certificate".to_owned()),
        };
        let networks = stored.networks.iter().map(|text| text.parse());
        let at = |text: Option<String>| {
            let read = text.map(|text| time::read(&text).map_err(|error| error.rule().to_owned()));
            read.transpose()
        };
        Ok(Self {
            label: stored.label,
            proof,
            scopes: Scopes::parse(stored.scopes.iter().map(String::as_str))?,
            networks: networks
                .collect::<Result<_, _>>()
                .map_err(|rule: super::network::NotANetwork| rule.to_string())?,
            rate: stored.rate_per_second,
            expires: at(stored.expires_at)?,
            last_used: at(stored.last_used_at)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record as version 1 wrote it; it must be read for ever.
    const V1: &str = concat!(
        r#"{"version":1,"label":"billing","#,
        r#""hash":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","#,
        r#""scopes":["read","frontend:gw"],"networks":["10.0.0.0/8"],"rate_per_second":50,"#,
        r#""expires_at":"2027-01-01T00:00:00.000Z","last_used_at":"2026-01-01T00:00:00.000Z"}"#
    );

    #[test]
    fn s3_8_a_stored_key_of_version_1_is_read_and_written_as_it_was() {
        let key = Key::read(V1).unwrap();
        assert_eq!(key.write().unwrap(), V1);
        assert_eq!(key.rate, Some(50));
        let certificate = r#"{"version":1,"label":"gw","certificate":"gw.example","scopes":[]}"#;
        let key = Key::read(certificate).unwrap();
        assert_eq!(key.proof, Proof::Certificate("gw.example".into()));
        assert_eq!(key.write().unwrap(), certificate);
    }

    #[test]
    fn s3_8_a_record_that_is_not_understood_opens_nothing() {
        let changed = |from: &str, to: &str| V1.replace(from, to);
        for wrong in [
            "{}".to_owned(),
            changed(r#""version":1"#, r#""version":2"#),
            changed("e3b0", "xxxx"),
            changed(r#""read""#, r#""everything""#),
            changed("10.0.0.0/8", "10.0.0.1/8"),
            changed("2027-01-01T", "soon"),
            changed(r#""label""#, r#""certificate":"x","label""#),
        ] {
            assert!(Key::read(&wrong).is_err(), "{wrong}");
        }
    }
}

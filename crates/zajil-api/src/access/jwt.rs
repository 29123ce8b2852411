//! Signed tokens (RFC 7515, RFC 7519, RFC 9068): from a text to the claims that its issuer vouches
//! for. Pure: the keys and the time come in.
//!
//! What decides how a signature is checked is the key, never the token: a key is for one family
//! of algorithms, and none of them could take a public key for a secret (RFC 8725, 3.1).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value};

mod algorithm;
mod claims;
mod jwks;

pub use algorithm::Algorithm;
pub(crate) use claims::{Subject, subject};
pub(crate) use jwks::Jwks;
pub use jwks::MOST_OCTETS as MOST_JWKS_OCTETS;

/// The largest token, in octets; those of issuers have one or two thousand.
const MOST_TOKEN_OCTETS: usize = 8 * 1_024;

/// Why a token proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Untrusted {
    /// It has not the form, asks for what is not allowed, or its signature is wrong.
    Forged,
    /// It names a key that is not in the set: the issuer may have a new one.
    UnknownKey,
}

/// The header. `jwk`, `jku` and `x5u`, by which a token would bring its own key, are not read.
#[derive(Debug, Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    /// Extensions that must be understood; none is.
    crit: Option<Value>,
}

/// The claims of a token whose signature is right. Nothing else of them has been looked at.
pub(crate) fn claims(
    token: &str,
    jwks: &Jwks,
    allowed: &[Algorithm],
) -> Result<Map<String, Value>, Untrusted> {
    if token.len() > MOST_TOKEN_OCTETS {
        return Err(Untrusted::Forged);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(Untrusted::Forged)?;
    let (header, payload) = signed.split_once('.').ok_or(Untrusted::Forged)?;
    let header: Header = json(header)?;
    let typed = header.typ.as_deref().is_none_or(|typ| {
        let typ = typ.strip_prefix("application/").unwrap_or(typ);
        typ.eq_ignore_ascii_case("jwt") || typ.eq_ignore_ascii_case("at+jwt")
    });
    let algorithm = Algorithm::parse(&header.alg).filter(|algorithm| allowed.contains(algorithm));
    let (true, None, Some(algorithm)) = (typed, &header.crit, algorithm) else {
        return Err(Untrusted::Forged);
    };
    let key = match jwks.find(header.kid.as_deref(), algorithm) {
        Some(key) => key,
        None if header.kid.as_deref().is_some_and(|kid| jwks.knows(kid)) => {
            return Err(Untrusted::Forged);
        }
        None => return Err(Untrusted::UnknownKey),
    };
    let signature = octets(signature)?;
    if !algorithm.verifies(key, signed.as_bytes(), &signature) {
        return Err(Untrusted::Forged);
    }
    json(payload)
}

fn octets(text: &str) -> Result<Vec<u8>, Untrusted> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Untrusted::Forged)
}

fn json<T: serde::de::DeserializeOwned>(part: &str) -> Result<T, Untrusted> {
    serde_json::from_slice(&octets(part)?).map_err(|_| Untrusted::Forged)
}

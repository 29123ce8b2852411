//! The public keys of a token issuer: a JSON Web Key Set (RFC 7517, RFC 7518, RFC 8037).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::RsaPublicKeyComponents;
use serde::Deserialize;

use super::Algorithm;

/// The largest key set, in octets.
pub const MOST_OCTETS: usize = 256 * 1_024;
/// The most keys that are looked at.
const MOST_KEYS: usize = 100;
/// Octets of the smallest and the largest RSA modulus: 2048 and 8192 bits.
const MODULUS: std::ops::RangeInclusive<usize> = 256..=1_024;

/// A public key, by the family of algorithms that it is for.
#[derive(Debug)]
pub(super) enum Material {
    /// Modulus and exponent.
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
    /// A point, uncompressed.
    P256(Vec<u8>),
    P384(Vec<u8>),
    /// 32 octets.
    Ed25519(Vec<u8>),
}

#[derive(Debug)]
struct Key {
    kid: Option<String>,
    /// The only algorithm it is for, if it says so.
    only: Option<Algorithm>,
    material: Material,
}

/// The keys of an issuer that sign tokens.
#[derive(Debug, Default)]
pub(crate) struct Jwks {
    keys: Vec<Key>,
}

/// The document; members that are not known are left alone (RFC 7517, 5).
#[derive(Debug, Deserialize)]
struct Document {
    keys: Vec<Written>,
}

/// A key as it is written: which members it has depends on `kty`.
#[derive(Debug, Deserialize)]
struct Written {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Jwks {
    /// Reads a set. Keys that cannot sign tokens (encryption, shared secrets, curves that are not
    /// known) are passed over.
    ///
    /// # Errors
    /// A sentence: it is no set, or has no key that can be used.
    pub(crate) fn read(octets: &[u8]) -> Result<Self, String> {
        if octets.len() > MOST_OCTETS {
            return Err(format!("the key set has more than {MOST_OCTETS} octets"));
        }
        let document: Document = serde_json::from_slice(octets)
            .map_err(|error| format!("this is no JSON Web Key Set: {error}"))?;
        let written = document.keys.into_iter().take(MOST_KEYS);
        let keys: Vec<_> = written.filter_map(Key::of).collect();
        if keys.is_empty() {
            return Err("the key set has no key that can sign a token here".to_owned());
        }
        Ok(Self { keys })
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether a key has this name.
    pub(super) fn knows(&self, kid: &str) -> bool {
        let mut names = self.keys.iter().filter_map(|key| key.kid.as_deref());
        names.any(|known| known == kid)
    }

    /// The key that must have made a signature: the one of that name, or, for a token that names
    /// none, the only one that could have.
    pub(super) fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<&Material> {
        let able = |key: &&Key| {
            let named = kid.is_none_or(|kid| key.kid.as_deref() == Some(kid));
            named && key.only.is_none_or(|only| only == algorithm) && algorithm.takes(&key.material)
        };
        let mut keys = self.keys.iter().filter(able);
        let key = keys.next()?;
        (kid.is_some() || keys.next().is_none()).then_some(&key.material)
    }
}

impl Key {
    fn of(written: Written) -> Option<Self> {
        let signs = written.purpose.as_deref().is_none_or(|use_| use_ == "sig");
        let mut ops = written.key_ops.iter().flatten();
        let verifies = written.key_ops.is_none() || ops.any(|op| op == "verify");
        if !signs || !verifies {
            return None;
        }
        let only = match &written.alg {
            None => None,
            Some(name) => Some(Algorithm::parse(name)?),
        };
        let material = match (written.kty.as_str(), written.crv.as_deref()) {
            ("RSA", _) => Material::Rsa(RsaPublicKeyComponents {
                n: octets(written.n).filter(|n| MODULUS.contains(&n.len()))?,
                e: octets(written.e)?,
            }),
            ("EC", Some("P-256")) => Material::P256(point(written.x, written.y, 32)?),
            ("EC", Some("P-384")) => Material::P384(point(written.x, written.y, 48)?),
            ("OKP", Some("Ed25519")) => {
                Material::Ed25519(octets(written.x).filter(|x| x.len() == 32)?)
            }
            _ => return None,
        };
        Some(Self {
            kid: written.kid,
            only,
            material,
        })
    }
}

fn octets(text: Option<String>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text?).ok()
}

/// An uncompressed point (SEC 1, 2.3.3).
fn point(x: Option<String>, y: Option<String>, length: usize) -> Option<Vec<u8>> {
    let mut point = vec![4];
    for coordinate in [x, y] {
        point.extend(octets(coordinate).filter(|octets| octets.len() == length)?);
    }
    Some(point)
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

    fn count(keys: &str) -> Result<usize, String> {
        Jwks::read(format!(r#"{{"keys":[{keys}]}}"#).as_bytes()).map(|jwks| jwks.len())
    }

    #[test]
    fn s3_8_a_key_set_has_those_keys_that_can_sign_a_token() {
        let sound = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}","kid":"a"}}"#);
        assert_eq!(count(&sound), Ok(1));
        let secret = format!(r#"{{"kty":"oct","k":"{X}","alg":"HS256"}}"#);
        let sealing = sound.replace("\"kid\"", "\"use\":\"enc\",\"kid\"");
        let signing = sound.replace("\"kid\"", "\"key_ops\":[\"sign\"],\"kid\"");
        let other = sound.replace("Ed25519", "Ed448");
        let short = sound.replace(X, "AAEC");
        let shared = sound.replace("\"kid\"", "\"alg\":\"HS256\",\"kid\"");
        let small = r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#;
        let point = format!(r#"{{"kty":"EC","crv":"P-256","x":"{X}"}}"#);
        for useless in [
            &secret, &sealing, &signing, &other, &short, &shared, small, &point,
        ] {
            let error = "the key set has no key that can sign a token here";
            assert_eq!(count(useless), Err(error.to_owned()), "{useless}");
            assert_eq!(count(&format!("{useless},{sound}")), Ok(1));
        }
        assert!(Jwks::read(b"<html>").is_err());
        assert!(Jwks::read(&vec![b' '; MOST_OCTETS + 1]).is_err());
    }

    #[test]
    fn s3_8_a_token_without_a_key_name_has_the_only_key_that_fits() {
        let key = |kid: &str| format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}","kid":"{kid}"}}"#);
        let read = |keys: String| Jwks::read(format!(r#"{{"keys":[{keys}]}}"#).as_bytes()).unwrap();
        let one = read(key("a"));
        assert!(one.find(None, Algorithm::EdDsa).is_some());
        assert!(one.find(None, Algorithm::Es256).is_none());
        assert!(one.find(Some("b"), Algorithm::EdDsa).is_none());
        let two = read(format!("{},{}", key("a"), key("b")));
        assert!(two.find(None, Algorithm::EdDsa).is_none());
        assert!(two.find(Some("b"), Algorithm::EdDsa).is_some());
    }
}

//! The form of an API key: `zjl_ID_SECRET`, shown once and stored as a hash.
//!
//! The secret has 256 random bits, so nobody finds it by trying, and one round of SHA-256 keeps it
//! as safe as a slow hash would: there is no dictionary of such secrets. The id is public and
//! leads to the one hash that it is compared with (ADR 12).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Begins every key, so that one that leaked is recognised where it should not be.
const MARK: &str = "zjl_";
const ID_OCTETS: usize = 8;
const SECRET_OCTETS: usize = 32;
/// The length of a whole key: its parts in hexadecimal and base64.
const LENGTH: usize = MARK.len() + 2 * ID_OCTETS + 1 + 43;

/// What is kept of a secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hash([u8; 32]);

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hash(****)")
    }
}

/// A new key.
pub(crate) struct Issued {
    /// The public part, which names the record.
    pub(crate) id: String,
    /// The whole key, for its owner's eyes only.
    pub(crate) key: String,
    /// What is kept.
    pub(crate) hash: Hash,
}

/// The system gives no random octets.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random numbers")]
pub(crate) struct NoRandomness;

/// Makes a key.
pub(crate) fn issue() -> Result<Issued, NoRandomness> {
    let (mut id, mut secret) = ([0; ID_OCTETS], [0; SECRET_OCTETS]);
    let random = SystemRandom::new();
    random.fill(&mut id).map_err(|_| NoRandomness)?;
    random.fill(&mut secret).map_err(|_| NoRandomness)?;
    let id = hexadecimal(&id);
    let key = format!("{MARK}{id}_{}", URL_SAFE_NO_PAD.encode(secret));
    let hash = Hash::of(&key);
    Ok(Issued { id, key, hash })
}

/// The id of what has the form of a key.
pub(crate) fn id_of(key: &str) -> Option<&str> {
    if key.len() != LENGTH || !key.is_ascii() {
        return None;
    }
    let (id, secret) = key.strip_prefix(MARK)?.split_at_checked(2 * ID_OCTETS)?;
    secret.starts_with('_').then_some(id)
}

impl Hash {
    /// Of a whole key, its id included.
    pub(crate) fn of(key: &str) -> Self {
        Self(Sha256::digest(key).into())
    }

    /// Whether it is this key's, in a time that does not depend on the answer.
    pub(crate) fn is_of(&self, key: &str) -> bool {
        self.0.ct_eq(&Self::of(key).0).into()
    }

    /// As it is stored.
    pub(crate) fn text(&self) -> String {
        hexadecimal(&self.0)
    }

    /// From what was stored.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut octets = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        for (octet, pair) in octets.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).ok()?;
            *octet = u8::from_str_radix(pair, 16).ok()?;
        }
        Some(Self(octets))
    }
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_8_a_key_has_its_id_and_only_its_hash_is_kept() {
        let issued = issue().unwrap();
        assert_eq!(issued.key.len(), LENGTH);
        assert_eq!(id_of(&issued.key), Some(issued.id.as_str()));
        let kept = Hash::read(&issued.hash.text()).unwrap();
        assert!(kept.is_of(&issued.key));
        let mut other = issued.key.clone();
        let last = if other.pop() == Some('A') { 'B' } else { 'A' };
        other.push(last);
        assert!(!kept.is_of(&other));
        assert_ne!(issue().unwrap().key, issued.key);
    }

    #[test]
    fn s3_8_what_has_not_the_form_of_a_key_has_no_id() {
        let sound = issue().unwrap().key;
        let short = sound.get(1..).unwrap();
        let long = format!("{sound}x");
        for wrong in [
            "",
            "zjl_",
            short,
            &long,
            &sound.replace("zjl_", "abc_"),
            "é",
        ] {
            assert_eq!(id_of(wrong), None, "{wrong}");
        }
        for wrong in ["", "xx", &"g".repeat(64), &"é".repeat(32)] {
            assert!(Hash::read(wrong).is_none());
        }
    }
}

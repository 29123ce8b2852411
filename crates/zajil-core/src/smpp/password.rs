//! Passwords as they are kept: PBKDF2-HMAC-SHA-256 (RFC 8018) with a salt of their own.

use std::fmt;
use std::num::NonZeroU32;

use ring::pbkdf2::{self, PBKDF2_HMAC_SHA256};

/// How many rounds a new password gets. SMPP passwords have eight characters; what protects them is
/// that each guess costs some tens of milliseconds.
const ROUNDS: NonZeroU32 = match NonZeroU32::new(100_000) {
    Some(rounds) => rounds,
    None => NonZeroU32::MIN,
};
/// More rounds than this would hold a bind up for seconds.
const MOST_ROUNDS: u32 = 10_000_000;
const SALT: usize = 16;
const HASH: usize = 32;

/// The hash of a password, as text: `pbkdf2-sha256$rounds$salt$hash`, both in hexadecimal.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Hashed(Box<str>);

/// A text is not the hash of a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the hash of a password")]
pub struct NotAHash;

impl Hashed {
    /// Hashes a password with a salt that chance has given. Takes some tens of milliseconds.
    #[must_use]
    pub fn new(password: &[u8], salt: [u8; SALT]) -> Self {
        let mut hash = [0; HASH];
        pbkdf2::derive(PBKDF2_HMAC_SHA256, ROUNDS, &salt, password, &mut hash);
        let (salt, hash) = (hex(&salt), hex(&hash));
        Self(format!("pbkdf2-sha256${ROUNDS}${salt}${hash}").into())
    }

    /// Takes a stored hash back.
    ///
    /// # Errors
    /// [`NotAHash`].
    pub fn restore(text: &str) -> Result<Self, NotAHash> {
        read(text).ok_or(NotAHash)?;
        Ok(Self(text.into()))
    }

    /// Whether this is the password. Takes as long as [`Self::new`], whether it is or not.
    #[must_use]
    pub fn is_of(&self, password: &[u8]) -> bool {
        read(&self.0).is_some_and(|(rounds, salt, hash)| {
            pbkdf2::verify(PBKDF2_HMAC_SHA256, rounds, &salt, password, &hash).is_ok()
        })
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Nothing that helps to guess it reaches a log.
impl fmt::Debug for Hashed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("****")
    }
}

fn read(text: &str) -> Option<(NonZeroU32, Vec<u8>, Vec<u8>)> {
    let mut words = text.split('$');
    let known = words.next()? == "pbkdf2-sha256";
    let rounds: NonZeroU32 = words.next()?.parse().ok()?;
    let (salt, hash) = (octets(words.next()?)?, octets(words.next()?)?);
    let good = known
        && words.next().is_none()
        && rounds.get() <= MOST_ROUNDS
        && salt.len() >= SALT
        && hash.len() == HASH;
    good.then_some((rounds, salt, hash))
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn octets(hex: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    let digit = |octet: u8| {
        char::from(octet)
            .to_digit(16)
            .and_then(|n| u8::try_from(n).ok())
    };
    let octet = |[high, low]: &[u8; 2]| Some(digit(*high)? << 4 | digit(*low)?);
    rest.is_empty().then(|| pairs.iter().map(octet).collect())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_recognised_and_no_other() {
        let hashed = Hashed::new(b"secret08", [7; SALT]);
        assert!(hashed.is_of(b"secret08"));
        assert!(!hashed.is_of(b"secret07") && !hashed.is_of(b""));
        assert_eq!(Hashed::restore(hashed.as_str()), Ok(hashed.clone()));
        assert_ne!(hashed, Hashed::new(b"secret08", [8; SALT]));
        assert_eq!(format!("{hashed:?}"), "****");
    }

    #[test]
    fn what_is_no_hash_is_refused() {
        let good = Hashed::new(b"x", [0; SALT]);
        let good = good.as_str();
        for text in [
            String::new(),
            good.replace("sha256", "sha1"),
            good.replace("100000", "0"),
            good.replace("100000", "4000000000"),
            good.chars().take(100).collect(),
            format!("{good}00"),
            format!("{good}$"),
        ] {
            assert_eq!(Hashed::restore(&text), Err(NotAHash), "{text}");
        }
    }
}

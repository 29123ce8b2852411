//! An issuer of signed tokens (RFC 7519) with keys of every kind, and the forgeries that a server
//! must not believe.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "an issuer that cannot sign must fail the test"
)]

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
};
use serde_json::{Value, json};

/// A key of 2048 bits that signs nothing but tests: making one takes seconds.
const RSA: &str = include_str!("issuer/rsa.pem");

/// A key of an issuer.
#[derive(Debug)]
pub struct Key {
    kid: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Rsa(Box<RsaKeyPair>, &'static str),
    Ec(EcdsaKeyPair, &'static str),
    Ed(Ed25519KeyPair),
}

impl Key {
    /// A key for an algorithm: RS256, PS256, ES256, ES384 or `EdDSA`.
    ///
    /// # Panics
    /// When the algorithm is another.
    #[must_use]
    pub fn new(kid: &str, algorithm: &'static str) -> Self {
        let random = SystemRandom::new();
        let kind = match algorithm {
            "RS256" | "PS256" => {
                let lines = RSA.lines().filter(|line| !line.starts_with('-'));
                let der = STANDARD.decode(lines.collect::<String>()).unwrap();
                Kind::Rsa(Box::new(RsaKeyPair::from_pkcs8(&der).unwrap()), algorithm)
            }
            "ES256" | "ES384" => {
                let with = match algorithm {
                    "ES256" => &ECDSA_P256_SHA256_FIXED_SIGNING,
                    _ => &ECDSA_P384_SHA384_FIXED_SIGNING,
                };
                let made = EcdsaKeyPair::generate_pkcs8(with, &random).unwrap();
                let pair = EcdsaKeyPair::from_pkcs8(with, made.as_ref(), &random).unwrap();
                Kind::Ec(pair, algorithm)
            }
            "EdDSA" => {
                let made = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
                Kind::Ed(Ed25519KeyPair::from_pkcs8(made.as_ref()).unwrap())
            }
            other => panic!("no key for {other}"),
        };
        Self {
            kid: kid.to_owned(),
            kind,
        }
    }

    /// The algorithm that it signs with.
    #[must_use]
    pub fn algorithm(&self) -> &'static str {
        match &self.kind {
            Kind::Rsa(_, name) | Kind::Ec(_, name) => name,
            Kind::Ed(_) => "EdDSA",
        }
    }

    /// As a member of a key set.
    #[must_use]
    pub fn public(&self) -> Value {
        let text = |octets: &[u8]| URL_SAFE_NO_PAD.encode(octets);
        let (kid, alg) = (&self.kid, self.algorithm());
        match &self.kind {
            Kind::Rsa(pair, _) => {
                let key = PublicKeyComponents::<Vec<u8>>::from(pair.public());
                let (n, e) = (text(&key.n), text(&key.e));
                json!({"kty":"RSA","use":"sig","kid":kid,"n":n,"e":e})
            }
            Kind::Ec(pair, _) => {
                let crv = if alg == "ES256" { "P-256" } else { "P-384" };
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                json!({"kty":"EC","crv":crv,"kid":kid,"alg":alg,"x":text(x),"y":text(y)})
            }
            Kind::Ed(pair) => {
                let x = text(pair.public_key().as_ref());
                json!({"kty":"OKP","crv":"Ed25519","kid":kid,"x":x})
            }
        }
    }

    /// A token with these claims, well signed.
    #[must_use]
    pub fn token(&self, claims: &Value) -> String {
        let header = json!({"typ":"at+jwt","alg":self.algorithm(),"kid":self.kid});
        self.signed(&header, claims)
    }

    /// A token with any header, signed by this key whatever the header says.
    ///
    /// # Panics
    /// When the system has no random octets.
    #[must_use]
    pub fn signed(&self, header: &Value, claims: &Value) -> String {
        let message = unsigned(header, claims);
        let random = SystemRandom::new();
        let signature = match &self.kind {
            Kind::Rsa(pair, name) => {
                let padding: &dyn RsaEncoding = match *name {
                    "RS256" => &RSA_PKCS1_SHA256,
                    _ => &RSA_PSS_SHA256,
                };
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(padding, &random, message.as_bytes(), &mut signature)
                    .unwrap();
                signature
            }
            Kind::Ec(pair, _) => {
                let signature = pair.sign(&random, message.as_bytes()).unwrap();
                signature.as_ref().to_vec()
            }
            Kind::Ed(pair) => pair.sign(message.as_bytes()).as_ref().to_vec(),
        };
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// A key set with these keys.
#[must_use]
pub fn key_set(keys: &[&Key]) -> String {
    let keys: Vec<_> = keys.iter().map(|key| key.public()).collect();
    json!({ "keys": keys }).to_string()
}

/// The first two parts of a token.
#[must_use]
pub fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

/// A token signed with HMAC-SHA-256 over a secret: of the forgeries of RFC 8725 (2.1) the one whose
/// secret is a public key.
#[must_use]
pub fn with_hmac(secret: &[u8], header: &Value, claims: &Value) -> String {
    let message = unsigned(header, claims);
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
    let tag = ring::hmac::sign(&key, message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
}

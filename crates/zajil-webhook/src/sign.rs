//! Signatures: HMAC-SHA256 over id, time and body, in the headers of Standard Webhooks.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use zajil_core::clock::Timestamp;
use zajil_core::webhook::Secret;

/// Begins every secret, so that it is recognised where it should not be.
const PREFIX: &str = "whsec_";
/// The length of a key, in octets.
const LENGTH: usize = 32;

/// A new secret; none when the system has no chance to give.
pub(crate) fn secret() -> Option<Secret> {
    let mut key = [0; LENGTH];
    SystemRandom::new().fill(&mut key).ok()?;
    Some(Secret(format!("{PREFIX}{}", STANDARD.encode(key))))
}

/// The header `webhook-signature`: one signature per secret, with blanks between.
pub(crate) fn header(secrets: &[&Secret], id: &str, at: Timestamp, body: &[u8]) -> String {
    let signed = |secret: &&Secret| {
        let text = secret.0.strip_prefix(PREFIX).unwrap_or(&secret.0);
        // What is no secret of ours is used as it is.
        let key = STANDARD
            .decode(text)
            .unwrap_or_else(|_| text.as_bytes().to_vec());
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &key));
        context.update(format!("{id}.{}.", at.secs()).as_bytes());
        context.update(body);
        format!("v1,{}", STANDARD.encode(context.sign()))
    };
    let signatures: Vec<String> = secrets.iter().map(signed).collect();
    signatures.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_8_a_signature_is_what_the_convention_says() {
        // The example that the libraries of Standard Webhooks are tested with.
        let secret = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into());
        let at = Timestamp::from_secs(1_614_265_330);
        let body = br#"{"test": 2432232314}"#;
        let one = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        assert_eq!(header(&[&secret], id, at, body), one);
        let other = Secret("whsec_AAAA".into());
        let both = header(&[&other, &secret], id, at, body);
        assert!(
            both.starts_with("v1,") && both.ends_with(&format!(" {one}")),
            "{both}"
        );
    }

    #[test]
    fn secrets_differ_and_do_not_show() {
        let (one, other) = (secret().unwrap(), secret().unwrap());
        assert_ne!(one, other);
        assert_eq!(
            STANDARD
                .decode(one.0.strip_prefix(PREFIX).unwrap())
                .unwrap()
                .len(),
            LENGTH
        );
        assert_eq!(format!("{one:?}"), "****");
    }
}

//! What the claims of a token must say, and what they let its bearer do (RFC 7519, 4.1; RFC 9068).

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};
use zajil_core::clock::Timestamp;

use crate::access::TokenRules;
use crate::access::scope::Scopes;

/// The longest subject that is taken.
const MOST_SUBJECT_OCTETS: usize = 255;

/// Whom a token is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subject {
    pub(crate) name: String,
    pub(crate) scopes: Scopes,
    pub(crate) begins: Option<Timestamp>,
    pub(crate) ends: Timestamp,
}

/// Reads the claims of a token that is signed by the issuer's key.
///
/// # Errors
/// A sentence for the bearer: what the token lacks.
pub(crate) fn subject(
    claims: &Map<String, Value>,
    rules: &TokenRules,
) -> Result<Subject, &'static str> {
    if claims.get("iss").and_then(Value::as_str) != Some(&rules.issuer) {
        return Err("the token is of another issuer");
    }
    let audience = claims.get("aud").map(words).unwrap_or_default();
    if !audience
        .iter()
        .any(|one| rules.audiences.iter().any(|ours| ours == one))
    {
        return Err("the token is for another audience");
    }
    let name = claims
        .get("sub")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let plain = !name.chars().any(char::is_control);
    if name.is_empty() || name.len() > MOST_SUBJECT_OCTETS || !plain {
        return Err("the token names no subject");
    }
    let ends = claims
        .get("exp")
        .and_then(moment)
        .ok_or("the token has no end")?;
    let begins = claims
        .get("nbf")
        .map(|nbf| moment(nbf).ok_or("the token's nbf is no time"));
    let begins = begins.transpose()?;
    let given = found(claims, &rules.scope_claim);
    let given = given.map(scope_words).unwrap_or_default();
    Ok(Subject {
        name: name.to_owned(),
        scopes: scopes(&given, &rules.scope_map),
        begins,
        ends,
    })
}

/// The claim of this name or, where it begins with a slash, at this place (RFC 6901).
fn found<'a>(claims: &'a Map<String, Value>, claim: &str) -> Option<&'a Value> {
    let Some(path) = claim.strip_prefix('/') else {
        return claims.get(claim);
    };
    let (first, rest) = path
        .split_once('/')
        .map_or((path, None), |(a, b)| (a, Some(b)));
    let value = claims.get(&first.replace("~1", "/").replace("~0", "~"))?;
    rest.map_or(Some(value), |rest| value.pointer(&format!("/{rest}")))
}

/// A text, or those in a list.
fn words(value: &Value) -> Vec<&str> {
    match value {
        Value::String(one) => vec![one],
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Like [`words`]; one text may hold many, as `scope` does (RFC 8693, 4.2).
fn scope_words(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => text.split_ascii_whitespace().collect(),
        other => words(other),
    }
}

/// What these values allow: with a map what it says of them, without one those that are scopes.
fn scopes(given: &[&str], map: &BTreeMap<String, Vec<String>>) -> Scopes {
    if map.is_empty() {
        return Scopes::known(given.iter().copied());
    }
    let meant = given.iter().filter_map(|value| map.get(*value)).flatten();
    Scopes::known(meant.map(String::as_str))
}

/// Seconds since 1970, with or without a fraction (RFC 7519, 2: NumericDate).
fn moment(value: &Value) -> Option<Timestamp> {
    let since = match value.as_u64() {
        Some(seconds) => Duration::from_secs(seconds),
        None => Duration::try_from_secs_f64(value.as_f64()?).ok()?,
    };
    let millis = i64::try_from(since.as_millis()).ok()?;
    Some(Timestamp::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rules(claim: &str, map: &[(&str, &str)]) -> TokenRules {
        TokenRules {
            scope_claim: claim.to_owned(),
            scope_map: map
                .iter()
                .map(|(value, scope)| ((*value).to_owned(), vec![(*scope).to_owned()]))
                .collect(),
            ..TokenRules::new("https://idp.example", "zajil")
        }
    }

    fn words_of(claims: Value, rules: &TokenRules) -> Vec<String> {
        let mut all = json!({"iss":"https://idp.example","aud":"zajil","sub":"a","exp":1e9});
        let all = all.as_object_mut().unwrap();
        all.extend(claims.as_object().unwrap().clone());
        subject(all, rules).unwrap().scopes.words()
    }

    #[test]
    fn s3_8_scopes_are_words_of_a_claim_or_what_the_map_says_of_them() {
        let plain = rules("scope", &[]);
        let given = json!({"scope":"openid submit frontend:gw"});
        assert_eq!(words_of(given, &plain), ["submit", "frontend:gw"]);
        assert_eq!(words_of(json!({"scope":["read", 7]}), &plain), ["read"]);
        let nothing: [&str; 0] = [];
        assert_eq!(words_of(json!({"scp":"admin"}), &plain), nothing);
        assert_eq!(words_of(json!({"scope":{"admin":true}}), &plain), nothing);

        let mapped = rules("/realm_access/roles", &[("sms-operators", "admin")]);
        let given = json!({"realm_access":{"roles":["sms-operators", "read"]}});
        assert_eq!(words_of(given, &mapped), ["admin"]);
        // With a map, a word that happens to be a scope is none: the issuer did not mean us.
        assert_eq!(
            words_of(json!({"realm_access":{"roles":["admin"]}}), &mapped),
            nothing
        );
        let odd = rules("/https:~1~1zajil.example~1scopes", &[]);
        assert_eq!(
            words_of(json!({"https://zajil.example/scopes":["submit"]}), &odd),
            ["submit"]
        );
    }

    #[test]
    fn s3_8_claims_that_must_be_there_are_asked_for() {
        let rules = rules("scope", &[]);
        let whole = json!({
            "iss":"https://idp.example","aud":["x","zajil"],"sub":"a","exp":10.5,"nbf":9
        });
        let read = |claims: &Value| subject(claims.as_object().unwrap(), &rules);
        let sound = read(&whole).unwrap();
        assert_eq!(sound.ends, Timestamp::from_millis(10_500));
        assert_eq!(sound.begins, Some(Timestamp::from_millis(9_000)));
        for (claim, value) in [
            ("iss", json!("https://idp.example/")),
            ("iss", json!(null)),
            ("aud", json!("zajil2")),
            ("aud", json!([])),
            ("sub", json!("")),
            ("sub", json!("a\nb")),
            ("sub", json!("a".repeat(256))),
            ("exp", json!("soon")),
            ("exp", json!(-1)),
            ("exp", json!(1e300)),
            ("nbf", json!("soon")),
        ] {
            let mut wrong = whole.clone();
            wrong[claim] = value.clone();
            assert!(read(&wrong).is_err(), "{claim} {value}");
        }
    }
}

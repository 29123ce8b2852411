//! The section `[oidc]`.

use zajil_api::Algorithm;

use super::super::KeySet;
use super::{load_text, wrong};

const SOUND: &str = "[oidc]\nissuer = 'https://idp.example'\naudience = ['zajil']\n";

#[test]
fn s3_8_an_issuer_has_its_defaults() {
    let text = format!("{SOUND}jwks_url = 'https://idp.example/keys'\n");
    let oidc = load_text(&text).unwrap().oidc.unwrap();
    let keys = KeySet::Url("https://idp.example/keys".to_owned(), None);
    assert_eq!(oidc.key_set, keys);
    assert_eq!(oidc.rules.scope_claim, "scope");
    assert_eq!(oidc.rules.leeway.as_secs(), 30);
    assert_eq!((oidc.refresh.as_secs(), oidc.least.as_secs()), (600, 30));
    let usual = [
        Algorithm::Rs256,
        Algorithm::Ps256,
        Algorithm::Es256,
        Algorithm::EdDsa,
    ];
    assert_eq!(oidc.rules.algorithms, usual);
    assert!(load_text("[oidc]\n").unwrap().oidc.is_none());
}

#[test]
fn s3_8_what_is_wrong_with_an_issuer_is_named() {
    let key = "[oidc]\njwks_file = 'keys.json'\n";
    assert_eq!(
        wrong(key),
        "configuration: oidc.issuer must be set: the iss of the tokens"
            .replace("configuration", "zajil.toml")
    );
    let table = [
        ("", "oidc.issuer needs one of"),
        (
            "jwks_url = 'https://a.example'\njwks_file = 'x'",
            "oidc.issuer needs one of",
        ),
        (
            "jwks_url = 'http://a.example/keys'",
            "oidc.jwks_url must be",
        ),
        (
            "jwks_url = 'https://me@a.example/keys'",
            "oidc.jwks_url must be",
        ),
        ("jwks_url = '/keys'", "oidc.jwks_url must be"),
        (
            "jwks_file = 'x'\nalgorithms = ['HS256']",
            "oidc.algorithms must be a list of RS256",
        ),
        (
            "jwks_file = 'x'\nalgorithms = ['none']",
            "oidc.algorithms must be",
        ),
        (
            "jwks_file = 'x'\nalgorithms = []",
            "oidc.algorithms must be",
        ),
        (
            "jwks_file = 'x'\nscope_claim = '/'",
            "oidc.scope_claim must be",
        ),
        (
            "jwks_file = 'x'\nscope_map = { ops = ['root'] }",
            "oidc.scope_map ops: must be of",
        ),
        (
            "jwks_file = 'x'\nleeway_seconds = 301",
            "oidc.leeway_seconds must be from 0 to 300",
        ),
        (
            "jwks_file = 'x'\nmin_refresh_seconds = 0",
            "oidc.min_refresh_seconds must be from 1",
        ),
    ];
    for (more, rule) in table {
        let said = wrong(&format!("{SOUND}{more}\n"));
        assert!(said.contains(rule), "{more}: {said}");
    }
    for fit in [
        "http://127.0.0.1:9/keys",
        "http://[::1]:9/keys",
        "http://localhost/keys",
    ] {
        assert!(
            load_text(&format!("{SOUND}jwks_url = '{fit}'\n")).is_ok(),
            "{fit}"
        );
    }
}

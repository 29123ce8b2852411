//! Tokens of an issuer elsewhere (S3.8): whose are taken, and every way to forge one.

use std::time::Duration;

use expect_test::expect;
use futures_util::FutureExt as _;
use serde_json::{Value, json};
use zajil_api::{AccessOptions, Algorithm, Mode, TokenRules};
use zajil_testkit::issuer::{Key, key_set, unsigned, with_hmac};

use crate::app::{App, app_with_access};

const ISSUER: &str = "https://idp.example";
/// When a test begins: 2026-01-01T00:00:00Z.
const NOW: u64 = 1_767_225_600;

/// A node that takes tokens, with this key set of the issuer.
async fn taking(rules: TokenRules, keys: &[&Key]) -> App {
    let app = app_with_access(AccessOptions {
        mode: Mode::Required,
        tokens: Some(rules),
        ..AccessOptions::default()
    })
    .await;
    if !keys.is_empty() {
        app.access.trust_issuer(key_set(keys).as_bytes()).unwrap();
    }
    app
}

fn rules() -> TokenRules {
    TokenRules::new(ISSUER, "zajil")
}

fn claims(more: &Value) -> Value {
    let mut all = json!({
        "iss": ISSUER, "aud": "zajil", "sub": "alice", "exp": NOW + 600, "scope": "openid read"
    });
    let more = more.as_object().unwrap().clone();
    all.as_object_mut().unwrap().extend(more);
    all
}

/// What a look at the messages is answered to the bearer.
async fn answer(app: &App, token: &str) -> String {
    let answer = app
        .call(&format!("GET /api/messages\nauthorization: Bearer {token}"))
        .await;
    let mut lines = answer.lines();
    match lines.next().unwrap() {
        "200" => "200".to_owned(),
        status => format!("{status} {}", lines.last().unwrap()),
    }
}

const FORGED: &str = r#"401 {"errors":{"detail":"the key or token is not valid"}}"#;

#[tokio::test(start_paused = true)]
async fn s3_8_a_token_that_the_issuer_signed_says_who_calls_and_what_they_may() {
    for algorithm in ["RS256", "PS256", "ES256", "ES384", "EdDSA"] {
        let key = Key::new("k1", algorithm);
        let app = taking(rules(), &[&key]).await;
        let token = key.token(&claims(&json!({})));
        // Twice: the second time it is remembered.
        assert_eq!(answer(&app, &token).await, "200", "{algorithm}");
        assert_eq!(answer(&app, &token).await, "200", "{algorithm}");
        let submit = format!("POST /api/messages\nauthorization: bearer {token}\n\n{{}}");
        expect![[r#"
            403
            {"errors":{"detail":"this needs the scope submit"}}"#]]
        .assert_eq(&app.call(&submit).await);
    }
}

#[tokio::test(start_paused = true)]
async fn s3_8_a_token_is_good_for_this_issuer_audience_and_time_only() {
    let key = Key::new("k1", "ES256");
    let mut table = String::new();
    for (what, more) in [
        ("another issuer", json!({"iss":"https://evil.example"})),
        ("another audience", json!({"aud":["billing","zajil2"]})),
        ("one of many audiences", json!({"aud":["billing","zajil"]})),
        ("no audience", json!({"aud":null})),
        ("no subject", json!({"sub":null})),
        ("no end", json!({"exp":null})),
        ("ended", json!({"exp":NOW - 31})),
        ("ended within the leeway", json!({"exp":NOW - 29})),
        ("not begun", json!({"nbf":NOW + 31})),
        ("begun within the leeway", json!({"nbf":NOW + 29})),
        ("no scope", json!({"scope":"openid email"})),
    ] {
        let app = taking(rules(), &[&key]).await;
        let token = key.token(&claims(&more));
        table += &format!("{what}: {}\n", answer(&app, &token).await);
    }
    expect![[r#"
        another issuer: 401 {"errors":{"detail":"the token is of another issuer"}}
        another audience: 401 {"errors":{"detail":"the token is for another audience"}}
        one of many audiences: 200
        no audience: 401 {"errors":{"detail":"the token is for another audience"}}
        no subject: 401 {"errors":{"detail":"the token names no subject"}}
        no end: 401 {"errors":{"detail":"the token has no end"}}
        ended: 401 {"errors":{"detail":"the token has expired"}}
        ended within the leeway: 200
        not begun: 401 {"errors":{"detail":"the token is not valid yet"}}
        begun within the leeway: 200
        no scope: 403 {"errors":{"detail":"this needs the scope read or frontend:NAME"}}
    "#]]
    .assert_eq(&table);
}

#[tokio::test(start_paused = true)]
async fn s3_8_a_remembered_token_ends_all_the_same() {
    let key = Key::new("k1", "EdDSA");
    let app = taking(rules(), &[&key]).await;
    let token = key.token(&claims(&json!({})));
    assert_eq!(answer(&app, &token).await, "200");
    app.advance(629);
    assert_eq!(answer(&app, &token).await, "200");
    app.advance(2);
    assert!(answer(&app, &token).await.contains("has expired"));
}

#[tokio::test(start_paused = true)]
async fn s3_8_a_forged_token_is_nobodys() {
    let (rsa, other) = (Key::new("rsa", "RS256"), Key::new("ec", "ES256"));
    let stranger = Key::new("ec", "ES256");
    let admin = claims(&json!({"scope":"admin"}));
    let head = |alg: &str, kid: &str| json!({"typ":"JWT","alg":alg,"kid":kid});
    let public = rsa.public();
    let modulus = public["n"].as_str().unwrap().as_bytes();
    let sound = rsa.token(&admin);
    let (signed, signature) = sound.rsplit_once('.').unwrap();
    let mut changed = unsigned(&head("RS256", "rsa"), &claims(&json!({"scope":"read"})));
    changed += &format!(".{signature}");
    let crit = json!({"alg":"RS256","kid":"rsa","crit":["exp"],"exp":0});
    let wide = claims(&json!({"scope":"x".repeat(8_192)}));
    for (what, token) in [
        ("none", unsigned(&head("none", "rsa"), &admin) + "."),
        ("None", unsigned(&head("None", "rsa"), &admin) + "."),
        ("no signature", format!("{signed}.")),
        (
            "HS256 with the modulus",
            with_hmac(modulus, &head("HS256", "rsa"), &admin),
        ),
        (
            "HS256 with the key set",
            with_hmac(public.to_string().as_bytes(), &head("HS256", "rsa"), &admin),
        ),
        (
            "HS256 with nothing",
            with_hmac(b"", &head("HS256", "rsa"), &admin),
        ),
        (
            "HMAC called RS256",
            with_hmac(modulus, &head("RS256", "rsa"), &admin),
        ),
        (
            "PS256 that is RS256",
            rsa.signed(&head("PS256", "rsa"), &admin),
        ),
        (
            "an RSA key as ES256",
            rsa.signed(&head("ES256", "rsa"), &admin),
        ),
        ("a stranger's key", stranger.token(&admin)),
        ("other claims", changed),
        ("an extension", rsa.signed(&crit, &admin)),
        (
            "another kind of JWT",
            rsa.signed(
                &json!({"alg":"RS256","kid":"rsa","typ":"logout+jwt"}),
                &admin,
            ),
        ),
        ("too large", rsa.token(&wide)),
        ("four parts", format!("{sound}.x")),
        ("two parts", signed.to_owned()),
        ("dots", "....".to_owned()),
        ("garbage", "a.b.c".to_owned()),
        ("padding", format!("{sound}==")),
    ] {
        let app = taking(rules(), &[&rsa, &other]).await;
        assert_eq!(answer(&app, &token).await, FORGED, "{what}");
        // The issuer has no new key that would change that.
        let wanted = app.access.key_set_wanted().now_or_never();
        assert_eq!(wanted, None, "{what}");
    }
    let app = taking(rules(), &[&rsa, &other]).await;
    assert_eq!(answer(&app, &sound).await, "200");
}

/// RFC 8725, 3.10: what a token says of its key is no reason to trust that, or to fetch it.
#[tokio::test(start_paused = true)]
async fn s3_8_a_token_does_not_say_which_key_is_trusted() {
    let (rsa, other) = (Key::new("rsa", "RS256"), Key::new("ec", "ES256"));
    let stranger = Key::new("ec", "ES256");
    let admin = claims(&json!({"scope":"admin"}));
    let of = |more: Value| {
        let mut head = json!({"alg":"ES256","kid":"ec"});
        head.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        stranger.signed(&head, &admin)
    };
    for (what, token) in [
        ("it brings one", of(json!({"jwk":stranger.public()}))),
        ("it points to one", of(json!({"jku":"http://127.0.0.1:9/"}))),
        (
            "it points to a certificate",
            of(json!({"x5u":"http://127.0.0.1:9/","x5c":["MA=="]})),
        ),
        (
            "it names another",
            rsa.signed(&json!({"alg":"RS256","kid":"ec"}), &admin),
        ),
    ] {
        let app = taking(rules(), &[&rsa, &other]).await;
        assert_eq!(answer(&app, &token).await, FORGED, "{what}");
        let wanted = app.access.key_set_wanted().now_or_never();
        assert_eq!(wanted, None, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn s3_8_a_token_is_its_issuers_in_every_letter() {
    let key = Key::new("1", "ES256");
    let app = taking(rules(), &[&key]).await;
    let sound = key.token(&claims(&json!({})));
    for (at, letter) in sound.char_indices() {
        let mut other = sound.clone();
        let instead = if letter == 'A' { "B" } else { "A" };
        other.replace_range(at..=at, instead);
        let answer = answer(&app, &other).await;
        assert!(
            answer.starts_with("401") || answer.starts_with("429"),
            "{at}: {answer}"
        );
    }
    assert_eq!(answer(&app, &sound).await, "200");
}

#[tokio::test(start_paused = true)]
async fn s3_8_only_the_allowed_algorithms_are_taken() {
    let (rsa, ec) = (Key::new("rsa", "RS256"), Key::new("ec", "ES256"));
    let mut rules = rules();
    rules.algorithms = vec![Algorithm::Es256];
    let app = taking(rules, &[&rsa, &ec]).await;
    assert_eq!(answer(&app, &rsa.token(&claims(&json!({})))).await, FORGED);
    assert_eq!(answer(&app, &ec.token(&claims(&json!({})))).await, "200");
}

#[tokio::test(start_paused = true)]
async fn s3_8_a_new_key_of_the_issuer_is_asked_for_and_an_old_one_ends() {
    let (old, new) = (Key::new("1", "ES256"), Key::new("2", "ES256"));
    let app = taking(rules(), &[&old]).await;
    let token = new.token(&claims(&json!({})));
    assert_eq!(answer(&app, &token).await, FORGED);
    assert!(app.access.key_set_wanted().now_or_never().is_some());
    let set = key_set(&[&old, &new]);
    assert_eq!(app.access.trust_issuer(set.as_bytes()), Ok(2));
    assert_eq!(answer(&app, &token).await, "200");
    // What cannot be used changes nothing.
    for useless in [
        "",
        "{}",
        r#"{"keys":[]}"#,
        r#"{"keys":[{"kty":"oct","k":"AA"}]}"#,
    ] {
        assert!(app.access.trust_issuer(useless.as_bytes()).is_err());
    }
    let former = old.token(&claims(&json!({})));
    assert_eq!(answer(&app, &former).await, "200");
    app.access
        .trust_issuer(key_set(&[&new]).as_bytes())
        .unwrap();
    assert_eq!(answer(&app, &former).await, FORGED);
    assert_eq!(answer(&app, &token).await, "200");
}

#[tokio::test(start_paused = true)]
async fn s3_8_a_storm_of_unknown_keys_asks_once_and_is_put_off() {
    let known = Key::new("1", "EdDSA");
    let app = taking(rules(), &[&known]).await;
    let mut limited = 0;
    for at in 0..200 {
        let stranger = Key::new(&format!("x{at}"), "EdDSA");
        let answer = answer(&app, &stranger.token(&claims(&json!({})))).await;
        limited += usize::from(answer.starts_with("429"));
    }
    assert_eq!(limited, 180);
    assert!(app.access.key_set_wanted().now_or_never().is_some());
    assert!(app.access.key_set_wanted().now_or_never().is_none());
    // Who has a right one is heard from the same address.
    let sound = known.token(&claims(&json!({})));
    assert_eq!(answer(&app, &sound).await, "200");
}

#[tokio::test(start_paused = true)]
async fn s3_8_until_the_issuer_was_heard_tokens_wait_and_keys_open() {
    let key = Key::new("1", "EdDSA");
    let app = taking(rules(), &[]).await;
    let token = key.token(&claims(&json!({})));
    let call = format!("GET /api/messages\nauthorization: Bearer {token}");
    expect![[r#"
        503
        retry-after: 1
        {"errors":{"detail":"the keys of the token issuer are not known yet"}}"#]]
    .assert_eq(&app.call(&call).await);
    assert!(app.access.key_set_wanted().now_or_never().is_some());
    let secret = app.key("\"read\"", "").await;
    assert_eq!(answer(&app, &secret).await, "200");
}

#[tokio::test(start_paused = true)]
async fn s3_8_the_audit_log_names_the_subject() {
    let key = Key::new("1", "ES256");
    let mut rules = rules();
    rules.scope_claim = "groups".to_owned();
    let meaning = vec!["admin".to_owned()];
    rules.scope_map = [("sms-ops".to_owned(), meaning)].into();
    rules.leeway = Duration::ZERO;
    let app = taking(rules, &[&key]).await;
    let token = key.token(&claims(&json!({"groups":["staff","sms-ops"]})));
    let head = format!("authorization: Bearer {token}");
    app.data(&format!(
        "POST /api/routes\n{head}\n\n{{\"dest_smsc\":\"a\"}}"
    ))
    .await;
    let log = app.data(&format!("GET /api/audit\n{head}")).await;
    assert_eq!(log[0]["who"], "subject alice");
    assert_eq!(log[0]["action"], "create");
}

#[tokio::test(start_paused = true)]
async fn s3_8_a_stream_ends_with_the_token_that_opened_it() {
    let key = Key::new("k1", "ES256");
    let app = taking(rules(), &[&key]).await;
    let token = key.token(&claims(&json!({})));
    let mut stream = app.stream_of("/api/stream", &token).await;
    assert!(stream.chunk().await.unwrap().starts_with("retry"));
    app.advance(600 + 29);
    let beat = stream.chunk().await.unwrap();
    assert!(beat.starts_with(": \nid: "), "its leeway: {beat}");
    app.advance(1);
    let last = stream.chunk().await.unwrap();
    assert_eq!(last, ": the key has been revoked or has expired\n\n");
    assert_eq!(stream.chunk().await, None);
}

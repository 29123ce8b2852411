//! Who may call what (S3.7, S3.8): keys, scopes, networks, rates, and guesses.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use expect_test::{expect, expect_file};
use zajil_api::{AccessOptions, Mode, Rate, RateLimits, create_offline};
use zajil_core::clock::Clock as _;

use crate::app::{App, app_with_access};

/// A node that asks for keys.
pub(crate) async fn closed() -> App {
    app_with_access(AccessOptions {
        mode: Mode::Required,
        ..AccessOptions::default()
    })
    .await
}

impl App {
    /// A key made while nobody serves.
    pub(crate) async fn key(&self, scopes: &str, more: &str) -> String {
        let body = format!(r#"{{"name":"test","scopes":[{scopes}]{more}}}"#);
        let made = create_offline(&*self.store, body.as_bytes(), self.clock.now()).await;
        self.access.refresh(&*self.store).await.unwrap();
        made.unwrap().1.unwrap()
    }

    /// The status of a call with a key.
    async fn status(&self, line: &str, key: &str, body: &str) -> u16 {
        let answer = self
            .call(&format!("{line}\nx-api-key: {key}\n\n{body}"))
            .await;
        code(&answer)
    }
}

/// The status of an answer.
fn code(answer: &str) -> u16 {
    answer.split('\n').next().unwrap().parse().unwrap()
}

/// The public part of a key.
pub(crate) fn id_of(key: &str) -> &str {
    key.split('_').nth(1).unwrap()
}

/// Every page of the door, with a body that the handler would take further than the guard.
const PAGES: &str = "
GET /api/status
GET /healthz
GET /readyz
GET /api/messages
POST /api/messages
POST /api/messages/create_async
GET /api/messages/get_by_smsc?smsc=a
GET /api/messages/queue?smsc=a
GET /api/messages/1
PATCH /api/messages/1
PUT /api/messages/1
DELETE /api/messages/1
POST /api/messages/1/increment_delivery_attempt
POST /api/messages/1/mark_delivered
POST /api/messages/1/mark_failed
POST /api/messages/1/requeue
POST /api/messages/bulk
POST /api/messages_raw
POST /api/messages_raw/async
GET /api/cdrs
POST /api/events
GET /api/events/1
GET /api/diagnose/1
GET /api/locations
POST /api/locations
GET /api/locations/1
PATCH /api/locations/1
DELETE /api/locations/1
GET /api/frontends
POST /api/frontends
POST /api/frontends/register
GET /api/frontends/active
GET /api/frontends/stats
GET /api/frontends/history/a
GET /api/frontends/1
POST /api/frontends/1/pause
POST /api/frontends/1/resume
GET /api/frontends/1/policy
PUT /api/frontends/1/policy
GET /api/routes
POST /api/routes
GET /api/routes/export
POST /api/routes/import
POST /api/routes/simulate
GET /api/routes/1
PUT /api/routes/1
PATCH /api/routes/1
DELETE /api/routes/1
GET /api/translations
POST /api/translations
POST /api/translations/test
GET /api/keys
POST /api/keys
GET /api/keys/1
DELETE /api/keys/1
GET /api/audit
POST /api/messages/1/cancel
POST /api/messages/batch
POST /api/messages/batch_report
GET /api/mms_messages
POST /api/mms_messages
GET /api/mms_message_queues/1
PATCH /api/mms_message_queues/1
DELETE /api/mms_messages/1
GET /api/ss7_events
POST /api/ss7_events
PATCH /api/ss7_events/1
DELETE /api/ss7_events/1
";

#[tokio::test(start_paused = true)]
async fn s3_8_each_page_lets_in_those_scopes_and_nobody_else() {
    let app = closed().await;
    let words = ["submit", "read", "frontend:a", "locations", "unrouted"];
    let mut keys = Vec::new();
    for word in words {
        keys.push((word, app.key(&format!("\"{word}\""), "").await));
    }
    let admin = app.key("\"admin\"", "").await;
    let mut table = String::new();
    for page in PAGES.trim().lines() {
        let without = app.call(&format!("{page}\n\n{{}}")).await;
        let open = !without.starts_with("401");
        let mut line = page.to_owned() + ":";
        if open {
            line += " everybody";
        } else {
            for (word, key) in &keys {
                // Whatever else is wrong with the call, it was let in.
                if app.status(page, key, "{}").await != 403 {
                    write!(line, " {word}").unwrap();
                }
            }
        }
        assert_ne!(app.status(page, &admin, "{}").await, 403, "{page}");
        assert_ne!(app.status(page, &admin, "{}").await, 401, "{page}");
        table += &(line + "\n");
    }
    expect_file!["scopes.txt"].assert_eq(&table);
    // An open stream has no end to wait for.
    let stream = "GET /api/stream";
    assert!(app.call(stream).await.starts_with("401"));
    for (word, key) in keys.iter().filter(|(word, _)| *word != "read") {
        assert_eq!(app.status(stream, key, "").await, 403, "{word}");
    }
}

#[tokio::test(start_paused = true)]
async fn s3_8_a_frontend_touches_only_what_is_its_own() {
    let app = closed().await;
    let admin = app.key("\"admin\"", "").await;
    let mine = app.key("\"frontend:a\"", "").await;
    let theirs = app.key("\"frontend:b\"", "").await;
    let register = |name: &str| format!(r#"{{"frontend_name":"{name}","frontend_type":"SMPP"}}"#);
    assert_eq!(
        app.status("POST /api/frontends", &mine, &register("a"))
            .await,
        201
    );
    assert_eq!(
        app.status("POST /api/frontends", &mine, &register("b"))
            .await,
        403
    );
    let submit = r#"{"destination_msisdn":"+15550001","message_body":"x","dest_smsc":"a"}"#;
    let sent = app
        .call(&format!(
            "POST /api/messages\nx-api-key: {admin}\n\n{submit}"
        ))
        .await;
    let id = sent.split("\"id\":").nth(1).unwrap();
    let id: u64 = id.split(',').next().unwrap().parse().unwrap();
    for (page, body, status) in [
        (format!("GET /api/messages/{id}"), "", 200),
        (format!("POST /api/messages/{id}/mark_failed"), "{}", 200),
        (format!("PUT /api/messages/{id}"), "", 200),
        // To say that somebody else delivered it, or to edit it, is not a report of its own.
        (
            format!("POST /api/messages/{id}/mark_delivered"),
            r#"{"dest_smsc":"b"}"#,
            403,
        ),
        (
            format!("PATCH /api/messages/{id}"),
            r#"{"message_body":"y"}"#,
            403,
        ),
        (
            format!("PATCH /api/messages/{id}"),
            r#"{"dest_smsc":"b"}"#,
            403,
        ),
        (
            format!("PATCH /api/messages/{id}"),
            r#"{"status":"delivered","dest_smsc":"a"}"#,
            200,
        ),
    ] {
        if !body.contains("status") {
            let other = app.status(&page, &theirs, body).await;
            assert_eq!(other, 403, "{page} {body}");
        }
        assert_eq!(
            app.status(&page, &mine, body).await,
            status,
            "{page} {body}"
        );
    }
    let smsc = |name: &str| format!("GET /api/messages\nsmsc: {name}");
    assert_eq!(app.status(&smsc("a"), &mine, "").await, 200);
    assert_eq!(app.status(&smsc("b"), &mine, "").await, 403);
    let unrouted = "GET /api/messages\nsmsc: a\ninclude-unrouted: true";
    assert_eq!(app.status(unrouted, &mine, "").await, 403);
    let fallback = app.key("\"frontend:a\",\"unrouted\"", "").await;
    assert_eq!(app.status(unrouted, &fallback, "").await, 200);
}

#[tokio::test(start_paused = true)]
async fn s3_8_a_located_message_is_its_frontends_and_an_unrouted_one_nobodys() {
    let app = closed().await;
    let admin = app.key("\"admin\"", "").await;
    let mine = app.key("\"frontend:a\"", "").await;
    let submit = r#"{"destination_msisdn":"+15550002","message_body":"x"}"#;
    let sent = app
        .call(&format!(
            "POST /api/messages\nx-api-key: {admin}\n\n{submit}"
        ))
        .await;
    let id = sent
        .split("\"id\":")
        .nth(1)
        .unwrap()
        .split(',')
        .next()
        .unwrap();
    let page = format!("POST /api/messages/{id}/mark_failed");
    assert_eq!(app.status(&page, &mine, "{}").await, 403);
    let hss = app.key("\"locations\"", "").await;
    let located = r#"{"imsi":"001010000000001","msisdn":"+15550002","location":"a"}"#;
    assert_eq!(app.status("POST /api/locations", &hss, located).await, 201);
    assert_eq!(app.status(&page, &mine, "{}").await, 200);
}

#[tokio::test(start_paused = true)]
async fn s3_8_a_key_is_shown_once_ends_and_is_revoked() {
    let app = closed().await;
    let admin = app.key("\"admin\"", "").await;
    let made = app
        .call(&format!(
            "POST /api/keys\nauthorization: Bearer {admin}\n\n{}",
            r#"{"name":"b","scopes":["read"],"expires_at":"2026-01-01T01:00:00Z"}"#
        ))
        .await;
    assert!(made.starts_with("201\n"), "{made}");
    let part = |text: &str, name: &str| {
        let rest = text.split(&format!("\"{name}\":\"")).nth(1).unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let (id, key) = (part(&made, "id"), part(&made, "key"));
    assert_eq!(app.status("GET /api/messages", &key, "").await, 200);
    let shown = app
        .call(&format!("GET /api/keys/{id}\nx-api-key: {admin}"))
        .await;
    assert!(!shown.contains(&key) && !shown.contains("hash"), "{shown}");
    app.access
        .write_uses(&*app.store, app.clock.now())
        .await
        .unwrap();
    app.access.refresh(&*app.store).await.unwrap();
    let listed = app
        .call(&format!("GET /api/keys\nx-api-key: {admin}"))
        .await;
    assert!(
        listed.contains(r#""last_used_at":"2026-01-01T00:00:00.000Z""#),
        "{listed}"
    );
    app.advance(3_600);
    let ended = app
        .call(&format!("GET /api/messages\nx-api-key: {key}"))
        .await;
    expect![[r#"
        401
        www-authenticate: Bearer
        {"errors":{"detail":"the key has expired"}}"#]]
    .assert_eq(&ended);
    let other = app.key("\"read\"", "").await;
    let id = id_of(&other);
    assert_eq!(
        app.status(&format!("DELETE /api/keys/{id}"), &admin, "")
            .await,
        204
    );
    assert_eq!(app.status("GET /api/messages", &other, "").await, 401);
    assert_eq!(
        app.status(&format!("DELETE /api/keys/{id}"), &admin, "")
            .await,
        404
    );
}

#[tokio::test(start_paused = true)]
async fn s3_8_wrong_terms_of_a_key_are_named() {
    let app = closed().await;
    let admin = app.key("\"admin\"", "").await;
    let mut answers = String::new();
    for body in [
        "{}",
        r#"{"name":"a\u0019","scopes":["read"]}"#,
        r#"{"name":"a"}"#,
        r#"{"name":"a","scopes":["root"]}"#,
        r#"{"name":"a","scopes":"read"}"#,
        r#"{"name":"a","scopes":["read"],"networks":["10.0.0.1/8"]}"#,
        r#"{"name":"a","scopes":["read"],"rate_per_second":0}"#,
        r#"{"name":"a","scopes":["read"],"expires_at":"2025-01-01T00:00:00Z"}"#,
    ] {
        let answer = app
            .call(&format!("POST /api/keys\nx-api-key: {admin}\n\n{body}"))
            .await;
        let detail = answer.split("detail\":\"").nth(1).unwrap();
        writeln!(
            answers,
            "{} {}",
            code(&answer),
            detail.trim_end_matches("\"}}")
        )
        .unwrap();
    }
    expect![[r#"
        422 name is required: say whose key it is
        422 name must hold printable characters only
        422 scopes is required: an array of admin, read, submit, locations, unrouted, frontend:NAME
        422 scopes must be of admin, read, submit, locations, unrouted, frontend:NAME
        422 scopes must be an array of at most 64 texts
        422 networks must be an IP network as 10.0.0.0/8 or 2001:db8::/32, with no bit set beyond its length
        422 rate_per_second must be an integer from 1 to 1000000
        422 expires_at must be in the future
    "#]]
    .assert_eq(&answers);
}

#[tokio::test(start_paused = true)]
async fn s3_8_a_key_is_good_from_its_networks_as_trusted_proxies_tell_them() {
    let app = closed().await;
    let key = app
        .key("\"read\"", r#","networks":["198.51.100.0/24"]"#)
        .await;
    let from = async |peer: [u8; 4], forwarded: &str| {
        let head = format!("GET /api/messages\nx-api-key: {key}\nx-forwarded-for: {forwarded}");
        let answer = app.send_from((peer, 1).into(), &head, Vec::new()).await;
        code(&answer)
    };
    assert_eq!(from([198, 51, 100, 7], "x").await, 200);
    assert_eq!(
        from([192, 0, 2, 7], "198.51.100.7").await,
        403,
        "its own word"
    );
    assert_eq!(from([10, 0, 0, 1], "198.51.100.7").await, 200);
    assert_eq!(from([10, 0, 0, 1], "198.51.100.7, 192.0.2.1").await, 403);
}

#[tokio::test(start_paused = true)]
async fn s3_8_addresses_outside_the_allowed_networks_get_nothing() {
    let app = app_with_access(AccessOptions {
        networks: vec!["192.0.2.0/24".parse().unwrap()],
        ..AccessOptions::default()
    })
    .await;
    let from = async |peer: &str, uri: &str| {
        let peer = SocketAddr::new(peer.parse().unwrap(), 1);
        let answer = app.send_from(peer, &format!("GET {uri}"), Vec::new()).await;
        code(&answer)
    };
    assert_eq!(from("192.0.2.9", "/api/status").await, 200);
    for uri in ["/api/status", "/api/messages", "/nowhere"] {
        assert_eq!(from("198.51.100.1", uri).await, 403, "{uri}");
    }
}

#[tokio::test(start_paused = true)]
async fn s3_7_calls_beyond_the_limit_of_an_address_are_put_off() {
    let limits = RateLimits {
        submit: Rate::per_second(2),
        submit_async: Rate::per_second(5),
        read: Rate::per_second(3),
        change: Rate::per_second(1),
    };
    let app = app_with_access(AccessOptions {
        limits: Some(limits),
        ..AccessOptions::default()
    })
    .await;
    let first = app.call("GET /api/routes").await;
    expect![[r#"
        200
        x-ratelimit-limit: 3
        x-ratelimit-remaining: 2
        x-ratelimit-reset: 1767225601
        {"data":[]}"#]]
    .assert_eq(&first);
    app.call("GET /api/routes").await;
    app.call("GET /api/frontends").await;
    expect![[r#"
        429
        retry-after: 1
        x-ratelimit-limit: 3
        x-ratelimit-remaining: 0
        x-ratelimit-reset: 1767225601
        {"errors":{"detail":"more than 3 calls a second"}}"#]]
    .assert_eq(&app.call("GET /api/routes").await);
    let submit = "POST /api/messages\n\n{}";
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(code(&app.call(submit).await));
    }
    assert_eq!(seen, [422, 422, 429], "each kind of call has its own");
    let open = app.call("GET /healthz").await;
    assert!(open.starts_with("200\n{"), "{open}");
    app.clock.advance(Duration::from_millis(400));
    assert!(app.call("GET /api/routes").await.starts_with("200"));
}

#[tokio::test(start_paused = true)]
async fn s3_7_a_key_has_its_own_rate() {
    let app = closed().await;
    let key = app.key("\"read\"", r#","rate_per_second":2"#).await;
    let page = "GET /api/messages";
    for expect in [200, 200, 429] {
        assert_eq!(app.status(page, &key, "").await, expect);
    }
    let other = app.key("\"read\"", "").await;
    assert_eq!(app.status(page, &other, "").await, 200);
}

#[tokio::test(start_paused = true)]
async fn s3_8_whoever_guesses_keys_is_put_off_and_others_are_not() {
    let app = closed().await;
    let key = app.key("\"read\"", "").await;
    let wrong = format!("{}_{}", format_args!("zjl_{}", id_of(&key)), "A".repeat(43));
    let page = "GET /api/messages";
    for _ in 0..20 {
        assert_eq!(app.status(page, &wrong, "").await, 401);
    }
    assert_eq!(app.status(page, &wrong, "").await, 429);
    assert_eq!(
        app.status(page, &key, "").await,
        200,
        "whoever shares the address with it may call"
    );
    assert_eq!(app.status(page, &wrong, "").await, 429);
    let head = format!("{page}\nx-api-key: {key}");
    let other = SocketAddr::from(([192, 0, 2, 8], 1));
    assert!(
        app.send_from(other, &head, Vec::new())
            .await
            .starts_with("200")
    );
    app.advance(30);
    assert_eq!(app.status(page, &key, "").await, 200);
    // Without a key nobody guesses.
    for _ in 0..50 {
        assert!(app.call(page).await.starts_with("401"));
    }
    assert_eq!(app.status(page, &key, "").await, 200);
}

#[tokio::test(start_paused = true)]
async fn s3_8_what_is_no_key_opens_nothing() {
    let app = closed().await;
    let key = app.key("\"read\"", "").await;
    for header in [
        "x-api-key: ".to_owned(),
        "x-api-key: zjl_".to_owned(),
        format!("x-api-key: Bearer {key}"),
        format!("authorization: {key}"),
        format!("authorization: Basic {key}"),
        format!("x-api-key: wrong\nauthorization: Bearer {key}"),
        format!("x-api-key: {key}x"),
        format!("x-api-key: {}", key.to_uppercase()),
    ] {
        let answer = app.call(&format!("GET /api/messages\n{header}")).await;
        assert!(answer.starts_with("401"), "{header}: {answer}");
    }
    let sound = format!("GET /api/messages\nauthorization: bearer  {key}");
    assert!(app.call(&sound).await.starts_with("200"));
}

#[tokio::test(start_paused = true)]
async fn d6_what_one_key_has_sent_is_none_of_the_business_of_another() {
    let app = closed().await;
    let keys = [
        app.key("\"submit\"", "").await,
        app.key("\"submit\"", "").await,
    ];
    let body = r#"{"destination_msisdn":"+15550001","message_body":"x"}"#;
    let mut ids = Vec::new();
    for key in [&keys[0], &keys[1], &keys[0]] {
        let head = format!("POST /api/messages\nx-api-key: {key}\nidempotency-key: 1");
        let sent = app.data(&format!("{head}\n\n{body}")).await;
        ids.push(sent["id"].as_u64().unwrap());
    }
    assert_ne!(ids[0], ids[1]);
    assert_eq!(ids[0], ids[2]);
    let other = body.replace("0001", "0002");
    let line = "POST /api/messages\nidempotency-key: 2";
    assert_eq!(app.status(line, &keys[0], body).await, 201);
    assert_eq!(
        app.status(line, &keys[1], &other).await,
        201,
        "no conflict tells of it"
    );
}

#[tokio::test(start_paused = true)]
async fn s3_8_a_stream_ends_with_the_key_that_opened_it() {
    let app = closed().await;
    let admin = app.key("\"admin\"", "").await;
    let revoked = app.key("\"read\"", "").await;
    let expiring = r#","expires_at":"2026-01-01T00:01:00Z""#;
    let expiring = app.key("\"read\"", expiring).await;
    let stays = app.key("\"read\"", "").await;
    let mut streams = Vec::new();
    for key in [&revoked, &expiring, &stays] {
        let mut stream = app.stream_of("/api/stream", key).await;
        assert!(stream.chunk().await.unwrap().starts_with("retry"));
        streams.push(stream);
    }
    let page = format!("DELETE /api/keys/{}", id_of(&revoked));
    assert_eq!(app.status(&page, &admin, "").await, 204);
    app.access.refresh(&*app.store).await.unwrap();
    app.advance(61);
    let ended = ": the key has been revoked or has expired\n\n";
    for stream in &mut streams[..2] {
        assert_eq!(stream.chunk().await.unwrap(), ended);
        assert_eq!(stream.chunk().await, None);
    }
    assert!(
        streams[2].chunk().await.unwrap().starts_with(": \nid: "),
        "a beat"
    );
}

#[tokio::test(start_paused = true)]
async fn s3_8_an_open_door_does_not_listen_to_pages_of_other_sites() {
    let app = crate::app::app().await;
    let page = "POST /api/messages\norigin: http://evil.example";
    assert_eq!(code(&app.call(page).await), 403);
    let app = closed().await;
    let key = app.key("\"read\"", "").await;
    let page = "GET /api/messages\norigin: http://evil.example";
    assert_eq!(
        app.status(page, &key, "").await,
        200,
        "a key says who calls"
    );
}

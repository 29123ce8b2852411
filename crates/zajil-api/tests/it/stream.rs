//! `GET /api/stream`: what happens, while it happens.

use expect_test::expect;
use serde_json::Value;

use crate::app::{App, Stream, app};

/// A stream that has begun, and the id it begins after.
async fn begun(app: &App, uri: &str) -> (Stream, String) {
    let mut stream = app.stream(uri, None).await;
    let hello = stream.chunk().await.unwrap();
    let id = hello.strip_prefix("retry: 2000\nid: ").unwrap().trim_end();
    (stream, id.to_owned())
}

/// Names, and what else is not an id or a time.
fn shown(events: &[(String, Value)]) -> String {
    let line = |(name, data): &(String, Value)| {
        assert_eq!(data["name"], name.as_str());
        let mut data = data.clone();
        let fields = data.as_object_mut().unwrap();
        fields.retain(|key, _| {
            !["id", "time", "message_id", "name", "event_source"].contains(&key.as_str())
        });
        format!("{name} {data}\n")
    };
    events.iter().map(line).collect()
}

#[tokio::test(start_paused = true)]
async fn s8_the_life_of_a_message_comes_as_it_happens_without_its_text() {
    let app = app().await;
    let (mut stream, _) = begun(&app, "/api/stream").await;
    app.frontend("gw").await;
    let id = app
        .submitted(r#","dest_smsc":"gw","source_msisdn":"7726""#)
        .await;
    let deliver = format!("POST /api/messages/{id}/mark_delivered\n\n{{}}");
    app.call(&format!("PUT /api/messages/{id}")).await;
    app.call(&deliver).await;
    app.call(&deliver).await;
    app.pump();
    let events = stream.events().await;
    assert!(events[1..].iter().all(|(_, data)| data["message_id"] == id));
    assert!(!format!("{events:?}").contains("hello"), "S10.4");
    expect![[r#"
        frontend_connected {"frontend_name":"gw","kind":"frontend"}
        message_inserted {"delivery_attempts":0,"dest_smsc":"gw","destination_msisdn":"+15551234567","kind":"message","message_parts":1,"source_msisdn":"7726","status":"pending"}
        delivery_attempt_failed {"delivery_attempts":1,"dest_smsc":"gw","destination_msisdn":"+15551234567","kind":"message","message_parts":1,"source_msisdn":"7726","status":"pending"}
        message_delivered {"delivery_attempts":2,"dest_smsc":"gw","destination_msisdn":"+15551234567","kind":"message","message_parts":1,"source_msisdn":"7726","status":"delivered"}
        late_report {"kind":"message"}
    "#]]
    .assert_eq(&shown(&events));
}

#[tokio::test(start_paused = true)]
async fn routes_paused_frontends_and_drops_are_events_too() {
    let app = app().await;
    let (mut stream, _) = begun(&app, "/api/stream?masked=true").await;
    app.call("POST /api/routes\n\n{\"drop\":true,\"called_prefix\":\"1\"}")
        .await;
    app.call("POST /api/frontends/gw/pause\n\n{\"reason\":\"works\"}")
        .await;
    app.submitted("").await;
    app.pump();
    expect![[r#"
        routes_changed {"description":"version 1","kind":"route"}
        frontend_paused {"description":"works","frontend_name":"gw","kind":"frontend"}
        message_routed {"delivery_attempts":0,"destination_msisdn":"+1555123XXXX","kind":"message","message_parts":1,"route_id":1,"status":"dropped"}
        message_inserted {"delivery_attempts":0,"destination_msisdn":"+1555123XXXX","kind":"message","message_parts":1,"status":"dropped"}
        message_dropped {"delivery_attempts":0,"destination_msisdn":"+1555123XXXX","kind":"message","message_parts":1,"status":"dropped"}
    "#]]
    .assert_eq(&shown(&stream.events().await));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_comes_back_has_what_it_missed_or_is_told_of_the_gap() {
    let app = app().await;
    let (mut stream, start) = begun(&app, "/api/stream?kind=message").await;
    let first = app.submitted("").await;
    app.pump();
    let events = stream.events().await;
    assert_eq!(events.last().unwrap().1["message_id"], first);
    let had = events.last().unwrap().1["id"].to_string();
    drop(stream);
    let second = app.submitted("").await;
    app.pump();
    // By the header as browsers do, and by the query string.
    let query = format!("/api/stream?last_event_id={had}");
    for (uri, header) in [("/api/stream", Some(had.as_str())), (&query, None)] {
        let mut back = app.stream(uri, header).await;
        back.chunk().await.unwrap();
        let missed = back.events().await;
        assert!(
            missed.iter().all(|(_, data)| data["message_id"] == second),
            "{missed:?}"
        );
    }
    // The hub of this test keeps 64 events, as long as somebody listens.
    let _listens = app.stream("/api/stream", None).await;
    for _ in 0..64 {
        app.submitted("").await;
    }
    app.pump();
    let mut late = app.stream("/api/stream", Some(&start)).await;
    late.chunk().await.unwrap();
    let gap = &late.events().await[0];
    assert_eq!(gap.0, "gap");
    assert_eq!(gap.1["after"].to_string(), start);
    let next = late.events().await;
    assert_eq!(next[0].1["id"], gap.1["next"]);
    assert_eq!(next.len(), 64);
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_is_dropped_and_counted_and_places_are_bounded() {
    let app = app().await;
    let (mut slow, _) = begun(&app, "/api/stream").await;
    let mut others = Vec::new();
    for _ in 1..1_000 {
        others.push(begun(&app, "/api/stream").await.0);
    }
    let refused = app.call("GET /api/stream").await;
    expect![[r#"
        503
        retry-after: 1
        {"errors":{"detail":"as many live streams are open as there may be: try again later"}}"#]]
    .assert_eq(&refused);
    app.submitted("").await;
    app.pump();
    for stream in others.iter_mut().chain([&mut slow]) {
        assert!(!stream.events().await.is_empty());
    }
    // The hub of this test keeps 64 events.
    let quick = &mut others[0];
    for _ in 0..40 {
        app.submitted("").await;
        app.pump();
        assert!(!quick.events().await.is_empty());
    }
    assert_eq!(slow.chunk().await.unwrap(), ": too slow\n\n");
    assert_eq!(slow.chunk().await, None);
    drop((slow, others));
    let metrics = app.telemetry.metrics.render();
    for line in [
        "zajil_streams_open 0",
        "zajil_streams_ended_total{reason=\"slow\"}",
        "zajil_streams_ended_total{reason=\"gone\"}",
    ] {
        assert!(metrics.contains(line), "{line}");
    }
    assert!(!metrics.contains("zajil_streams_ended_total{reason=\"slow\"} 0"));
}

#[tokio::test(start_paused = true)]
async fn a_quiet_stream_beats_and_moves_its_place_on() {
    let app = app().await;
    let (mut stream, start) = begun(&app, "/api/stream?kind=cdr").await;
    app.submitted("").await;
    app.pump();
    let beat = stream.chunk().await.unwrap();
    let place: u64 = beat
        .strip_prefix(": \nid: ")
        .unwrap()
        .trim_end()
        .parse()
        .unwrap();
    assert!(place > start.parse().unwrap(), "{beat}");
}

#[tokio::test(start_paused = true)]
async fn streams_end_when_the_node_stops() {
    let app = app().await;
    let (mut stream, _) = begun(&app, "/api/stream").await;
    app.telemetry.live().unwrap().close();
    assert_eq!(stream.chunk().await.unwrap(), ": stopping\n\n");
    assert_eq!(stream.chunk().await, None);
}

#[tokio::test]
async fn a_filter_that_cannot_be_is_refused_by_its_rule() {
    let app = app().await;
    let mut answers = String::new();
    for query in [
        "kind=weather",
        "number=abc",
        "message_id=0",
        "route=x",
        "last_event_id=-1",
        "masked=perhaps",
    ] {
        answers += &app.call(&format!("GET /api/stream?{query}")).await;
        answers.push('\n');
    }
    expect![[r#"
        422
        {"errors":{"detail":"kind must be some of message, frontend, route, cdr, node, wire"}}
        422
        {"errors":{"detail":"number must hold digits"}}
        422
        {"errors":{"detail":"message_id must be an integer from 1 to 9007199254740991"}}
        422
        {"errors":{"detail":"route must be an integer from 1 to 9223372036854775807"}}
        422
        {"errors":{"detail":"last_event_id must be the id of an event"}}
        422
        {"errors":{"detail":"masked must be true or false"}}
    "#]]
    .assert_eq(&answers);
}

/// S10.4: one peer or number is looked at, never all of them; octets are not for who masks numbers.
#[tokio::test(start_paused = true)]
async fn s10_4_the_wire_is_looked_at_one_peer_at_a_time() {
    let app = app().await;
    for (uri, field) in [
        ("/api/stream?kind=wire", "frontend"),
        (
            "/api/stream?kind=wire&frontend=gw&hex=true&masked=true",
            "hex",
        ),
    ] {
        let answer = app.call(&format!("GET {uri}")).await;
        assert!(answer.starts_with("422"), "{answer}");
        assert!(answer.contains(field), "{answer}");
    }
    let hub = std::sync::Arc::clone(app.telemetry.live().unwrap());
    let (stream, _) = begun(&app, "/api/stream?kind=wire&number=%2B46709771337").await;
    assert!(hub.is_watched());
    drop(stream);
    assert!(!hub.is_watched());
}

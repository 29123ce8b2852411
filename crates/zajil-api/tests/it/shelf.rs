//! Multimedia messages (S3.5) and SS7 events (S3.6).

use expect_test::expect;

use crate::app::app;

#[tokio::test(start_paused = true)]
async fn s3_5_a_multimedia_message_has_two_names_and_one_life() {
    let app = app().await;
    let create = r#"POST /api/mms_messages

{"source_msisdn":"+15550000001","destination_msisdn":"+15551234567","subject":"Holiday",
"content_type":"image/jpeg","content_location":"http://mms.example.com/m/1","message_size":"48213",
"destination_smsc":"mmsc_1","unknown":true}"#;
    expect![[r#"
        201
        {"data":{"content_location":"http://mms.example.com/m/1","content_type":"image/jpeg","delivery_attempts":0,"dest_smsc":"mmsc_1","destination_msisdn":"+15551234567","destination_smsc":"mmsc_1","expires":"2026-01-02T00:00:00.000Z","id":1,"inserted_at":"2026-01-01T00:00:00.000Z","message_size":48213,"source_msisdn":"+15550000001","status":"pending","subject":"Holiday","updated_at":"2026-01-01T00:00:00.000Z"},"status":"success"}"#]].assert_eq(&app.call(create).await);
    app.advance(60);
    let patch = r#"PATCH /api/mms_message_queues/1

{"status":"delivered","delivered_at":"2026-01-01T00:01:00Z","delivery_attempts":1,"subject":null}"#;
    expect![[r#"
        200
        {"data":{"content_location":"http://mms.example.com/m/1","content_type":"image/jpeg","deliver_time":"2026-01-01T00:01:00.000Z","delivered_at":"2026-01-01T00:01:00.000Z","delivery_attempts":1,"dest_smsc":"mmsc_1","destination_msisdn":"+15551234567","destination_smsc":"mmsc_1","expires":"2026-01-02T00:00:00.000Z","id":1,"inserted_at":"2026-01-01T00:00:00.000Z","message_size":48213,"source_msisdn":"+15550000001","status":"delivered","updated_at":"2026-01-01T00:01:00.000Z"},"status":"success"}"#]].assert_eq(&app.call(patch).await);
    let second = r#"{"destination_msisdn":"155","message_body":"words only"}"#;
    app.data(&format!("POST /api/mms_message_queues\n\n{second}"))
        .await;
    for path in ["mms_messages", "mms_message_queues"] {
        assert_eq!(app.ids(&format!("GET /api/{path}")).await, [2, 1]);
        assert_eq!(
            app.ids(&format!("GET /api/{path}?limit=1&offset=1")).await,
            [1]
        );
    }
    let one = app.call("GET /api/mms_messages/1").await;
    assert_eq!(one, app.call("GET /api/mms_message_queues/1").await);
    assert_eq!(app.call("DELETE /api/mms_messages/1").await, "204");
    expect![[r#"
        404
        {"errors":{"detail":"multimedia message 1 not found"}}"#]]
    .assert_eq(&app.call("GET /api/mms_message_queues/1").await);
    assert!(
        app.call("DELETE /api/mms_messages/1")
            .await
            .starts_with("404")
    );
    assert!(app.ids("GET /api/messages").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn s3_5_fields_that_break_a_rule_are_named() {
    let app = app().await;
    let mut told = String::new();
    for fields in [
        r#""subject":"x""#,
        r#""destination_msisdn":"155""#,
        r#""destination_msisdn":"bank","subject":"x""#,
        r#""destination_msisdn":"155","source_msisdn":"TwelveLetter","subject":"x""#,
        r#""destination_msisdn":"155","content_location":"file:///etc/passwd""#,
        r#""destination_msisdn":"155","content_location":"https://""#,
        r#""destination_msisdn":"155","content_location":"http://a b""#,
        r#""destination_msisdn":"155","subject":"x","content_type":"jpeg""#,
        r#""destination_msisdn":"155","subject":"x","message_size":-1"#,
        r#""destination_msisdn":"155","subject":"x","status":"lost""#,
        r#""destination_msisdn":"155","subject":"x","expires":"2025-01-01T00:00:00Z""#,
    ] {
        let answer = app
            .call(&format!("POST /api/mms_messages\n\n{{{fields}}}"))
            .await;
        told += answer
            .strip_prefix("422\n{\"errors\":{\"detail\":\"")
            .expect(&answer);
        told += "\n";
    }
    expect![[r#"
        destination_msisdn is required"}}
        content_location is required, unless there is a message_body or a subject"}}
        destination_msisdn must be 3 to 20 digits with an optional leading '+'"}}
        source_msisdn must be a number of up to 20 digits, or a sender name of up to 11 characters of the GSM 7-bit alphabet"}}
        content_location must be a URL that begins with http:// or https://"}}
        content_location must be a URL that begins with http:// or https://"}}
        content_location must be a URL that begins with http:// or https://"}}
        content_type must be a media type such as application/vnd.wap.mms-message"}}
        message_size must be an integer from 0 to 1099511627776"}}
        status must be one of pending, delivered, expired, failed, rejected, dropped"}}
        expires must lie in the future"}}
    "#]]
    .assert_eq(&told);
    app.data("POST /api/mms_messages\n\n{\"destination_msisdn\":\"155\",\"subject\":\"x\"}")
        .await;
    let emptied = app
        .call("PATCH /api/mms_messages/1\n\n{\"destination_msisdn\":null}")
        .await;
    assert!(emptied.starts_with("422"), "{emptied}");
}

#[tokio::test(start_paused = true)]
async fn s3_6_an_ss7_event_is_kept_with_its_details() {
    let app = app().await;
    let create = r#"POST /api/ss7_events

{"event_type":"MAP_UPDATE_LOCATION","imsi":"001010000000001","msisdn":"+15551234567",
"timestamp":"2025-12-31T23:59:59Z","details":{"vlr":"155500","nested":[1,{"a":null}]}}"#;
    expect![[r#"
        201
        {"data":{"details":{"nested":[1,{"a":null}],"vlr":"155500"},"event_type":"MAP_UPDATE_LOCATION","id":1,"imsi":"001010000000001","inserted_at":"2026-01-01T00:00:00.000Z","msisdn":"+15551234567","timestamp":"2025-12-31T23:59:59.000Z","updated_at":"2026-01-01T00:00:00.000Z"},"status":"success"}"#]].assert_eq(&app.call(create).await);
    app.data("POST /api/ss7_events\n\n{\"event_type\":\"MAP_PURGE_MS\"}")
        .await;
    assert_eq!(app.ids("GET /api/ss7_events").await, [2, 1]);
    let patched = app
        .data("PATCH /api/ss7_events/2\n\n{\"msisdn\":\"155\",\"details\":\"{\\\"a\\\":1}\"}")
        .await;
    assert_eq!(patched["event_type"], "MAP_PURGE_MS");
    assert_eq!(patched["timestamp"], "2026-01-01T00:00:00.000Z");
    assert_eq!(patched["details"]["a"], 1);
    let shown = app.data("GET /api/ss7_events/2").await;
    assert_eq!(shown, patched);
    assert_eq!(app.call("DELETE /api/ss7_events/2").await, "204");
    expect![[r#"
        404
        {"errors":{"detail":"SS7 event 2 not found"}}"#]]
    .assert_eq(&app.call("PATCH /api/ss7_events/2\n\n{}").await);
}

#[tokio::test(start_paused = true)]
async fn s3_6_fields_that_break_a_rule_are_named() {
    let app = app().await;
    let long = "x".repeat(17 << 10);
    let mut told = String::new();
    for fields in [
        r#""imsi":"1""#.to_owned(),
        r#""event_type":"two words""#.to_owned(),
        r#""event_type":"X","imsi":"0010100000000012""#.to_owned(),
        r#""event_type":"X","timestamp":"yesterday""#.to_owned(),
        r#""event_type":"X","details":[1]"#.to_owned(),
        format!(r#""event_type":"X","details":{{"a":"{long}"}}"#),
    ] {
        let answer = app
            .call(&format!("POST /api/ss7_events\n\n{{{fields}}}"))
            .await;
        told += answer
            .strip_prefix("422\n{\"errors\":{\"detail\":\"")
            .expect(&answer);
        told += "\n";
    }
    expect![[r#"
        event_type is required"}}
        event_type must be a word such as MAP_UPDATE_LOCATION, of at most 64 characters"}}
        imsi must be a string of 1 to 15 digits"}}
        timestamp must be an RFC 3339 time such as 2026-01-31T12:00:00Z"}}
        details must be a JSON object"}}
        details must have at most 16384 octets of JSON"}}
    "#]]
    .assert_eq(&told);
}

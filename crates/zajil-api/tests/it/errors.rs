//! What cannot be read, found or done (S3, S3.9).

use expect_test::{Expect, expect};

use crate::app::{App, app};

async fn check(app: &App, request: &str, expect: Expect) {
    expect.assert_eq(&app.call(request).await);
}

#[tokio::test(start_paused = true)]
async fn s3_unknown_pages_and_verbs_have_the_shape_of_all_errors() {
    let app = app().await;
    check(
        &app,
        "GET /",
        expect![[r#"
        404
        {"errors":{"detail":"there is no / here"}}"#]],
    )
    .await;
    check(
        &app,
        "GET /api/nonsense",
        expect![[r#"
        404
        {"errors":{"detail":"there is no /api/nonsense here"}}"#]],
    )
    .await;
    check(
        &app,
        "POST /api/messages/",
        expect![[r#"
        404
        {"errors":{"detail":"there is no /api/messages/ here"}}"#]],
    )
    .await;
    check(
        &app,
        "DELETE /api/messages",
        expect![[r#"
        405
        allow: GET,HEAD,POST
        {"errors":{"detail":"/api/messages does not take DELETE"}}"#]],
    )
    .await;
    check(
        &app,
        "GET /api/messages/create_async",
        expect![[r#"
        405
        allow: POST
        {"errors":{"detail":"/api/messages/create_async does not take GET"}}"#]],
    )
    .await;
    check(
        &app,
        "POST /api/messages/1",
        expect![[r#"
        405
        allow: GET,HEAD,PATCH,PUT,DELETE
        {"errors":{"detail":"/api/messages/1 does not take POST"}}"#]],
    )
    .await;
    check(
        &app,
        "BREW /api/status",
        expect![[r#"
        405
        allow: GET,HEAD
        {"errors":{"detail":"/api/status does not take BREW"}}"#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s3_ids_that_are_none_are_not_found() {
    let app = app().await;
    for id in [
        "x",
        "0",
        "-1",
        "1.5",
        "9007199254740992",
        "99999999999999999999",
        "%20",
        "%00",
    ] {
        let answer = app.call(&format!("GET /api/messages/{id}")).await;
        assert!(
            answer.starts_with("404\n{\"errors\":{\"detail\":\"message "),
            "{id}: {answer}"
        );
    }
    check(
        &app,
        "GET /api/messages/%ff",
        expect![[r#"
        400
        {"errors":{"detail":"the path is not UTF-8"}}"#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s3_bodies_that_cannot_be_used_are_refused() {
    let app = app().await;
    check(
        &app,
        "POST /api/messages",
        expect![[r#"
        400
        {"errors":{"detail":"the request body is empty; it must be a JSON object"}}"#]],
    )
    .await;
    check(
        &app,
        "POST /api/messages\n\nhello",
        expect![[r#"
        400
        {"errors":{"detail":"the request body is not JSON: expected value at line 1 column 1"}}"#]],
    )
    .await;
    check(
        &app,
        "POST /api/messages\n\n[]",
        expect![[r#"
            422
            {"errors":{"detail":"the request body must be a JSON object"}}"#]],
    )
    .await;
    let answer = app
        .send(
            "POST /api/messages",
            b"{\"message_body\":\"\xff\"}".to_vec(),
        )
        .await;
    expect![[r#"
        400
        {"errors":{"detail":"the request body is not UTF-8: octet 17 is wrong"}}"#]]
    .assert_eq(&answer);
    let answer = app
        .send("POST /api/messages", vec![b' '; (1 << 20) + 1])
        .await;
    expect![[r#"
        413
        {"errors":{"detail":"the request body must have at most 1048576 octets"}}"#]]
    .assert_eq(&answer);
}

#[tokio::test(start_paused = true)]
async fn s3_9_fields_that_break_a_rule_are_named() {
    let app = app().await;
    let submit = |fields: &str| format!("POST /api/messages\n\n{{{fields}}}");
    let body = r#""message_body":"x""#;
    check(
        &app,
        &submit(body),
        expect![[r#"
        422
        {"errors":{"detail":"destination_msisdn is required"}}"#]],
    )
    .await;
    check(
        &app,
        &submit(r#""destination_msisdn":"155""#),
        expect![[r#"
            422
            {"errors":{"detail":"message_body is required"}}"#]],
    )
    .await;
    let wrong = r#""destination_msisdn":"155","message_body":["x"]"#;
    check(
        &app,
        &submit(wrong),
        expect![[r#"
        422
        {"errors":{"detail":"message_body must be a string"}}"#]],
    )
    .await;
    let wrong = format!(r#""destination_msisdn":"+1-555",{body}"#);
    check(&app, &submit(&wrong), expect![[r#"
        422
        {"errors":{"detail":"destination_msisdn must be 3 to 20 digits with an optional leading '+'"}}"#]]).await;
    let wrong = format!(r#""destination_msisdn":"155","source_msisdn":"TwelveLetter",{body}"#);
    check(&app, &submit(&wrong), expect![[r#"
        422
        {"errors":{"detail":"source_msisdn must be a number of up to 20 digits, or a sender name of up to 11 characters of the GSM 7-bit alphabet"}}"#]]).await;
    let wrong = format!(r#""destination_msisdn":"155","dest_smsc":"nobody",{body}"#);
    check(
        &app,
        &submit(&wrong),
        expect![[r#"
        422
        {"errors":{"detail":"dest_smsc names no known frontend: nobody"}}"#]],
    )
    .await;
    let long = "x".repeat(39_016);
    let wrong = format!(r#""destination_msisdn":"155","message_body":"{long}""#);
    check(
        &app,
        &submit(&wrong),
        expect![[r#"
        422
        {"errors":{"detail":"message_body must have at most 39015 characters"}}"#]],
    )
    .await;
    assert!(
        app.ids("GET /api/messages").await.is_empty(),
        "nothing half-done"
    );
}

#[tokio::test(start_paused = true)]
async fn rfc9457_problem_details_come_to_those_who_ask_and_the_shape_of_s3_to_all_others() {
    let app = app().await;
    check(
        &app,
        "GET /api/messages/77\naccept: application/problem+json, application/json",
        expect![[r#"
            404
            {"code":"not_found","detail":"message 77 not found","retryable":false,"status":404,"title":"There is no such record","type":"/api/docs#reason-not_found"}"#]],
    )
    .await;
    check(
        &app,
        "GET /nowhere\naccept: application/problem+json",
        expect![[r#"
            404
            {"code":"not_found","detail":"there is no /nowhere here","retryable":false,"status":404,"title":"There is no such record","type":"/api/docs#reason-not_found"}"#]],
    )
    .await;
    check(
        &app,
        "DELETE /api/messages\naccept: application/problem+json",
        expect![[r#"
            405
            allow: GET,HEAD,POST
            {"code":"not_allowed","detail":"/api/messages does not take DELETE","retryable":false,"status":405,"title":"The page does not take this verb","type":"/api/docs#reason-not_allowed"}"#]],
    )
    .await;
    check(
        &app,
        "POST /api/messages\naccept: application/json\n\n{",
        expect![[r#"
            400
            {"errors":{"detail":"the request body is not JSON: EOF while parsing an object at line 1 column 1"}}"#]],
    )
    .await;
    app.engine.stop().await;
    let submit = "POST /api/messages\naccept: application/problem+json\n\n\
        {\"destination_msisdn\":\"155\",\"message_body\":\"x\"}";
    check(
        &app,
        submit,
        expect![[r#"
            503
            retry-after: 1
            {"code":"stopping","detail":"this node is stopping: try another, or try again","retryable":true,"status":503,"title":"The node is stopping","type":"/api/docs#reason-stopping"}"#]],
    )
    .await;
}

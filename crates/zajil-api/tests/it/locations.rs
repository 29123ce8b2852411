//! Subscribers' locations (S3.3).

use expect_test::expect;

use crate::app::app;

const NEW: &str = r#"POST /api/locations

{"imsi":"001010000000001","msisdn":"+15551234567","location":"ims","ims_capable":"true",
"expires":"2026-01-01T01:00:00Z","user_agent":"phone"}"#;

#[tokio::test(start_paused = true)]
async fn s3_3_post_creates_and_then_updates_by_imsi() {
    let app = app().await;
    expect![[r#"
        201
        {"data":{"csfb":false,"expires":"2026-01-01T01:00:00.000Z","id":1,"imei":null,"ims_capable":true,"imsi":"001010000000001","inserted_at":"2026-01-01T00:00:00.000Z","location":"ims","msisdn":"+15551234567","ran_location":null,"registered":true,"updated_at":"2026-01-01T00:00:00.000Z","user_agent":"phone"}}"#]].assert_eq(&app.call(NEW).await);
    app.advance(60);
    let again = r#"POST /api/locations

{"imsi":"001010000000001","location":"msc1","expires":null}"#;
    expect![[r#"
        200
        {"data":{"csfb":false,"expires":null,"id":1,"imei":null,"ims_capable":true,"imsi":"001010000000001","inserted_at":"2026-01-01T00:00:00.000Z","location":"msc1","msisdn":"+15551234567","ran_location":null,"registered":true,"updated_at":"2026-01-01T00:01:00.000Z","user_agent":"phone"}}"#]].assert_eq(&app.call(again).await);
    expect![[r#"
        422
        {"errors":{"detail":"imsi is required"}}"#]]
    .assert_eq(
        &app.call("POST /api/locations\n\n{\"msisdn\":\"155\"}")
            .await,
    );
    expect![[r#"
        422
        {"errors":{"detail":"imsi must be a string of 1 to 15 digits"}}"#]]
    .assert_eq(&app.call("POST /api/locations\n\n{\"imsi\":\"x\"}").await);
}

#[tokio::test(start_paused = true)]
async fn s3_3_a_location_is_found_by_id_and_by_number() {
    let app = app().await;
    let id = app.data(NEW).await["id"].clone();
    let by_id = app.data(&format!("GET /api/locations/{id}")).await;
    for number in ["+15551234567", "15551234567", "%2B15551234567"] {
        assert_eq!(
            app.data(&format!("GET /api/locations/{number}")).await,
            by_id,
            "{number}"
        );
    }
    let list = app.data("GET /api/locations?limit=10&offset=0").await;
    assert_eq!(list[0], by_id);
    assert_eq!(
        app.data("GET /api/locations?offset=1")
            .await
            .as_array()
            .map(Vec::len),
        Some(0)
    );
    expect![[r#"
        404
        {"errors":{"detail":"location 999 not found"}}"#]]
    .assert_eq(&app.call("GET /api/locations/999").await);
    expect![[r#"
        404
        {"errors":{"detail":"location nobody not found"}}"#]]
    .assert_eq(&app.call("GET /api/locations/nobody").await);
}

#[tokio::test(start_paused = true)]
async fn s3_3_patch_updates_and_delete_forgets() {
    let app = app().await;
    let id = app.data(NEW).await["id"].clone();
    let patched = app
        .data(&format!("PATCH /api/locations/{id}\n\n{{\"csfb\":1}}"))
        .await;
    assert!(
        patched["csfb"] == true && patched["ims_capable"] == true,
        "{patched}"
    );
    expect![[r#"
        404
        {"errors":{"detail":"location 999 not found"}}"#]]
    .assert_eq(
        &app.call("PATCH /api/locations/999\n\n{\"csfb\":true}")
            .await,
    );
    assert_eq!(
        app.call(&format!("DELETE /api/locations/{id}")).await,
        "204"
    );
    expect![[r#"
        404
        {"errors":{"detail":"location 1 not found"}}"#]]
    .assert_eq(&app.call(&format!("DELETE /api/locations/{id}")).await);
}

#[tokio::test(start_paused = true)]
async fn s3_3_post_without_expiry_takes_an_old_one_away_and_patch_keeps_it() {
    let app = app().await;
    let id = app.data(NEW).await["id"].clone();
    app.advance(7_200);
    let patch = format!("PATCH /api/locations/{id}\n\n{{\"location\":\"msc1\"}}");
    assert_eq!(
        app.data(&patch).await["expires"],
        "2026-01-01T01:00:00.000Z"
    );
    let again = "POST /api/locations\n\n{\"imsi\":\"001010000000001\"}";
    let located = app.data(again).await;
    assert!(
        located["expires"].is_null() && located["location"] == "msc1",
        "{located}"
    );
    let message = app.submitted("").await;
    assert_eq!(app.ids("GET /api/messages\nsmsc: msc1").await, [message]);
}

#[tokio::test(start_paused = true)]
async fn s3_3_patch_says_what_it_cannot_do() {
    let app = app().await;
    let id = app.data(NEW).await["id"].clone();
    for (body, expect) in [
        (r#"{"imsi":"001010000000002"}"#, "imsi cannot be changed"),
        (r#"{"msisdn":null}"#, "msisdn cannot be cleared"),
        (r#"{"location":null}"#, "location cannot be cleared"),
        (r#"{"location":""}"#, "location cannot be cleared"),
    ] {
        let answer = app
            .call(&format!("PATCH /api/locations/{id}\n\n{body}"))
            .await;
        assert_eq!(
            answer,
            format!("422\n{{\"errors\":{{\"detail\":\"{expect}\"}}}}")
        );
    }
    let shown = app.data(&format!("GET /api/locations/{id}")).await;
    let same = app
        .data(&format!("PATCH /api/locations/{id}\n\n{shown}"))
        .await;
    assert_eq!(same, shown);
}

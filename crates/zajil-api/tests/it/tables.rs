//! Routes and translation rules (S4.1, S4.4, S5.1).

use std::sync::Arc;

use expect_test::expect;
use serde_json::json;
use tokio::task::JoinSet;

use crate::app::app;

const ROUTE: &str = r#"POST /api/routes

{"called_prefix":"+1","dest_smsc":"gw","weight":"70","description":"primary"}"#;

#[tokio::test(start_paused = true)]
async fn s4_1_routes_are_added_shown_changed_and_removed() {
    let app = app().await;
    expect![[r#"
        201
        {"data":{"auto_reply":false,"auto_reply_message":null,"called_prefix":"+1","calling_prefix":null,"charged":"default","description":"primary","dest_smsc":"gw","drop":false,"enabled":true,"enum_domain":null,"fallback":[],"fallback_after":60,"id":1,"priority":100,"source_smsc":null,"source_type":null,"weight":70}}"#]].assert_eq(&app.call(ROUTE).await);
    expect![[r#"
        200
        {"data":[{"auto_reply":false,"auto_reply_message":null,"called_prefix":"+1","calling_prefix":null,"charged":"default","description":"primary","dest_smsc":"gw","drop":false,"enabled":true,"enum_domain":null,"fallback":[],"fallback_after":60,"id":1,"priority":100,"source_smsc":null,"source_type":null,"weight":70}]}"#]].assert_eq(&app.call("GET /api/routes").await);
    let patched = app.data("PATCH /api/routes/1\n\n{\"enabled\":false}").await;
    assert!(
        patched["enabled"] == false && patched["weight"] == 70,
        "{patched}"
    );
    let put = app.data("PUT /api/routes/1\n\n{\"drop\":true}").await;
    assert!(
        put["drop"] == true && put["weight"] == 100 && put["enabled"] == true,
        "{put}"
    );
    assert_eq!(app.data("GET /api/routes/1").await, put);
    assert_eq!(app.call("DELETE /api/routes/1").await, "204");
    for request in [
        "GET /api/routes/1",
        "DELETE /api/routes/1",
        "PUT /api/routes/1\n\n{\"drop\":true}",
        "PATCH /api/routes/1\n\n{\"drop\":true}",
    ] {
        let expect = "404\n{\"errors\":{\"detail\":\"route 1 not found\"}}";
        assert_eq!(app.call(request).await, expect, "{request}");
    }
    expect![[r#"
        422
        {"errors":{"detail":"dest_smsc is required unless auto_reply or drop is true"}}"#]]
    .assert_eq(&app.call("POST /api/routes\n\n{}").await);
    expect![[r#"
        404
        {"errors":{"detail":"route x not found"}}"#]]
    .assert_eq(&app.call("GET /api/routes/x").await);
}

#[tokio::test(start_paused = true)]
async fn s4_2_a_new_route_counts_for_the_next_message() {
    let app = app().await;
    app.frontend("gw").await;
    app.data(ROUTE).await;
    let id = app.submitted("").await;
    assert_eq!(app.ids("GET /api/messages\nsmsc: gw").await, [id]);
}

#[tokio::test(start_paused = true)]
async fn s4_4_an_export_can_be_imported_as_it_is() {
    let app = app().await;
    app.data(ROUTE).await;
    app.data("POST /api/routes\n\n{\"auto_reply\":true,\"auto_reply_message\":\"closed\"}")
        .await;
    let export = app.call("GET /api/routes/export").await;
    expect![[r#"
        200
        {"data":{"exported_at":"2026-01-01T00:00:00.000Z","routes":[{"auto_reply":false,"auto_reply_message":null,"called_prefix":"+1","calling_prefix":null,"charged":"default","description":"primary","dest_smsc":"gw","drop":false,"enabled":true,"enum_domain":null,"fallback":[],"fallback_after":60,"id":1,"priority":100,"source_smsc":null,"source_type":null,"weight":70},{"auto_reply":true,"auto_reply_message":"closed","called_prefix":null,"calling_prefix":null,"charged":"default","description":null,"dest_smsc":null,"drop":false,"enabled":true,"enum_domain":null,"fallback":[],"fallback_after":60,"id":2,"priority":100,"source_smsc":null,"source_type":null,"weight":100}],"version":2}}"#]].assert_eq(&export);
    let (_, backup) = export.split_once('\n').unwrap();
    let table = app.data("GET /api/routes").await;
    let merged = app
        .data(&format!("POST /api/routes/import\n\n{backup}"))
        .await;
    assert_eq!(
        (&merged["imported"], &merged["total"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(app.data("GET /api/routes").await, table);

    let fresh = crate::app::app().await;
    let routes = &table;
    let body = json!({"mode": "replace", "routes": routes});
    fresh
        .data(&format!("POST /api/routes/import\n\n{body}"))
        .await;
    assert_eq!(
        fresh.data("GET /api/routes").await.as_array().map(Vec::len),
        Some(2)
    );
}

#[tokio::test(start_paused = true)]
async fn s4_4_an_import_replaces_or_does_nothing() {
    let app = app().await;
    app.data(ROUTE).await;
    let import = |body: &str| format!("POST /api/routes/import\n\n{body}");
    let wrong = r#"{"mode":"replace","routes":[{"drop":true},{"dest_smsc":7}]}"#;
    expect![[r#"
        422
        {"errors":{"detail":"routes[1]: dest_smsc must be a string"}}"#]]
    .assert_eq(&app.call(&import(wrong)).await);
    expect![[r#"
        422
        {"errors":{"detail":"mode must be one of merge, replace"}}"#]]
    .assert_eq(&app.call(&import(r#"{"mode":"add","routes":[]}"#)).await);
    expect![[r#"
        422
        {"errors":{"detail":"routes is required"}}"#]]
    .assert_eq(&app.call(&import("{}")).await);
    expect![[r#"
        422
        {"errors":{"detail":"routes must be an array of objects, with no field given twice"}}"#]]
    .assert_eq(&app.call(&import(r#"{"routes":{}}"#)).await);
    expect![[r#"
        422
        {"errors":{"detail":"routes must be an array of objects, with no field given twice"}}"#]]
    .assert_eq(&app.call(&import(r#"{"routes":[["gw"]]}"#)).await);
    let twice = r#"{"routes":[{"id":7,"drop":true},{"drop":true},{"id":"7","dest_smsc":"a"}]}"#;
    expect![[r#"
        422
        {"errors":{"detail":"routes[2]: id must not be that of an earlier entry"}}"#]]
    .assert_eq(&app.call(&import(twice)).await);
    expect![[r#"
        422
        {"errors":{"detail":"the request body must be a JSON object"}}"#]]
    .assert_eq(&app.call(&import("[]")).await);
    assert_eq!(app.data("GET /api/routes").await[0]["dest_smsc"], "gw");
    app.data(&import(r#"{"mode":"replace","routes":[{"drop":true}]}"#))
        .await;
    let table = app.data("GET /api/routes").await;
    assert!(
        table[0]["drop"] == true && table.as_array().map(Vec::len) == Some(1),
        "{table}"
    );
}

#[tokio::test(start_paused = true)]
async fn s5_1_translations_are_added_shown_changed_and_removed() {
    let app = app().await;
    let rule = r#"POST /api/translations

{"called_match":"^00(\\d+)$","called_replace":"+\\1","priority":5}"#;
    expect![[r#"
        201
        {"data":{"called_match":"^00(\\d+)$","called_prefix":null,"called_replace":"+\\1","calling_match":null,"calling_prefix":null,"calling_replace":null,"description":null,"enabled":true,"id":1,"priority":5,"source_smsc":null}}"#]].assert_eq(&app.call(rule).await);
    let submit =
        "POST /api/messages\n\n{\"destination_msisdn\":\"0044123\",\"message_body\":\"x\"}";
    assert_eq!(app.data(submit).await["destination_msisdn"], "+44123");
    let patched = app
        .data("PATCH /api/translations/1\n\n{\"enabled\":\"0\"}")
        .await;
    assert!(
        patched["enabled"] == false && patched["priority"] == 5,
        "{patched}"
    );
    assert_eq!(app.data("GET /api/translations").await[0], patched);
    let put = app
        .data("PUT /api/translations/1\n\n{\"calling_match\":\"^1\",\"calling_replace\":\"\"}")
        .await;
    assert!(
        put["called_match"].is_null() && put["calling_replace"] == "",
        "{put}"
    );
    assert_eq!(app.data("GET /api/translations/1").await, put);
    let bad = "POST /api/translations\n\n{\"called_match\":\"(\",\"called_replace\":\"x\"}";
    expect![[r#"
        422
        {"errors":{"detail":"called_match is no usable expression: at character 1: unclosed group"}}"#]].assert_eq(&app.call(bad).await);
    assert_eq!(app.call("DELETE /api/translations/1").await, "204");
    expect![[r#"
        404
        {"errors":{"detail":"translation rule 1 not found"}}"#]]
    .assert_eq(&app.call("DELETE /api/translations/1").await);
}

/// Two writers of one record, each with a field of its own: neither undoes the other's change.
async fn change_together(path: &'static str, new: &str, fields: [&'static str; 2]) {
    let app = Arc::new(app().await);
    app.data(&format!("POST {path}\n\n{new}")).await;
    for round in 1..=50 {
        let mut writers = JoinSet::new();
        for field in fields {
            let app = Arc::clone(&app);
            writers.spawn(async move {
                let request = format!("PATCH {path}/1\n\n{{\"{field}\":\"{round}\"}}");
                app.data(&request).await
            });
        }
        writers.join_all().await;
        let now = app.data(&format!("GET {path}/1")).await;
        for field in fields {
            let value = now[field].to_string();
            let value = value.trim_matches('"');
            assert_eq!(value, round.to_string(), "{field} of {now}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s4_1_changes_at_the_same_time_all_count() {
    let fields = ["weight", "description"];
    change_together("/api/routes", r#"{"drop":true}"#, fields).await;
    let fields = ["priority", "description"];
    change_together(
        "/api/translations",
        r#"{"called_match":"1","called_replace":""}"#,
        fields,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s5_1_rules_are_tested_exported_and_imported() {
    let app = app().await;
    for rule in [
        r#"{"called_match":"^00(\\d+)$","called_replace":"+\\1","priority":10}"#,
        r#"{"called_prefix":"0049","called_match":"^0049","called_replace":"+49"}"#,
        r#"{"calling_match":"^7726$","calling_replace":"SPAM","enabled":false}"#,
        r#"{"source_smsc":"acme","called_match":"^0","called_replace":""}"#,
    ] {
        app.data(&format!("POST /api/translations\n\n{rule}")).await;
    }
    let test = r#"{"calling_number":"7726","called_number":"0049170"}"#;
    expect![[r#"
        200
        {"data":{"called_number":"+49170","calling_number":"7726","rule":1,"rules":[{"id":1,"reason":"applied","verdict":"applied"},{"id":2,"reason":"outranked by an earlier rule","verdict":"outranked"},{"id":3,"reason":"disabled","verdict":"disabled"},{"id":4,"reason":"came from another source_smsc","verdict":"other_source_smsc"}]}}"#]].assert_eq(
        &app.call(&format!("POST /api/translations/test\n\n{test}"))
            .await,
    );

    let rules = app.data("GET /api/translations").await;
    let export = app.call("GET /api/translations/export").await;
    let (_, backup) = export.split_once('\n').unwrap();
    let import = |body: &str| format!("POST /api/translations/import\n\n{body}");
    app.data(&import(backup)).await;
    assert_eq!(app.data("GET /api/translations").await, rules);
    let good = r#"{"called_match":"a","called_replace":"b"}"#;
    let bad = format!(r#"{{"rules":[{good},{{"called_match":"(","called_replace":""}}]}}"#);
    expect![[r#"
        422
        {"errors":{"detail":"rules[1]: called_match is no usable expression: at character 1: unclosed group"}}"#]].assert_eq(&app.call(&import(&bad)).await);
    assert_eq!(app.data("GET /api/translations").await, rules);
    let replaced = app.data(&import(r#"{"mode":"replace","rules":[]}"#)).await;
    assert_eq!(replaced["total"], 0);
}

#[tokio::test(start_paused = true)]
async fn s4_1_prefixes_are_checked() {
    let app = app().await;
    let mut told = String::new();
    for fields in [
        r#""called_prefix":"abc""#,
        r#""called_prefix":"123456789012345678901""#,
        r#""calling_prefix":"TooLongASender""#,
        r#""calling_prefix":"Bank""#,
    ] {
        let body = format!(r#"{{"dest_smsc":"gw",{fields}}}"#);
        let answer = app.call(&format!("POST /api/routes\n\n{body}")).await;
        told += answer.get(..answer.len().min(110)).unwrap();
        told += "\n";
    }
    expect![[r#"
        422
        {"errors":{"detail":"called_prefix must be 1 to 20 of the characters 0-9, '*' and '#', with an optional le
        422
        {"errors":{"detail":"called_prefix must be 1 to 20 of the characters 0-9, '*' and '#', with an optional le
        422
        {"errors":{"detail":"calling_prefix must be 1 to 20 of the characters 0-9, '*' and '#', with an optional l
        201
        {"data":{"auto_reply":false,"auto_reply_message":null,"called_prefix":null,"calling_prefix":"Bank","charge
    "#]].assert_eq(&told);
}

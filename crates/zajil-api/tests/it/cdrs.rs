//! CDRs over the API (S10.3, S10.4).

use expect_test::expect;

use crate::app::app;

#[tokio::test(start_paused = true)]
async fn s10_3_finished_messages_are_found_page_by_page() {
    let app = app().await;
    app.frontend("gw").await;
    for report in ["mark_delivered", "mark_failed", "mark_delivered"] {
        let id = app.submitted(r#","dest_smsc":"gw""#).await;
        let body = r#"{"permanent":true,"reason":"barred"}"#;
        app.data(&format!("POST /api/messages/{id}/{report}\n\n{body}"))
            .await;
    }
    let first = app.call("GET /api/cdrs?limit=1&masked=true").await;
    let id = first.split("\"message_id\":").nth(1).unwrap();
    let id = id.split(',').next().unwrap();
    expect![[r#"
        200
        {"data":[{"called_number":"+1555123XXXX","calling_number":"","deadletter":false,"delivery_attempts":1,"delivery_time":"2026-01-01T00:00:00.000Z","dest_smsc":"gw","destination_node":"n1","expiry_time":"2026-01-02T00:00:00.000Z","id":3,"message_body":"hello","message_id":N,"message_parts":1,"origin_node":"n1","source_smsc":null,"status":"delivered","submission_time":"2026-01-01T00:00:00.000Z"}],"next":3}"#]].assert_eq(&first.replace(id, "N"));
    let statuses = async |query: &str| {
        let data = app.data(&format!("GET /api/cdrs?{query}")).await;
        let rows = data.as_array().unwrap().iter();
        rows.map(|row| row["status"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(statuses("before=3&limit=1").await, ["failed"]);
    assert_eq!(statuses("status=delivered").await.len(), 2);
    assert_eq!(statuses("number=%2B15551234567").await.len(), 3);
    assert_eq!(statuses("number=1").await.len(), 0);
    let mut told = String::new();
    for query in [
        "status=pending",
        "before=0",
        "from=yesterday",
        "masked=perhaps",
    ] {
        told += &app.call(&format!("GET /api/cdrs?{query}")).await;
        told += "\n";
    }
    expect![[r#"
        422
        {"errors":{"detail":"status must be one of delivered, expired, failed, rejected, dropped"}}
        422
        {"errors":{"detail":"before must be an integer from 1 to 9223372036854775807"}}
        422
        {"errors":{"detail":"from must be an RFC 3339 time such as 2026-01-31T12:00:00Z"}}
        422
        {"errors":{"detail":"masked must be true or false"}}
    "#]]
    .assert_eq(&told);
}

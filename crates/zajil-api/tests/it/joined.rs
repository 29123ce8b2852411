//! Parts of one text: messages of their own, shown joined (D9).

use serde_json::{Value, json};

use crate::access::closed;
use crate::app::{App, app};

/// "Hello," and " world!", tied by the 16-bit reference 1234 (node-pdu).
const HELLO: &str = "400b919746121611f10000811170021222230e06080412340201c8329bfd6601";
const WORLD: &str = "400b919746121611f10000811170021232230f06080412340202a0fb5bce268700";
/// The second of three parts, tied by the 8-bit reference 136 (python-messaging).
const PART: &str = "5100098156355476f80000aaa005000388030240e6349b0da2a3cba0badbfc969fd3f6b4fb0c6a\
    a7dd757a19744dd3d1a0791a4fcf83e6e5f1db4d9e9f40f7b79c8e06bdcd20727a4e0fbbc76590bcee6681b2efba7c\
    0e4acf41747419540ccbe96850d84d0695ed65799e8e4ebbcf203a3a4c9f83d26e509ace0205dd64500b7447a7c768\
    507a0e6abfe565500b947fd741f7349b0d129741";

/// Takes a PDU from a gateway; answers with the id of the message.
async fn deliver(app: &App, pdu: &str) -> u64 {
    let fields = json!({
        "pdu": pdu, "direction": "sc-ms", "destination_msisdn": "+15551234567",
        "source_smsc": "gw",
    });
    let request = format!("POST /api/messages_raw\n\n{fields}");
    app.data(&request).await["id"].as_u64().unwrap()
}

async fn joined(app: &App, id: u64) -> Value {
    app.data(&format!("GET /api/messages/{id}")).await["joined"].take()
}

#[tokio::test(start_paused = true)]
async fn d9_each_part_shows_the_whole_text() {
    let app = app().await;
    let second = deliver(&app, WORLD).await;
    app.advance(3_600);
    let half = json!({
        "parts_total": 2, "parts_present": 1, "complete": false,
        "message_body": "[part 1 missing] world!",
        "parts": [{ "message_part_number": 2, "id": second }],
    });
    assert_eq!(joined(&app, second).await, half);
    let first = deliver(&app, HELLO).await;
    let whole = json!({
        "parts_total": 2, "parts_present": 2, "complete": true, "message_body": "Hello, world!",
        "parts": [
            { "message_part_number": 1, "id": first },
            { "message_part_number": 2, "id": second },
        ],
    });
    for id in [first, second] {
        assert_eq!(joined(&app, id).await, whole);
    }
    let removed = app.call(&format!("DELETE /api/messages/{first}")).await;
    assert_eq!(removed, "204");
    assert_eq!(joined(&app, second).await["parts_present"], 1);
}

#[tokio::test(start_paused = true)]
async fn d9_parts_stay_messages_of_their_own() {
    let app = app().await;
    let first = deliver(&app, HELLO).await;
    let second = deliver(&app, WORLD).await;
    let listed = app.data("GET /api/messages").await;
    let bodies = |message: &Value| (message["id"].as_u64(), message["message_body"].clone());
    let listed: Vec<_> = listed.as_array().unwrap().iter().map(bodies).collect();
    let expect = [
        (Some(second), json!(" world!")),
        (Some(first), json!("Hello,")),
    ];
    assert_eq!(listed, expect);
    let offered = app.data("GET /api/messages/get_by_smsc?smsc=gw").await;
    for message in offered.as_array().unwrap() {
        assert!(message.get("joined").is_none(), "{message}");
    }
    assert_eq!(offered.as_array().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn d9_a_message_that_is_whole_has_nothing_joined() {
    let app = app().await;
    let whole = app.submitted("").await;
    let shown = app.data(&format!("GET /api/messages/{whole}")).await;
    assert!(shown.get("joined").is_none(), "{shown}");
    let fields = json!({ "pdu": PART, "source_msisdn": "+15550000001" });
    let part = app
        .data(&format!("POST /api/messages_raw\n\n{fields}"))
        .await;
    assert!(
        part.get("joined").is_none(),
        "a submit is answered as before"
    );
    let edited = r#"{"message_body":"short"}"#;
    let id = part["id"].as_u64().unwrap();
    app.data(&format!("PATCH /api/messages/{id}\n\n{edited}"))
        .await;
    let joined = joined(&app, id).await;
    assert_eq!(
        joined["message_body"],
        "[part 1 missing]short[part 3 missing]"
    );
}

#[tokio::test(start_paused = true)]
async fn s3_8_a_frontend_sees_the_parts_that_are_its_own() {
    let app = closed().await;
    let admin = app.key("\"admin\"", "").await;
    let gateway = app.key("\"frontend:gw\"", "").await;
    let mut ids = Vec::new();
    for (pdu, smsc) in [(HELLO, "gw"), (WORLD, "other")] {
        let frontend = json!({ "frontend_name": smsc, "frontend_type": "SMPP" });
        app.data(&format!(
            "POST /api/frontends\nx-api-key: {admin}\n\n{frontend}"
        ))
        .await;
        let fields = json!({
            "pdu": pdu, "direction": "sc-ms", "destination_msisdn": "+15551234567",
            "source_smsc": "gw", "dest_smsc": smsc,
        });
        let page = format!("POST /api/messages_raw\nx-api-key: {admin}\n\n{fields}");
        ids.push(app.data(&page).await["id"].as_u64().unwrap());
    }
    let shown = |key: String| {
        let page = format!("GET /api/messages/{}\nx-api-key: {key}", ids[0]);
        let app = &app;
        async move { app.data(&page).await["joined"]["message_body"].take() }
    };
    assert_eq!(shown(admin.clone()).await, "Hello, world!");
    assert_eq!(shown(gateway).await, "Hello,[part 2 missing]");
}

//! The simulator (S4.5).

use expect_test::expect;

use crate::app::app;

/// The answer without the routes themselves, which other tests show.
async fn simulated(app: &crate::app::App, body: &str) -> String {
    let mut data = app
        .data(&format!("POST /api/routes/simulate\n\n{body}"))
        .await;
    let mut lines = Vec::new();
    for candidate in data["candidates"].take().as_array().unwrap() {
        let id = &candidate["route"]["id"];
        let (verdict, reason) = (&candidate["verdict"], &candidate["reason"]);
        lines.push(format!("route {id} {verdict} {reason}"));
    }
    for (key, value) in data.as_object().unwrap() {
        lines.push(format!("{key} {value}"));
    }
    lines.join("\n")
}

#[tokio::test(start_paused = true)]
async fn s4_5_the_winner_and_why_each_other_route_lost() {
    let app = app().await;
    let rule = r#"{"called_match":"^00(\\d+)$","called_replace":"+\\1"}"#;
    app.data(&format!("POST /api/translations\n\n{rule}")).await;
    for route in [
        r#"{"called_prefix":"44","dest_smsc":"uk","priority":10}"#,
        r#"{"called_prefix":"447","dest_smsc":"uk_mobile","priority":10,"fallback":["backup"]}"#,
        r#"{"called_prefix":"44","dest_smsc":"late","priority":200}"#,
        r#"{"called_prefix":"1","dest_smsc":"us"}"#,
        r#"{"dest_smsc":"off","enabled":false}"#,
        r#"{"dest_smsc":"voip","enum_domain":"voip.example.com"}"#,
    ] {
        app.data(&format!("POST /api/routes\n\n{route}")).await;
    }
    app.frontend("backup").await;
    let question = r#"{"calling_number":"+1555","called_number":"00447700900123"}"#;
    expect![[r#"
        route 1 "outranked_by_called_prefix" "outranked by a longer called_prefix"
        route 2 "won" "won"
        route 3 "outranked_by_priority" "outranked by a lower priority"
        route 4 "other_called_prefix" "the called number does not begin with called_prefix"
        route 5 "disabled" "disabled"
        route 6 "other_enum_domain" "enum gave another enum_domain, or none"
        called_number "+447700900123"
        calling_number "+1555"
        candidates null
        candidates_total 6
        enum {"answer":"not_asked","domain":null,"reason":null,"service":null,"uri":null,"zone":null}
        outcomes [{"charged":false,"dest_smsc":"backup","fallback":[],"inactive":["uk_mobile"],"of":100,"probability":1.0,"route":2,"weight":100}]
        translation {"called_number":"+447700900123","calling_number":null,"rule":1}
        winner 2
        without_route null"#]].assert_eq(&simulated(&app, question).await);
    let other = r#"{"called_number":"4420","enum_domain":"voip.example.com","limit":0}"#;
    expect![[r#"
        called_number "4420"
        calling_number ""
        candidates null
        candidates_total 6
        enum {"answer":"assumed","domain":"voip.example.com","reason":null,"service":null,"uri":null,"zone":null}
        outcomes [{"charged":false,"dest_smsc":"uk","fallback":[],"inactive":[],"of":100,"probability":1.0,"route":1,"weight":100}]
        translation null
        winner 1
        without_route null"#]].assert_eq(&simulated(&app, other).await);
}

#[tokio::test(start_paused = true)]
async fn s4_2_equals_share_by_weight_and_a_draw_decides() {
    let app = app().await;
    for route in [
        r#"{"dest_smsc":"a","weight":70}"#,
        r#"{"dest_smsc":"b","weight":30}"#,
    ] {
        app.data(&format!("POST /api/routes\n\n{route}")).await;
    }
    let open = simulated(&app, r#"{"called_number":"4420"}"#).await;
    expect![[r#"
        route 1 "in_draw" "drawn by weight"
        route 2 "in_draw" "drawn by weight"
        called_number "4420"
        calling_number ""
        candidates null
        candidates_total 2
        enum {"answer":"not_asked","domain":null,"reason":null,"service":null,"uri":null,"zone":null}
        outcomes [{"charged":false,"dest_smsc":"a","fallback":[],"inactive":[],"of":100,"probability":0.7,"route":1,"weight":70},{"charged":false,"dest_smsc":"b","fallback":[],"inactive":[],"of":100,"probability":0.3,"route":2,"weight":30}]
        translation null
        winner null
        without_route null"#]].assert_eq(&open);
    for (draw, winner) in [(0, 1), (69, 1), (70, 2), (99, 2), (100, 1)] {
        let body = format!(r#"{{"called_number":"4420","draw":{draw}}}"#);
        let data = app
            .data(&format!("POST /api/routes/simulate\n\n{body}"))
            .await;
        assert_eq!(data["winner"], winner, "draw {draw}");
    }
}

#[tokio::test(start_paused = true)]
async fn d12_without_a_route_a_location_decides() {
    let app = app().await;
    let none = simulated(&app, r#"{"called_number":"+15550001111"}"#).await;
    app.data(
        "POST /api/locations\n\n{\"imsi\":\"1\",\"msisdn\":\"15550001111\",\"location\":\"ims\"}",
    )
    .await;
    let located = simulated(&app, r#"{"called_number":"+15550001111"}"#).await;
    expect![[r#"
        called_number "+15550001111"
        calling_number ""
        candidates null
        candidates_total 0
        enum {"answer":"not_asked","domain":null,"reason":null,"service":null,"uri":null,"zone":null}
        outcomes []
        translation null
        winner null
        without_route {"charged":false,"decided_by":"include-unrouted","dest_smsc":null}
        called_number "+15550001111"
        calling_number ""
        candidates null
        candidates_total 0
        enum {"answer":"not_asked","domain":null,"reason":null,"service":null,"uri":null,"zone":null}
        outcomes []
        translation null
        winner null
        without_route {"charged":false,"decided_by":"location","dest_smsc":"ims"}"#]].assert_eq(&(none + "\n" + &located));
}

#[tokio::test(start_paused = true)]
async fn a_question_is_checked_like_a_submit_and_changes_nothing() {
    let app = app().await;
    let mut told = String::new();
    for body in [
        "{}",
        r#"{"called_number":"nobody"}"#,
        r#"{"called_number":"4420","draw":-1}"#,
        r#"{"called_number":"4420","source_type":"FAX"}"#,
    ] {
        told += &app
            .call(&format!("POST /api/routes/simulate\n\n{body}"))
            .await;
        told += "\n";
    }
    expect![[r#"
        422
        {"errors":{"detail":"called_number is required"}}
        422
        {"errors":{"detail":"destination_msisdn must be 3 to 20 digits with an optional leading '+'"}}
        422
        {"errors":{"detail":"draw must be an integer from 0 to 9223372036854775807"}}
        422
        {"errors":{"detail":"source_type must be one of IMS, circuit_switched, SMPP"}}
    "#]].assert_eq(&told);
    assert_eq!(
        app.data("GET /api/messages")
            .await
            .as_array()
            .unwrap()
            .len(),
        0
    );
}

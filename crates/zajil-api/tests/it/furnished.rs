//! A node with something of everything, on which each row of S3 is asked.

use expect_test::Expect;

use crate::app::{App, app};

/// The messages that rows speak of.
struct Messages {
    routed: u64,
    ended: u64,
    failed_twice: u64,
}

/// Asks this of a node that has one of everything, and compares the answer. `{routed}`,
/// `{ended}` and `{failed_twice}` stand for the ids of messages.
pub(crate) async fn row(asked: &str, expected: Expect) {
    let app = app().await;
    let messages = furnish(&app).await;
    let request = asked
        .replace("{routed}", &messages.routed.to_string())
        .replace("{ended}", &messages.ended.to_string())
        .replace("{failed_twice}", &messages.failed_twice.to_string());
    let answer = app.call(&request).await;
    expected.assert_eq(&answer);
}

async fn furnish(app: &App) -> Messages {
    app.frontend("gw").await;
    app.frontend("msc1").await;
    for asked in [
        r#"locations {"imsi":"001010000000001","msisdn":"+15550000009","location":"msc1"}"#,
        r#"mms_messages {"destination_msisdn":"+15551234567","subject":"hi"}"#,
        r#"ss7_events {"event_type":"MAP_UPDATE_LOCATION","imsi":"001010000000001"}"#,
        r#"routes {"called_prefix":"+1999","dest_smsc":"gw","description":"nines"}"#,
    ] {
        let (page, body) = asked.split_once(' ').unwrap();
        app.data(&format!("POST /api/{page}\n\n{body}")).await;
    }
    let routed = app.submitted(r#","dest_smsc":"gw""#).await;
    app.submitted("").await;
    let located = r#"{"destination_msisdn":"+15550000009","message_body":"to the located"}"#;
    app.data(&format!("POST /api/messages\n\n{located}")).await;
    let ended = app.submitted(r#","dest_smsc":"msc1""#).await;
    app.data(&format!("POST /api/messages/{ended}/mark_delivered"))
        .await;
    let failed_twice = app.submitted(r#","dest_smsc":"msc1""#).await;
    for _ in 0..2 {
        app.data(&format!("PUT /api/messages/{failed_twice}")).await;
    }
    Messages {
        routed,
        ended,
        failed_twice,
    }
}

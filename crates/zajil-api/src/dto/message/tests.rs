//! Messages as they are shown (S2).

use std::num::NonZeroU32;

use axum::body::to_bytes;
use expect_test::expect;
use serde_json::Value;
use zajil_core::event::NodeName;
use zajil_core::id::MessageId;
use zajil_core::message::{Arranged, Content, Ending, TransferFields};
use zajil_core::number::{Msisdn, Sender};
use zajil_core::retry::Attempt;
use zajil_core::status::FinalStatus;

use super::*;

fn bare() -> Message {
    let at = Timestamp::from_millis(1_769_860_800_123);
    Message {
        id: MessageId::MAX,
        content: Content {
            source: Sender::default(),
            destination: Msisdn::restore("+155"),
            body: "a\"\n\u{1}é\u{1f600}".into(),
            source_smsc: None,
            source_imsi: None,
            dest_imsi: None,
            parts: NonZeroU32::MIN,
            part_number: None,
            tp: TransferFields::default(),
            send_time: None,
            raw_pdu: None,
            raw_data: false,
            raw_sip: false,
        },
        dest_smsc: None,
        inserted_at: at,
        updated_at: at,
        expires: at,
        deliver_after: None,
        attempts: Attempt::default(),
        charge_failed: false,
        arranged: Arranged::default(),
        origin_node: NodeName::new("n1"),
        life: Life::Pending { leased_until: None },
    }
}

fn full() -> Message {
    let mut message = bare();
    let name = |text: &str| FrontendName::parse(text).ok();
    message.id = MessageId::new(1).unwrap();
    message.content.source = Sender::restore("Bank");
    message.content.source_smsc = name("app");
    message.content.source_imsi = Some("001".into());
    message.content.dest_imsi = Some("002".into());
    message.content.parts = NonZeroU32::new(120).unwrap();
    message.content.part_number = NonZeroU32::new(10);
    message.content.tp = TransferFields {
        data_coding_scheme: Some(0xf1),
        character_set: Some(CharacterSet::EightBit),
        coding_group: Some("general_data_coding".into()),
        compressed: Some(false),
        has_message_class: Some(true),
        message_class: Some(1),
        user_data_header: Some(r#"{"ref":7}"#.into()),
        concatenation: None,
    };
    message.content.send_time = Some(Timestamp::EPOCH);
    message.content.raw_pdu = Some(vec![0, 0xab]);
    message.content.raw_data = true;
    message.content.raw_sip = true;
    message.dest_smsc = name("gw");
    message.deliver_after = Some(Timestamp::EPOCH);
    message.attempts = Attempt::new(42);
    message.charge_failed = true;
    message
}

async fn body(response: Response) -> String {
    let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    serde_json::from_str::<Value>(&text).unwrap();
    text
}

/// One field a line.
async fn lines(response: Response) -> String {
    body(response).await.replace(",\"", ",\n\"")
}

#[tokio::test]
async fn s2_every_field_is_there_even_if_null() {
    expect![[r#"
        {"status":"success",
        "data":{"id":9007199254740991,
        "source_msisdn":null,
        "destination_msisdn":"+155",
        "message_body":"a\"\n\u0001é😀",
        "source_smsc":null,
        "dest_smsc":null,
        "destination_smsc":null,
        "source_imsi":null,
        "dest_imsi":null,
        "message_parts":1,
        "message_part_number":null,
        "tp_data_coding_scheme":null,
        "tp_dcs_character_set":null,
        "tp_dcs_coding_group":null,
        "tp_dcs_compressed":null,
        "tp_dcs_has_message_class":null,
        "tp_dcs_message_class":null,
        "tp_user_data_header":null,
        "status":"pending",
        "send_time":null,
        "deliver_time":null,
        "delivered_at":null,
        "inserted_at":"2026-01-31T12:00:00.123Z",
        "updated_at":"2026-01-31T12:00:00.123Z",
        "expires":"2026-01-31T12:00:00.123Z",
        "deliver_after":null,
        "leased_until":null,
        "delivery_attempts":0,
        "deadletter":false,
        "charge_failed":false,
        "raw_data_flag":false,
        "raw_sip_flag":false,
        "raw_pdu":null}}"#]]
    .assert_eq(&lines(one(StatusCode::OK, &bare())).await);
}

#[tokio::test]
async fn s2_every_field_is_there_with_its_value() {
    expect![[r#"
        {"status":"success",
        "data":{"id":1,
        "source_msisdn":"Bank",
        "destination_msisdn":"+155",
        "message_body":"a\"\n\u0001é😀",
        "source_smsc":"app",
        "dest_smsc":"gw",
        "destination_smsc":"gw",
        "source_imsi":"001",
        "dest_imsi":"002",
        "message_parts":120,
        "message_part_number":10,
        "tp_data_coding_scheme":"F1",
        "tp_dcs_character_set":"8bit",
        "tp_dcs_coding_group":"general_data_coding",
        "tp_dcs_compressed":false,
        "tp_dcs_has_message_class":true,
        "tp_dcs_message_class":1,
        "tp_user_data_header":{"ref":7},
        "status":"pending",
        "send_time":"1970-01-01T00:00:00.000Z",
        "deliver_time":null,
        "delivered_at":null,
        "inserted_at":"2026-01-31T12:00:00.123Z",
        "updated_at":"2026-01-31T12:00:00.123Z",
        "expires":"2026-01-31T12:00:00.123Z",
        "deliver_after":"1970-01-01T00:00:00.000Z",
        "leased_until":null,
        "delivery_attempts":42,
        "deadletter":false,
        "charge_failed":true,
        "raw_data_flag":true,
        "raw_sip_flag":true,
        "raw_pdu":"00AB"}}"#]]
    .assert_eq(&lines(one(StatusCode::OK, &full())).await);
}

#[tokio::test]
async fn s2_an_ended_message_shows_its_ending_and_a_leased_one_its_lease() {
    let at = Timestamp::from_secs(9);
    let shown = |life: Life| {
        let message = Message { life, ..bare() };
        async move {
            let text = body(one(StatusCode::OK, &message)).await;
            let value: Value = serde_json::from_str(&text).unwrap();
            let field = |name: &str| value["data"][name].to_string();
            [
                "status",
                "deliver_time",
                "delivered_at",
                "deadletter",
                "leased_until",
            ]
            .map(field)
            .join(" ")
        }
    };
    let ended = |how| {
        Life::Ended(Ending {
            how,
            at,
            node: NodeName::new("n2"),
        })
    };
    expect![[r#""delivered" "1970-01-01T00:00:09.000Z" "1970-01-01T00:00:09.000Z" false null"#]]
        .assert_eq(&shown(ended(FinalStatus::Delivered)).await);
    expect![[r#""expired" null null true null"#]]
        .assert_eq(&shown(ended(FinalStatus::Expired)).await);
    expect![[r#""pending" null null false "1970-01-01T00:00:09.000Z""#]].assert_eq(
        &shown(Life::Pending {
            leased_until: Some(at),
        })
        .await,
    );
}

#[tokio::test]
async fn s3_lists_and_asynchronous_answers_have_their_frames() {
    let text = body(many(&[bare(), full()])).await;
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["status"], "success");
    assert_eq!(value["data"][1]["id"], 1);
    assert_eq!(body(many(&[])).await, r#"{"status":"success","data":[]}"#);
    let text = body(accepted(&full())).await;
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["data"]["status"], "accepted");
    assert_eq!(value["data"]["message"]["dest_smsc"], "gw");
}

#[test]
fn the_frame_holds_a_message_without_growing() {
    let mut out = Vec::new();
    write(&mut out, &full());
    assert!(out.len() < FRAME, "{}", out.len());
}

#[tokio::test]
async fn s3_a_page_ends_after_eight_mebibytes_and_an_offer_does_not() {
    let mut large = bare();
    large.content.body = "x".repeat(1 << 20);
    let messages = vec![large; 10];
    let rows = async |response: Response| {
        let body = to_bytes(response.into_body(), 1 << 24).await.unwrap();
        let answer: Value = serde_json::from_slice(&body).unwrap();
        answer["data"].as_array().map(Vec::len)
    };
    assert_eq!(rows(page(&messages)).await, Some(8));
    assert_eq!(rows(page(messages.get(8..).unwrap())).await, Some(2));
    assert_eq!(rows(many(&messages)).await, Some(10));
}

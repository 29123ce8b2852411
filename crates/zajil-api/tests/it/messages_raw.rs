//! PDUs as messages (S3, S9.2, D6).

use expect_test::expect;
use serde_json::{Value, json};

use crate::app::{App, app};

/// The second of three parts, valid for four days (python-messaging).
const PART: &str = "5100098156355476f80000aaa005000388030240e6349b0da2a3cba0badbfc969fd3f6b4fb0c6a\
    a7dd757a19744dd3d1a0791a4fcf83e6e5f1db4d9e9f40f7b79c8e06bdcd20727a4e0fbbc76590bcee6681b2efba7c\
    0e4acf41747419540ccbe96850d84d0695ed65799e8e4ebbcf203a3a4c9f83d26e509ace0205dd64500b7447a7c768\
    507a0e6abfe565500b947fd741f7349b0d129741";
/// "hola" to an international number (python-messaging).
const HOLA: &str = "01000b914316565811f9000004e8373b0c";
/// "How are you?" behind a service centre address (python-messaging).
const DELIVER: &str =
    "07911326040000f0040b911346610089f60000208062917314080cc8f71d14969741f977fd07";

fn raw(path: &str, fields: &Value) -> String {
    format!("POST {path}\n\n{fields}")
}

async fn submit(app: &App, fields: &Value) -> String {
    app.call(&raw("/api/messages_raw", fields)).await
}

#[tokio::test(start_paused = true)]
async fn s3_a_submit_becomes_a_message_with_all_its_fields() {
    let app = app().await;
    app.frontend("gw").await;
    let fields = json!({
        "pdu": PART, "source_msisdn": "+15550000001", "source_smsc": "app", "dest_smsc": "gw",
        "source_imsi": "001010000000001", "message_parts": 9, "message_body": "ignored",
    });
    expect![[r#"
        201
        {"data":{"delivery_attempts":0,"dest_smsc":"gw","destination_msisdn":"655345678","destination_smsc":"gw","expires":"2026-01-05T00:00:00.000Z","id":264905533947904,"inserted_at":"2026-01-01T00:00:00.000Z","message_body":" fill the unforgiving minute With sixty seconds' worth of distance run, Yours is the Earth and everything thats in it, And - which is more - you will be ","message_part_number":2,"message_parts":3,"raw_data_flag":true,"raw_pdu":"…","source_imsi":"001010000000001","source_msisdn":"+15550000001","source_smsc":"app","status":"pending","tp_data_coding_scheme":"00","tp_dcs_character_set":"gsm7","tp_dcs_coding_group":"general_data_coding","tp_user_data_header":{"concat":{"ref":136,"ref_bits":8,"seq":2,"total":3},"elements":[{"data":"880302","iei":"00"}]},"updated_at":"2026-01-01T00:00:00.000Z"},"status":"success"}"#]].assert_eq(&submit(&app, &fields).await.replace(&PART.to_uppercase(), "…"));
}

#[tokio::test(start_paused = true)]
async fn s3_a_deliver_becomes_a_message_with_its_originator() {
    let app = app().await;
    let fields = json!({
        "pdu": DELIVER, "direction": "sc-ms", "destination_msisdn": "+15551234567",
        "source_smsc": "gw",
    });
    expect![[r#"
        201
        {"data":{"delivery_attempts":0,"destination_msisdn":"+15551234567","expires":"2026-01-02T00:00:00.000Z","id":264905533947904,"inserted_at":"2026-01-01T00:00:00.000Z","message_body":"How are you?","message_parts":1,"raw_data_flag":true,"raw_pdu":"07911326040000F0040B911346610089F60000208062917314080CC8F71D14969741F977FD07","send_time":"2002-08-26T19:37:41.000Z","source_msisdn":"+31641600986","source_smsc":"gw","status":"pending","tp_data_coding_scheme":"00","tp_dcs_character_set":"gsm7","tp_dcs_coding_group":"general_data_coding","updated_at":"2026-01-01T00:00:00.000Z"},"status":"success"}"#]].assert_eq(&submit(&app, &fields).await);
}

#[tokio::test(start_paused = true)]
async fn s3_data_has_no_text_and_a_class_shows() {
    let app = app().await;
    let data = json!({ "pdu": "07914400000000f001000b811000000000f000f60b48692074686572652e2e2e" });
    expect![[r#"
        201
        {"data":{"delivery_attempts":0,"destination_msisdn":"01000000000","expires":"2026-01-02T00:00:00.000Z","id":264905533947904,"inserted_at":"2026-01-01T00:00:00.000Z","message_body":"","message_parts":1,"raw_data_flag":true,"raw_pdu":"07914400000000F001000B811000000000F000F60B48692074686572652E2E2E","status":"pending","tp_data_coding_scheme":"F6","tp_dcs_character_set":"8bit","tp_dcs_coding_group":"data_coding_message_class","tp_dcs_has_message_class":true,"tp_dcs_message_class":2,"updated_at":"2026-01-01T00:00:00.000Z"},"status":"success"}"#]].assert_eq(&submit(&app, &data).await);
}

#[tokio::test(start_paused = true)]
async fn s3_messages_raw_async_answers_202_before_the_message_is_stored() {
    let app = app().await;
    let request = raw("/api/messages_raw/async", &json!({ "pdu": HOLA }));
    expect![[r#"
        202
        {"data":{"message":{"delivery_attempts":0,"destination_msisdn":"+34616585119","expires":"2026-01-02T00:00:00.000Z","id":264905533947904,"inserted_at":"2026-01-01T00:00:00.000Z","message_body":"hola","message_parts":1,"raw_data_flag":true,"raw_pdu":"01000B914316565811F9000004E8373B0C","status":"pending","tp_data_coding_scheme":"00","tp_dcs_character_set":"gsm7","tp_dcs_coding_group":"general_data_coding","updated_at":"2026-01-01T00:00:00.000Z"},"status":"accepted"},"status":"success"}"#]].assert_eq(&app.call(&request).await);
    app.call(&request).await;
    let stored = app
        .ids("GET /api/messages/get_by_smsc?smsc=gw&wait=30")
        .await;
    assert_eq!(stored.len(), 1, "the second is the same PDU");
}

#[tokio::test(start_paused = true)]
async fn s9_2_the_same_pdu_again_gets_the_first_answer_and_is_not_stored() {
    let app = app().await;
    let fields = json!({ "pdu": HOLA, "source_msisdn": "+1555", "source_smsc": "app" });
    let first = submit(&app, &fields).await;
    assert!(first.starts_with("201"), "{first}");
    let addressed = json!({
        "pdu": format!("00{HOLA}"), "source_msisdn": "+1555", "source_smsc": "app",
        "dest_imsi": "001",
    });
    for again in [&fields, &addressed] {
        assert_eq!(submit(&app, again).await, first);
    }
    assert_eq!(app.ids("GET /api/messages").await.len(), 1);
    let other = json!({ "pdu": HOLA, "source_msisdn": "+1556", "source_smsc": "app" });
    assert!(submit(&app, &other).await.starts_with("201"));
    app.advance(5 * 60);
    assert_ne!(submit(&app, &fields).await, first);
    assert_eq!(app.ids("GET /api/messages").await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn s3_what_cannot_be_taken_is_refused_with_its_place() {
    let app = app().await;
    let mut answers = String::new();
    for fields in [
        json!({}),
        json!({ "pdu": 1 }),
        json!({ "pdu": "01000g" }),
        json!({ "pdu": "01000" }),
        json!({ "pdu": "é1" }),
        json!({ "pdu": "0100" }),
        json!({ "pdu": "01000b914316565811f9000004e8373b" }),
        json!({ "pdu": "01000b914316565811f9000004e8373b0c00" }),
        json!({ "pdu": "0001000b914316565811f9000004e8373b" }),
        json!({ "pdu": "07914400000000f001000b811000000000f000040c48692074686572652e2e2e" }),
        json!({ "pdu": "0100ff91" }),
        json!({ "pdu": "010000910000023132" }),
        json!({ "pdu": "0100029122000000" }),
        json!({ "pdu": "01000391aa0b000000" }),
        json!({ "pdu": "41000b914316565811f9000004030005ff" }),
        json!({ "pdu": "19000b914316565811f900000170520251930004e8373b0c" }),
        json!({ "pdu": HOLA, "expires": "2025-01-01T00:00:00Z" }),
        json!({ "pdu": HOLA, "direction": "up" }),
        json!({ "pdu": HOLA, "dest_smsc": "nobody" }),
        json!({ "pdu": "0000" }),
        json!({ "pdu": "02000000420b914316565811f900" }),
        json!({ "pdu": "061805810531f1019082416500400190824165004000", "direction": "sc-ms" }),
        json!({ "pdu": DELIVER, "direction": "sc-ms" }),
        json!({ "pdu": HOLA.replace("01000b", "03000b") }),
    ] {
        let answer = submit(&app, &fields).await;
        let (status, body) = answer.split_once('\n').unwrap();
        let body: Value = serde_json::from_str(body).unwrap();
        let detail = body["errors"]["detail"].as_str().unwrap_or(&answer);
        answers += &format!("{status} {detail}\n");
    }
    expect![[r#"
        422 pdu is required
        422 pdu must be a string
        422 pdu must be pairs of hexadecimal digits: octet 2 is none
        422 pdu must be pairs of hexadecimal digits: octet 2 has only one
        422 pdu must be pairs of hexadecimal digits: octet 0 is none
        422 pdu cannot be read: TP-DA at octet 2 ends 1 octets too early
        422 pdu cannot be read: TP-UD at octet 13 ends 1 octets too early
        422 pdu cannot be read: 1 octets are left over at octet 17
        422 pdu cannot be read: TP-UD at octet 14 ends 1 octets too early
        422 pdu cannot be read: TP-UD at octet 21 ends 1 octets too early
        422 pdu cannot be read: TP-DA at octet 2 has the forbidden length 255
        422 pdu must name a destination: TP-DA is empty
        422 destination_msisdn must be 3 to 20 digits with an optional leading '+'
        422 destination_msisdn must be 3 to 20 digits with an optional leading '+'
        422 pdu cannot be read: TP-UDH element at octet 14 ends 4 octets too early
        422 pdu is out of date: TP-VP must end in the future
        422 expires must lie in the future
        422 direction must be one of ms-sc, sc-ms
        422 dest_smsc names no known frontend: nobody
        422 pdu must be an SMS-SUBMIT, but is an SMS-DELIVER-REPORT
        422 pdu must be an SMS-SUBMIT, but is an SMS-COMMAND
        422 pdu must be an SMS-DELIVER, but is an SMS-STATUS-REPORT
        422 destination_msisdn is required
        422 pdu cannot be read: TP-MTI at octet 0 has the impossible value 0x03
    "#]]
    .assert_eq(&answers);
}

#[tokio::test(start_paused = true)]
async fn d6_an_idempotency_key_holds_for_pdus_too() {
    let app = app().await;
    let keyed = |key: &str| {
        format!(
            "POST /api/messages_raw\nidempotency-key: {key}\n\n{}",
            json!({ "pdu": HOLA })
        )
    };
    let first = app.call(&keyed("k1")).await;
    assert_eq!(app.call(&keyed("k1")).await, first);
    assert_ne!(app.call(&keyed("k2")).await, first);
}

#[tokio::test(start_paused = true)]
async fn s3_no_octet_of_a_pdu_breaks_the_door() {
    let app = app().await;
    let mut taken = 0;
    for (pdu, direction) in [
        (HOLA, "ms-sc"),
        (PART.get(..60).unwrap(), "ms-sc"),
        (DELIVER, "sc-ms"),
    ] {
        for at in 0..pdu.len() / 2 {
            for octet in (0..=u8::MAX).step_by(3) {
                let mut pdu = pdu.to_owned();
                pdu.replace_range(at * 2..at * 2 + 2, &format!("{octet:02x}"));
                let fields = json!({
                    "pdu": pdu, "direction": direction, "destination_msisdn": "155",
                });
                let answer = submit(&app, &fields).await;
                let sound = answer.starts_with("201\n{\"data\":{")
                    || answer.starts_with("422\n{\"errors\":{");
                assert!(sound, "{fields}\n{answer}");
                taken += usize::from(answer.starts_with("201"));
            }
        }
    }
    assert!(taken > 1_000, "{taken}");
}

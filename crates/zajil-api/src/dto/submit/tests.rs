//! Submits: what is taken, and the sentence for each thing that is not (S2, S3.9).

use super::*;

const NOW: i64 = 1_769_860_800;

fn read(fields: &str) -> Result<Submission, Refusal> {
    let body = format!("{{{fields}}}");
    let submit: Submit<'_> = crate::body::object(body.as_bytes())?;
    submit.into_submission(Timestamp::from_secs(NOW), 10)
}

/// A sound submit with these fields beside the required ones.
fn with(fields: &str) -> Result<Submission, Refusal> {
    read(&format!(
        r#""destination_msisdn":"+155","message_body":"hi",{fields}"#
    ))
}

fn refused(fields: &str, expect: &str) {
    assert_eq!(with(fields).unwrap_err().detail, expect, "{fields}");
}

#[test]
fn s2_all_fields_arrive() {
    let submission = with(
        r#""source_msisdn":"My Bank","source_smsc":"app","dest_smsc":"gw","source_imsi":"001",
        "dest_imsi":"002","message_parts":"3","message_part_number":2,"source_type":"ims",
        "tp_data_coding_scheme":"f1","tp_dcs_character_set":"ucs2","tp_dcs_coding_group":"general",
        "tp_dcs_compressed":"false","tp_dcs_has_message_class":true,"tp_dcs_message_class":"1",
        "tp_user_data_header":{"ref":7},"send_time":"2026-01-31T11:59:59Z",
        "expires":"2026-01-31T13:00:00Z","deliver_after":"2026-01-31T12:30:00Z",
        "raw_pdu":"0aFF","raw_data_flag":1,"raw_sip_flag":"true","nonsense":{"a":[1]}"#,
    )
    .unwrap();
    expect_test::expect![[r#"
        Submission { source: Some(****ank),
        destination: **55,
        body: "hi",
        source_smsc: Some(app),
        source_type: Some(Ims),
        dest_smsc: Some(gw),
        source_imsi: Some("001"),
        dest_imsi: Some("002"),
        parts: Some(3),
        part_number: Some(2),
        tp: TransferFields { data_coding_scheme: Some(241),
        character_set: Some(Ucs2),
        coding_group: Some("general"),
        compressed: Some(false),
        has_message_class: Some(true),
        message_class: Some(1),
        user_data_header: Some("{\"ref\":7}"),
        concatenation: None },
        send_time: Some(t+1769860799.000),
        expires: Some(t+1769864400.000),
        deliver_after: Some(t+1769862600.000),
        raw_pdu: Some([10,
        255]),
        raw_data: true,
        raw_sip: true,
        dedupe: None,
        origin: None }"#]]
    .assert_eq(&format!("{submission:?}").replace(", ", ",\n"));
}

#[test]
fn s3_9_what_is_missing_is_named() {
    let detail = |fields: &str| read(fields).unwrap_err().detail;
    assert_eq!(
        detail(r#""message_body":"x""#),
        "destination_msisdn is required"
    );
    assert_eq!(
        detail(r#""destination_msisdn":"","message_body":"x""#),
        "destination_msisdn must not be empty"
    );
    assert_eq!(
        detail(r#""destination_msisdn":"155""#),
        "message_body is required"
    );
    assert_eq!(
        detail(r#""destination_msisdn":"155","message_body":"""#),
        "message_body must not be empty"
    );
    assert_eq!(
        detail(r#""destination_msisdn":155,"message_body":"x""#),
        "destination_msisdn must be a string"
    );
    assert_eq!(
        detail(r#""destination_msisdn":"155","message_body":{"a":1}"#),
        "message_body must be a string"
    );
    assert_eq!(
        detail(r#""destination_msisdn":"155","message_body":"12345678901""#),
        "message_body must have at most 10 characters"
    );
    let raw = read(r#""destination_msisdn":"155","raw_pdu":"01""#).unwrap();
    assert_eq!(raw.body, "", "required unless raw");
}

#[test]
fn s2_values_out_of_bounds_are_named() {
    refused(
        r#""tp_data_coding_scheme":"0""#,
        "tp_data_coding_scheme must be a string of two hexadecimal digits",
    );
    refused(
        r#""tp_data_coding_scheme":0"#,
        "tp_data_coding_scheme must be a string",
    );
    refused(
        &format!(r#""raw_pdu":"{}""#, "0".repeat(602)),
        "raw_pdu must have at most 600 hexadecimal digits",
    );
    refused(
        &format!(r#""tp_user_data_header":{{"a":"{}"}}"#, "x".repeat(4_089)),
        "tp_user_data_header must have at most 4096 octets of JSON",
    );
    refused(
        r#""tp_dcs_character_set":"gsm""#,
        "tp_dcs_character_set must be one of gsm7, 8bit, latin1, ucs2",
    );
    refused(
        r#""tp_dcs_message_class":4"#,
        "tp_dcs_message_class must be an integer from 0 to 3",
    );
    refused(
        r#""message_parts":0"#,
        "message_parts must be an integer from 1 to 255",
    );
    refused(
        r#""message_parts":256"#,
        "message_parts must be an integer from 1 to 255",
    );
    refused(
        r#""message_parts":2,"message_part_number":3"#,
        "message_part_number must not exceed message_parts",
    );
    refused(
        r#""dest_smsc":"  ""#,
        "dest_smsc must be 1 to 255 printable characters",
    );
    refused(
        r#""tp_user_data_header":[]"#,
        "tp_user_data_header must be a JSON object",
    );
    assert!(
        with(r#""dest_smsc":"","expires":null,"message_parts":"""#).is_ok(),
        "empty is null"
    );
}

#[test]
fn s2_a_message_lives_from_deliver_after_to_expires() {
    refused(
        r#""expires":"2026-01-31T12:00:00Z""#,
        "expires must lie in the future",
    );
    refused(
        r#""expires":"2026-01-31T13:00:00Z","deliver_after":"2026-01-31T13:00:00Z""#,
        "expires must be later than deliver_after",
    );
    refused(
        r#""expires":"2026-01-31T13:00:00Z","deliver_after":"10000-01-01T00:00:00Z""#,
        "deliver_after must be an RFC 3339 time such as 2026-01-31T12:00:00Z",
    );
    assert!(
        with(r#""deliver_after":"2020-01-01T00:00:00Z""#).is_ok(),
        "the past is now"
    );
}

#[test]
fn s2_1_older_spellings_count_where_the_newer_is_absent() {
    let dest = |fields: &str| with(fields).unwrap().dest_smsc.map(|name| name.to_string());
    assert_eq!(dest(r#""destination_smsc":"old""#).as_deref(), Some("old"));
    assert_eq!(
        dest(r#""destination_smsc":"old","dest_smsc":"new""#).as_deref(),
        Some("new")
    );
}

#[test]
fn a_field_given_twice_is_refused() {
    let refusal = with(r#""dest_smsc":"a","dest_smsc":"b""#).unwrap_err();
    assert!(
        refusal.detail.contains("duplicate field `dest_smsc`"),
        "{}",
        refusal.detail
    );
}

#[test]
fn d6_keys_are_told_apart_by_key_client_and_body() {
    let one = with(r#""source_smsc":"a""#).unwrap();
    let other = with(r#""source_smsc":"b""#).unwrap();
    let first = dedupe("k", "a", &one, b"body");
    assert_eq!(first, dedupe("k", "a", &one, b"body"));
    assert_ne!(first.key, dedupe("l", "a", &one, b"body").key);
    assert_ne!(first.key, dedupe("k", "a", &other, b"body").key);
    assert_ne!(first.key, dedupe("k", "b", &one, b"body").key);
    let changed = dedupe("k", "a", &one, b"Body");
    assert!(changed.key == first.key && changed.body != first.body);
    for bad in ["", "é", "a\u{7f}", &"k".repeat(256)] {
        let refusal = check_key("the header Idempotency-Key", bad).unwrap_err();
        assert_eq!(
            refusal.detail,
            "the header Idempotency-Key must be 1 to 255 printable ASCII characters"
        );
    }
}

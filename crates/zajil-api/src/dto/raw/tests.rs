//! What makes two PDUs the same, and where numbers and times come from (S9.2, D6).

use super::*;

const NOW: i64 = 1_767_225_600;

fn read(fields: &str) -> Result<Submission, Refusal> {
    let body = format!("{{{fields}}}");
    let raw: Raw<'_> = crate::body::object(body.as_bytes())?;
    raw.into_submission(Timestamp::from_secs(NOW))
}

fn key(fields: &str) -> [u8; 32] {
    let dedupe = read(fields).unwrap().dedupe.unwrap();
    assert_eq!(dedupe.key, dedupe.body);
    dedupe.key
}

#[test]
fn s9_2_a_pdu_is_the_same_by_client_numbers_reference_coding_and_data() {
    const PDU: &str = r#""pdu":"01000b914316565811f9000004e8373b0c","source_msisdn":"+155""#;
    let first = key(PDU);
    let same = [
        r#""pdu":"0001000B914316565811F9000004E8373B0C","source_msisdn":"+155""#.to_owned(),
        format!(r#"{PDU},"expires":"2026-01-02T00:00:00Z","dest_smsc":"gw""#),
    ];
    for fields in same {
        assert_eq!(key(&fields), first, "{fields}");
    }
    let others = [
        PDU.replace("155", "156"),
        PDU.replace(r#""01000b"#, r#""01010b"#),
        PDU.replace("14316565811f9", "14316565811f8"),
        PDU.replace("f90000", "f90100"),
        PDU.replace("f90000", "f90010"),
        PDU.replace("e8373b0c", "e8373b0d"),
        format!(r#"{PDU},"source_smsc":"app""#),
    ];
    for fields in others {
        assert_ne!(key(&fields), first, "{fields}");
    }
}

#[test]
fn s9_2_submits_without_a_number_differ_by_imsi() {
    let of = |imsi: &str| {
        key(&format!(
            r#""pdu":"01000b914316565811f9000004e8373b0c","source_imsi":"{imsi}""#
        ))
    };
    assert_ne!(of("001010000000001"), of("001010000000002"));
}

#[test]
fn s9_2_deliveries_differ_by_their_time_stamp() {
    let of = |seconds: &str| {
        key(&format!(
            r#""pdu":"040b911346610089f600002080629173{seconds}080cc8f71d14969741f977fd07",
            "direction":"sc-ms","destination_msisdn":"155""#
        ))
    };
    assert_ne!(of("14"), of("24"));
}

#[test]
fn s3_the_validity_period_is_the_end_unless_the_request_names_one() {
    let relative = r#""pdu":"11000b914316565811f90000a704e8373b0c""#;
    let read_expires = |fields: &str| read(fields).unwrap().expires.map(|at| at.secs() - NOW);
    assert_eq!(read_expires(relative), Some(86_400));
    let given = format!(r#"{relative},"expires":"2026-01-01T01:00:00Z""#);
    assert_eq!(read_expires(&given), Some(3_600));
    let enhanced = r#""pdu":"09010b911316325476f80000023c000000000002e834""#;
    assert_eq!(read_expires(enhanced), Some(60));
    let absolute = r#""pdu":"19000b914316565811f900006210200000000004e8373b0c""#;
    assert_eq!(read_expires(absolute), Some(86_400));
    let none = r#""pdu":"01000b914316565811f9000004e8373b0c""#;
    assert_eq!(read_expires(none), None);
    let no_date = r#""pdu":"19000b914316565811f900006299200000000004e8373b0c""#;
    assert_eq!(read_expires(no_date), None);
}

#[test]
fn s2_a_text_with_u_0000_is_kept_without_it() {
    let read = read(r#""pdu":"01000b914316565811f900080400410000""#).unwrap();
    assert_eq!(read.body, "A\u{FFFD}");
}

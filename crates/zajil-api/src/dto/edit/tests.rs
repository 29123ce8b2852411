//! PATCH: what changes, what is a report, and what cannot change (S3).

use std::time::Duration;

use zajil_core::frontend::FrontendName;

use super::*;

const NOW: Timestamp = Timestamp::EPOCH;

fn read(body: &str) -> Result<Change, Refusal> {
    crate::body::object::<Patch<'_>>(body.as_bytes())?.into_change(NOW, 100)
}

#[test]
fn s3_absent_fields_stay_and_null_clears() {
    let nothing = read(r#"{"unknown":1}"#).unwrap();
    assert_eq!(
        (nothing.edit, nothing.sets_status),
        (Edit::default(), false)
    );
    let edit = read(r#"{"dest_smsc":null,"deliver_after":null,"source_imsi":null}"#)
        .unwrap()
        .edit;
    assert_eq!(edit.dest_smsc, Some(None));
    assert_eq!(edit.deliver_after, Some(None));
    assert_eq!(edit.source_imsi, Some(None));
    let edit = read(
        r#"{"destination_smsc":"gw","message_body":"new","message_parts":2,"expires":
        "1970-01-01T01:00:00Z","delivery_attempts":"3","charge_failed":"1"}"#,
    )
    .unwrap()
    .edit;
    assert_eq!(edit.dest_smsc, Some(FrontendName::parse("gw").ok()));
    assert_eq!(
        edit.body,
        Some(("new".into(), NonZeroU32::MIN)),
        "the engine counts the parts"
    );
    assert_eq!(edit.expires, Some(NOW.plus(Duration::from_secs(3_600))));
    assert_eq!(edit.attempts, Some(Attempt::new(3)));
    assert_eq!(edit.charge_failed, Some(true));
}

#[test]
fn s3_a_status_is_a_report() {
    let report = |body: &str| read(body).unwrap().edit.report;
    let gw = FrontendName::parse("gw").ok();
    assert_eq!(
        report(r#"{"status":"delivered","dest_smsc":"gw"}"#),
        Some(Report::Delivered { by: gw, at: None })
    );
    assert_eq!(
        report(r#"{"delivered_at":"1970-01-01T00:00:01Z"}"#),
        Some(Report::Delivered {
            by: None,
            at: Some(Timestamp::from_secs(1))
        }),
        "S2.1, S3.1: a delivery time says that it was delivered"
    );
    assert_eq!(
        report(r#"{"status":"failed"}"#),
        Some(Report::Ended {
            how: FinalStatus::Failed,
            reason: None
        })
    );
    let pending = read(r#"{"status":"pending"}"#).unwrap();
    assert_eq!((pending.edit.report, pending.sets_status), (None, true));
}

#[test]
fn s3_wrong_values_are_named() {
    let detail = |body: &str| read(body).unwrap_err().detail;
    assert_eq!(
        detail(r#"{"status":"done"}"#),
        "status must be one of pending, delivered, expired, failed, rejected, dropped"
    );
    assert_eq!(
        detail(r#"{"delivery_attempts":-1}"#),
        "delivery_attempts must be an integer from 0 to 1000000"
    );
    assert_eq!(
        detail(r#"{"message_body":""}"#),
        "message_body must not be empty"
    );
    assert_eq!(
        detail(r#"{"expires":"1970-01-01T00:00:00Z"}"#),
        "expires must lie in the future"
    );
}

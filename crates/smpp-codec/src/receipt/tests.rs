//! Receipts: ours octet for octet, and those of the field.

use expect_test::expect;

use super::*;

const SUBMITTED: i64 = 1_266_427_800_000;

/// D19: the full form, dates of ten digits, three digits of `err`.
#[test]
fn d19_a_receipt_is_written_in_full() {
    let receipt = Receipt {
        id: "94258431594",
        submitted: 1,
        delivered: 1,
        submit_ms: SUBMITTED,
        done_ms: SUBMITTED + 60_000,
        state: MessageState::Delivered,
        error: 0,
        text: b"@$#!\"%&/: and more than twenty octets",
    };
    let written = String::from_utf8(receipt.write()).unwrap();
    let expected = concat!(
        "id:94258431594 sub:001 dlvrd:001 submit date:1002171730 done date:1002171731 ",
        "stat:DELIVRD err:000 text:@$#!\"%&/: and more t"
    );
    assert_eq!(written, expected);
    let parsed = parse(written.as_bytes()).unwrap();
    assert_eq!(parsed.id.as_deref(), Some("94258431594"));
    assert_eq!(parsed.state, Some(MessageState::Delivered));
    assert_eq!(
        (parsed.submit_ms, parsed.done_ms),
        (Some(SUBMITTED), Some(SUBMITTED + 60_000))
    );
    assert_eq!((parsed.submitted, parsed.delivered), (Some(1), Some(1)));
    assert_eq!(parsed.text.as_deref(), Some(&b"@$#!\"%&/: and more t"[..]));
}

/// Forms that peers send: the short one, other cases and orders, longer dates, a text in which
/// keys stand.
#[test]
fn receipts_of_the_field_are_read() {
    let read = |text: &str| {
        parse(text.as_bytes()).map(|read| {
            format!(
                "{} {} {} {} {}",
                read.id.unwrap(),
                read.state.unwrap(),
                read.submit_ms.unwrap_or(-1),
                read.done_ms.unwrap_or(-1),
                read.error.unwrap_or_default(),
            )
        })
    };
    let mut read_all = String::new();
    for text in [
        "id:abc submit date:1002171730 done date:100217173100 stat:DELIVRD err:0",
        "ID:7 SUB:001 DLVRD:000 SUBMIT DATE:20100217173000 DONE DATE:20100217173159 \
         STAT:UNDELIVERABLE ERR:ESME_X TEXT:",
        "stat:EXPIRED id:9 text:id:8 stat:DELIVRD",
        "id:1 sub:001 dlvrd:001 submit date:1002171730 done date:1002171731 stat:delivered err:000",
        "id:0x38601fa stat:REJECTD err:255 done date:0000000000",
    ] {
        read_all.push_str(&read(text).unwrap());
        read_all.push('\n');
    }
    expect![[r#"
        abc DELIVRD 1266427800000 1266427860000 0
        7 UNDELIV 1266427800000 1266427919000 ESME_X
        9 EXPIRED -1 -1 
        1 DELIVRD 1266427800000 1266427860000 000
        0x38601fa REJECTD -1 -1 255
    "#]]
    .assert_eq(&read_all);
    for text in [
        "",
        "hello",
        "id:",
        "id:7",
        "stat:DELIVRD",
        "valid:7 stat:DELIVRD",
    ] {
        assert_eq!(read(text), None, "{text}");
    }
    // A word that no standard has hides neither the id nor the error.
    let odd = parse(b"id:7 stat:x err:001").unwrap();
    assert_eq!((odd.id.as_deref(), odd.state), (Some("7"), None));
    assert_eq!(odd.error.as_deref(), Some("001"));
}

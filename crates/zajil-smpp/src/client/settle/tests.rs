//! How long receipts are waited for, and what is known when they do not come.

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_secs(second)
}

/// D19: the rule for receipts that do not come applies before the life of a message is over.
#[test]
fn d19_a_receipt_is_waited_for_within_the_life_of_its_message() {
    for (timeout, expires, wanted) in [
        (60, 86_400, 60),
        (172_800, 86_400, 86_390),
        (172_800, 20, 10),
        (172_800, 4, 2),
        (172_800, 0, 0),
        (0, 86_400, 0),
    ] {
        let until = waits_until(at(1_000), Duration::from_secs(timeout), at(1_000 + expires));
        assert_eq!(until, at(1_000 + wanted), "{timeout} {expires}");
    }
}

/// D19: what was told of all parts is not unlearned because its report was lost.
#[test]
fn d19_a_turn_is_delivered_when_all_its_parts_are() {
    let part = |delivered| AwaitedPart {
        carrier: FrontendName::parse("up").unwrap(),
        id: "7".to_owned(),
        message: MessageId::new(1).unwrap(),
        tail: String::new(),
        taken_at: at(1),
        until: at(2),
        parts: 2,
        delivered,
    };
    assert!(are_delivered(&[part(true), part(true)]));
    assert!(!are_delivered(&[part(true), part(false)]));
    assert!(!are_delivered(&[part(true)]), "another is not on this page");
    assert!(!are_delivered(&[]));
}

//! What is known when receipts do not come.

use zajil_core::clock::Timestamp;
use zajil_core::id::MessageId;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_secs(second)
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

//! Who sends an alert, and what this node knows of it.

use super::*;

mod stalled;

fn record(added_at: Timestamp, written_at: Timestamp) -> Record {
    Record {
        kind: Kind::SmppAlert,
        id: 1,
        name: None,
        revision: 1,
        added_at,
        written_at,
        body: String::new(),
    }
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::EPOCH.plus(Duration::from_secs(seconds))
}

/// Two nodes send nothing twice, though the clock of the one that added it is ahead, or it is sent
/// in the millisecond in which it was added.
#[test]
fn a_claim_is_seen_whosever_clock_is_ahead() {
    for (added, now) in [(100, 90), (100, 100), (100, 110)] {
        let added = record(at(added), at(added));
        assert!(!is_claimed(&added, at(now)));
        let claimed = record(added.added_at, claim_at(&added, at(now)));
        assert!(is_claimed(&claimed, at(now)), "{now}");
        assert!(is_claimed(&claimed, at(now + 19)), "{now}");
        assert!(!is_claimed(&claimed, at(now + 41)), "{now}");
    }
}

#[test]
fn a_clock_that_is_set_back_holds_no_alert_up() {
    let claimed = record(at(3_000), at(3_600));
    assert!(!is_claimed(&claimed, at(0)));
}

/// What was sent is not sent again while the store cannot forget it.
#[tokio::test]
async fn what_was_sent_is_only_to_be_removed() {
    let (owed, name) = (Owed::default(), FrontendName::parse("shop").unwrap());
    for id in [1, 2] {
        owed.add(id, Some(name.clone()));
    }
    let now = Instant::now();
    owed.sent(&name, 1);
    for id in [1, 2] {
        owed.put_off(&name, id, now + CLAIMED);
    }
    let sent = Due {
        id: 1,
        is_sent: true,
    };
    assert_eq!(owed.due(&name, now), [sent]);
    owed.clear();
    owed.add(1, Some(name.clone()));
    assert_eq!(owed.due(&name, now), [sent], "read again");
}

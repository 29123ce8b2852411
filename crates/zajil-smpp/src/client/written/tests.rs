//! Receipts that are close behind the response to what they are about.

use std::time::Duration;

use futures_util::FutureExt as _;
use zajil_core::frontend::FrontendName;

use super::*;

const TAIL: &str = "71337";

fn name(id: &str) -> String {
    format!("{id}/up")
}

fn awaited(ids: &[&str]) -> Awaited {
    Awaited {
        carrier: FrontendName::parse("up").unwrap(),
        ids: ids.iter().map(|id| (*id).to_owned()).collect(),
        tail: TAIL.to_owned(),
        until: at().plus(Duration::from_secs(60)),
    }
}

fn at() -> Timestamp {
    Timestamp::from_secs(1_700_000_000)
}

fn message(number: u64) -> MessageId {
    MessageId::new(number).unwrap()
}

fn taken(written: &Written, id: &str) -> Option<u64> {
    let part = written.take(&name(id), TAIL)?;
    Some(part.message.get())
}

/// D19: a receipt that comes while its message is written down as taken waits for that, and needs
/// no record of its own.
#[tokio::test]
async fn d19_a_receipt_waits_for_what_is_being_written_down() {
    let written = Written::default();
    let names = [name("7"), name("8")];
    let coming = written.coming(vec![name("7")]);
    let mut waiting = Box::pin(written.settled(names.iter()));
    for _ in 0..3 {
        assert!(waiting.as_mut().now_or_never().is_none());
    }
    coming.end(message(1), &awaited(&["7"]), at());
    waiting.await;
    assert_eq!(taken(&written, "7"), Some(1));
    assert_eq!(taken(&written, "7"), None, "who comes again asks the store");
    // Nothing comes any more, so nothing is waited for.
    written.settled(names.iter()).await;
}

/// A response that was read just before its receipt is dealt with by a task that has had no turn.
#[tokio::test]
async fn who_has_read_a_response_has_a_turn_before_its_receipt() {
    let written = Written::default();
    let names = [name("7")];
    let reader = async {
        tokio::task::yield_now().await;
        let coming = written.coming(vec![name("7")]);
        coming.end(message(1), &awaited(&["7"]), at());
    };
    tokio::join!(reader, written.settled(names.iter()));
    assert_eq!(taken(&written, "7"), Some(1));
}

/// D19: a carrier that gives an id again means the later message, whichever is written down first.
#[tokio::test]
async fn d19_an_id_that_is_given_again_means_the_later_message() {
    for later_first in [false, true] {
        let written = Written::default();
        let names = [name("7")];
        let former = written.coming(vec![name("7")]);
        let later = written.coming(vec![name("7")]);
        let mut waiting = Box::pin(written.settled(names.iter()));
        if later_first {
            later.end(message(2), &awaited(&["7"]), at());
            former.end(message(1), &awaited(&["7"]), at());
        } else {
            former.end(message(1), &awaited(&["7"]), at());
            assert!(waiting.as_mut().now_or_never().is_none());
            later.end(message(2), &awaited(&["7"]), at());
        }
        waiting.await;
        assert_eq!(taken(&written, "7"), Some(2));
    }
}

/// What is not certain is the store's: another number, several parts, what was not written down,
/// and what was long ago.
#[test]
fn what_is_not_certain_is_left_to_the_store() {
    let written = Written::default();
    let write = |id: &str, number: u64| {
        let coming = written.coming(vec![name(id)]);
        coming.end(message(number), &awaited(&[id]), at());
    };
    write("7", 1);
    assert!(written.take(&name("7"), "4711").is_none());
    let parts = written.coming(vec![name("8"), name("9")]);
    parts.end(message(2), &awaited(&["8", "9"]), at());
    assert_eq!(taken(&written, "8"), None);
    write("7", 3);
    drop(written.coming(vec![name("7")]));
    assert_eq!(taken(&written, "7"), None, "it was given again");
    for number in 0..=MOST_PARTS {
        write(&format!("m{number}"), 4);
    }
    assert_eq!(taken(&written, "m0"), None, "the oldest have made room");
    assert_eq!(taken(&written, "m1"), Some(4));
}

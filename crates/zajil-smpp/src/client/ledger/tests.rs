//! Receipts that come before their responses: kept until they were used, and no longer.

use zajil_core::smpp::carrier::{Host, Password};
use zajil_store::memory::MemoryStore;

use super::*;

/// The most that the shelf takes in one call.
const AT_A_TIME: u32 = 1_000;

fn start() -> Timestamp {
    Timestamp::from_secs(1_700_000_000)
}

fn carrier() -> Carrier {
    let host = Host::parse("127.0.0.1:2775").unwrap();
    let us = ("zajil".to_owned(), Password::new("secret08".to_owned()));
    Carrier::new(FrontendName::parse("up").unwrap(), host, us)
}

fn ledger() -> Ledger {
    Ledger::new(Arc::new(MemoryStore::default()))
}

fn said(id: &str) -> Said {
    Said {
        id: id.to_owned(),
        from: "+46709771337".to_owned(),
        state: Some(smpp_codec::state::MessageState::Delivered),
        error: None,
        network: None,
        on_the_way: false,
    }
}

fn awaited(ledger: &Ledger, destination: &str) -> Awaited {
    let ids = ["7".to_owned()];
    let until = start().plus(Duration::from_secs(60));
    ledger.awaited(&carrier(), (destination, &ids), until)
}

async fn kept(ledger: &Ledger) -> usize {
    let since = start().minus(Duration::from_secs(1));
    let kept = ledger.unmatched(since, Start::Newest).await;
    kept.unwrap().len()
}

/// D19: a crash between the look and the report must not lose it.
#[tokio::test]
async fn d19_an_early_receipt_is_kept_until_it_was_used() {
    let ledger = ledger();
    assert!(ledger.park(&carrier(), &said("7"), start()).await.unwrap());
    let awaited = awaited(&ledger, "46709771337");
    for _ in 0..2 {
        assert_eq!(ledger.early(&awaited, start()), [said("7")]);
        assert_eq!(kept(&ledger).await, 1);
    }
    ledger.used(&carrier(), &said("7"), start()).await.unwrap();
    assert_eq!(ledger.early(&awaited, start()), []);
    assert_eq!(kept(&ledger).await, 0);
    // Whoever comes second finds nothing to do.
    ledger.used(&carrier(), &said("7"), start()).await.unwrap();
}

/// D19: an id that is given again is told from the former one by the number and the time.
#[tokio::test]
async fn d19_an_early_receipt_is_of_its_number_and_its_time() {
    let ledger = ledger();
    ledger.park(&carrier(), &said("7"), start()).await.unwrap();
    let other = awaited(&ledger, "46709771338");
    assert_eq!(ledger.early(&other, start()), []);
    let same = awaited(&ledger, "46709771337");
    assert_eq!(ledger.early(&same, start().plus(EARLY_FOR)), []);
    assert_eq!(ledger.early(&same, start()), [said("7")]);
}

#[tokio::test]
async fn d19_an_early_receipt_that_comes_twice_is_kept_once() {
    let ledger = ledger();
    assert!(ledger.park(&carrier(), &said("7"), start()).await.unwrap());
    assert!(!ledger.park(&carrier(), &said("7"), start()).await.unwrap());
    assert_eq!(kept(&ledger).await, 1);
    // What says something else is another.
    let mut other = said("7");
    other.error = Some("001".to_owned());
    assert!(ledger.park(&carrier(), &other, start()).await.unwrap());
    assert_eq!(kept(&ledger).await, 2);
}

/// What matches nothing takes no more than so much room, whatever a carrier sends.
#[tokio::test]
async fn receipts_that_match_nothing_are_kept_up_to_a_number() {
    let ledger = ledger();
    let second = |number: u32| start().plus(Duration::from_secs(u64::from(number)));
    let add = |_| Change::Add {
        kind: Kind::SmppUnmatched,
        name: None,
        body: "{}".to_owned(),
    };
    let (few, rest) = (7, MOST_UNMATCHED);
    let turns = std::iter::once((few, 0)).chain((0..rest / AT_A_TIME).map(|_| (AT_A_TIME, 1)));
    for (count, at) in turns {
        let all = (0..count).map(add).collect();
        ledger.store.change_shelf(all, second(at)).await.unwrap();
    }
    let before = start().minus(Duration::from_secs(7 * 86_400));
    ledger.purge(before).await.unwrap();
    let page = Page {
        kind: Kind::SmppUnmatched,
        from: Start::After(0),
        offset: 0,
        limit: 1,
    };
    let first = ledger.store.shelf(page).await.unwrap();
    assert_eq!(first[0].id, u64::from(few) + 1, "the oldest make room");
}

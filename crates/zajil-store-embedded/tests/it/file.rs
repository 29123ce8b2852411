//! What only a file can get wrong: locks, foreign and newer files, reopening, a full disk.

use std::sync::Arc;

use tempfile::TempDir;
use zajil_core::concatenation::{Concatenation, Reference};
use zajil_core::frontend::FrontendName;
use zajil_core::lifecycle::Report;
use zajil_core::number::Msisdn;
use zajil_core::offer::Asker;
use zajil_store::contract::OfferAsk;
use zajil_store::{Error, Store};
use zajil_store_embedded::{EmbeddedStore, OpenError, Options};

use crate::make::{at, draft, id, scene};

fn open(directory: &TempDir) -> Result<EmbeddedStore, OpenError> {
    EmbeddedStore::open(directory.path(), &Options::default())
}

pub(crate) fn ask(name: &str, limit: u32, secs: i64) -> OfferAsk {
    let asker = Asker {
        name: FrontendName::parse(name).unwrap(),
        include_unrouted: false,
    };
    OfferAsk {
        asker,
        limit,
        now: at(secs),
    }
}

#[tokio::test]
async fn one_process_owns_a_directory() {
    let directory = TempDir::new().unwrap();
    let first = open(&directory).unwrap();
    assert!(matches!(open(&directory), Err(OpenError::InUse(_))));
    drop(first);
    open(&directory).unwrap();
}

#[tokio::test]
async fn foreign_and_newer_files_are_refused_untouched() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("queue.db");
    let other = rusqlite::Connection::open(&path).unwrap();
    other
        .execute_batch("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)")
        .unwrap();
    drop(other);
    let before = std::fs::read(&path).unwrap();
    assert!(matches!(open(&directory), Err(OpenError::Foreign)));
    assert_eq!(std::fs::read(&path).unwrap(), before);

    let directory = TempDir::new().unwrap();
    drop(open(&directory).unwrap());
    let db = rusqlite::Connection::open(directory.path().join("queue.db")).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    drop(db);
    assert!(matches!(
        open(&directory),
        Err(OpenError::Newer { found: 99, .. })
    ));
}

#[tokio::test]
async fn a_file_of_an_older_version_gains_what_it_lacks() {
    let part = |number| {
        let mut draft = draft(number, "gw", 0);
        Arc::make_mut(&mut draft.message).content.destination = Msisdn::restore("+15550000001");
        Arc::make_mut(&mut draft.message).content.tp.concatenation = Some(Concatenation {
            reference: Reference::Bits8(7),
            total: 2,
            sequence: 1,
        });
        draft
    };
    let directory = TempDir::new().unwrap();
    let store = open(&directory).unwrap();
    store.accept(vec![part(1)], at(0)).await.unwrap();
    drop(store);
    // As version 2 left it.
    let db = rusqlite::Connection::open(directory.path().join("queue.db")).unwrap();
    db.execute_batch(
        "DROP TABLE part; DROP TABLE policy; DROP TABLE retrying; \
         DROP TABLE shelf; DROP TABLE shelf_kind; DROP TABLE receipt; DROP TABLE awaited; \
         DROP TABLE transfer; DROP TABLE findable; DROP TABLE run; DROP TABLE turn; \
         INSERT INTO q SELECT id, 1, inserted_at, 0, 0, NULL, NULL, inserted_at FROM msg; \
         INSERT INTO expiry SELECT expires, id FROM msg; \
         ALTER TABLE refund DROP COLUMN next_try; PRAGMA user_version = 2",
    )
    .unwrap();
    drop(db);
    let store = open(&directory).unwrap();
    assert_eq!(store.messages(filter()).await.unwrap().len(), 1);
    assert_eq!(store.parts(id(1)).await.unwrap(), []);
    store.accept(vec![part(2)], at(0)).await.unwrap();
    assert_eq!(store.parts(id(2)).await.unwrap().len(), 1);
    // Those of both forms wait in one line, and live equally long.
    assert_eq!(store.figures().await.unwrap().pending, 2);
    let leased = store.lease(ask("gw", 10, 1), at(60)).await.unwrap();
    let ids: Vec<_> = leased.iter().map(|message| message.id).collect();
    assert_eq!(ids, [id(1), id(2)]);
    assert_eq!(store.sweep(scene(86_399), 10).await.unwrap().len(), 0);
    assert_eq!(store.sweep(scene(86_400), 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn everything_survives_a_restart() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).unwrap();
    store
        .accept((1..=10).map(|n| draft(n, "gw", 0)).collect(), at(0))
        .await
        .unwrap();
    let done = Report::Delivered { by: None, at: None };
    store.report(vec![(id(3), done)], scene(5)).await.unwrap()[0]
        .as_ref()
        .unwrap();
    let leased = store.lease(ask("gw", 2, 6), at(60)).await.unwrap();
    assert_eq!(leased.len(), 2);
    let before: Vec<_> = store.messages(filter()).await.unwrap();
    let (figures, log) = (
        store.figures().await.unwrap(),
        store.events(id(3)).await.unwrap(),
    );
    store.close().await.unwrap();
    assert_eq!(
        store.accept(vec![draft(11, "gw", 0)], at(0)).await,
        Err(Error::Closed)
    );
    drop(store);

    let store = open(&directory).unwrap();
    assert_eq!(store.messages(filter()).await.unwrap(), before);
    assert_eq!(store.figures().await.unwrap(), figures);
    assert_eq!(store.events(id(3)).await.unwrap(), log);
    assert_eq!(store.highest_id().await.unwrap(), Some(id(10)));
    assert_eq!(store.outbox(10).await.unwrap().len(), 1);
    let rest = store.offer(ask("gw", 100, 7)).await.unwrap();
    assert_eq!(rest.len(), 7, "ten less one delivered and two held");
    assert_eq!(
        store.offer(ask("gw", 100, 60)).await.unwrap().len(),
        9,
        "the holds ran out"
    );
}

fn filter() -> zajil_store::contract::Filter {
    zajil_store::contract::Filter {
        limit: 100,
        ..Default::default()
    }
}

#[tokio::test]
async fn a_failing_job_does_not_take_its_batch_with_it() {
    let directory = TempDir::new().unwrap();
    let store = Arc::new(open(&directory).unwrap());
    store.accept(vec![draft(1, "gw", 0)], at(0)).await.unwrap();
    // The same id again breaks the table's key: only that caller is refused.
    let calls = (1..=50).map(|n| {
        let store = Arc::clone(&store);
        async move { (n, store.accept(vec![draft(n, "gw", 1)], at(0)).await) }
    });
    let mut tasks = tokio::task::JoinSet::new();
    for call in calls {
        tasks.spawn(call);
    }
    while let Some(done) = tasks.join_next().await {
        let (n, result) = done.unwrap();
        assert_eq!(result.is_ok(), n != 1, "{n}: {result:?}");
    }
    assert_eq!(store.figures().await.unwrap().pending, 50);
}

#[tokio::test]
async fn d7_a_poller_that_has_gone_holds_nothing() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).unwrap();
    store.accept(vec![draft(1, "gw", 0)], at(0)).await.unwrap();
    for _ in 0..200 {
        // Polled once, so that its job waits for the writer, and dropped.
        let mut gone = store.lease(ask("gw", 1, 1), at(3_600));
        let polled = std::future::poll_fn(|context| {
            std::task::Poll::Ready(gone.as_mut().poll(context).is_ready())
        });
        if polled.await {
            return; // The writer was quicker than this test: the answer was there at once.
        }
        drop(gone);
        let left = store.offer(ask("gw", 1, 1)).await.unwrap().len();
        if left == 1 {
            return;
        }
        // The writer took the job before the caller went; give the message back and try again.
        store
            .report(
                vec![(
                    id(1),
                    Report::AttemptFailed {
                        reason: None,
                        by: None,
                        retry_after: Some(std::time::Duration::ZERO),
                        class: None,
                        schedules: Arc::default(),
                    },
                )],
                scene(1),
            )
            .await
            .unwrap()[0]
            .as_ref()
            .unwrap();
    }
    panic!("not one of 200 abandoned leases was given up");
}

/// A limit on the file stands in for a full disk: SQLite reports both as `SQLITE_FULL`. The real
/// thing, a small file system, is tested with the whole server.
#[tokio::test]
async fn a_full_disk_is_refused_and_healed() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).unwrap();
    store.limit_pages(Some(80)).await.unwrap();
    let mut stored = 0;
    let refused = loop {
        match store
            .accept((1..=8).map(|n| draft(stored + n, "gw", 0)).collect(), at(0))
            .await
        {
            Ok(_) => stored += 8,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, Error::Full(_)), "{refused:?}");
    assert_eq!(store.figures().await.unwrap().pending, stored);
    store.limit_pages(None).await.unwrap();
    store
        .accept(vec![draft(stored + 1, "gw", 0)], at(0))
        .await
        .unwrap();
    assert_eq!(
        store.offer(ask("gw", 1_000_000, 1)).await.unwrap().len() as u64,
        stored + 1
    );
}

//! From the outbox of a store to a sink that may fail (S10.2, D16).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use zajil_cdr::outbox::{Aside, Bodies, Options, Outbox};
use zajil_cdr::{NullSink, SqliteSink};
use zajil_core::cdr::Cdr;
use zajil_core::clock::{Clock, Timestamp};
use zajil_core::event::NodeName;
use zajil_core::id::MessageId;
use zajil_core::message::{Arranged, Content, Ending, Life, Message, TransferFields};
use zajil_core::number::{Msisdn, Sender};
use zajil_core::port::{BadRow, CdrSink, Unwritten, Written};
use zajil_core::retry::Attempt;
use zajil_core::status::FinalStatus;
use zajil_store::contract::{Draft, Store};
use zajil_store::memory::MemoryStore;

const NOW: Timestamp = Timestamp::EPOCH;

#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1_000)
    }
}

/// Refuses the next `failures` batches, then keeps what it is given, one entry a batch.
#[derive(Debug, Default)]
struct Moody {
    failures: Mutex<u32>,
    taken: Mutex<Vec<Vec<Cdr>>>,
}

impl Moody {
    fn failing(times: u32) -> Arc<Self> {
        Arc::new(Self {
            failures: Mutex::new(times),
            ..Self::default()
        })
    }

    fn ids(&self) -> Vec<i64> {
        self.taken
            .lock()
            .unwrap()
            .iter()
            .flatten()
            .map(|cdr| cdr.message_id)
            .collect()
    }

    fn batches(&self) -> Vec<usize> {
        self.taken.lock().unwrap().iter().map(Vec::len).collect()
    }
}

impl CdrSink for Moody {
    fn write<'a>(&'a self, rows: &'a [Cdr], _now: Timestamp) -> Written<'a> {
        let mut failures = self.failures.lock().unwrap();
        let answer = if *failures > 0 {
            *failures = failures.saturating_sub(1);
            Err(Unwritten::Down("the database is away".to_owned()))
        } else {
            self.taken.lock().unwrap().push(rows.to_vec());
            Ok(())
        };
        Box::pin(std::future::ready(answer))
    }
}

pub(super) fn finished(id: u64) -> Draft {
    let node = NodeName::new("zajil@test");
    let message = Message {
        id: MessageId::new(id).unwrap(),
        content: Content {
            source: Sender::restore("100"),
            destination: Msisdn::restore("+15551234567"),
            body: "hello".into(),
            source_smsc: None,
            source_imsi: None,
            dest_imsi: None,
            parts: std::num::NonZeroU32::MIN,
            part_number: None,
            tp: TransferFields::default(),
            send_time: None,
            raw_pdu: None,
            raw_data: false,
            raw_sip: false,
        },
        dest_smsc: None,
        inserted_at: NOW,
        updated_at: NOW,
        expires: Timestamp::from_secs(86_400),
        deliver_after: None,
        attempts: Attempt::new(0),
        charge_failed: false,
        arranged: Arranged::default(),
        origin_node: node.clone(),
        life: Life::Ended(Ending {
            how: FinalStatus::Dropped,
            at: NOW,
            node,
        }),
    };
    Draft {
        message: std::sync::Arc::new(message),
        events: Vec::new(),
        dedupe: None,
    }
}

async fn store_of(count: u64) -> Arc<MemoryStore> {
    let store = Arc::new(MemoryStore::new());
    store
        .accept((1..=count).map(finished).collect(), NOW)
        .await
        .unwrap();
    store
}

pub(super) fn outbox(store: &Arc<MemoryStore>, sink: Arc<dyn CdrSink>, options: Options) -> Outbox {
    let store: Arc<dyn Store> = Arc::<MemoryStore>::clone(store);
    let parts = zajil_cdr::outbox::Parts {
        store,
        sink,
        clock: Arc::new(Still),
        telemetry: Arc::new(zajil_telemetry::Telemetry::new().unwrap()),
    };
    Outbox::new(parts, options)
}

pub(super) async fn waiting(store: &MemoryStore) -> u64 {
    store.figures().await.unwrap().outbox
}

/// Drains until the outbox is empty, then stops; time is paused, so no wait is real.
async fn drain(store: &Arc<MemoryStore>, worker: Outbox) {
    let stop = CancellationToken::new();
    let watch = async {
        while waiting(store).await > 0 {
            tokio::time::advance(Duration::from_millis(10)).await;
        }
        stop.cancel();
    };
    tokio::join!(worker.drain(stop.clone()), watch);
}

fn all(count: i64) -> Vec<i64> {
    (1..=count).collect()
}

#[tokio::test(start_paused = true)]
async fn s10_2_a_sink_that_fails_and_recovers_loses_nothing_and_doubles_nothing() {
    let (store, sink) = (store_of(250).await, Moody::failing(12));
    let worker = outbox(&store, Arc::<Moody>::clone(&sink), Options::default());
    let figures = worker.figures();
    drain(&store, worker).await;
    assert_eq!(sink.ids(), all(250));
    let figures = figures.snapshot();
    assert_eq!((figures.total_enqueued, figures.total_flushed), (250, 250));
    assert_eq!((figures.flush_errors, figures.current_queue_size), (12, 0));
    assert_eq!(figures.total_batches, sink.batches().len() as u64);
    assert_eq!(figures.last_flush_at, Some(Timestamp::from_secs(1_000)));
}

#[tokio::test(start_paused = true)]
async fn s10_2_failures_wait_from_100_ms_to_30_s() {
    let (store, sink) = (store_of(1).await, Moody::failing(12));
    let worker = outbox(&store, Arc::<Moody>::clone(&sink), Options::default());
    let begun = tokio::time::Instant::now();
    drain(&store, worker).await;
    // 0.1 + 0.2 + … + 25.6 are 51.1 s, and three more waits of 30 s.
    let took = begun.elapsed().as_millis();
    assert!((141_100..142_000).contains(&took), "{took} ms");
}

#[tokio::test(start_paused = true)]
async fn s10_2_a_backlog_is_written_in_larger_batches() {
    let (store, sink) = (store_of(5_000).await, Moody::failing(0));
    let options = Options {
        batch_size: 100,
        ..Options::default()
    };
    drain(&store, outbox(&store, Arc::<Moody>::clone(&sink), options)).await;
    assert_eq!(sink.batches(), [100, 1_000, 1_000, 1_000, 1_000, 900]);
    assert_eq!(sink.ids(), all(5_000));
}

#[tokio::test(start_paused = true)]
async fn d16_what_waits_is_written_when_the_node_stops() {
    let (store, sink) = (store_of(1_234).await, Moody::failing(2));
    let stop = CancellationToken::new();
    stop.cancel();
    outbox(&store, Arc::<Moody>::clone(&sink), Options::default())
        .drain(stop)
        .await;
    assert_eq!((sink.ids(), waiting(&store).await), (all(1_234), 0));
}

#[tokio::test(start_paused = true)]
async fn d16_a_stop_does_not_wait_for_a_sink_that_stays_away_and_keeps_its_rows() {
    let (store, sink) = (store_of(10).await, Moody::failing(u32::MAX));
    let stop = CancellationToken::new();
    stop.cancel();
    let begun = tokio::time::Instant::now();
    outbox(&store, Arc::<Moody>::clone(&sink), Options::default())
        .drain(stop)
        .await;
    assert_eq!(begun.elapsed().as_secs(), 5);
    assert_eq!(waiting(&store).await, 10);
    let again = Moody::failing(0);
    drain(
        &store,
        outbox(&store, Arc::<Moody>::clone(&again), Options::default()),
    )
    .await;
    assert_eq!(again.ids(), all(10));
}

#[tokio::test(start_paused = true)]
async fn s10_4_bodies_and_whole_cdrs_are_left_out_when_the_operator_says_so() {
    let (store, sink) = (store_of(1).await, Moody::failing(0));
    let options = Options {
        bodies: Bodies::Omit,
        ..Options::default()
    };
    drain(&store, outbox(&store, Arc::<Moody>::clone(&sink), options)).await;
    assert_eq!(sink.taken.lock().unwrap()[0][0].message_body, None);

    let store = store_of(10).await;
    drain(
        &store,
        outbox(&store, Arc::new(NullSink), Options::default()),
    )
    .await;
    assert_eq!(waiting(&store).await, 0);
}

#[tokio::test]
async fn d16_a_worker_that_died_between_sink_and_outbox_leaves_one_row_a_message() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cdr.sqlite");
    let store = store_of(30).await;
    let sink = Arc::new(SqliteSink::open(&path).unwrap());
    let rows: Vec<Cdr> = store
        .outbox(20)
        .await
        .unwrap()
        .into_iter()
        .map(|(_, cdr)| cdr)
        .collect();
    sink.write(&rows, NOW).await.unwrap();
    let stop = CancellationToken::new();
    stop.cancel();
    outbox(&store, sink, Options::default()).drain(stop).await;
    let db = rusqlite::Connection::open(&path).unwrap();
    let count: i64 = db
        .query_row("SELECT count(*) FROM cdrs", [], |row| row.get(0))
        .unwrap();
    assert_eq!((count, waiting(&store).await), (30, 0));
}

/// Refuses the rows of some messages for what they hold.
#[derive(Debug)]
struct Picky(Arc<Moody>);

impl CdrSink for Picky {
    fn write<'a>(&'a self, rows: &'a [Cdr], now: Timestamp) -> Written<'a> {
        Box::pin(async move {
            let (bad, good): (Vec<&Cdr>, Vec<&Cdr>) =
                rows.iter().partition(|row| row.message_id % 10 == 3);
            let good: Vec<Cdr> = good.into_iter().cloned().collect();
            self.0.write(&good, now).await?;
            let refuse = |row: &&Cdr| BadRow {
                message_id: row.message_id,
                why: "it is ugly".to_owned(),
            };
            match bad.is_empty() {
                true => Ok(()),
                false => Err(Unwritten::BadRows(bad.iter().map(refuse).collect())),
            }
        })
    }
}

#[tokio::test]
async fn s10_2_rows_that_are_refused_for_good_are_put_aside_and_hold_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cdr-aside.db");
    let (store, taken) = (store_of(100).await, Moody::failing(0));
    let telemetry = Arc::new(zajil_telemetry::Telemetry::new().unwrap());
    let options = Options {
        batch_size: 20,
        ..Options::default()
    };
    let worker = outbox(&store, Arc::new(Picky(Arc::clone(&taken))), options)
        .with_aside(Aside::new(path.clone(), Arc::clone(&telemetry)));
    let figures = worker.figures();
    let stop = CancellationToken::new();
    stop.cancel();
    worker.drain(stop).await;
    assert_eq!((taken.ids().len(), waiting(&store).await), (90, 0));
    assert_eq!(figures.snapshot().total_put_aside, 10);
    assert_eq!(figures.snapshot().flush_errors, 0);
    assert!(
        telemetry
            .metrics
            .render()
            .contains("zajil_cdr_bad_rows_total 10\n")
    );
    let db = rusqlite::Connection::open(&path).unwrap();
    let count: i64 = db
        .query_row(
            "SELECT count(*) FROM cdrs WHERE message_id % 10 = 3",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(count, 10);
}

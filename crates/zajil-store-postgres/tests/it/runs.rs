//! Messages that share a row until they are leased, under several nodes at once.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinSet;
use zajil_core::frontend::FrontendName;
use zajil_core::id::MessageId;
use zajil_core::lifecycle::{Edit, Report};
use zajil_core::offer::Asker;
use zajil_store::contract::{Filter, OfferAsk};
use zajil_store::{Error, Store as _};
use zajil_store_postgres::PostgresStore;
use zajil_testkit::database::DatabaseServer;

use crate::make::{at, draft, id, scene};
use crate::place::{Schema, database};

const MESSAGES: u64 = 4_000;
const QUEUES: [&str; 2] = ["gw", "other"];

/// Dice that fall the same way again.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// What has come of all messages.
#[derive(Default)]
struct Told {
    next: AtomicU64,
    /// Whoever was handed a message has it until the end: the leases are long.
    leased: Mutex<BTreeSet<MessageId>>,
    delivered: AtomicU64,
    /// Stored for certain.
    stored: Mutex<BTreeSet<u64>>,
    stop: AtomicBool,
}

/// Whether the call has had an effect, or may have had one.
fn known<T>(answer: Result<T, Error>) -> Option<T> {
    match answer {
        Ok(done) => Some(done),
        Err(Error::Unknown(_) | Error::Busy | Error::Down(_)) => None,
        Err(error) => panic!("{error}"),
    }
}

async fn submit(store: &PostgresStore, dice: &mut Dice, told: &Told) {
    let count = 1 + dice.below(80);
    let first = told.next.fetch_add(count, Ordering::Relaxed) + 1;
    let queue = QUEUES[usize::try_from(dice.below(2)).unwrap()];
    let numbers = first..first + count;
    let drafts = numbers.clone().map(|number| draft(number, queue, 0));
    let placed = store.accept(drafts.collect(), at(0)).await;
    if known(placed).is_some() {
        told.stored.lock().unwrap().extend(numbers);
    }
}

async fn lease(store: &PostgresStore, dice: &mut Dice, told: &Told) -> usize {
    let ask = OfferAsk {
        asker: Asker {
            name: FrontendName::parse(QUEUES[usize::try_from(dice.below(2)).unwrap()]).unwrap(),
            include_unrouted: dice.below(4) == 0,
        },
        limit: u32::try_from(1 + dice.below(120)).unwrap(),
        now: at(5),
    };
    let Some(leased) = known(store.lease(ask, at(3_600)).await) else {
        return 0;
    };
    let count = leased.len();
    let mut places: Vec<_> = leased.iter().map(|message| message.id).collect();
    {
        let mut held = told.leased.lock().unwrap();
        for id in &places {
            assert!(held.insert(*id), "{id} was leased twice");
        }
    }
    assert!(
        places.is_sorted(),
        "all are due at once, and go by their ids"
    );
    // Some of them come back only with the end of the lease.
    places.retain(|_| dice.below(10) > 0);
    let delivered = Report::Delivered { by: None, at: None };
    let reports = places.into_iter().map(|id| (id, delivered.clone()));
    if let Some(outcomes) = known(store.report(reports.collect(), scene(6)).await) {
        let ended = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        told.delivered
            .fetch_add(u64::try_from(ended).unwrap(), Ordering::Relaxed);
    }
    count
}

/// Somebody looks at a message, whatever has become of it, and changes it if nobody has it.
async fn touch(store: &PostgresStore, dice: &mut Dice, told: &Told) {
    let all = told.next.load(Ordering::Relaxed);
    let number = 1 + dice.below(all.max(1));
    let stored = told.stored.lock().unwrap().contains(&number);
    if !stored {
        return;
    }
    let found = known(store.message(id(number)).await);
    assert!(!matches!(found, Some(None)), "{number} is lost");
    let edit = Edit {
        body: Some((format!("changed {number}").into(), NonZeroU32::MIN)),
        unless_held: true,
        ..Edit::default()
    };
    known(store.edit(id(number), edit, scene(5)).await);
}

async fn work(store: Arc<PostgresStore>, seed: u64, told: Arc<Told>) {
    let mut dice = Dice(seed);
    while !told.stop.load(Ordering::Acquire) {
        match dice.below(8) {
            0..3 if told.next.load(Ordering::Relaxed) < MESSAGES => {
                submit(&store, &mut dice, &told).await;
            }
            0..6 => drop(lease(&store, &mut dice, &told).await),
            6 => touch(&store, &mut dice, &told).await,
            _ => drop(known(store.sweep(scene(5), 10).await)),
        }
    }
}

/// Every message that somebody has heard of is there once, in one place, and ends once.
async fn settle(database: &DatabaseServer, schema: &Schema, told: &Told) {
    let name = &schema.name;
    let twice = format!(
        "SELECT count(*) FROM (SELECT unnest(ids) AS id FROM {name}.run UNION ALL \
         SELECT id FROM {name}.q UNION ALL SELECT id FROM {name}.fin) AS a \
         GROUP BY id HAVING count(*) > 1 LIMIT 1"
    );
    assert_eq!(database.sql(&twice).trim(), "", "it is in two places");
    // Those who had them have gone: nobody waits until they run out.
    database.sql(&format!("DELETE FROM {name}.duty"));
    let store = schema.node().await;
    let stored: Vec<u64> = told.stored.lock().unwrap().iter().copied().collect();
    for number in &stored {
        assert!(
            store.message(id(*number)).await.unwrap().is_some(),
            "{number}"
        );
    }
    let waiting = Filter {
        status: Some(zajil_core::status::Status::Pending),
        limit: 100_000,
        ..Filter::default()
    };
    let figures = store.figures().await.unwrap();
    let waits = store.messages(waiting).await.unwrap();
    assert_eq!(u64::try_from(waits.len()).unwrap(), figures.pending);
    assert!(waits.iter().map(|message| message.id).rev().is_sorted());
    let depths = store.depths(at(5)).await.unwrap();
    let deep: u64 = depths.values().map(|depth| depth.total()).sum();
    assert_eq!(deep, figures.pending);
    let mut ended = BTreeMap::new();
    for second in 0..60 {
        for told in store.sweep(scene(86_400 + second), 1_000).await.unwrap() {
            *ended.entry(told.message.id).or_insert(0) += 1;
        }
    }
    assert!(ended.values().all(|times| *times == 1));
    let figures = store.figures().await.unwrap();
    assert_eq!((figures.pending, figures.outbox), (0, figures.messages));
    assert!(figures.messages >= u64::try_from(stored.len()).unwrap());
    let rest =
        format!("SELECT (SELECT count(*) FROM {name}.run) + (SELECT count(*) FROM {name}.q)");
    assert_eq!(database.sql(&rest).trim(), "0");
}

async fn until(told: &Told, done: impl Fn() -> bool) {
    let mut tick = tokio::time::interval(Duration::from_millis(10));
    for _ in 0..12_000 {
        tick.tick().await;
        if done() {
            return;
        }
    }
    told.stop.store(true, Ordering::Release);
    panic!("it does not go on");
}

/// Nodes do whatever comes, and now and then the database drops all of their connections, and one
/// of them ends in the middle of its work.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn adr26_no_message_is_lost_or_leased_twice_by_nodes_that_are_killed() {
    let Some((database, server)) = database().await else {
        return;
    };
    for seed in 1..=2 {
        let schema = Schema {
            least_run: 4,
            ..Schema::new(&server)
        };
        let told = Arc::new(Told::default());
        let mut workers = JoinSet::new();
        for node in 0..2 {
            let store = Arc::new(schema.node().await);
            for worker in 0..4 {
                let seed = seed * 100 + node * 10 + worker;
                workers.spawn(work(Arc::clone(&store), seed, Arc::clone(&told)));
            }
        }
        let third = Arc::new(schema.node().await);
        let mut mortal = JoinSet::new();
        for worker in 0..4 {
            let told = Arc::clone(&told);
            mortal.spawn(work(Arc::clone(&third), seed * 100 + 50 + worker, told));
        }
        let accepted = |share: u64| told.next.load(Ordering::Relaxed) >= MESSAGES / 4 * share;
        for share in 1..=3 {
            until(&told, || accepted(share)).await;
            database.sql(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                 WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'",
            );
            if share == 2 {
                mortal.abort_all();
            }
        }
        drop(third);
        until(&told, || accepted(4)).await;
        let most = MESSAGES / 2;
        until(&told, || told.delivered.load(Ordering::Relaxed) >= most).await;
        told.stop.store(true, Ordering::Release);
        while let Some(done) = workers.join_next().await {
            done.unwrap();
        }
        settle(&database, &schema, &told).await;
    }
}

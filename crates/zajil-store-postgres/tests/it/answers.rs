//! Answers of the database that get lost on their way, and what is known afterwards.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use zajil_core::event::NodeName;
use zajil_core::id::NodeNumber;
use zajil_core::lifecycle::Report;
use zajil_core::message::{Ending, Life};
use zajil_core::status::FinalStatus;
use zajil_database::Server;
use zajil_store::contract::{NotDone, Outcome};
use zajil_store::{Cluster as _, Error, Store as _};

use crate::make::{at, draft, id, scene};
use crate::nodes::called;
use crate::place::{Schema, database};

/// Passes octets on to the database, in both directions.
struct Cable {
    /// The answers of the database no longer come through, and soon the connections are gone.
    cut: Arc<AtomicBool>,
    /// Likewise, but only once a transaction has committed.
    deaf: Arc<AtomicBool>,
    /// Nobody gets a new one.
    pulled: Arc<AtomicBool>,
}

impl Cable {
    /// The server is reached through it from now on.
    async fn before(server: &mut Server) -> Self {
        let host = server.hosts[0].clone();
        let target = format!("{}:{}", host.name, host.port);
        let cable = Self {
            cut: Arc::default(),
            deaf: Arc::default(),
            pulled: Arc::default(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        server.hosts[0].port = listener.local_addr().unwrap().port();
        let (cut, deaf) = (Arc::clone(&cable.cut), Arc::clone(&cable.deaf));
        let pulled = Arc::clone(&cable.pulled);
        #[expect(
            clippy::disallowed_methods,
            reason = "a test's own task; ends with its runtime"
        )]
        drop(tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                if pulled.load(Ordering::Acquire) {
                    continue;
                }
                let server = TcpStream::connect(&target).await.unwrap();
                tokio::spawn(pass(client, server, Arc::clone(&cut), Arc::clone(&deaf)));
            }
        }));
        cable
    }

    fn cut(&self, cut: bool) {
        self.cut.store(cut, Ordering::Release);
    }

    fn pull(&self, pulled: bool) {
        self.pulled.store(pulled, Ordering::Release);
        self.cut(pulled);
    }

    /// Lets the next commit through, and nothing after it.
    fn pull_at_commit(&self) {
        self.pulled.store(true, Ordering::Release);
        self.deaf.store(true, Ordering::Release);
    }

    fn mend(&self) {
        self.deaf.store(false, Ordering::Release);
        self.pull(false);
    }
}

async fn pass(client: TcpStream, server: TcpStream, cut: Arc<AtomicBool>, deaf: Arc<AtomicBool>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let there = async {
        let mut octets = [0; 8_192];
        while let Ok(count @ 1..) = from_client.read(&mut octets).await {
            if to_server.write_all(&octets[..count]).await.is_err() {
                return;
            }
        }
    };
    let mut swallowed = Vec::new();
    let back = async {
        let mut octets = [0; 8_192];
        while let Ok(count @ 1..) = from_server.read(&mut octets).await {
            if deaf.load(Ordering::Acquire) {
                swallowed.extend_from_slice(&octets[..count]);
                // The end of a submit that is one statement; it leaves the database once that
                // has committed.
                if swallowed.windows(9).any(|told| told == b"SELECT 1\0") {
                    return;
                }
                continue;
            }
            // The question went through, the answer does not: what became of it is unknown.
            if cut.load(Ordering::Acquire) || to_client.write_all(&octets[..count]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = there => {}
        () = back => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d5_a_lost_answer_to_a_commit_is_found_out() {
    let Some((_database, mut server)) = database().await else {
        return;
    };
    let straight = Schema::new(&server);
    let cable = Cable::before(&mut server).await;
    let store = Arc::new(straight.node_by(&server).await);
    let (mut callers, mut refused) = (JoinSet::new(), BTreeSet::new());
    let mut kept = BTreeSet::new();
    for round in 0..10_u64 {
        for number in 1..=40 {
            let (store, number) = (Arc::clone(&store), round * 100 + number);
            callers.spawn(async move {
                (
                    number,
                    store.accept(vec![draft(number, "gw", 0)], at(0)).await,
                )
            });
        }
        // Some have been answered, some are on their way.
        let mut answers = vec![callers.join_next().await.unwrap().unwrap()];
        cable.cut(true);
        tokio::time::timeout(Duration::from_millis(50), callers.join_next())
            .await
            .into_iter()
            .flatten()
            .for_each(|answer| answers.push(answer.unwrap()));
        cable.cut(false);
        answers.extend(std::mem::take(&mut callers).join_all().await);
        for (number, answer) in answers {
            match answer {
                Ok(_) => drop(kept.insert(number)),
                Err(Error::Unknown(_)) => {}
                Err(_) => drop(refused.insert(number)),
            }
        }
    }
    let other = straight.node().await;
    let stored = |number: u64| {
        let other = &other;
        async move { other.message(id(number)).await.unwrap().is_some() }
    };
    assert!(kept.len() > 100, "{kept:?}");
    for number in kept {
        assert!(
            stored(number).await,
            "{number} was acknowledged and is gone"
        );
    }
    for number in refused {
        assert!(!stored(number).await, "{number} was refused and is there");
    }
    let figures = other.figures().await.unwrap();
    let count = other.depths(at(1)).await.unwrap();
    let counted: u64 = count.values().map(|depth| depth.total()).sum();
    assert_eq!(figures.pending, counted, "the counts follow what committed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d5_a_commit_whose_fate_cannot_be_read_is_called_unknown_not_refused() {
    let Some((_database, mut server)) = database().await else {
        return;
    };
    let straight = Schema::new(&server);
    let cable = Cable::before(&mut server).await;
    let (store, other) = (straight.node_with(&server, 1).await, straight.node().await);
    store.accept(vec![draft(1, "gw", 0)], at(0)).await.unwrap();
    cable.pull_at_commit();
    let answer = store.accept(vec![draft(2, "gw", 0)], at(0)).await;
    // It went through: whoever said "refused" would make the client send a second one.
    assert!(other.message(id(2)).await.unwrap().is_some());
    assert!(matches!(answer, Err(Error::Unknown(_))), "{answer:?}");
    let refused = store.accept(vec![draft(3, "gw", 0)], at(0)).await;
    assert!(matches!(refused, Err(Error::Down(_))), "{refused:?}");
    cable.mend();
    store.accept(vec![draft(4, "gw", 0)], at(0)).await.unwrap();
    assert!(other.message(id(3)).await.unwrap().is_none());
    assert_eq!(other.figures().await.unwrap().pending, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d4_a_writer_whose_place_was_given_away_does_not_make_itself_another() {
    let Some((database, mut server)) = database().await else {
        return;
    };
    let straight = Schema::new(&server);
    let cable = Cable::before(&mut server).await;
    let (lost, heir) = (straight.node_by(&server).await, straight.node().await);
    assert_eq!(lost.join(called("lost")).await.unwrap().get(), 0);
    lost.accept(vec![draft(1, "gw", 0)], at(0)).await.unwrap();
    cable.pull(true);
    let name = &straight.name;
    database.sql(&format!("UPDATE {name}.node SET seen_at = seen_at - 30001"));
    let mut who = called("heir");
    who.number = NodeNumber::new(0).ok();
    assert_eq!(heir.join(who).await.unwrap().get(), 0);
    heir.accept(vec![draft(2, "gw", 0)], at(0)).await.unwrap();
    // Its connections are gone; it makes new ones.
    let broken = lost.accept(vec![draft(3, "gw", 0)], at(0)).await;
    broken.unwrap_err();
    cable.pull(false);
    for number in 4..8 {
        let refused = lost.accept(vec![draft(number, "gw", 0)], at(0)).await;
        let told = refused.unwrap_err().to_string();
        assert!(told.contains("another node has taken the place"), "{told}");
        assert!(heir.message(id(number)).await.unwrap().is_none());
    }
    // What it had counted is counted on.
    assert_eq!(heir.figures().await.unwrap().pending, 2);
}

/// One statement writes plain messages alone; whatever comes with others is written in several.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d5_plain_messages_and_others_of_one_batch_are_stored_with_all_that_belongs_to_them() {
    let Some((database, server)) = database().await else {
        return;
    };
    let schema = Schema::new(&server);
    let store = schema.node().await;
    let plain = |number| draft(number, "gw", 0);
    let ended = |number| {
        let mut ended = draft(number, "gw", 0);
        Arc::make_mut(&mut ended.message).life = Life::Ended(Ending {
            how: FinalStatus::Failed,
            at: at(0),
            node: NodeName::new("n1"),
        });
        ended
    };
    let mut long = ended(3);
    Arc::make_mut(&mut long.message).content.parts = NonZeroU32::new(2).unwrap();
    let mut later = draft(5, "gw", 0);
    Arc::make_mut(&mut later.message).deliver_after = Some(at(9));
    let mut soon = draft(7, "gw", 0);
    Arc::make_mut(&mut soon.message).expires = at(60);
    let batches = [
        vec![plain(1)],
        vec![plain(2), long],
        vec![plain(4), later],
        vec![plain(6), soon],
        vec![plain(8), ended(9)],
    ];
    for batch in batches {
        let stored = store.accept(batch.clone(), at(0)).await.unwrap();
        assert_eq!(stored.len(), batch.len());
        for draft in batch {
            let found = store.message(draft.message.id).await.unwrap();
            assert_eq!(found, Some(Arc::unwrap_or_clone(draft.message)));
        }
    }
    let figures = store.figures().await.unwrap();
    assert_eq!(
        (figures.messages, figures.pending, figures.outbox),
        (9, 7, 2)
    );
    let rows = format!(
        "SELECT (SELECT count(*) FROM {0}.q), (SELECT count(*) FROM {0}.fin), \
         (SELECT count(*) FROM {0}.msg)",
        schema.name
    );
    assert_eq!(database.sql(&rows).trim(), "7|2|9");
}

/// So are those of many queues, and those of which some share rows: a row's `cmin` counts the
/// statements before its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn adr26_plain_messages_to_many_queues_are_stored_by_one_statement() {
    let Some((database, server)) = database().await else {
        return;
    };
    let schema = Schema::new(&server);
    let store = schema.node().await;
    let few = (1..=30).map(|number| draft(number, &format!("gw{}", number % 10), 0));
    let some = (31..=80).map(|number| match number % 10 {
        7 => draft(number, "few", 0),
        _ => draft(number, "gw", 0),
    });
    for batch in [few.collect::<Vec<_>>(), some.collect()] {
        store.accept(batch.clone(), at(0)).await.unwrap();
        for draft in batch {
            let found = store.message(draft.message.id).await.unwrap();
            assert_eq!(found, Some(Arc::unwrap_or_clone(draft.message)));
        }
    }
    let rows = format!(
        "SELECT (SELECT count(*) FROM {0}.q), (SELECT count(*) FROM {0}.run), \
         (SELECT sum(cardinality(ids)) FROM {0}.run), (SELECT max(cmin::text::int) FROM \
         (SELECT cmin FROM {0}.q UNION SELECT cmin FROM {0}.run UNION \
         SELECT cmin FROM {0}.msg) AS x)",
        schema.name
    );
    assert_eq!(database.sql(&rows).trim(), "35|1|45|0");
}

/// The first batch finds out by a question more, those behind it ask at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d11_reports_of_what_has_ended_or_never_was_are_answered_in_every_batch() {
    let Some((_database, server)) = database().await else {
        return;
    };
    let schema = Schema::new(&server);
    let store = schema.node_with(&server, 1).await;
    let delivered = || Report::Delivered { by: None, at: None };
    let report = async |numbers: &[u64]| {
        let reports = numbers.iter().map(|number| (id(*number), delivered()));
        let told = store.report(reports.collect(), scene(6)).await.unwrap();
        let word = |outcome: Outcome| match outcome {
            Ok(_) => "done",
            Err(NotDone::AlreadyFinal(_)) => "final",
            Err(NotDone::NotFound) => "unknown",
            Err(_) => "else",
        };
        told.into_iter().map(word).collect::<Vec<_>>()
    };
    let drafts = (1..=4).map(|number| draft(number, "gw", 0)).collect();
    store.accept(drafts, at(0)).await.unwrap();
    assert_eq!(report(&[1]).await, ["done"]);
    for number in 2..=3 {
        let told = report(&[number, 1, 99]).await;
        assert_eq!(told, ["done", "final", "unknown"], "{number}");
    }
    assert_eq!(report(&[4]).await, ["done"]);
    assert_eq!(report(&[4]).await, ["final"]);
    assert_eq!(store.figures().await.unwrap().pending, 0);
}

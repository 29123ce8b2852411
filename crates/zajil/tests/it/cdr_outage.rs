//! CDR databases away under load, killed in the middle of batches, with nodes that die before they
//! have noted what was written: each finished message has one row (S10.2, D16).
//!
//! `ZAJIL_OUTAGE_SECONDS=600` makes the outage as long as the nights that it stands for.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;
use zajil_telemetry::Stopwatch;
use zajil_testkit::database::{DatabaseServer, Engine};

use crate::server::{Client, Server};

/// How often the database is killed; the node dies after every fifth time.
const KILLS: usize = 20;

/// What clients share: where the node is now, and what it has said.
#[derive(Default)]
struct Load {
    stop: AtomicBool,
    base: Mutex<String>,
    accepted: Mutex<Vec<u64>>,
    /// Accepted, and nobody knows whether delivered.
    open: Mutex<Vec<u64>>,
}

fn lock<T>(held: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Load {
    /// Submits and delivers, about a hundred messages a second, until it is stopped.
    fn run(&self) {
        let mut client = Client::new(&lock(&self.base));
        let mut number = 0;
        while !self.stop.load(Ordering::Relaxed) {
            std::thread::park_timeout(Duration::from_millis(8));
            number += 1;
            let body = json!({
                "source_msisdn": "+15551230000", "destination_msisdn": "+15559870000",
                "message_body": format!("number {number}"),
            });
            let Some((201, answer)) = client.try_call(("POST", "/api/messages"), &[], &body) else {
                client = Client::new(&lock(&self.base));
                continue;
            };
            let id = answer["data"]["id"].as_u64().unwrap();
            lock(&self.accepted).push(id);
            if deliver(&client, id) != Some(200) {
                lock(&self.open).push(id);
            }
        }
    }

    fn accepted(&self) -> usize {
        lock(&self.accepted).len()
    }
}

fn deliver(client: &Client, id: u64) -> Option<u16> {
    let path = format!("/api/messages/{id}/mark_delivered");
    let report = json!({ "dest_smsc": "gw" });
    let told = client.try_call(("POST", &path), &[], &report);
    told.map(|(status, _)| status)
}

/// A database that can be taken away and given back.
enum Place {
    Machine(DatabaseServer),
    /// Somebody else holds the file, and no write gets through.
    File(std::path::PathBuf, Option<rusqlite::Connection>),
}

impl Place {
    async fn stop(&mut self) {
        match self {
            Self::Machine(machine) => machine.stop().await,
            Self::File(path, held) => {
                let file = rusqlite::Connection::open(path).unwrap();
                file.busy_timeout(Duration::from_secs(30)).unwrap();
                file.execute_batch("BEGIN IMMEDIATE").unwrap();
                *held = Some(file);
            }
        }
    }

    async fn start(&mut self) {
        match self {
            Self::Machine(machine) => machine.start().await,
            Self::File(_, held) => *held = None,
        }
    }

    /// Answers whether it was one that can be killed by itself.
    async fn die(&mut self) -> bool {
        let Self::Machine(machine) = self else {
            return false;
        };
        machine.kill();
        machine.start().await;
        true
    }

    /// Rows, and messages with a row.
    fn counts(&self) -> (i64, i64) {
        let sql = "SELECT COUNT(*), COUNT(DISTINCT message_id) FROM cdrs";
        match self {
            Self::Machine(machine) => {
                // There is no table before the first batch.
                let told = machine.ask(sql).unwrap_or_else(|_| "0|0".to_owned());
                let (rows, messages) = told.trim().split_once('|').unwrap();
                (rows.parse().unwrap(), messages.parse().unwrap())
            }
            Self::File(path, _) => {
                let file = rusqlite::Connection::open(path).unwrap();
                let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
                file.query_row(sql, [], read).unwrap()
            }
        }
    }
}

/// The node under load.
struct Node<'a> {
    server: Option<Server>,
    load: Arc<Load>,
    data: &'a Path,
    settings: String,
}

impl Node<'_> {
    fn start(&mut self) {
        let server = Server::configured(self.data, &self.settings);
        lock(&self.load.base).clone_from(&server.base);
        self.server = Some(server);
    }

    fn die(&mut self) {
        self.server.take().unwrap().kill();
        self.start();
    }

    fn client(&self) -> Client {
        self.server.as_ref().unwrap().client()
    }

    /// How often a batch was on its way when the database went.
    fn interrupted(&self) -> usize {
        let log = std::fs::read_to_string(self.data.join("log")).unwrap();
        let failed = log
            .lines()
            .filter(|line| line.contains("CDRs cannot be written"));
        failed
            .filter(|line| !line.contains("cannot connect"))
            .count()
    }
}

fn wait_for(what: &str, within: Duration, mut condition: impl FnMut() -> bool) {
    let watch = Stopwatch::start();
    while !condition() {
        assert!(watch.elapsed() < within, "{what} did not happen");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

fn outage() -> Duration {
    let told = std::env::var_os("ZAJIL_OUTAGE_SECONDS");
    let seconds = told.map_or(4, |told| told.to_str().unwrap().parse().unwrap());
    Duration::from_secs(seconds)
}

/// One row for every message, after an outage, twenty deaths and batches that came twice.
async fn through_the_night(mut place: Place, settings: String) {
    let data = tempfile::tempdir().unwrap();
    // Small batches, so that there is always one on its way.
    let settings = format!(
        "{settings}batch_insert_flush_interval_ms = 1\n\
         [log]\nfile = \"{}\"\nlevel = \"warn,zajil_cdr=info\"\n",
        data.path().join("log").display()
    );
    if let Place::File(path, _) = &mut place {
        *path = data.path().join("cdr.db");
    }
    let load = Arc::new(Load::default());
    let mut node = Node {
        server: None,
        load: Arc::clone(&load),
        data: data.path(),
        settings,
    };
    node.start();
    let workers: Vec<_> = (0..2)
        .map(|_| {
            let load = Arc::clone(&load);
            std::thread::spawn(move || load.run())
        })
        .collect();
    wait_for("a row", Duration::from_secs(60), || place.counts().0 > 0);

    place.stop().await;
    let (before, watch) = (load.accepted(), Stopwatch::start());
    wait_for("the end of the outage", outage() * 2, || {
        watch.elapsed() > outage()
    });
    let during = load.accepted() - before;
    assert!(during > 0, "delivery goes on");
    place.start().await;

    for round in 0..KILLS {
        let accepted = load.accepted();
        wait_for("load", Duration::from_secs(120), || {
            load.accepted() > accepted + 10
        });
        if !place.die().await || round % 5 == 4 {
            node.die();
        }
    }
    load.stop.store(true, Ordering::Relaxed);
    for worker in workers {
        worker.join().unwrap();
    }
    let client = node.client();
    for id in std::mem::take(&mut *lock(&load.open)) {
        // 409: it was delivered, and the answer was lost.
        assert!(
            matches!(deliver(&client, id), Some(200 | 409)),
            "message {id}"
        );
    }
    let messages = i64::try_from(load.accepted()).unwrap();
    let watch = Stopwatch::start();
    wait_for("every row", outage() + Duration::from_secs(300), || {
        place.counts().1 >= messages
    });
    let caught_up = watch.elapsed();
    let interrupted = node.interrupted();
    assert_eq!(node.server.take().unwrap().stop(), Some(0));
    let (rows, distinct) = place.counts();
    println!(
        "outage {:?}: {messages} messages, {during} of them during the outage; {interrupted} \
         batches were interrupted by a database that went; {rows} rows, {distinct} messages with a \
         row, {caught_up:.1?} after the last message",
        outage()
    );
    assert_eq!((rows, distinct), (messages, messages));
}

#[tokio::test]
async fn d16_an_sqlite_file_has_each_row_once_after_a_night() {
    let place = Place::File(std::path::PathBuf::new(), None);
    through_the_night(place, "[cdr]\n".to_owned()).await;
}

async fn on_a_server(engine: Engine) {
    if std::env::var_os("SLOW_TESTS").is_none() {
        println!("SKIPPED: set SLOW_TESTS=1 to run it");
        return;
    }
    let machine = DatabaseServer::open(engine).await;
    let settings = format!("[cdr]\ncdr_url = \"{}\"\n", machine.url());
    through_the_night(Place::Machine(machine), settings).await;
}

#[tokio::test]
async fn d16_postgresql_has_each_row_once_after_a_night() {
    on_a_server(Engine::Postgres).await;
}

#[tokio::test]
async fn d16_mariadb_has_each_row_once_after_a_night() {
    on_a_server(Engine::MySql).await;
}

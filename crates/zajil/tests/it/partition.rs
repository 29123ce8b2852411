//! A node that is cut off from the database, by a network that drops packets or a database that is
//! stuck: it says so in time, nothing is lost or doubled, and it heals.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use zajil_telemetry::Stopwatch;
use zajil_testkit::database::{DatabaseServer, Engine};
use zajil_testkit::network::{Cut, Machine};

use crate::server::{Client, Server};

/// How long the machine may take for anything.
const WITHIN: Duration = Duration::from_secs(60);
/// A node promises an answer within 2 s; the machine that tests run on may be slow.
const ANSWERS: Duration = Duration::from_secs(4);

/// How a node loses its database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    Network(Cut),
    /// It keeps its connections and answers nothing.
    Stuck,
}

/// A machine behind a network of its own. Where they may not be made, a run that counts on them
/// (`NAMESPACES=required`, as CI does) fails.
fn machine() -> Option<Machine> {
    if std::env::var_os("SLOW_TESTS").is_none() {
        println!("SKIPPED: set SLOW_TESTS=1 to run it");
        return None;
    }
    match Machine::open() {
        Ok(machine) => Some(machine),
        Err(why) => {
            let required = std::env::var_os("NAMESPACES").is_some_and(|word| word == "required");
            assert!(!required, "no network namespaces: {why}");
            println!("SKIPPED: no network namespaces here: {why}");
            None
        }
    }
}

fn settings(name: &str, url: &str) -> String {
    format!(
        "[node]\nsmsc_node_name = \"{name}\"\n[store]\nurl = \"{url}\"\n\
         [cdr]\ncdr_url = \"{url}\"\n[api]\naccess = \"open\"\n\
         [rate_limits]\nenabled = false\n"
    )
}

/// Submits under this key, so that it may be repeated: the id, or the status of a refusal.
fn submit(client: &Client, key: &str) -> Result<u64, u16> {
    let body = json!({
        "destination_msisdn": "+15550001111", "message_body": key, "source_smsc": "test",
    });
    let headers = [("Idempotency-Key", key)];
    match client.try_call(("POST", "/api/messages"), &headers, &body) {
        Some((200 | 201, answer)) => Ok(answer["data"]["id"].as_u64().unwrap()),
        Some((status, _)) => Err(status),
        None => Err(0),
    }
}

fn ready(client: &Client) -> u16 {
    client.call("GET", "/readyz", &Value::Null).0
}

fn until(what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let watch = Stopwatch::start();
    while !holds() {
        assert!(watch.elapsed() < WITHIN, "{what} within {WITHIN:?}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
    watch.elapsed()
}

/// Clients that submit all the time, and what became of each key.
#[derive(Default)]
struct Load {
    stop: AtomicBool,
    told: Mutex<Vec<(String, Option<u64>)>>,
}

fn load(client: &Client, shared: &Arc<Load>) -> Vec<std::thread::JoinHandle<()>> {
    let threads = (0..3).map(|worker| {
        let (client, shared) = (client.clone(), Arc::clone(shared));
        std::thread::spawn(move || {
            for number in 0.. {
                if shared.stop.load(Ordering::Relaxed) {
                    return;
                }
                let key = format!("load-{worker}-{number}");
                let id = submit(&client, &key).ok();
                shared.told.lock().unwrap().push((key, id));
                std::thread::park_timeout(Duration::from_millis(5));
            }
        })
    });
    threads.collect()
}

/// While the database is away: every answer says so, and in time.
fn refuses(cut: &Client, loss: Loss) {
    let mut longest = Duration::ZERO;
    let mut timed = |what: &str, ask: &dyn Fn() -> u16| {
        let watch = Stopwatch::start();
        assert_eq!(ask(), 503, "{what}: {loss:?}");
        longest = longest.max(watch.elapsed());
    };
    for number in 0..4 {
        timed("a submit", &|| {
            submit(cut, &format!("refused-{loss:?}-{number}")).unwrap_err()
        });
        timed("readiness", &|| ready(cut));
        timed("a look-up", &|| {
            cut.call("GET", "/api/messages?limit=1", &Value::Null).0
        });
    }
    println!("{loss:?}: 503 within {longest:?}");
    assert!(longest < ANSWERS, "{loss:?}: an answer took {longest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn d15_a_node_that_is_cut_off_answers_503_in_time_loses_nothing_and_heals() {
    let Some(machine) = machine() else {
        return;
    };
    let mut database = DatabaseServer::open(Engine::Postgres).await;
    let url = database.also_on(&machine.outside()).await;
    let data = tempfile::tempdir().unwrap();
    let folder = |name: &str| data.path().join(name);
    let (a, b) = (folder("a"), folder("b"));
    let cut_off = Server::elsewhere(&machine, &a, &settings("a", &url));
    let other = Server::configured(Path::new(&b), &settings("b", &database.url()));
    let (cut, whole) = (cut_off.client(), other.client());
    let shared = Arc::new(Load::default());
    let workers = load(&cut, &shared);
    let losses = [Cut::Sent, Cut::Answers, Cut::Both].map(Loss::Network);
    for loss in losses.into_iter().chain([Loss::Stuck]) {
        until("the node takes submits", || {
            ready(&cut) == 200 && submit(&cut, &format!("before-{loss:?}")).is_ok()
        });
        match loss {
            Loss::Network(way) => machine.cut(database.port(), way),
            Loss::Stuck => database.signal("-STOP", true),
        }
        refuses(&cut, loss);
        if loss != Loss::Stuck {
            let taken = submit(&whole, &format!("elsewhere-{loss:?}"));
            assert!(taken.is_ok(), "the other node is not concerned: {taken:?}");
            assert_eq!(ready(&whole), 200);
        }
        match loss {
            Loss::Network(_) => machine.heal(),
            Loss::Stuck => database.signal("-CONT", true),
        }
        let healed = until("the node is ready", || ready(&cut) == 200);
        let takes = until("it takes submits", || {
            submit(&cut, &format!("after-{loss:?}")).is_ok()
        });
        println!("{loss:?}: healed after {:?}", healed + takes);
    }
    shared.stop.store(true, Ordering::Relaxed);
    for worker in workers {
        worker.join().unwrap();
    }
    let told = std::mem::take(&mut *shared.told.lock().unwrap());
    let refused = told.iter().filter(|(_, id)| id.is_none()).count();
    println!("{} submits, {refused} refused", told.len());
    assert!(refused > 0 && refused < told.len());
    for (key, id) in &told {
        // The other node answers what the cut one had promised, or could not say.
        let now = submit(&whole, key).unwrap();
        assert_eq!(
            id.unwrap_or(now),
            now,
            "{key} was acknowledged with another id"
        );
    }
    let twice = "SELECT count(*) FROM (SELECT 1 FROM zajil.msg GROUP BY body \
         HAVING count(*) > 1) AS x";
    assert_eq!(database.sql(twice).trim(), "0", "a submit was stored twice");
    let address = machine.address();
    let connections =
        format!("SELECT count(*) <= 12 FROM pg_stat_activity WHERE client_addr = '{address}'");
    until("the database forgets connections that nobody holds", || {
        database.sql(&connections).trim() == "t"
    });
    assert_eq!((cut_off.stop(), other.stop()), (Some(0), Some(0)));
}

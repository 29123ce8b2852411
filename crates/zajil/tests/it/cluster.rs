//! Nodes that share a PostgreSQL: any may die, the database may go away, nothing is lost.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use zajil_telemetry::Stopwatch;
use zajil_testkit::database::{DatabaseServer, Engine};

use crate::server::{Client, Server};

/// How long the machine may take for anything.
const WITHIN: Duration = Duration::from_secs(60);
/// How long a lease holds.
const LEASE: Duration = Duration::from_secs(3);

fn skipped() -> bool {
    let skipped = std::env::var_os("SLOW_TESTS").is_none();
    if skipped {
        println!("SKIPPED: set SLOW_TESTS=1 to run it");
    }
    skipped
}

/// A node of the cluster, with a directory of its own.
fn node(data: &Path, database: &DatabaseServer, name: &str) -> Server {
    node_with_clock_off(data, database, (name, 0))
}

/// One on a machine whose clock is wrong by so many seconds.
fn node_with_clock_off(
    data: &Path,
    database: &DatabaseServer,
    (name, seconds): (&str, i64),
) -> Server {
    let url = database.url();
    let settings = format!(
        "[node]\nsmsc_node_name = \"{name}\"\n[store]\nurl = \"{url}\"\n\
         [cdr]\ncdr_url = \"{url}\"\n"
    );
    Server::with_clock_off(&data.join(name), &settings, seconds)
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let watch = Stopwatch::start();
    while !holds() {
        assert!(watch.elapsed() < WITHIN, "{what} within {WITHIN:?}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

fn submit(client: &Client, text: &str) -> (u16, Value) {
    let body = json!({
        "destination_msisdn": "+15550001111", "message_body": text, "source_smsc": "test",
    });
    client.call("POST", "/api/messages", &body)
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_2_nodes_see_each_other_and_what_each_has_done() {
    if skipped() {
        return;
    }
    let database = DatabaseServer::open(Engine::Postgres).await;
    let data = tempfile::tempdir().unwrap();
    let servers = ["a", "b"].map(|name| node(data.path(), &database, name));
    let [a, b] = servers.each_ref().map(Server::client);

    let (status, cluster) = a.call("GET", "/api/cluster", &Value::Null);
    assert_eq!(status, 200, "{cluster}");
    let nodes = cluster["data"]["nodes"].as_array().unwrap();
    let shown: Vec<_> = nodes
        .iter()
        .map(|node| {
            (
                node["name"].as_str(),
                node["status"].as_str(),
                &node["number"],
            )
        })
        .collect();
    let (up, zero, one) = (Some("up"), json!(0), json!(1));
    assert_eq!(shown, [(Some("a"), up, &zero), (Some("b"), up, &one)]);

    // A poller at one node hears of a submit at the other long before its wait is over.
    let poller = b.clone();
    let waiting = std::thread::spawn(move || {
        let path = "/api/messages/queue?smsc=gw&wait=50&lease=60";
        let headers = [("include-unrouted", "true")];
        poller
            .try_call(("GET", path), &headers, &Value::Null)
            .unwrap()
    });
    let (status, sent) = submit(&a, "wake up");
    assert_eq!(status, 201, "{sent}");
    let (status, got) = waiting.join().unwrap();
    assert_eq!((status, &got["data"][0]["id"]), (200, &sent["data"]["id"]));

    // A route that is made at one node routes at the other.
    let route = json!({ "called_prefix": "+1555", "dest_smsc": "gw", "priority": 1 });
    let (status, made) = a.call("POST", "/api/routes", &route);
    assert_eq!(status, 201, "{made}");
    until("the route is known", || {
        submit(&b, "routed").1["data"]["dest_smsc"] == json!("gw")
    });

    // What an operator says to one node about another reaches it.
    let (status, told) = a.call("POST", "/api/cluster/b/drain", &Value::Null);
    assert_eq!(status, 200, "{told}");
    until("b says that it is drained", || {
        b.call("GET", "/readyz", &Value::Null).0 == 503
    });
    assert_eq!(submit(&b, "refused").0, 503);
    assert_eq!(submit(&a, "taken").0, 201);
    a.call("POST", "/api/cluster/b/resume", &Value::Null);
    until("b takes submits again", || {
        submit(&b, "taken again").0 == 201
    });
    for server in servers {
        assert_eq!(server.stop(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn d15_while_the_database_is_away_nodes_say_so_and_afterwards_go_on() {
    if skipped() {
        return;
    }
    let mut database = DatabaseServer::open(Engine::Postgres).await;
    let data = tempfile::tempdir().unwrap();
    let server = node(data.path(), &database, "a");
    let client = server.client();
    let (status, first) = submit(&client, "before");
    assert_eq!(status, 201);
    for silent in [false, true] {
        if silent {
            // It holds its connections and answers nothing, as behind a cut cable.
            database.signal("-STOP", true);
        } else {
            database.kill();
        }
        for _ in 0..3 {
            let (status, refused) = submit(&client, "meanwhile");
            assert_eq!(status, 503, "{refused}");
        }
        assert_eq!(client.call("GET", "/readyz", &Value::Null).0, 503);
        if silent {
            database.signal("-CONT", true);
        } else {
            database.start().await;
        }
        until("submits are taken again", || {
            submit(&client, "after").0 == 201
        });
    }
    let path = format!("/api/messages/{}", first["data"]["id"]);
    assert_eq!(client.call("GET", &path, &Value::Null).0, 200);
    assert_eq!(server.stop(), Some(0));
}

/// What clients were told, and when.
#[derive(Default)]
struct History {
    accepted: Vec<u64>,
    delivered: Vec<u64>,
    /// Message, and when the lease was asked for and given.
    leases: Vec<(u64, Duration, Duration)>,
}

/// How many times each node dies.
fn deaths() -> u32 {
    if std::env::var_os("DEATHS").is_some() {
        10
    } else {
        3
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn d5_d11_three_nodes_that_die_at_random_lose_nothing_and_double_nothing() {
    if skipped() {
        return;
    }
    let database = DatabaseServer::open(Engine::Postgres).await;
    let data = tempfile::tempdir().unwrap();
    // ADR 14: a wrong clock of a machine does no harm. One is 5 minutes ahead, one behind.
    let names = [("a", 0), ("b", 300), ("c", -300)];
    let node = |name| node_with_clock_off(data.path(), &database, name);
    let mut servers = names.map(|name| Some(node(name)));
    let bases = servers
        .each_ref()
        .map(|server| server.as_ref().unwrap().base.clone());
    let bases = Arc::new(Mutex::new(bases));
    let (history, stop) = (Arc::new(Mutex::new(History::default())), Arc::default());
    let watch = Stopwatch::start();
    let workers: Vec<_> = (0..6)
        .map(|worker| {
            let (bases, history) = (Arc::clone(&bases), Arc::clone(&history));
            let stop: Arc<AtomicBool> = Arc::clone(&stop);
            std::thread::spawn(move || work(worker, &bases, &history, (&stop, watch)))
        })
        .collect();
    let mut chance = u64::from(std::process::id());
    println!("seed {chance}");
    for _ in 0..deaths() * 3 {
        chance = chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        std::thread::park_timeout(Duration::from_millis(300 + (chance >> 33) % 700));
        let victim = usize::try_from((chance >> 20) % 3).unwrap();
        servers[victim].take().unwrap().kill();
        let server = node(names[victim]);
        bases.lock().unwrap()[victim].clone_from(&server.base);
        servers[victim] = Some(server);
    }
    stop.store(true, Ordering::Relaxed);
    for worker in workers {
        worker.join().unwrap();
    }
    let clients = servers
        .each_ref()
        .map(|server| server.as_ref().unwrap().client());
    let history = std::mem::take(&mut *history.lock().unwrap());
    println!(
        "{} accepted, {} delivered, {} leases",
        history.accepted.len(),
        history.delivered.len(),
        history.leases.len()
    );
    check_leases(&history.leases);
    check_messages(&clients, &history);
    deliver_the_rest(&clients);
    let waiting = "SELECT count(*) FROM zajil.outbox";
    until("every CDR is written", || {
        database.sql(waiting).trim() == "0"
    });
    for server in servers.into_iter().flatten() {
        assert_eq!(server.stop(), Some(0));
    }
    let twice = "SELECT count(*) FROM (SELECT 1 FROM cdrs GROUP BY message_id \
         HAVING count(*) > 1) AS x";
    assert_eq!(database.sql(twice).trim(), "0", "two CDRs of one message");
    let rest = "SELECT (SELECT count(*) FROM zajil.q), (SELECT count(*) FROM zajil.outbox), \
         (SELECT count(*) FROM zajil.fin) - (SELECT count(*) FROM cdrs), \
         (SELECT sum(messages) FROM zajil.lane) - (SELECT count(*) FROM zajil.fin), \
         (SELECT sum(pending) FROM zajil.lane), (SELECT sum(outbox) FROM zajil.lane)";
    assert_eq!(database.sql(rest).trim(), "0|0|0|0|0|0");
}

/// Submits, leases and delivers at nodes that come and go; notes only what was answered.
fn work(
    worker: u64,
    bases: &Mutex<[String; 3]>,
    history: &Mutex<History>,
    (stop, watch): (&AtomicBool, Stopwatch),
) {
    let mut number = worker;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let place = usize::try_from(number % 3).unwrap();
        let client = Client::new(&bases.lock().unwrap()[place].clone());
        for _ in 0..4 {
            let text = format!("cluster {worker} {number}");
            let body = json!({
                "destination_msisdn": format!("+1555{:07}", number % 1_000),
                "message_body": text, "source_smsc": "test",
            });
            if let Some((201, answer)) = client.try_call(("POST", "/api/messages"), &[], &body) {
                let id = answer["data"]["id"].as_u64().unwrap();
                history.lock().unwrap().accepted.push(id);
            }
        }
        let path = format!(
            "/api/messages/queue?smsc=gw&lease={}&limit=3",
            LEASE.as_secs()
        );
        let asked = watch.elapsed();
        let headers = [("include-unrouted", "true")];
        let Some((200, due)) = client.try_call(("GET", &path), &headers, &Value::Null) else {
            continue;
        };
        for message in due["data"].as_array().unwrap() {
            let id = message["id"].as_u64().unwrap();
            let lease = (id, asked, watch.elapsed());
            history.lock().unwrap().leases.push(lease);
            let path = format!("/api/messages/{id}/mark_delivered");
            let report = json!({ "dest_smsc": "gw" });
            if let Some((200, _)) = client.try_call(("POST", &path), &[], &report) {
                history.lock().unwrap().delivered.push(id);
            }
        }
    }
}

/// A lease begins between the question and the answer: a later one that was answered before the
/// first can have ended overlaps it, whatever the clocks of the nodes say.
fn check_leases(leases: &[(u64, Duration, Duration)]) {
    let mut by_message: HashMap<u64, Vec<(Duration, Duration)>> = HashMap::new();
    for (id, asked, answered) in leases {
        by_message.entry(*id).or_default().push((*asked, *answered));
    }
    for (id, mut held) in by_message {
        held.sort_unstable();
        for pair in held.windows(2) {
            let ends = pair[0].0 + LEASE;
            assert!(
                pair[1].1 >= ends,
                "message {id} was held twice at once: {held:?}"
            );
        }
    }
}

fn check_messages(clients: &[Client; 3], history: &History) {
    assert!(
        history.accepted.len() > 100,
        "the load was too small to prove anything"
    );
    let mut delivered = history.delivered.clone();
    delivered.sort_unstable();
    assert!(
        delivered.is_sorted_by(|a, b| a < b),
        "a message was reported delivered twice with success"
    );
    let mut statuses = BTreeMap::new();
    for (id, client) in history.accepted.iter().zip(clients.iter().cycle()) {
        let (status, answer) = client.call("GET", &format!("/api/messages/{id}"), &Value::Null);
        assert_eq!(status, 200, "message {id} was acknowledged and is gone");
        let word = answer["data"]["status"].as_str().unwrap().to_owned();
        let before = statuses.insert(*id, word);
        assert!(before.is_none(), "id {id} was handed out twice");
    }
    for id in delivered {
        // A message whose own 201 was lost may be delivered all the same.
        if let Some(status) = statuses.get(&id) {
            assert_eq!(status, "delivered", "the delivery of {id} was undone");
        }
    }
}

/// What dead nodes held comes back, and goes out.
fn deliver_the_rest(clients: &[Client; 3]) {
    let mut turn = clients.iter().cycle();
    until("everything is delivered", || {
        let client = turn.next().unwrap();
        let path = "/api/messages/queue?smsc=gw&lease=60&limit=1000";
        let headers = [("include-unrouted", "true")];
        let due = client
            .try_call(("GET", path), &headers, &Value::Null)
            .unwrap();
        for message in due.1["data"].as_array().unwrap() {
            let path = format!("/api/messages/{}/mark_delivered", message["id"]);
            client.call("POST", &path, &json!({ "dest_smsc": "gw" }));
        }
        let pending = client.call("GET", "/api/messages?status=pending&limit=1", &Value::Null);
        pending.1["data"].as_array().unwrap().is_empty()
    });
}

//! Clients of a cluster under load: what they were told, and whether it was kept.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};
use zajil_telemetry::Stopwatch;

use crate::server::Client;

/// How long the machine may take for anything.
const WITHIN: Duration = Duration::from_secs(300);
/// How long a lease holds.
const LEASE: Duration = Duration::from_secs(3);
/// So many messages travel together.
const BATCH: usize = 20;
/// So many messages are looked up at the nodes, one by one; all are in the database.
const LOOKED_UP: usize = 2_000;
/// With what is not routed, as the only frontend.
const UNROUTED: [(&str, &str); 1] = [("include-unrouted", "true")];

/// What clients were told, and when.
#[derive(Default)]
pub(crate) struct History {
    /// How many messages were submitted, whatever came of it.
    offered: usize,
    pub(crate) accepted: Vec<u64>,
    pub(crate) delivered: Vec<u64>,
    /// Message, and when the lease was asked for and given.
    leases: Vec<(u64, Duration, Duration)>,
    /// When the last submit was acknowledged.
    last: Duration,
}

/// Clients that submit, lease and deliver at nodes that come and go, until they are told to stop.
pub(crate) struct Load {
    /// Where the nodes are just now.
    pub(crate) bases: Mutex<Vec<String>>,
    history: Mutex<History>,
    stop: AtomicBool,
    pub(crate) watch: Stopwatch,
    /// One batch of each client in so long; none: the next as soon as the last was delivered.
    pace: Option<Duration>,
}

impl Load {
    pub(crate) fn new(bases: Vec<String>, pace: Option<Duration>) -> Arc<Self> {
        Arc::new(Self {
            bases: Mutex::new(bases),
            history: Mutex::default(),
            stop: AtomicBool::new(false),
            watch: Stopwatch::start(),
            pace,
        })
    }

    pub(crate) fn start(self: &Arc<Self>, clients: usize) -> Vec<JoinHandle<()>> {
        let client = |number| {
            let load = Arc::clone(self);
            std::thread::spawn(move || load.work(number))
        };
        (0..clients).map(client).collect()
    }

    /// When the last submit was acknowledged, and how many were.
    pub(crate) fn progress(&self) -> (Duration, usize) {
        let history = self.history.lock().unwrap();
        (history.last, history.accepted.len())
    }

    /// Ends the clients; what they were told.
    pub(crate) fn end(&self, clients: Vec<JoinHandle<()>>) -> History {
        self.stop.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().unwrap();
        }
        let history = std::mem::take(&mut *self.history.lock().unwrap());
        let seconds = self.watch.elapsed().as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a figure to look at")]
        let rate = history.accepted.len() as f64 / seconds;
        println!(
            "{} of {} accepted in {seconds:.1} s ({rate:.0}/s), {} delivered, {} leases",
            history.accepted.len(),
            history.offered,
            history.delivered.len(),
            history.leases.len()
        );
        history
    }

    fn work(&self, worker: usize) {
        let begun = self.watch.elapsed();
        let mut rounds = 0;
        while !self.stop.load(Ordering::Relaxed) {
            rounds += 1;
            self.submit((worker, rounds));
            self.deliver(&self.client(worker + rounds as usize));
            // A client that is behind does not wait, so that the rate is kept.
            if let Some(pace) = self.pace {
                let next = begun + pace * rounds;
                let wait = next.saturating_sub(self.watch.elapsed());
                std::thread::park_timeout(wait);
            }
        }
    }

    /// A client of one of the nodes.
    fn client(&self, turn: usize) -> Client {
        let bases = self.bases.lock().unwrap();
        Client::new(&bases[turn % bases.len()])
    }

    /// Posts to one of the nodes, or to the next where it is not there or does not answer, as a
    /// balancer does: with a key, so that what the first has stored is not stored again.
    fn post(&self, turn: usize, path: &str, (key, body): (&str, &Value)) -> Option<(u16, Value)> {
        let nodes = self.bases.lock().unwrap().len();
        let headers = [("idempotency-key", key)];
        (turn..turn + nodes)
            .find_map(|turn| self.client(turn).try_call(("POST", path), &headers, body))
    }

    /// One message alone, and others in a batch.
    fn submit(&self, (worker, round): (usize, u32)) {
        let turn = worker + round as usize;
        self.history.lock().unwrap().offered += BATCH;
        let message = |number| {
            json!({
                "destination_msisdn": format!("+1555{:07}", round % 1_000),
                "message_body": format!("cluster {worker} {round} {number}"),
                "source_smsc": "test",
            })
        };
        let key = format!("{worker} {round}");
        let alone = message(0);
        if let Some((200 | 201, answer)) = self.post(turn, "/api/messages", (&key, &alone)) {
            self.note_accepted([answer["data"]["id"].as_u64().unwrap()]);
        }
        let batch: Vec<Value> = (1..BATCH).map(message).collect();
        let body = json!({ "messages": batch });
        let key = format!("{key} others");
        let answer = self.post(turn, "/api/messages/batch", (&key, &body));
        if let Some((200 | 201 | 207, answer)) = answer {
            self.note_accepted(done(&answer));
        }
    }

    fn note_accepted(&self, ids: impl IntoIterator<Item = u64>) {
        let mut history = self.history.lock().unwrap();
        history.accepted.extend(ids);
        history.last = self.watch.elapsed();
    }

    fn deliver(&self, client: &Client) {
        let (lease, limit) = (LEASE.as_secs(), 2 * BATCH);
        let path = format!("/api/messages/queue?smsc=gw&lease={lease}&limit={limit}");
        let asked = self.watch.elapsed();
        let Some((200, due)) = client.try_call(("GET", &path), &UNROUTED, &Value::Null) else {
            return;
        };
        let answered = self.watch.elapsed();
        let ids = ids(&due);
        let leases = ids.iter().map(|id| (*id, asked, answered));
        self.history.lock().unwrap().leases.extend(leases);
        let delivered = report(client, &ids);
        self.history.lock().unwrap().delivered.extend(delivered);
    }
}

fn ids(due: &Value) -> Vec<u64> {
    let due = due["data"].as_array().unwrap().iter();
    due.map(|message| message["id"].as_u64().unwrap()).collect()
}

/// The messages of a batch that took effect.
fn done(answer: &Value) -> Vec<u64> {
    let results = answer["data"]["results"].as_array().unwrap().iter();
    let good = results.filter(|result| matches!(result["status"].as_u64(), Some(200 | 201)));
    good.map(|result| result["id"].as_u64().unwrap()).collect()
}

/// Reports the first alone, the others in a batch; answers those that were taken.
fn report(client: &Client, ids: &[u64]) -> Vec<u64> {
    let Some((first, others)) = ids.split_first() else {
        return Vec::new();
    };
    let mut taken = Vec::new();
    let path = format!("/api/messages/{first}/mark_delivered");
    let body = json!({ "dest_smsc": "gw" });
    if let Some((200, _)) = client.try_call(("POST", &path), &[], &body) {
        taken.push(*first);
    }
    let report = |id| json!({ "id": id, "outcome": "delivered", "dest_smsc": "gw" });
    let body = json!({ "reports": others.iter().map(report).collect::<Vec<_>>() });
    if others.is_empty() {
        return taken;
    }
    let path = "/api/messages/batch_report";
    if let Some((200 | 207, answer)) = client.try_call(("POST", path), &[], &body) {
        taken.extend(done(&answer));
    }
    taken
}

impl History {
    /// Everything that was promised is there: leases never overlapped, nothing is lost, nothing
    /// ended twice. `sql` asks the database itself.
    pub(crate) fn check(&self, clients: &[Client], sql: impl Fn(&str) -> String) {
        assert!(
            self.accepted.len() > 100,
            "the load was too small to prove anything"
        );
        self.check_leases();
        let mut delivered = self.delivered.clone();
        delivered.sort_unstable();
        assert!(
            delivered.is_sorted_by(|a, b| a < b),
            "a message was reported delivered twice with success"
        );
        let stored =
            sql("SELECT id, coalesce(how, '') FROM zajil.msg LEFT JOIN zajil.fin USING (id)");
        let stored: HashMap<u64, bool> = stored.lines().map(stored_row).collect();
        let doubles = "SELECT coalesce(sum(n - 1), 0) FROM (SELECT count(*) AS n FROM zajil.msg \
             WHERE body LIKE 'cluster %' GROUP BY body) AS x";
        assert_eq!(sql(doubles).trim(), "0", "submits that were stored twice");
        let bodies = "SELECT count(*) > 100 FROM zajil.msg WHERE body LIKE 'cluster %'";
        assert_eq!(sql(bodies).trim(), "t", "bodies are read as they were sent");
        let mut seen = BTreeMap::new();
        for id in &self.accepted {
            assert!(
                stored.contains_key(id),
                "message {id} was acknowledged and is gone"
            );
            assert!(
                seen.insert(*id, ()).is_none(),
                "id {id} was handed out twice"
            );
        }
        for id in &delivered {
            assert_eq!(
                stored.get(id),
                Some(&true),
                "the delivery of {id} was undone"
            );
        }
        // Any node knows any message.
        let every = self.accepted.len().div_ceil(LOOKED_UP);
        let some = self.accepted.iter().step_by(every);
        for (id, client) in some.zip(clients.iter().cycle()) {
            let path = format!("/api/messages/{id}");
            let (status, _) = client.call("GET", &path, &Value::Null);
            assert_eq!(status, 200, "message {id}");
        }
    }

    /// A lease begins between the question and the answer: a later one that was answered before the
    /// first can have ended overlaps it, whatever the clocks of the nodes say.
    fn check_leases(&self) {
        let mut by_message: HashMap<u64, Vec<(Duration, Duration)>> = HashMap::new();
        for (id, asked, answered) in &self.leases {
            by_message.entry(*id).or_default().push((*asked, *answered));
        }
        let mut again = 0;
        for (id, mut held) in by_message {
            held.sort_unstable();
            again += held.len() - 1;
            for pair in held.windows(2) {
                let ends = pair[0].0 + LEASE;
                assert!(
                    pair[1].1 >= ends,
                    "message {id} was held twice at once: {held:?}"
                );
            }
        }
        println!("{again} leases after one that ran out, none before");
    }
}

fn stored_row(line: &str) -> (u64, bool) {
    let (id, how) = line.split_once('|').unwrap();
    (id.parse().unwrap(), !how.is_empty())
}

/// What dead nodes held comes back, and goes out. Then each message has one CDR, and the counts
/// agree with the rows.
pub(crate) fn finish(clients: &[Client], sql: impl Fn(&str) -> String) {
    let mut turn = clients.iter().cycle();
    until("everything is delivered", || {
        let client = turn.next().unwrap();
        let path = "/api/messages/queue?smsc=gw&lease=60&limit=1000";
        let due = client.try_call(("GET", path), &UNROUTED, &Value::Null);
        report(client, &ids(&due.unwrap().1));
        let pending = client.call("GET", "/api/messages?status=pending&limit=1", &Value::Null);
        pending.1["data"].as_array().unwrap().is_empty()
    });
    until("every CDR is written", || {
        sql("SELECT count(*) FROM zajil.outbox").trim() == "0"
    });
    let twice = "SELECT count(*) FROM (SELECT 1 FROM cdrs GROUP BY message_id \
         HAVING count(*) > 1) AS x";
    assert_eq!(sql(twice).trim(), "0", "two CDRs of one message");
    let rest = "SELECT (SELECT count(*) FROM zajil.q) + (SELECT count(*) FROM zajil.run), \
         (SELECT count(*) FROM zajil.outbox), \
         (SELECT count(*) FROM zajil.fin) - (SELECT count(*) FROM cdrs), \
         (SELECT sum(messages) FROM zajil.lane) - (SELECT count(*) FROM zajil.fin), \
         (SELECT sum(pending) FROM zajil.lane), (SELECT sum(outbox) FROM zajil.lane)";
    assert_eq!(sql(rest).trim(), "0|0|0|0|0|0");
}

pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let watch = Stopwatch::start();
    while !holds() {
        assert!(watch.elapsed() < WITHIN, "{what} within {WITHIN:?}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

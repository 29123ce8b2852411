//! Submits and whole lives a second, beside what the same server takes as bare batches of rows.
//!
//! `cargo bench -p zajil-store-postgres --bench throughput -- 20000 256 2 1` : messages, callers,
//! nodes and writers of each. The server is one of the tests' (16 MB of buffers, no fsync): only
//! ratios mean something, and on a machine that is busy with other work only those of CPU time.
//! With the word `durable` behind them it syncs, and has 256 MB; with `statements` it tells what
//! each statement has cost, and with `rows` every message has a row of its own in the queue.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints its figures, and ends where it cannot go on"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use zajil_database::Server;
use zajil_database::postgres::{Dial, Link};
use zajil_store::Store as _;
use zajil_store_postgres::{Options, PostgresStore};
use zajil_telemetry::Stopwatch;
use zajil_testkit::database::{DatabaseServer, Engine, Protection};

#[path = "../../zajil-store-embedded/benches/shared/deliver.rs"]
mod deliver;
#[path = "../../zajil-store-embedded/tests/it/make.rs"]
mod make;

use deliver::deliver;

type Failed = Box<dyn std::error::Error + Send + Sync>;

const BATCH: usize = 500;

fn main() -> Result<(), Failed> {
    let mut arguments = std::env::args()
        .skip(1)
        .filter_map(|text| text.parse().ok());
    let (messages, callers) = (
        arguments.next().unwrap_or(20_000),
        arguments.next().unwrap_or(256),
    );
    let nodes = arguments.next().unwrap_or(1);
    let writers = arguments.next().unwrap_or(1);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run(messages, callers, (nodes, writers)))
}

async fn run(messages: u64, callers: u64, (nodes, writers): (u64, u64)) -> Result<(), Failed> {
    let told = |word: &str| std::env::args().any(|argument| argument == word);
    let mut settings = Vec::new();
    if told("durable") {
        settings.extend(["fsync=on", "shared_buffers=256MB", "max_wal_size=4GB"]);
    }
    if told("statements") {
        settings.push("shared_preload_libraries=pg_stat_statements");
    }
    let database = DatabaseServer::open_with(Engine::Postgres, Protection::Plain, &settings).await;
    if told("statements") {
        database.ask("CREATE EXTENSION pg_stat_statements")?;
    }
    let server = Server::parse(&database.url())?;
    let mut stores = Vec::new();
    for _ in 0..nodes {
        let options = Options {
            writers: u32::try_from(writers)?,
            ..Options::default()
        };
        let options = match told("rows") {
            true => Options {
                least_run: 0,
                ..options
            },
            false => options,
        };
        let store = PostgresStore::open(&server, options).await?;
        stores.push(Arc::new(store));
    }
    let meter = Meter::new(&server).await?;
    let begin = meter.begin().await?;
    raw(messages, &meter).await?;
    let bare = meter.tell("bare rows", messages, begin, None).await?;
    let begin = meter.begin().await?;
    let waits = submit(&stores, messages, callers).await?;
    meter.tell("submits", messages, begin, Some(&bare)).await?;
    tell_waits(waits);
    let begin = meter.begin().await?;
    let mut running = JoinSet::new();
    for (store, _) in stores.iter().cycle().zip(0..16) {
        running.spawn(deliver(Arc::clone(store)));
    }
    let mut delivered = 0;
    while let Some(done) = running.join_next().await {
        delivered += done??;
    }
    meter
        .tell("leases and reports", delivered, begin, Some(&bare))
        .await?;
    if told("statements") {
        println!("{}", database.ask(&costs(messages))?);
    }
    Ok(())
}

/// Lets so many callers submit one message after the other; how long each has waited.
async fn submit(
    stores: &[Arc<PostgresStore>],
    messages: u64,
    callers: u64,
) -> Result<Vec<Duration>, Failed> {
    let next = Arc::new(AtomicU64::new(0));
    let caller = |store: Arc<PostgresStore>, next: Arc<AtomicU64>| async move {
        let mut waits = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed) + 1;
            if number > messages {
                return Ok::<_, zajil_store::Error>(waits);
            }
            let drafts = vec![make::draft(number, "gw", 0)];
            let watch = Stopwatch::start();
            store.accept(drafts, make::at(0)).await?;
            waits.push(watch.elapsed());
        }
    };
    let mut running = JoinSet::new();
    for (store, _) in stores.iter().cycle().zip(0..callers) {
        running.spawn(caller(Arc::clone(store), Arc::clone(&next)));
    }
    let mut waits = Vec::new();
    while let Some(done) = running.join_next().await {
        waits.extend(done??);
    }
    Ok(waits)
}

fn tell_waits(mut waits: Vec<Duration>) {
    waits.sort_unstable();
    let part = |of: usize| {
        waits
            .get(waits.len() * of / 1_000)
            .unwrap_or(&Duration::ZERO)
    };
    println!(
        "a caller waits {:.1?}, one of a hundred {:.1?}, of a thousand {:.1?}",
        part(500),
        part(990),
        part(999)
    );
}

/// Asks what the statements cost for each message: microseconds (waiting included), pages looked
/// at, octets of WAL; and how often each was asked.
fn costs(messages: u64) -> String {
    format!(
        "SELECT round((total_exec_time * 1000 / {messages})::numeric, 2), \
         round(shared_blks_hit::numeric / {messages}, 1), round(wal_bytes / {messages}), calls, \
         left(regexp_replace(query, '\\s+', ' ', 'g'), 90) \
         FROM pg_stat_statements ORDER BY total_exec_time DESC LIMIT 12"
    )
}

/// A stretch of work: so many a second, and the CPU time of one, in microseconds.
#[derive(Debug, Default)]
struct Spent {
    rate: f64,
    node: f64,
    server: f64,
}

/// What the work costs both sides.
struct Meter(Link);

/// In the middle of a stretch.
struct Begun {
    watch: Stopwatch,
    node: u64,
    server: u64,
}

impl Meter {
    async fn new(server: &Server) -> Result<Self, Failed> {
        Ok(Self(Dial::new(server)?.connect(None).await?))
    }

    async fn begin(&self) -> Result<Begun, Failed> {
        Ok(Begun {
            watch: Stopwatch::start(),
            node: ticks("self"),
            server: self.server().await?,
        })
    }

    /// Of all processes of the server that are there.
    async fn server(&self) -> Result<u64, Failed> {
        let pids = "SELECT pid FROM pg_stat_activity";
        let rows = self.0.client.query(pids, &[]).await?;
        let pids = rows.iter().map(|row| row.get::<_, i32>(0).to_string());
        Ok(pids.map(|pid| ticks(&pid)).sum())
    }

    #[expect(clippy::cast_precision_loss, reason = "figures to look at")]
    async fn tell(
        &self,
        what: &str,
        count: u64,
        begun: Begun,
        bare: Option<&Spent>,
    ) -> Result<Spent, Failed> {
        let (node, server) = (ticks("self"), self.server().await?);
        // A tick is a hundredth of a second.
        let each = |from: u64, to: u64| to.saturating_sub(from) as f64 * 10_000.0 / count as f64;
        let spent = Spent {
            rate: count as f64 / begun.watch.elapsed().as_secs_f64(),
            node: each(begun.node, node),
            server: each(begun.server, server),
        };
        let bare = bare.unwrap_or(&spent);
        println!(
            "{what}: {:.0}/s, {:.2} of bare rows; CPU us each: server {:.1} ({:.2}), node {:.1}",
            spent.rate,
            spent.rate / bare.rate,
            spent.server,
            bare.server / spent.server,
            spent.node
        );
        Ok(spent)
    }
}

/// What a process has used of the CPU, in ticks; nothing when it has gone.
fn ticks(process: &str) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let field = |at: usize| fields.get(at).and_then(|text| text.parse::<u64>().ok());
    field(11).unwrap_or(0) + field(12).unwrap_or(0)
}

/// Rows like those of a message into one table with a key: what nothing that stores it can beat.
async fn raw(messages: u64, meter: &Meter) -> Result<(), Failed> {
    let client = &meter.0.client;
    client
        .batch_execute("CREATE TABLE bare (id bigint PRIMARY KEY, body text NOT NULL)")
        .await?;
    let insert = client
        .prepare("INSERT INTO bare SELECT * FROM unnest($1::bigint[], $2::text[])")
        .await?;
    let body = "x".repeat(380);
    let ids: Vec<i64> = (1..=i64::try_from(messages)?).collect();
    for ids in ids.chunks(BATCH) {
        let bodies = vec![body.as_str(); ids.len()];
        client.execute(&insert, &[&ids, &bodies]).await?;
    }
    Ok(())
}

//! What a search by number costs in a large CDR table:
//! `cargo bench -p zajil-cdr --bench search -- sqlite 10000000` (or `postgres`, `mysql`).
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a bench measures and prints"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use zajil_cdr::schema::{Dialect, INDEXED};
use zajil_cdr::{Server, SqliteSink, database};
use zajil_core::port::{CdrFilter, CdrSearch};
use zajil_telemetry::Telemetry;
use zajil_testkit::database::{DatabaseServer, Engine};

/// Rows of one subscriber; every tenth row has the one sender of many as its calling number.
const ROWS_EACH: u64 = 50;
const SENDER: &str = "+15550000000";
const SEARCHES: u64 = 1_000;
const PAGE: u32 = 100;

/// Where rows are: filled by SQL, searched by the product.
enum Place {
    File(tempfile::TempDir),
    Machine(DatabaseServer),
}

impl Place {
    fn run(&self, sql: &str) {
        match self {
            Self::File(folder) => {
                let db = rusqlite::Connection::open(folder.path().join("cdr.db")).unwrap();
                db.execute_batch(sql).unwrap();
            }
            Self::Machine(machine) => drop(machine.sql(sql)),
        }
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|word| word != "--bench");
    let engine = arguments.next().unwrap_or_else(|| "sqlite".to_owned());
    let rows = arguments
        .next()
        .map_or(100_000, |word| word.parse().unwrap());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(measure(&engine, rows));
}

async fn measure(engine: &str, rows: u64) {
    let telemetry = Arc::new(Telemetry::new().unwrap());
    let (place, dialect, search): (Place, Dialect, Arc<dyn CdrSearch>) = match engine {
        "sqlite" => {
            let folder = tempfile::tempdir().unwrap();
            let sink = SqliteSink::open(&folder.path().join("cdr.db")).unwrap();
            (Place::File(folder), Dialect::Sqlite, Arc::new(sink))
        }
        "postgres" => {
            let machine = DatabaseServer::open(Engine::Postgres).await;
            let server = Server::parse(&machine.url()).unwrap();
            let sink = database::open(&server, telemetry).unwrap();
            sink.write(&[], zajil_core::clock::Timestamp::from_secs(0))
                .await
                .unwrap();
            (Place::Machine(machine), Dialect::Postgres, sink)
        }
        "mysql" => {
            let machine = DatabaseServer::open(Engine::MySql).await;
            let server = Server::parse(&machine.url()).unwrap();
            let sink = database::open(&server, telemetry).unwrap();
            sink.write(&[], zajil_core::clock::Timestamp::from_secs(0))
                .await
                .unwrap();
            (Place::Machine(machine), Dialect::MySql, sink)
        }
        other => panic!("{other} is not sqlite, postgres or mysql"),
    };
    let begun = Instant::now();
    fill(&place, dialect, rows);
    println!("{engine}: {rows} rows, filled in {:.0?}", begun.elapsed());
    let numbers = (rows / ROWS_EACH).max(1);
    // Warmed by another set than the one that is measured.
    for part in [1, 2] {
        let mut times: Vec<Duration> = Vec::new();
        for turn in 0..SEARCHES {
            let place = (turn * 2_654_435_761 + part * 97) % numbers;
            let filter = CdrFilter {
                number: Some(format!("+1666{place:07}")),
                ..CdrFilter::default()
            };
            let begun = Instant::now();
            let found = search.search(&filter, None, PAGE).await.unwrap();
            times.push(begun.elapsed());
            assert!(
                found.len() as u64 >= ROWS_EACH.min(rows) / 2,
                "{}",
                found.len()
            );
        }
        times.sort_unstable();
        let at = |percent: usize| times[times.len() * percent / 100];
        println!(
            "  set {part}: by number p50 {:?} p95 {:?} p99 {:?}",
            at(50),
            at(95),
            at(99)
        );
    }
    pages(&*search).await;
}

/// Pages of the sender of many: the last must cost what the first does.
async fn pages(search: &dyn CdrSearch) {
    let filter = CdrFilter {
        number: Some(SENDER.to_owned()),
        ..CdrFilter::default()
    };
    let (mut before, mut times) = (None, Vec::new());
    for _ in 0..200 {
        let begun = Instant::now();
        let page = search.search(&filter, before, PAGE).await.unwrap();
        times.push(begun.elapsed());
        before = page.last().map(|(place, _)| *place);
        if page.len() < PAGE as usize {
            break;
        }
    }
    println!(
        "  one sender: first page {:?}, page {} {:?}",
        times[0],
        times.len(),
        times[times.len() - 1]
    );
}

fn fill(place: &Place, dialect: Dialect, rows: u64) {
    // Indexes at the end: it is the searches that are measured.
    let on = match dialect {
        Dialect::MySql => " ON cdrs",
        Dialect::Sqlite | Dialect::Postgres => "",
    };
    for column in INDEXED {
        place.run(&format!("DROP INDEX idx_cdrs_{column}{on}"));
    }
    let numbers = (rows / ROWS_EACH).max(1);
    let (concatenated, series) = match dialect {
        Dialect::MySql => (
            format!("CONCAT('+1666', LPAD((i * 7919) % {numbers}, 7, '0'))"),
            format!("seq AS i FROM seq_1_to_{rows}"),
        ),
        Dialect::Postgres => (
            format!("'+1666' || lpad(((i * 7919) % {numbers})::text, 7, '0')"),
            format!("i FROM generate_series(1, {rows}::bigint) AS i"),
        ),
        Dialect::Sqlite => (
            format!("printf('+1666%07d', (i * 7919) % {numbers})"),
            format!(
                "i FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n \
                 WHERE i < {rows}) SELECT i FROM n)"
            ),
        ),
    };
    place.run(&format!(
        "INSERT INTO cdrs (message_id, calling_number, called_number, source_smsc, dest_smsc, \
         origin_node, destination_node, submission_time, delivery_time, expiry_time, status, \
         delivery_attempts, message_parts, deadletter, message_body, inserted_at, updated_at) \
         SELECT i, CASE WHEN i % 10 = 0 THEN '{SENDER}' ELSE '+15551234567' END, {concatenated}, \
         'app', 'gw', 'zajil@a', 'zajil@a', '2026-01-01 00:00:00.000', \
         '2026-01-01 00:00:01.000', '2026-01-02 00:00:00.000', 'delivered', 1, 1, FALSE, \
         'Your code is 123456', '2026-01-01 00:00:02.000', '2026-01-01 00:00:02.000' \
         FROM (SELECT {series}) AS s"
    ));
    for column in INDEXED {
        place.run(&dialect.create_index("", column));
    }
    let settle = match dialect {
        Dialect::Sqlite => "PRAGMA wal_checkpoint(TRUNCATE)",
        Dialect::Postgres => "VACUUM ANALYZE cdrs",
        Dialect::MySql => "ANALYZE TABLE cdrs",
    };
    place.run(settle);
}

//! How long everything takes from a data directory into a database, and back.
//!
//! `cargo bench -p zajil-store-postgres --bench moved -- 1000000` : messages, half of which have
//! ended. The server is one of the tests' (16 MB of buffers, no fsync).
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints its figures, and ends where it cannot go on"
)]

use std::path::Path;

use zajil_core::frontend::FrontendName;
use zajil_core::lifecycle::Report;
use zajil_database::Server;
use zajil_store::Store as _;
use zajil_store::transfer::{Port, carry};
use zajil_store_embedded::{EmbeddedPort, EmbeddedStore};
use zajil_store_postgres::PostgresPort;
use zajil_telemetry::Stopwatch;
use zajil_testkit::database::{DatabaseServer, Engine};

#[path = "../../zajil-store-embedded/tests/it/make.rs"]
mod make;

type Failed = Box<dyn std::error::Error + Send + Sync>;

const BATCH: u64 = 2_000;

fn main() -> Result<(), Failed> {
    let mut arguments = std::env::args()
        .skip(1)
        .filter_map(|text| text.parse().ok());
    let messages = arguments.next().unwrap_or(20_000);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run(messages))
}

async fn run(messages: u64) -> Result<(), Failed> {
    let database = DatabaseServer::open(Engine::Postgres).await;
    let server = Server::parse(&database.url())?;
    let folder = tempfile::tempdir()?;
    let [old, new] = ["old", "new"].map(|name| folder.path().join(name));
    fill(&old, messages).await?;
    println!("filled; memory at its highest {} MiB", memory()?);
    let mut source = EmbeddedPort::existing(&old)?;
    let mut target = PostgresPort::target(&server, "zajil").await?;
    carry_all("into the database", &mut source, &mut target, messages).await?;
    let mut back = EmbeddedPort::target(&new)?;
    carry_all("back into a directory", &mut target, &mut back, messages).await?;
    println!("memory at its highest {} MiB", memory()?);
    Ok(())
}

async fn carry_all(
    what: &str,
    source: &mut dyn Port,
    target: &mut dyn Port,
    messages: u64,
) -> Result<(), Failed> {
    let drawn = (what.to_owned(), make::at(0));
    carry::begin(source, target, drawn).await?;
    let watch = Stopwatch::start();
    carry::carry(source, target, &mut |_| {}).await?;
    let carried = watch.elapsed().as_secs_f64();
    let watch = Stopwatch::start();
    let compared = carry::compare(source, target, &mut |_| {}).await?;
    let read = watch.elapsed().as_secs_f64();
    if let Some(apart) = compared.iter().find(|one| !one.agrees()) {
        return Err(format!("{what}: {apart:?}").into());
    }
    carry::finish(source, target, make::at(0)).await?;
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let rate = messages as f64 / carried;
    println!("{what}: carried in {carried:.0} s ({rate:.0}/s), both read again in {read:.0} s");
    Ok(())
}

async fn fill(directory: &Path, messages: u64) -> Result<(), Failed> {
    let store = EmbeddedStore::open(directory, &zajil_store_embedded::Options::default())?;
    let by = FrontendName::parse("gw")?;
    for first in (1..=messages).step_by(usize::try_from(BATCH)?) {
        let numbers = first..=messages.min(first + BATCH - 1);
        let drafts = numbers.clone().map(|number| make::draft(number, "gw", 0));
        store.accept(drafts.collect(), make::at(0)).await?;
        let ended = numbers.filter(|number| number % 2 == 0).map(|number| {
            let by = by.clone();
            (
                make::id(number),
                Report::Delivered {
                    by: Some(by),
                    at: None,
                },
            )
        });
        store.report(ended.collect(), make::scene(1)).await?;
    }
    store.close().await?;
    Ok(())
}

/// The most memory that this process has had, in MiB.
fn memory() -> Result<u64, Failed> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(number.ok_or("no VmHWM")?.parse::<u64>()? / 1_024)
}

//! What a long queue costs: listings, leases, memory, disk and the time to start again; and whether
//! that is still so once as many messages have been delivered and forgotten.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::load::{Amount, Load, Measured};
use super::server::Server;
use super::{Bench, Options};
use crate::install;
use crate::step::{self, succeeds};

const FRONTEND: &str = "bench_gw";
/// Messages of one call that fills.
const BATCH: u32 = 500;
const FILL_CONNECTIONS: u32 = 4;
/// Each holds 100 messages for a second.
const LEASES: u32 = 60;
/// Before the ones that count.
const WARM_LEASES: u32 = 10;
/// The last attempt to see the figure fall is that much after the first.
const PURGED_WITHIN: Duration = Duration::from_secs(3_600);
/// Nothing that is over is kept for longer than a day.
const SETTINGS: &str = "[messages]\nmessage_retention_hours = 1\nevent_ttl_days = 1\n\
     [cdr]\ncdr_retention_days = 1\n";
const LATER: &str = "+9d";

#[derive(Debug, Serialize)]
pub(super) struct Queue {
    /// Of a new store.
    fresh: Vec<Length>,
    restart_to_ready_ms: f64,
    /// From starting the process to the answers of a submit and a listing.
    restart_to_work_ms: f64,
    resident_mib_after_restart: u64,
    drained_per_second: f64,
    purge_seconds: f64,
    /// Of the same store, once all of that was delivered and forgotten.
    used: Vec<Length>,
}

/// The server with so many messages due for one frontend.
#[derive(Debug, Serialize)]
struct Length {
    messages: u32,
    fill_rate: f64,
    listing_p50_ms: f64,
    listing_p99_ms: f64,
    lease_p50_ms: f64,
    lease_p99_ms: f64,
    resident_mib: u64,
    /// Of the data folder, CDRs included, over all messages in the queue.
    disk_octets_each: u64,
}

pub(super) fn run(bench: &Bench, options: &Options) -> Result<Queue> {
    let binary = bench
        .zajil
        .as_ref()
        .context("there is no package zajil yet")?;
    install::ensure_debian_package("faketime", "faketime")?;
    let most = options
        .messages
        .unwrap_or(if options.quick { 20_000 } else { 1_000_000 });
    let sizes = [(most / 100).clamp(BATCH, 10_000), most];
    let data = bench.data_folder("queue");
    let server = Server::configured(bench, binary, &data, SETTINGS)?;
    let fresh = fill(bench, &server, &data, sizes)?;
    server.stop()?;

    let start = step::now();
    let server = Server::configured(bench, binary, &data, SETTINGS)?;
    load("submit", 1, Amount::Count(1)).run(bench, &server)?;
    list(bench, &server, 1)?;
    let restart_to_work_ms = start.elapsed().as_secs_f64() * 1000.0;
    let restart_to_ready_ms = server.ready_after.as_secs_f64() * 1000.0;
    let resident_mib_after_restart = server.resident_mib()?;
    println!(
        "started again: ready after {restart_to_ready_ms:.0} ms, at work after \
         {restart_to_work_ms:.0} ms, {resident_mib_after_restart} MiB"
    );
    let drained = load("drain", 2, Amount::Count(u32::MAX)).run(bench, &server)?;
    println!("drained at {:.0} messages a second", drained.rate);
    server.stop()?;

    let start = step::now();
    let server = Server::later(bench, binary, &data, SETTINGS, LATER)?;
    while server.gauge("sms_c_queue_size_size")? > 0.0 {
        ensure!(start.elapsed() < PURGED_WITHIN, "nothing is forgotten");
        thread::sleep(Duration::from_secs(1));
    }
    let purge_seconds = start.elapsed().as_secs_f64();
    println!("forgotten within {purge_seconds:.0} s");
    let used = fill(bench, &server, &data, sizes)?;
    server.stop()?;
    Ok(Queue {
        fresh,
        restart_to_ready_ms,
        restart_to_work_ms,
        resident_mib_after_restart,
        drained_per_second: drained.rate,
        purge_seconds,
        used,
    })
}

fn fill(bench: &Bench, server: &Server, data: &Path, sizes: [u32; 2]) -> Result<Vec<Length>> {
    println!(
        "{:>10} {:>9} {:>11} {:>7} {:>12} {:>7} {:>8} {:>12}",
        "queued",
        "fill/s",
        "list p50 ms",
        "p99 ms",
        "lease p50 ms",
        "p99 ms",
        "RSS MiB",
        "octets each"
    );
    let mut lengths: Vec<Length> = Vec::new();
    for messages in sizes {
        let queued = lengths.last().map_or(0, |length| length.messages);
        let length = measure(bench, server, data, (queued, messages))?;
        length.print();
        lengths.push(length);
    }
    if let [short, .., long] = lengths.as_slice() {
        println!(
            "of the long queue listing takes {:.2} and leasing {:.2} times what it takes of the \
             short one",
            long.listing_p50_ms / short.listing_p50_ms,
            long.lease_p50_ms / short.lease_p50_ms
        );
    }
    Ok(lengths)
}

fn measure(
    bench: &Bench,
    server: &Server,
    data: &Path,
    (queued, messages): (u32, u32),
) -> Result<Length> {
    let count = (messages - queued) / BATCH;
    let filled = load("batch", FILL_CONNECTIONS, Amount::Count(count)).run(bench, server)?;
    ensure!(
        filled.ok == u64::from(count),
        "the queue could not be filled: {:?}",
        filled.errors
    );
    // What the system still has to write of the fill is no part of what a lease costs.
    ensure!(succeeds(&mut Command::new("sync"))?, "sync failed");
    list(bench, server, 20)?;
    load("lease", 1, Amount::Count(WARM_LEASES)).run(bench, server)?;
    let listing = list(bench, server, 500)?;
    let leasing = load("lease", 1, Amount::Count(LEASES)).run(bench, server)?;
    Ok(Length {
        messages,
        fill_rate: filled.rate,
        listing_p50_ms: listing.p50_ms,
        listing_p99_ms: listing.p99_ms,
        lease_p50_ms: leasing.p50_ms,
        lease_p99_ms: leasing.p99_ms,
        resident_mib: server.resident_mib()?,
        disk_octets_each: octets(data)? / u64::from(messages),
    })
}

fn load(scenario: &'static str, connections: u32, amount: Amount) -> Load<'static> {
    Load {
        scenario,
        frontend: FRONTEND,
        connections,
        amount,
        body: None,
        rate: None,
        core: None,
        more: &[],
    }
}

/// One poller, so that no listing waits for another.
fn list(bench: &Bench, server: &Server, count: u32) -> Result<Measured> {
    let listed = load("list", 1, Amount::Count(count)).run(bench, server)?;
    ensure!(
        listed.ok == u64::from(count),
        "listings failed: {:?}",
        listed.errors
    );
    Ok(listed)
}

/// What the files of a folder take, those in folders below it too.
fn octets(folder: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder).with_context(|| format!("{}", folder.display()))? {
        let entry = entry?;
        let known = entry.metadata()?;
        sum += if known.is_dir() {
            octets(&entry.path())?
        } else {
            known.len()
        };
    }
    Ok(sum)
}

impl Length {
    fn print(&self) {
        println!(
            "{:>10} {:>9.0} {:>11.2} {:>7.2} {:>12.2} {:>7.2} {:>8} {:>12}",
            self.messages,
            self.fill_rate,
            self.listing_p50_ms,
            self.listing_p99_ms,
            self.lease_p50_ms,
            self.lease_p99_ms,
            self.resident_mib,
            self.disk_octets_each
        );
    }
}

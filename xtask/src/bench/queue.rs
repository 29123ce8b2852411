//! What a long queue costs: a frontend's listing, memory, and the time to start again.

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::load::{Amount, Load, Measured};
use super::server::Server;
use super::{Bench, Options};

const FRONTEND: &str = "bench_gw";
/// Many waiters share one sync to the disk.
const FILL_CONNECTIONS: u32 = 256;

#[derive(Debug, Serialize)]
pub(super) struct Queue {
    lengths: Vec<Length>,
    restart_to_ready_ms: f64,
    resident_mib_after_restart: u64,
}

/// The server with so many messages due for one frontend.
#[derive(Debug, Serialize)]
struct Length {
    messages: u32,
    fill_rate: f64,
    listing_p50_ms: f64,
    listing_p99_ms: f64,
    resident_mib: u64,
}

pub(super) fn run(bench: &Bench, options: &Options) -> Result<Queue> {
    let binary = bench
        .zajil
        .as_ref()
        .context("there is no package zajil yet")?;
    let sizes: [u32; 2] = if options.quick {
        [1_000, 20_000]
    } else {
        [10_000, 1_000_000]
    };
    let data = bench.data_folder("queue");
    let server = Server::zajil(bench, binary, &data)?;
    println!(
        "{:>10} {:>9} {:>12} {:>12} {:>8}",
        "queued", "fill/s", "list p50 ms", "p99 ms", "RSS MiB"
    );
    let mut lengths: Vec<Length> = Vec::new();
    for messages in sizes {
        let queued = lengths.last().map_or(0, |length| length.messages);
        let length = measure(bench, &server, queued, messages)?;
        length.print();
        lengths.push(length);
    }
    if let [short, .., long] = lengths.as_slice() {
        let ratio = long.listing_p50_ms / short.listing_p50_ms;
        println!("a listing of 100 out of the long queue takes {ratio:.2} times the short one's");
    }
    server.stop()?;

    let restarted = Server::zajil(bench, binary, &data)?;
    let queue = Queue {
        lengths,
        restart_to_ready_ms: restarted.ready_after.as_secs_f64() * 1000.0,
        resident_mib_after_restart: restarted.resident_mib()?,
    };
    println!(
        "started again: ready after {:.0} ms, {} MiB",
        queue.restart_to_ready_ms, queue.resident_mib_after_restart
    );
    list(bench, &restarted, 1)?;
    restarted.stop()?;
    Ok(queue)
}

fn measure(bench: &Bench, server: &Server, queued: u32, messages: u32) -> Result<Length> {
    let count = messages.saturating_sub(queued);
    let connections = FILL_CONNECTIONS;
    let amount = Amount::Count(count);
    let fill = Load {
        scenario: "submit",
        frontend: FRONTEND,
        connections,
        amount,
        body: None,
    };
    let filled = fill.run(bench, server)?;
    ensure!(
        filled.ok == u64::from(count),
        "the queue could not be filled: {:?}",
        filled.errors
    );
    list(bench, server, 20)?;
    let listing = list(bench, server, 500)?;
    Ok(Length {
        messages,
        fill_rate: filled.rate,
        listing_p50_ms: listing.p50_ms,
        listing_p99_ms: listing.p99_ms,
        resident_mib: server.resident_mib()?,
    })
}

/// One poller, so that no listing waits for another.
fn list(bench: &Bench, server: &Server, count: u32) -> Result<Measured> {
    let amount = Amount::Count(count);
    let list = Load {
        scenario: "list",
        frontend: FRONTEND,
        connections: 1,
        amount,
        body: None,
    };
    let listed = list.run(bench, server)?;
    ensure!(
        listed.ok == u64::from(count),
        "listings failed: {:?}",
        listed.errors
    );
    Ok(listed)
}

impl Length {
    fn print(&self) {
        println!(
            "{:>10} {:>9.0} {:>12.2} {:>12.2} {:>8}",
            self.messages,
            self.fill_rate,
            self.listing_p50_ms,
            self.listing_p99_ms,
            self.resident_mib
        );
    }
}

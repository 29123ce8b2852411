//! Thousands of frontends that wait for messages, each on a connection of its own: what they cost
//! the server, and how long a message takes to wake the one that it is for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::connection::Connection;
use crate::http::{Target, register};
use crate::wire::Request;
use crate::{clock, process};

/// Seconds that a poll waits; below what a connection waits for an answer.
const WAIT: u32 = 25;
/// Connections that are opened at a time: fewer than a listener keeps in its backlog.
const OPENED_AT_ONCE: usize = 100;
const BETWEEN: Duration = Duration::from_millis(20);
/// For the last polls to reach the server, and its memory to settle.
const SETTLES: Duration = Duration::from_secs(3);
/// A frontend that has not heard of its message by then has missed it.
const MISSED_AFTER: Duration = Duration::from_secs(10);

/// What is to be measured.
#[derive(Debug, Clone)]
pub struct Options {
    /// `http://host:port`.
    pub url: String,
    /// Frontends that wait.
    pub polls: usize,
    /// Messages, one after another, each for another frontend.
    pub wakes: usize,
    /// Messages a second.
    pub rate: f64,
    /// Whose memory is looked at.
    pub server_pid: u32,
}

/// What was measured.
#[derive(Debug, Serialize)]
pub struct Polls {
    polls: usize,
    before_kib: u64,
    waiting_kib: u64,
    /// After the wakes.
    after_kib: u64,
    wakes: usize,
    /// Messages that did not arrive.
    missed: usize,
    /// From sending the submit to the last octet of the poll's answer.
    wake_ms: Quantiles,
    /// From sending the submit to its own answer: the message is on disk.
    stored_ms: Quantiles,
    /// From there to the poll's answer; 0 where that came first.
    woken_ms: Quantiles,
}

#[derive(Debug, Serialize)]
struct Quantiles {
    p50: f64,
    p99: f64,
    max: f64,
}

/// A poll that was answered with a message.
type Woken = (usize, Instant);

/// Runs the measurement to its end.
///
/// # Errors
/// When the server cannot be asked, or refuses.
pub fn run(options: &Options) -> Result<Polls> {
    ensure!(options.polls > 0 && options.rate > 0.0, "nothing to do");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(measure(options))
}

async fn measure(options: &Options) -> Result<Polls> {
    let target = Arc::new(Target::of(&options.url, None)?);
    for number in 0..options.polls {
        register(&target, &name(number)).await?;
    }
    let before_kib = process::resident_kib(options.server_pid)?;
    let (tell, mut woken) = mpsc::channel(options.polls);
    let mut polls = JoinSet::new();
    for number in 0..options.polls {
        polls.spawn(poll(number, Arc::clone(&target), tell.clone()));
        if number % OPENED_AT_ONCE == 0 {
            sleep(BETWEEN).await;
        }
    }
    sleep(SETTLES).await;
    if let Some(ended) = polls.try_join_next() {
        ended?.context("a poll failed")?;
    }
    let waiting_kib = process::resident_kib(options.server_pid)?;
    let wakes = wake_all(options, &target, &mut woken).await?;
    Ok(Polls {
        polls: options.polls,
        before_kib,
        waiting_kib,
        after_kib: process::resident_kib(options.server_pid)?,
        wakes: options.wakes,
        missed: wakes.missed,
        wake_ms: Quantiles::of(wakes.all),
        stored_ms: Quantiles::of(wakes.stored),
        woken_ms: Quantiles::of(wakes.woken),
    })
}

fn name(number: usize) -> String {
    format!("poll_{number:05}")
}

/// Waits for messages again and again, and says when one came.
async fn poll(number: usize, target: Arc<Target>, tell: mpsc::Sender<Woken>) -> Result<()> {
    let path = format!(
        "/api/messages/queue?smsc={}&lease=600&wait={WAIT}",
        name(number)
    );
    let request = Request::get(&target.headers, &path);
    let mut connection = Connection::new(target.address);
    loop {
        let answer = connection.exchange(request.bytes()).await?;
        let at = clock::now();
        ensure!(answer.is_success(), "a poll was answered {}", answer.status);
        let body: Value = serde_json::from_slice(answer.body)?;
        if body["data"]
            .as_array()
            .is_some_and(|found| !found.is_empty())
            && tell.send((number, at)).await.is_err()
        {
            return Ok(());
        }
    }
}

type Latencies = Vec<Duration>;

#[derive(Debug, Default)]
struct Wakes {
    all: Latencies,
    stored: Latencies,
    woken: Latencies,
    missed: usize,
}

async fn wake_all(
    options: &Options,
    target: &Target,
    woken: &mut mpsc::Receiver<Woken>,
) -> Result<Wakes> {
    let mut connection = Connection::new(target.address);
    let mut due = interval(Duration::from_secs_f64(1.0 / options.rate));
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut wakes = Wakes::default();
    for turn in 0..options.wakes {
        due.tick().await;
        // Neighbours are far apart, so that none is woken while it is still fresh.
        let number = turn * 7_919 % options.polls;
        let body = format!(
            r#"{{"destination_msisdn":"+15550001111","message_body":"wake","dest_smsc":"{}"}}"#,
            name(number)
        );
        let request = Request::post(&target.headers, "/api/messages", &body);
        let sent = clock::now();
        let answer = connection.exchange(request.bytes()).await?;
        ensure!(
            answer.is_success(),
            "a submit was answered {}",
            answer.status
        );
        let stored = clock::now();
        wakes.stored.push(stored.saturating_duration_since(sent));
        match timeout(MISSED_AFTER, woken_as(number, woken)).await {
            Ok(at) => {
                let at = at?;
                wakes.all.push(at.saturating_duration_since(sent));
                wakes.woken.push(at.saturating_duration_since(stored));
            }
            Err(_) => wakes.missed += 1,
        }
    }
    Ok(wakes)
}

async fn woken_as(number: usize, woken: &mut mpsc::Receiver<Woken>) -> Result<Instant> {
    loop {
        let (who, at) = woken.recv().await.context("all polls have ended")?;
        if who == number {
            return Ok(at);
        }
    }
}

impl Quantiles {
    fn of(mut latencies: Latencies) -> Self {
        latencies.sort_unstable();
        let at = |share: usize| {
            let last = latencies.len().saturating_sub(1);
            let place = (latencies.len() * share / 1_000).min(last);
            let found = latencies.get(place).copied().unwrap_or_default();
            found.as_secs_f64() * 1_000.0
        };
        Self {
            p50: at(500),
            p99: at(990),
            max: at(1_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_sorted_latencies() {
        let found = Quantiles::of((1..=1_000).rev().map(Duration::from_millis).collect());
        let shown = format!("{:.0} {:.0} {:.0}", found.p50, found.p99, found.max);
        assert_eq!(shown, "501 991 1000");
        assert_eq!(format!("{:.0}", Quantiles::of(Vec::new()).max), "0");
    }
}

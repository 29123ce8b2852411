//! What a run measured: counts, errors by status, HDR latencies, CPU; as JSON and as text.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use serde::Serialize;

/// Longer latencies are recorded as this long.
const LONGEST: Duration = Duration::from_secs(600);

/// What one worker saw of one operation.
#[derive(Debug)]
pub(crate) struct Tally {
    latency_us: Histogram<u64>,
    /// From sending to the answer, whenever it was due.
    answer_us: Histogram<u64>,
    /// Statuses other than 2xx, and the transport's failures.
    errors: BTreeMap<String, u64>,
    last_answer: Option<Instant>,
}

impl Tally {
    pub(crate) fn new() -> Result<Self> {
        let longest = u64::try_from(LONGEST.as_micros())?;
        let latency_us =
            Histogram::new_with_bounds(1, longest, 3).context("cannot make a histogram")?;
        let answer_us =
            Histogram::new_with_bounds(1, longest, 2).context("cannot make a histogram")?;
        Ok(Self {
            latency_us,
            answer_us,
            errors: BTreeMap::new(),
            last_answer: None,
        })
    }

    pub(crate) fn succeeded(&mut self, since: Instant, now: Instant) {
        self.latency_us.saturating_record(micros(since, now));
        self.last_answer = Some(now);
    }

    /// What the server alone took for a request that succeeded.
    pub(crate) fn answered(&mut self, sent: Instant, now: Instant) {
        self.answer_us.saturating_record(micros(sent, now));
    }

    pub(crate) fn refused(&mut self, status: u16) {
        self.failed(status.to_string());
    }

    pub(crate) fn failed(&mut self, kind: String) {
        *self.errors.entry(kind).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: Self) -> Result<()> {
        self.latency_us
            .add(&other.latency_us)
            .context("cannot add histograms")?;
        self.answer_us
            .add(&other.answer_us)
            .context("cannot add histograms")?;
        for (kind, count) in other.errors {
            *self.errors.entry(kind).or_default() += count;
        }
        self.last_answer = self.last_answer.max(other.last_answer);
        Ok(())
    }

    pub(crate) fn operation(&self, start: Instant) -> Operation {
        let ok = self.latency_us.len();
        let last = self.last_answer.unwrap_or(start);
        let seconds = last.saturating_duration_since(start).as_secs_f64();
        let at = |quantile| precise(self.latency_us.value_at_quantile(quantile)) / 1000.0;
        Operation {
            count: ok + self.errors.values().sum::<u64>(),
            ok,
            errors: self.errors.clone(),
            seconds,
            rate: ratio(precise(ok), seconds),
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            max_ms: precise(self.latency_us.max()) / 1000.0,
            answer_p99_ms: precise(self.answer_us.value_at_quantile(0.99)) / 1000.0,
        }
    }
}

fn micros(from: Instant, to: Instant) -> u64 {
    u64::try_from(to.saturating_duration_since(from).as_micros()).unwrap_or(u64::MAX)
}

/// One kind of request: how many, how fast, how late.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Operation {
    pub count: u64,
    /// Answered 2xx; rate and latencies are of these alone.
    pub ok: u64,
    pub errors: BTreeMap<String, u64>,
    /// From the start of the run to the last good answer of this kind.
    pub seconds: f64,
    pub rate: f64,
    pub p50_ms: f64,
    pub p90_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
    pub max_ms: f64,
    /// From sending to the answer; the others count from when it was due. 0 where they are the
    /// same.
    pub answer_p99_ms: f64,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    pub scenario: String,
    pub connections: usize,
    /// Requests per second asked for; absent at full speed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_asked: Option<f64>,
    /// Due within the run's time but never sent, because every connection was still waiting.
    pub unsent: u64,
    /// The whole run, until the last worker ended.
    pub seconds: f64,
    /// Submitted, or delivered in a life-cycle; a batch counts each of its own.
    pub messages: u64,
    /// Messages that came back to the receivers of a sink.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered: Option<u64>,
    /// By name: `submit`, `submit-async`, `batch`, `lease`, `mark_delivered`, `list`; over SMPP
    /// `submit_sm` and `receipt`.
    pub operations: BTreeMap<String, Operation>,
    pub client_cpu_seconds: f64,
    pub client_cpu_us_per_request: f64,
    /// Of the process named by `--server-pid`, per message of the scenario's last operation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_cpu_us_per_message: Option<f64>,
}

/// What the whole process tree spent during a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cpu {
    pub(crate) client: Duration,
    pub(crate) server: Option<Duration>,
}

impl Cpu {
    pub(crate) fn since(self, before: Self) -> Self {
        let server = self.server.zip(before.server);
        Self {
            client: self.client.saturating_sub(before.client),
            server: server.map(|(now, then)| now.saturating_sub(then)),
        }
    }
}

impl Report {
    /// Fills the CPU figures in.
    pub(crate) fn set_cpu(&mut self, cpu: Cpu) {
        let requests: u64 = self
            .operations
            .values()
            .map(|operation| operation.count)
            .sum();
        self.client_cpu_seconds = cpu.client.as_secs_f64();
        self.client_cpu_us_per_request = ratio(cpu.client.as_secs_f64() * 1e6, precise(requests));
        self.server_cpu_us_per_message = cpu
            .server
            .map(|server| ratio(server.as_secs_f64() * 1e6, precise(self.messages)));
    }

    /// True when every request was sent and answered 2xx.
    pub fn is_clean(&self) -> bool {
        self.unsent == 0
            && self
                .operations
                .values()
                .all(|operation| operation.errors.is_empty())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, operation) in &self.operations {
            let Operation {
                ok,
                rate,
                p50_ms,
                p90_ms,
                p99_ms,
                p999_ms,
                max_ms,
                ..
            } = operation;
            writeln!(
                out,
                "{name:<15} {ok:>9} ok {rate:>9.0}/s   ms: p50 {p50_ms:.2} p90 {p90_ms:.2} \
                 p99 {p99_ms:.2} p99.9 {p999_ms:.2} max {max_ms:.2}"
            )?;
            for (kind, count) in &operation.errors {
                writeln!(out, "{name:<15} {count:>9} failed: {kind}")?;
            }
        }
        if let Some(delivered) = self.delivered {
            writeln!(out, "{delivered} messages delivered to the sink")?;
        }
        if self.unsent > 0 {
            writeln!(out, "{} requests were due but not sent", self.unsent)?;
        }
        write!(
            out,
            "client CPU {:.2} us per request",
            self.client_cpu_us_per_request
        )?;
        if let Some(server) = self.server_cpu_us_per_message {
            write!(out, ", server CPU {server:.2} us per message")?;
        }
        writeln!(out)
    }
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts and microseconds stay far below 2^53"
)]
fn precise(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests;

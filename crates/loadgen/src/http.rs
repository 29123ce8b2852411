//! A run against the REST API: registers the frontend, sends the load, reports.

use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::sync::mpsc;

use crate::connection::Connection;
use crate::drain::{self, Drainer};
use crate::lifecycle::{self, Progress};
use crate::report::{Report, Tally};
use crate::schedule::Schedule;
use crate::wire::Request;
use crate::{clock, workers};

pub use crate::schedule::{Limit, Rate};
pub use crate::wire::NUMBER;

/// A registration lives 90 s (S3.4).
const REGISTER_EVERY: Duration = Duration::from_secs(30);
/// A connection that failed so often in a row gives the run up.
const MAX_FAILURES_IN_A_ROW: u32 = 100;
/// A prime: it has no factor in common with any smaller count of numbers.
const FAR_APART: u64 = 7_368_787;
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(10);

/// What the load consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// `POST /api/messages`: answered when the message is durable.
    Submit,
    /// `POST /api/messages/create_async`: answered when the message is in the intake batch.
    SubmitAsync,
    /// Submit, lease by a polling frontend, report as delivered.
    Lifecycle,
    /// `POST /api/messages/batch`: answered when all of its messages are durable.
    Batch,
    /// A frontend's listing, which changes nothing.
    List,
    /// The same, and nobody else is offered them for a second.
    Lease,
    /// Whatever is posted to [`Options::path`].
    Post,
    /// Leases and batches of reports, until nothing is left; no schedule holds it back.
    Drain,
}

impl Scenario {
    pub fn name(self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::SubmitAsync => "submit-async",
            Self::Lifecycle => "lifecycle",
            Self::Batch => "batch",
            Self::List => "list",
            Self::Lease => "lease",
            Self::Post => "post",
            Self::Drain => drain::DRAIN,
        }
    }

    /// The operation whose good answers are the messages of the run.
    pub fn counted_operation(self) -> &'static str {
        match self {
            Self::Lifecycle => lifecycle::MARK_DELIVERED,
            other => other.name(),
        }
    }
}

/// One run.
#[derive(Debug, Clone)]
pub struct Options {
    pub scenario: Scenario,
    /// `http://host:port`.
    pub url: String,
    /// Sent with every request.
    pub api_key: Option<String>,
    pub connections: usize,
    /// Client threads; each costs the server a core when both share a machine.
    pub threads: usize,
    pub rate: Rate,
    pub limit: Limit,
    /// JSON of a submit, with [`NUMBER`] where the running number goes; `None` for the usual one.
    pub body: Option<String>,
    /// Of [`Scenario::Post`], in whose body all numbers are the same.
    pub path: String,
    /// The running numbers are those below, in an order that is none; `None` counts upwards.
    pub numbers: Option<u64>,
    /// Addressed by the submits, polled by the life-cycle and the listing.
    pub frontend: String,
    /// Messages asked for in one listing.
    pub page: u32,
    /// Messages in one batch.
    pub batch: usize,
    pub pollers: usize,
    pub deliverers: usize,
    /// Whose CPU time is reported as the server's.
    pub server_pids: Vec<u32>,
}

impl Options {
    pub fn new(scenario: Scenario, url: impl Into<String>) -> Self {
        Self {
            scenario,
            url: url.into(),
            api_key: None,
            connections: 64,
            threads: 1,
            rate: Rate::Max,
            limit: Limit::Duration(Duration::from_secs(10)),
            body: None,
            path: "/api/locations".to_owned(),
            numbers: None,
            frontend: "bench_gw".to_owned(),
            page: 100,
            batch: 500,
            pollers: 2,
            deliverers: 64,
            server_pids: Vec::new(),
        }
    }

    fn submit_body(&self) -> String {
        self.body.clone().unwrap_or_else(|| {
            let text = "A message of seventy characters, which is what people write, roughly..";
            serde_json::json!({
                "source_msisdn": "+15550001111",
                "destination_msisdn": format!("+1555{NUMBER}"),
                "message_body": text,
                "source_smsc": "bench",
                "dest_smsc": self.frontend,
            })
            .to_string()
        })
    }

    fn batch_body(&self) -> String {
        let messages = vec![self.submit_body(); self.batch];
        format!("{{\"messages\":[{}]}}", messages.join(","))
    }

    /// What one request of the counted operation stands for.
    fn messages_each(&self) -> u64 {
        match self.scenario {
            Scenario::Batch => u64::try_from(self.batch).unwrap_or(u64::MAX),
            _ => 1,
        }
    }

    fn check(&self) -> Result<()> {
        ensure!(self.connections > 0, "at least one connection is needed");
        ensure!(self.threads > 0, "at least one thread is needed");
        ensure!(self.batch > 0, "a batch needs at least one message");
        if let Rate::PerSecond(rate) = self.rate {
            ensure!(
                rate.is_finite() && rate > 0.0,
                "the rate must be a positive number"
            );
        }
        let workers = self.pollers.min(self.deliverers);
        let idle = self.scenario == Scenario::Lifecycle && workers == 0;
        ensure!(
            !idle,
            "a life-cycle needs at least one poller and one deliverer"
        );
        Ok(())
    }
}

/// The server as the connections need it.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// Whole lines, which every request has.
    pub(crate) headers: String,
    pub(crate) address: SocketAddr,
}

impl Target {
    pub(crate) fn of(url: &str, api_key: Option<&str>) -> Result<Self> {
        let host = url
            .strip_prefix("http://")
            .map(|rest| rest.trim_end_matches('/'));
        let host = host.with_context(|| format!("'{url}' is not of the form http://host:port"))?;
        let address = host
            .to_socket_addrs()
            .with_context(|| format!("'{host}' is not a host and a port"))?
            .next()
            .with_context(|| format!("'{host}' has no address"))?;
        let key = api_key.map(|key| format!("authorization: Bearer {key}\r\n"));
        Ok(Self {
            headers: format!("host: {host}\r\n{}", key.unwrap_or_default()),
            address,
        })
    }
}

/// A task's name for its operation, and what it saw.
pub(crate) type Finished = Result<(&'static str, Tally)>;
/// One connection's share of the run.
pub(crate) type Worker = workers::Worker<(&'static str, Tally)>;

/// Runs the load to its end; an error means that nothing useful was measured.
pub fn run(options: &Options) -> Result<Report> {
    options.check()?;
    let target = Target::of(&options.url, options.api_key.as_deref())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(register(&target, &options.frontend))?;

    let start = clock::now();
    let schedule = Arc::new(Schedule::new(start, options.rate, options.limit));
    let delivered = Arc::new(AtomicU64::new(0));
    let work = workers(options, &target, &schedule, &delivered)?;
    let cpu_before = workers::cpu_times(&options.server_pids)?;
    let finished = workers::spawn(work, options.threads)?;
    let tallies = runtime.block_on(collect(finished, &target, &options.frontend))?;
    let seconds = clock::now().saturating_duration_since(start).as_secs_f64();
    let cpu_after = workers::cpu_times(&options.server_pids)?;

    let operations: BTreeMap<_, _> = tallies
        .into_iter()
        .map(|(name, tally)| (name.to_owned(), tally.operation(start)))
        .collect();
    let sent = operations
        .get(load_operation(options.scenario))
        .map_or(0, |load| load.count);
    let messages = match options.scenario {
        Scenario::Drain => delivered.load(Ordering::Relaxed),
        counted => operations
            .get(counted.counted_operation())
            .map_or(0, |counted| counted.ok * options.messages_each()),
    };
    // What is drained ends by itself.
    let planned = match options.scenario {
        Scenario::Drain => None,
        _ => schedule.planned(),
    };
    let mut report = Report {
        scenario: options.scenario.name().to_owned(),
        connections: options.connections,
        rate_asked: match options.rate {
            Rate::Max => None,
            Rate::PerSecond(rate) => Some(rate),
        },
        unsent: planned.map_or(0, |planned| planned.saturating_sub(sent)),
        seconds,
        messages,
        delivered: None,
        operations,
        client_cpu_seconds: 0.0,
        client_cpu_us_per_request: 0.0,
        server_cpu_us_per_message: None,
    };
    report.set_cpu(cpu_after.since(cpu_before));
    Ok(report)
}

/// The operation that the schedule drives.
fn load_operation(scenario: Scenario) -> &'static str {
    match scenario {
        Scenario::Lifecycle => Scenario::Submit.name(),
        other => other.name(),
    }
}

fn workers(
    options: &Options,
    target: &Target,
    schedule: &Arc<Schedule>,
    delivered: &Arc<AtomicU64>,
) -> Result<Vec<Worker>> {
    let name = load_operation(options.scenario);
    let body = options.submit_body();
    let request = match options.scenario {
        Scenario::Submit | Scenario::Lifecycle => {
            Request::post(&target.headers, "/api/messages", &body)
        }
        Scenario::Post => Request::post(&target.headers, &options.path, &body).alike(),
        Scenario::SubmitAsync => {
            Request::post(&target.headers, "/api/messages/create_async", &body)
        }
        Scenario::Batch => Request::post(
            &target.headers,
            "/api/messages/batch",
            &options.batch_body(),
        ),
        Scenario::List => Request::get(&target.headers, &listing(options)),
        Scenario::Lease => Request::get(&target.headers, &(listing(options) + "&lease=1")),
        Scenario::Drain => Request::get(&target.headers, &(listing(options) + "&lease=60")),
    };
    let progress = Arc::new(Progress::new(options.connections));
    let mut workers: Vec<Worker> = Vec::new();
    for _ in 0..options.connections {
        if options.scenario == Scenario::Drain {
            let drainer = Drainer::new(
                target,
                &options.frontend,
                request.clone(),
                Arc::clone(delivered),
            );
            workers.push(Box::pin(drainer.run()));
            continue;
        }
        let load = Load {
            name,
            connection: Connection::new(target.address),
            request: request.clone(),
            numbers: options.numbers,
            schedule: Arc::clone(schedule),
            progress: Arc::clone(&progress),
        };
        workers.push(Box::pin(load.run()));
    }
    if options.scenario == Scenario::Lifecycle {
        workers.extend(lifecycle::workers(options, target, &progress)?);
    }
    Ok(workers)
}

fn listing(options: &Options) -> String {
    format!(
        "/api/messages/queue?smsc={}&limit={}",
        options.frontend, options.page
    )
}

/// One connection that sends what the schedule says.
struct Load {
    name: &'static str,
    connection: Connection,
    request: Request,
    numbers: Option<u64>,
    schedule: Arc<Schedule>,
    progress: Arc<Progress>,
}

impl Load {
    async fn run(mut self) -> Finished {
        let outcome = self.send_all().await;
        self.progress.submitter_ended();
        outcome.map(|tally| (self.name, tally))
    }

    async fn send_all(&mut self) -> Result<Tally> {
        let mut tally = Tally::new()?;
        let mut patience = Patience::new();
        while let Some(ticket) = self.schedule.next().await {
            let number = match self.numbers {
                None => ticket.number,
                Some(numbers) => dealt(ticket.number, numbers),
            };
            let request = self.request.numbered(number);
            match self.connection.exchange(request).await {
                Ok(response) if response.is_success() => {
                    let now = clock::now();
                    tally.succeeded(ticket.since, now);
                    tally.answered(ticket.sent, now);
                    self.progress.submitted();
                    patience.restore();
                }
                Ok(response) => tally.refused(response.status),
                Err(error) => {
                    tally.failed(error.to_string());
                    patience.wear(error).await?;
                }
            }
        }
        Ok(tally)
    }
}

/// The `n`th of the numbers below `numbers`: each has its turn, neighbours far apart.
fn dealt(n: u64, numbers: u64) -> u64 {
    n.wrapping_mul(FAR_APART) % numbers.max(1)
}

/// Bears failures of the transport for a while, then gives the run up.
#[derive(Debug)]
pub(crate) struct Patience {
    failures: u32,
}

impl Patience {
    pub(crate) fn new() -> Self {
        Self { failures: 0 }
    }

    pub(crate) fn restore(&mut self) {
        self.failures = 0;
    }

    pub(crate) async fn wear(&mut self, error: anyhow::Error) -> Result<()> {
        self.failures += 1;
        if self.failures >= MAX_FAILURES_IN_A_ROW {
            return Err(error.context("the server has stopped answering"));
        }
        tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
        Ok(())
    }
}

/// The frontend must be known before messages may name it.
pub(crate) async fn register(target: &Target, frontend: &str) -> Result<()> {
    let body = serde_json::json!({ "frontend_name": frontend, "frontend_type": "HTTP" });
    let request = Request::post(&target.headers, "/api/frontends", &body.to_string());
    let mut connection = Connection::new(target.address);
    let response = connection.exchange(request.bytes()).await?;
    if response.is_success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(response.body);
    bail!(
        "cannot register the frontend '{frontend}': status {}, {said}",
        response.status
    )
}

/// Adds the workers' tallies up, and keeps the frontend registered until the last one has ended.
async fn collect(
    mut finished: mpsc::Receiver<Finished>,
    target: &Target,
    frontend: &str,
) -> Result<BTreeMap<&'static str, Tally>> {
    let mut tallies: BTreeMap<&'static str, Tally> = BTreeMap::new();
    loop {
        match tokio::time::timeout(REGISTER_EVERY, finished.recv()).await {
            Err(_late) => register(target, frontend).await?,
            Ok(None) => return Ok(tallies),
            Ok(Some(outcome)) => {
                let (name, tally) = outcome?;
                match tallies.get_mut(name) {
                    Some(sum) => sum.add(tally)?,
                    None => {
                        tallies.insert(name, tally);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::dealt;

    #[test]
    fn each_number_has_its_turn() {
        for numbers in [1, 10, 1_000, 8_192, 99_999] {
            let mut seen: Vec<_> = (0..numbers).map(|n| dealt(n, numbers)).collect();
            seen.sort_unstable();
            assert!(seen.into_iter().eq(0..numbers));
        }
    }
}

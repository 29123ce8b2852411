//! The other half of a life-cycle: frontends that lease messages and report them delivered.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Deserialize;
use tokio::sync::{Mutex, mpsc};

use crate::clock;
use crate::connection::Connection;
use crate::http::{Finished, Options, Patience, Target, Worker};
use crate::report::Tally;
use crate::wire::{self, Request};

pub(crate) const LEASE: &str = "lease";
pub(crate) const MARK_DELIVERED: &str = "mark_delivered";

/// Between two polls of a frontend that found nothing.
const PAUSE_WHEN_EMPTY: Duration = Duration::from_millis(2);
/// Pollers end when nothing has been delivered for so long after the last submit.
const DRAIN_PATIENCE: Duration = Duration::from_secs(10);

/// How far the run is, shared by all its connections.
#[derive(Debug)]
pub(crate) struct Progress {
    submitters: AtomicUsize,
    submitted: AtomicU64,
    delivered: AtomicU64,
}

impl Progress {
    pub(crate) fn new(submitters: usize) -> Self {
        Self {
            submitters: AtomicUsize::new(submitters),
            submitted: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
        }
    }

    pub(crate) fn submitted(&self) {
        self.submitted.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn submitter_ended(&self) {
        self.submitters.fetch_sub(1, Ordering::AcqRel);
    }

    fn submitting(&self) -> bool {
        self.submitters.load(Ordering::Acquire) > 0
    }

    fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    fn all_delivered(&self) -> bool {
        self.delivered() >= self.submitted.load(Ordering::Relaxed)
    }
}

pub(crate) fn workers(
    options: &Options,
    target: &Target,
    progress: &Arc<Progress>,
) -> Result<Vec<Worker>> {
    // Room for what every poller may hold, so that none waits on the deliverers with a full page.
    let room = options
        .pollers
        .saturating_mul(usize::try_from(options.page)?)
        .max(1);
    let (leased, to_deliver) = mpsc::channel(room);
    let to_deliver = Arc::new(Mutex::new(to_deliver));
    let path = format!(
        "/api/messages/queue?smsc={}&lease=60&limit={}",
        options.frontend, options.page
    );
    let mut workers: Vec<Worker> = Vec::new();
    for _ in 0..options.pollers {
        let poller = Poller {
            connection: Connection::new(target.address),
            request: Request::get(&target.headers, &path),
            leased: leased.clone(),
            progress: Arc::clone(progress),
        };
        workers.push(Box::pin(poller.run()));
    }
    for _ in 0..options.deliverers {
        let deliverer = Deliverer {
            connection: Connection::new(target.address),
            headers: target.headers.clone(),
            body: serde_json::json!({ "dest_smsc": options.frontend }).to_string(),
            to_deliver: Arc::clone(&to_deliver),
            progress: Arc::clone(progress),
        };
        workers.push(Box::pin(deliverer.run()));
    }
    Ok(workers)
}

/// What a poller needs to know of a listing.
#[derive(Debug, Deserialize)]
pub(crate) struct Listing {
    pub(crate) data: Vec<Listed>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Listed {
    pub(crate) id: u64,
}

/// Leases messages and passes them on, until the last one is delivered.
struct Poller {
    connection: Connection,
    request: Request,
    leased: mpsc::Sender<u64>,
    progress: Arc<Progress>,
}

impl Poller {
    async fn run(mut self) -> Finished {
        let mut tally = Tally::new()?;
        let mut drain = Drain::new();
        let mut patience = Patience::new();
        while !drain.is_over(&self.progress, clock::now()) {
            let since = clock::now();
            let listed = match self.connection.exchange(self.request.bytes()).await {
                Ok(response) if response.is_success() => {
                    tally.succeeded(since, clock::now());
                    patience.restore();
                    let listing: Listing = serde_json::from_slice(response.body)
                        .context("the listing is not {\"data\":[{\"id\":…}]}")?;
                    listing.data
                }
                Ok(response) => {
                    tally.refused(response.status);
                    Vec::new()
                }
                Err(error) => {
                    tally.failed(error.to_string());
                    patience.wear(error).await?;
                    Vec::new()
                }
            };
            if listed.is_empty() {
                tokio::time::sleep(PAUSE_WHEN_EMPTY).await;
            }
            for message in listed {
                self.leased
                    .send(message.id)
                    .await
                    .context("the deliverers have ended")?;
            }
        }
        Ok((LEASE, tally))
    }
}

/// Decides when polling is over.
#[derive(Debug)]
struct Drain {
    /// Deliveries seen last, and when that number was new.
    progress: Option<(u64, Instant)>,
}

impl Drain {
    fn new() -> Self {
        Self { progress: None }
    }

    fn is_over(&mut self, run: &Progress, now: Instant) -> bool {
        if run.submitting() {
            return false;
        }
        let delivered = run.delivered();
        match self.progress {
            Some((seen, since)) if seen == delivered => {
                run.all_delivered() || now.saturating_duration_since(since) > DRAIN_PATIENCE
            }
            _ => {
                self.progress = Some((delivered, now));
                run.all_delivered()
            }
        }
    }
}

/// Reports leased messages as delivered, one after the other.
struct Deliverer {
    connection: Connection,
    headers: String,
    body: String,
    to_deliver: Arc<Mutex<mpsc::Receiver<u64>>>,
    progress: Arc<Progress>,
}

impl Deliverer {
    async fn run(mut self) -> Finished {
        let mut tally = Tally::new()?;
        let mut patience = Patience::new();
        let mut request = Vec::new();
        while let Some(id) = self.next().await {
            wire::mark_delivered(&mut request, &self.headers, id, &self.body)?;
            let since = clock::now();
            match self.connection.exchange(&request).await {
                Ok(response) if response.is_success() => {
                    tally.succeeded(since, clock::now());
                    self.progress.delivered.fetch_add(1, Ordering::Relaxed);
                    patience.restore();
                }
                Ok(response) => tally.refused(response.status),
                Err(error) => {
                    tally.failed(error.to_string());
                    patience.wear(error).await?;
                }
            }
        }
        Ok((MARK_DELIVERED, tally))
    }

    async fn next(&self) -> Option<u64> {
        self.to_deliver.lock().await.recv().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polling_goes_on_while_anybody_submits_or_deliveries_come() {
        let run = Progress::new(1);
        let mut drain = Drain::new();
        let start = clock::now();
        assert!(!drain.is_over(&run, start), "a submitter is still at work");
        run.submitted();
        run.submitter_ended();
        assert!(!drain.is_over(&run, start));
        assert!(
            !drain.is_over(&run, start + DRAIN_PATIENCE),
            "one is not delivered"
        );
        run.delivered.fetch_add(1, Ordering::Relaxed);
        assert!(
            drain.is_over(&run, start + DRAIN_PATIENCE),
            "all are delivered"
        );
    }

    #[test]
    fn polling_ends_when_nothing_moves_any_more() {
        let run = Progress::new(0);
        run.submitted();
        let mut drain = Drain::new();
        let start = clock::now();
        assert!(!drain.is_over(&run, start));
        assert!(drain.is_over(&run, start + DRAIN_PATIENCE + PAUSE_WHEN_EMPTY));
    }
}

//! Sends spans in batches. A collector that is away or slow costs spans, which are counted, and
//! nobody else's time.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use prometheus::IntCounter;

use super::tracer::Span;
use super::{Options, otlp};
use crate::Stopwatch;
use crate::metric::Metrics;

/// Spans in one request.
const BATCH: usize = 512;
/// How long the first of a batch waits for others.
const GATHER: Duration = Duration::from_secs(1);
/// How long a collector may take.
const ANSWER: Duration = Duration::from_secs(5);

pub(super) struct Sender {
    agent: ureq::Agent,
    endpoint: String,
    node: String,
    sent: IntCounter,
    failed: IntCounter,
}

impl Sender {
    pub(super) fn new(options: &Options, metrics: &Metrics) -> Self {
        let agent = ureq::Agent::config_builder().timeout_global(Some(ANSWER));
        Self {
            agent: agent.build().into(),
            endpoint: options.endpoint.clone(),
            node: options.node.clone(),
            sent: metrics.spans("sent"),
            failed: metrics.spans("failed"),
        }
    }

    /// Until nobody makes spans any more, and those that wait are sent.
    pub(super) fn run(&self, spans: &Receiver<Span>) {
        let mut works = true;
        while let Ok(first) = spans.recv() {
            let batch = gather(first, spans);
            let count = batch.len() as u64;
            let body = otlp::request(&self.node, &batch);
            match self.post(&body) {
                Ok(()) => {
                    self.sent.inc_by(count);
                    if !works {
                        tracing::info!("the collector takes traces again");
                    }
                    works = true;
                }
                Err(error) => {
                    self.failed.inc_by(count);
                    if works {
                        let error = crate::chain(&error);
                        tracing::warn!(error, "traces cannot be sent; they are lost");
                    }
                    works = false;
                }
            }
        }
    }

    fn post(&self, body: &[u8]) -> Result<(), ureq::Error> {
        let request = self.agent.post(&self.endpoint);
        let answered = request.content_type("application/x-protobuf").send(body);
        answered.map(drop)
    }
}

/// The first with those that come within [`GATHER`].
fn gather(first: Span, spans: &Receiver<Span>) -> Vec<Span> {
    let watch = Stopwatch::start();
    let mut batch = vec![first];
    while batch.len() < BATCH {
        match spans.recv_timeout(GATHER.saturating_sub(watch.elapsed())) {
            Ok(span) => batch.push(span),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
    }
    batch
}

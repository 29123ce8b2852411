//! Frontends that empty their queue: each leases a page and reports all of it delivered in one
//! call, until a listing is empty.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::clock;
use crate::connection::Connection;
use crate::http::{Finished, Patience, Target};
use crate::lifecycle::Listing;
use crate::report::Tally;
use crate::wire::Request;

/// The operation that is counted: one page reported.
pub(crate) const DRAIN: &str = "drain";

pub(crate) struct Drainer {
    headers: String,
    frontend: String,
    connection: Connection,
    lease: Request,
    delivered: Arc<AtomicU64>,
}

/// The part of a batch's answer that is used here.
#[derive(Debug, Deserialize)]
struct Answer {
    data: Accepted,
}

#[derive(Debug, Deserialize)]
struct Accepted {
    accepted: u64,
}

impl Drainer {
    /// `lease` is the frontend's listing that holds what it lists.
    pub(crate) fn new(
        target: &Target,
        frontend: &str,
        lease: Request,
        delivered: Arc<AtomicU64>,
    ) -> Self {
        Self {
            headers: target.headers.clone(),
            frontend: frontend.to_owned(),
            connection: Connection::new(target.address),
            lease,
            delivered,
        }
    }

    pub(crate) async fn run(mut self) -> Finished {
        let mut tally = Tally::new()?;
        let mut patience = Patience::new();
        loop {
            match self.turn(&mut tally).await {
                Ok(0) => return Ok((DRAIN, tally)),
                Ok(reported) => {
                    self.delivered.fetch_add(reported, Ordering::Relaxed);
                    patience.restore();
                }
                Err(error) => {
                    tally.failed(error.to_string());
                    patience.wear(error).await?;
                }
            }
        }
    }

    /// One page; how many of it are delivered now.
    async fn turn(&mut self, tally: &mut Tally) -> Result<u64> {
        let since = clock::now();
        let listed = self.connection.exchange(self.lease.bytes()).await?;
        ensure!(listed.is_success(), "the listing answers {}", listed.status);
        let listing: Listing =
            serde_json::from_slice(listed.body).context("the listing is not a list of messages")?;
        if listing.data.is_empty() {
            return Ok(0);
        }
        let mut body = String::from("{\"reports\":[");
        for (nth, message) in listing.data.iter().enumerate() {
            let comma = if nth > 0 { "," } else { "" };
            let id = message.id;
            let frontend = &self.frontend;
            write!(
                body,
                "{comma}{{\"id\":{id},\"outcome\":\"delivered\",\"dest_smsc\":\"{frontend}\"}}"
            )?;
        }
        body.push_str("]}");
        let report = Request::post(&self.headers, "/api/messages/batch_report", &body);
        let reported = self.connection.exchange(report.bytes()).await?;
        if !reported.is_success() {
            tally.refused(reported.status);
        }
        let answer: Answer = serde_json::from_slice(reported.body)
            .context("the answer does not say how many reports took effect")?;
        tally.succeeded(since, clock::now());
        ensure!(answer.data.accepted > 0, "no report took effect");
        Ok(answer.data.accepted)
    }
}

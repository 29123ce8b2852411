//! Webhooks (S3.8): events to whoever subscribed, signed, again and again until they are taken.
//!
//! How a message ended is told at least once, through crashes of this node and of the receiver;
//! everything else is told at most once. See `docs/adr/0016-webhooks.md` for what that costs.

mod address;
mod book;
mod courier;
mod deliver;
mod event;
mod health;
mod place;
mod record;
mod send;
mod sign;

pub use address::Network;
pub use book::{Book, Parts};

use std::path::PathBuf;
use std::time::Duration;

/// How webhooks behave.
#[derive(Debug, Clone)]
pub struct Options {
    /// Networks that may be reached although they are not public, over plain HTTP too.
    pub allowed_networks: Vec<Network>,
    /// Certificates (PEM) that sign those of receivers; those of the system when none.
    pub ca_file: Option<PathBuf>,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// Attempts at once, of one subscription.
    pub concurrency: usize,
    /// So many attempts are made of one delivery.
    pub max_attempts: u32,
    /// For so long a delivery is tried.
    pub max_age: Duration,
    /// So many deliveries of one subscription may wait or be dead.
    pub max_waiting: usize,
    /// How long dead deliveries are kept.
    pub keep_dead: Duration,
    /// Whether numbers are sent without their end, whatever a subscription says (S10.4).
    pub mask_numbers: bool,
}

impl Default for Options {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            allowed_networks: Vec::new(),
            ca_file: None,
            timeout: Duration::from_secs(10),
            concurrency: 8,
            max_attempts: 30,
            max_age: DAY,
            max_waiting: 100_000,
            keep_dead: 7 * DAY,
            mask_numbers: false,
        }
    }
}

/// Why webhooks cannot be sent at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The certificates cannot be used.
    #[error("webhooks.ca_file: {0}")]
    Certificates(String),
}

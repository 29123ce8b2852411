//! What the REST door needs to be told, with the defaults of the specification.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use zajil_core::diagnose::Kept;
use zajil_core::event::NodeName;
use zajil_store::cluster::{Cluster, Discovery};

use crate::access::{Access, AccessOptions, Network};
use crate::body::Unfinished;

/// What bodies that are still arriving may hold together, in octets.
const MOST_UNFINISHED: usize = 512 << 20;

/// The settings of the REST door.
#[derive(Debug, Clone)]
pub struct Options {
    /// What `GET /api/status` calls the system.
    pub application: String,
    /// This node: `event_source` of events that name none.
    pub node: NodeName,
    /// The largest request body, in octets.
    pub max_body_bytes: usize,
    /// The largest import of routes, in octets.
    pub max_import_bytes: usize,
    /// Whether `GET /api/cdrs` shows texts: not `hide_message_body_in_export` (S10.4).
    pub show_cdr_bodies: bool,
    /// The longest text, in characters.
    pub max_text_chars: usize,
    /// What bodies that are still arriving may hold together.
    pub unfinished: Arc<Unfinished>,
    /// How long a request body may take to arrive, and the store to take a message.
    pub request_timeout: Duration,
    /// Peers whose `X-Forwarded-For` is believed (S3.4).
    pub trusted_proxies: Vec<Network>,
    /// Who may call what.
    pub access: Arc<Access>,
    /// How many live streams may be open at a time.
    pub max_streams: usize,
    /// Whether live streams show numbers without their end, whatever a client asks for (S10.4).
    pub mask_streams: bool,
    /// What `/readyz` asks.
    pub ready: Readiness,
    /// How long the node keeps things: for `GET /api/diagnose`.
    pub kept: Kept,
    /// The nodes that share the store; none = it is this node's own.
    pub cluster: Option<Neighbours>,
}

/// The nodes that share a store.
#[derive(Debug, Clone)]
pub struct Neighbours {
    /// Who is there.
    pub members: Arc<dyn Cluster>,
    /// `cluster_nodes`: who should be.
    pub expected: Vec<String>,
    /// `dns_cluster_query`: who should be, by a name service.
    pub discovery: Option<Arc<dyn Discovery>>,
}

impl Options {
    /// The defaults, for this node.
    #[must_use]
    pub fn new(application: &str, node: NodeName) -> Self {
        Self {
            application: application.to_owned(),
            node,
            max_body_bytes: 1 << 20,
            max_import_bytes: 64 << 20,
            show_cdr_bodies: true,
            max_text_chars: 255 * 153,
            unfinished: Arc::new(Unfinished::new(MOST_UNFINISHED)),
            request_timeout: Duration::from_secs(30),
            trusted_proxies: Vec::new(),
            max_streams: 1_000,
            mask_streams: false,
            access: Arc::new(Access::new(AccessOptions::default())),
            ready: Readiness::always(),
            kept: Kept {
                messages: Duration::from_secs(24 * 60 * 60),
                events: Duration::from_secs(7 * 24 * 60 * 60),
                cdrs: true,
            },
            cluster: None,
        }
    }
}

/// One thing that the node works with, and how it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What it is called in the answer.
    pub name: &'static str,
    /// Whether the node cannot work without it.
    pub needed: bool,
    /// The error is a sentence for the operator.
    pub state: Result<(), String>,
}

type Check = Pin<Box<dyn Future<Output = Vec<Part>> + Send>>;

/// Whether the node can do its work: asked by `/readyz`, answered by the binary.
#[derive(Clone)]
pub struct Readiness(Arc<dyn Fn() -> Check + Send + Sync>);

impl Readiness {
    /// Asks `check`, which answers within a few seconds.
    pub fn new(check: impl Fn() -> Check + Send + Sync + 'static) -> Self {
        Self(Arc::new(check))
    }

    /// Always ready.
    #[must_use]
    pub fn always() -> Self {
        Self::new(|| Box::pin(std::future::ready(Vec::new())))
    }

    /// Every part, and how it is now.
    pub async fn check(&self) -> Vec<Part> {
        (self.0)().await
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Readiness").finish_non_exhaustive()
    }
}

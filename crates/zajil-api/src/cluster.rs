//! `/api/cluster`: the nodes that share the store, and taking one out of service.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use serde_json::Value;
use zajil_core::clock::Timestamp;
use zajil_core::outcome::{Reason, Refusal};
use zajil_store::cluster::{Member, Peer};

use crate::audit::{self, Told};
use crate::dto::At;
use crate::error::from_store;
use crate::openapi::schema::{self, Described, Schema, list, shown};
use crate::options::Neighbours;
use crate::router::{Api, Shared};
use crate::{json, query};

#[derive(Debug, Serialize)]
pub(crate) struct ClusterOut {
    /// The node that answers.
    node: String,
    nodes: Vec<NodeOut>,
    /// Named in `cluster_nodes` or by the name service, and not there.
    missing: Vec<String>,
    /// What `dns_cluster_query` has found.
    peers: Vec<PeerOut>,
    /// Why it has found nothing.
    peers_error: Option<String>,
}

#[derive(Debug, Serialize)]
struct PeerOut {
    host: Option<String>,
    port: Option<u16>,
    addresses: Vec<String>,
    /// The node that is there.
    node: Option<String>,
}

impl PeerOut {
    fn new(peer: &Peer, members: &[Member]) -> Self {
        let node = members.iter().find(|member| peer.is(member));
        Self {
            host: peer.host.clone(),
            port: peer.port,
            addresses: peer.addresses.iter().map(IpAddr::to_string).collect(),
            node: node.map(|member| member.name.clone()),
        }
    }
}

#[derive(Debug, Serialize)]
struct NodeOut {
    name: String,
    number: u8,
    address: String,
    version: String,
    /// `up`, `draining` or `absent`.
    status: &'static str,
    started_at: At,
    last_seen_at: At,
}

impl NodeOut {
    fn new(member: Member, now: Timestamp) -> Self {
        let status = match (member.is_present(now), member.draining) {
            (false, _) => "absent",
            (true, true) => "draining",
            (true, false) => "up",
        };
        Self {
            name: member.name,
            number: member.number,
            address: member.address,
            version: member.version,
            status,
            started_at: At(member.started_at),
            last_seen_at: At(member.seen_at),
        }
    }
}

impl Described for ClusterOut {
    const NAME: &'static str = "Cluster";

    fn schema() -> Schema {
        let node = schema::record([
            ("name", shown::text()),
            ("number", shown::count()),
            ("address", shown::text()),
            ("version", shown::text()),
            ("status", shown::word(["up", "draining", "absent"])),
            ("started_at", shown::time()),
            ("last_seen_at", shown::time()),
        ]);
        let peer = schema::record([
            ("host", shown::text().or_null()),
            ("port", shown::count().or_null()),
            ("addresses", list(shown::text(), None)),
            (
                "node",
                shown::text().or_null().says("The node that is there."),
            ),
        ]);
        schema::record([
            ("node", shown::text().says("The node that answers.")),
            ("nodes", list(node, None)),
            (
                "missing",
                list(shown::text(), None).says("Configured, and not there."),
            ),
            (
                "peers",
                list(peer, None).says("What `dns_cluster_query` has found."),
            ),
            ("peers_error", shown::text().or_null()),
        ])
    }
}

/// `GET /api/cluster`.
pub(crate) async fn show(api: Shared, _: Request) -> Result<Response, Refusal> {
    let neighbours = neighbours(&api)?;
    let (members, now) = (neighbours.members.members().await, api.now());
    let members = members.map_err(from_store)?;
    let (peers, peers_error) = match &neighbours.discovery {
        None => (Vec::new(), None),
        Some(discovery) => match discovery.peers().await {
            Ok(peers) => (peers, None),
            Err(why) => (Vec::new(), Some(why)),
        },
    };
    let present = members.iter().filter(|member| member.is_present(now));
    let present: Vec<Member> = present.cloned().collect();
    let named = neighbours.expected.iter();
    let named = named.filter(|name| present.iter().all(|member| member.name != **name));
    let found = peers.iter();
    let found = found.filter(|peer| !present.iter().any(|member| peer.is(member)));
    let missing = named.cloned().chain(found.map(Peer::shown)).collect();
    json::data(
        StatusCode::OK,
        ClusterOut {
            node: api.options.node.to_string(),
            missing,
            peers: peers
                .iter()
                .map(|peer| PeerOut::new(peer, &present))
                .collect(),
            peers_error,
            nodes: members
                .into_iter()
                .map(|member| NodeOut::new(member, now))
                .collect(),
        },
    )
}

/// `POST /api/cluster/{name}/drain`: it takes no new submits, and `/readyz` says so. What it has
/// handed out is still reported to it.
pub(crate) async fn drain(api: Shared, request: Request) -> Result<Response, Refusal> {
    tell(api, request, true).await
}

/// `POST /api/cluster/{name}/resume`.
pub(crate) async fn resume(api: Shared, request: Request) -> Result<Response, Refusal> {
    tell(api, request, false).await
}

async fn tell(api: Shared, request: Request, draining: bool) -> Result<Response, Refusal> {
    let (mut parts, _) = request.into_parts();
    let name = query::path(&mut parts).await?;
    let neighbours = neighbours(&api)?;
    let told = Told {
        action: if draining { "drain" } else { "resume" },
        what: "node",
        id: Some(name.clone()),
        before: Value::Null,
        after: Value::Null,
    };
    let begun = audit::begin(&api, &parts.extensions, told).await?;
    let told = neighbours.members.drain(name.clone(), draining).await;
    let told = match told.map_err(from_store) {
        Ok(true) => Ok(()),
        Ok(false) => {
            let detail = format!("node {name} not found");
            Err(Refusal::new(Reason::NotFound, detail))
        }
        Err(refusal) => Err(refusal),
    };
    begun.ended_as_asked(&api, told).await?;
    show(api, Request::default()).await
}

fn neighbours(api: &Api) -> Result<&Neighbours, Refusal> {
    api.options.cluster.as_ref().ok_or_else(|| {
        let detail = "this node keeps its messages itself: store.url is not set";
        Refusal::new(Reason::NotFound, detail)
    })
}

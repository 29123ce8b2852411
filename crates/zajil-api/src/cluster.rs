//! `/api/cluster`: the nodes that share the store, and taking one out of service.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use serde_json::Value;
use zajil_core::clock::Timestamp;
use zajil_core::outcome::{Reason, Refusal};
use zajil_store::cluster::Member;

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
    /// Named in `cluster_nodes` and not there.
    missing: Vec<String>,
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
        schema::record([
            ("node", shown::text().says("The node that answers.")),
            ("nodes", list(node, None)),
            (
                "missing",
                list(shown::text(), None).says("Configured, and not there."),
            ),
        ])
    }
}

/// `GET /api/cluster`.
pub(crate) async fn show(api: Shared, _: Request) -> Result<Response, Refusal> {
    let neighbours = neighbours(&api)?;
    let (members, now) = (neighbours.members.members().await, api.now());
    let members = members.map_err(from_store)?.into_iter();
    let nodes: Vec<NodeOut> = members.map(|member| NodeOut::new(member, now)).collect();
    let there = |name: &String| {
        let mut nodes = nodes.iter();
        nodes.any(|node| node.name == *name && node.status != "absent")
    };
    let missing = neighbours.expected.iter().filter(|name| !there(name));
    let missing = missing.cloned().collect();
    json::data(
        StatusCode::OK,
        ClusterOut {
            node: api.options.node.to_string(),
            nodes,
            missing,
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

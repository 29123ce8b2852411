//! What the REST door says of itself: an OpenAPI 3.1 document, made from the pages that it serves.
//!
//! Each page of the router comes with an [`Operation`], so there is no page without a description
//! and no description without a page. Schemas stand beside the wire types that they describe
//! ([`schema::Described`]); tests compare them with the fields that are read, and every answer.

pub(crate) mod operation;
pub(crate) mod says;
pub(crate) mod schema;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use zajil_core::outcome::Reason;

pub(crate) use operation::Operation;

use crate::{error, problem};

/// One page: a path with `{parameters}`, a verb, and what they do.
pub(crate) type Listed = (String, &'static str, Operation);

/// The groups of the pages, in the order in which a reader meets them.
const TAGS: &[(&str, &str)] = &[
    ("messages", "Submit, offer, report, edit (S2, S3, D7)."),
    ("messages_raw", "SMS TPDUs as messages (S3)."),
    ("events", "The log of each message (S8)."),
    ("diagnose", "Why a message is where it is (S14.4)."),
    ("frontends", "Who delivers (S3.4, D10)."),
    ("locations", "Where subscribers are (S3.3)."),
    ("smpp", "Applications that bind over SMPP."),
    ("mms_messages", "Multimedia messages (S3.5)."),
    ("mms_message_queues", "The same under another name (S3.5)."),
    ("ss7_events", "What happened in the SS7 network (S3.6)."),
    ("routes", "The routing table and its simulator (S4)."),
    ("translations", "Number translation (S5)."),
    ("stream", "What happens, live."),
    ("cdrs", "Finished messages (S10)."),
    ("webhooks", "Subscriptions to events (S3.8)."),
    ("keys", "Who may call the API (S3.8)."),
    ("audit", "Who changed what (S3.8)."),
    ("cluster", "The nodes that share a store."),
    ("system", "The node itself."),
];

const ABOUT: &str = "\
Store-and-forward for short messages. Bodies are JSON; times are RFC 3339 in UTC; numbers of \
messages are integers below 2^53.

**Reading requests.** Fields that are not known are ignored. Null and empty text count as absent. \
Integers may come as decimal text, truth values also as 0, 1 and text: the schemas say so.

**Errors** have the shape `{\"errors\": {\"detail\": \"…\"}}` and a header `x-reason` with a \
stable code. A client whose `Accept` names `application/problem+json` gets problem details \
(RFC 9457) instead. 503 comes with `Retry-After`.

**Repeating a submit** is safe with an `Idempotency-Key`: the same key and body get the first \
answer again.";

/// The document, of pages in any order.
pub(crate) fn document(pages: Vec<Listed>) -> Value {
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    let mut uses = BTreeMap::new();
    for (path, verb, operation) in pages {
        let tag = tag_of(&path);
        operation.components(&mut uses);
        let entry = paths.entry(path).or_default();
        entry.insert(verb.to_ascii_lowercase(), operation.into_value(tag));
    }
    uses.append(&mut operation::everywhere());
    json!({
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://spec.openapis.org/oas/3.1/dialect/base",
        "info": {
            "title": "Zajil",
            "summary": "The REST API of an open SMS centre",
            "description": ABOUT,
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/", "description": "This node" }],
        "tags": TAGS.iter().map(|(name, text)| json!({ "name": name, "description": text }))
            .collect::<Vec<_>>(),
        "x-reasons": reasons(),
        "security": [{}, { "key": [] }, { "bearer": [] }, { "certificate": [] }],
        "paths": paths,
        "components": {
            "schemas": schema::components(uses),
            "responses": operation::refusals(),
            "headers": operation::headers(),
            "securitySchemes": {
                "key": { "type": "apiKey", "in": "header", "name": "X-API-Key" },
                "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" },
                "certificate": { "type": "mutualTLS" },
            },
        },
    })
}

/// Every reason of a refusal: the header `x-reason`, and `code` of problem details.
fn reasons() -> Vec<Value> {
    let told = |reason: &Reason| {
        json!({
            "code": reason.code(),
            "status": error::status(*reason).as_u16(),
            "title": problem::title(*reason),
            "retryable": reason.is_retryable(),
        })
    };
    Reason::ALL.iter().map(told).collect()
}

fn tag_of(path: &str) -> &'static str {
    let segment = path.strip_prefix("/api/").unwrap_or_default();
    let segment = segment.split('/').next().unwrap_or_default();
    let known = TAGS.iter().find(|(name, _)| *name == segment);
    known.map_or("system", |(name, _)| name)
}

#[cfg(test)]
mod tests;

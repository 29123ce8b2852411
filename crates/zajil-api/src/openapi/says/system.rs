//! The node itself.

use axum::http::StatusCode;

use crate::cluster::ClusterOut;
use crate::openapi::Operation;
use crate::openapi::schema::{self, data, given, map, record, shown};

pub(crate) fn status() -> Operation {
    let status = record([
        ("status", shown::exactly("ok")),
        ("application", shown::text()),
        ("timestamp", shown::time()),
    ]);
    Operation::new("showStatus", "Says that the node is there").answer(
        StatusCode::OK,
        "It is there.",
        status,
    )
}

pub(crate) fn alive() -> Operation {
    let health = record([("status", shown::exactly("ok"))]);
    Operation::new("alive", "Whether the process answers").answer(
        StatusCode::OK,
        "It does.",
        health,
    )
}

pub(crate) fn ready() -> Operation {
    let parts = map(shown::text().says("`ok`, or what is wrong."));
    let ready = record([("status", shown::exactly("ready")), ("parts", parts)]);
    Operation::new("ready", "Whether the node can take and hand out messages").answer(
        StatusCode::OK,
        "It can.",
        ready,
    )
}

pub(crate) fn openapi() -> Operation {
    Operation::new("openapi", "This description").answer(
        StatusCode::OK,
        "An OpenAPI 3.1 document.",
        schema::shown::any_object(),
    )
}

pub(crate) fn docs() -> Operation {
    Operation::new("docs", "This description for people")
        .answer_as("text/html", "A page that needs nothing from elsewhere.")
}

pub(crate) fn stream() -> Operation {
    let words = || given::list_of_words();
    Operation::new(
        "stream",
        "What happens, while it happens: server-sent events",
    )
    .detail(
        "A client that comes back says the last id it has, and goes on from there as far as \
             that is kept. One that does not keep up ends alone.",
    )
    .query("kind", words(), "Kinds of events, with commas.")
    .query("name", words(), "Names of events, with commas.")
    .query(
        "frontend",
        given::query_frontend(),
        "Only those of this frontend.",
    )
    .query(
        "number",
        given::digits(),
        "Only those of a number with these digits.",
    )
    .query("message_id", shown::id(), "Only those of this message.")
    .query("route", shown::row(), "Only those of this route.")
    .query(
        "masked",
        shown::boolean(),
        "Numbers without their last four digits.",
    )
    .query(
        "hex",
        shown::boolean(),
        "For administrators: PDUs of the kind wire with all their octets.",
    )
    .query("last_event_id", shown::count(), "As the header.")
    .header(
        "Last-Event-ID",
        shown::count(),
        "The last event that the client has.",
    )
    .answer_as("text/event-stream", "Events, until the client leaves.")
    .refuses(404)
}

fn cluster_of(operation: Operation) -> Operation {
    let said = "The nodes.";
    let operation = operation.answer(StatusCode::OK, said, data(schema::of::<ClusterOut>()));
    operation.refuses(404)
}

pub(crate) fn cluster() -> Operation {
    cluster_of(Operation::new(
        "showCluster",
        "Lists the nodes that share the store",
    ))
    .detail("404 on a node that keeps its messages itself.")
}

pub(crate) fn drain() -> Operation {
    cluster_of(Operation::new("drainNode", "Takes a node out of service"))
        .detail("It takes no new submits; what it has handed out is still reported to it.")
        .path("name", shown::text(), "n1")
}

pub(crate) fn undrain() -> Operation {
    cluster_of(Operation::new(
        "resumeNode",
        "Takes a node into service again",
    ))
    .path("name", shown::text(), "n1")
}

//! Many messages at once: cancelled, retried, routed again, or submitted again after their end.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use zajil_core::event::{Event, EventName};
use zajil_core::frontend::FrontendName;
use zajil_core::id::MessageId;
use zajil_core::lifecycle::{Edit, Report};
use zajil_core::message::Message;
use zajil_core::number::Given;
use zajil_core::outcome::{Reason, Refusal};
use zajil_core::port::{Dedupe, Question, Submission};
use zajil_core::status::FinalStatus;

use crate::audit::{self, Told};
use crate::dto::bulk::{Action, BulkIn};
use crate::dto::message;
use crate::openapi::schema::{self, Described, Schema, list, shown};
use crate::router::{Api, Shared};
use crate::{body, error, json, query};

/// How many ids and failures an answer shows.
const SHOWN: usize = 20;

#[derive(Debug, Serialize)]
pub(crate) struct DoneOut {
    action: &'static str,
    dry_run: bool,
    matched: usize,
    done: usize,
    failed: usize,
    ids: Vec<u64>,
    failures: Vec<Failure>,
    /// Where the next call goes on, as `filter.before`; none at the end.
    next: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Failure {
    id: u64,
    detail: String,
}

impl Described for DoneOut {
    const NAME: &'static str = "BulkDone";

    fn schema() -> Schema {
        let failure = schema::record([("id", shown::id()), ("detail", shown::text())]);
        schema::record([
            (
                "action",
                shown::word(["cancel", "retry", "reroute", "requeue"]),
            ),
            ("dry_run", shown::boolean()),
            ("matched", shown::count()),
            ("done", shown::count()),
            ("failed", shown::count()),
            (
                "ids",
                list(shown::id(), Some(SHOWN)).says("The first that were found."),
            ),
            ("failures", list(failure, Some(SHOWN))),
            (
                "next",
                shown::id()
                    .or_null()
                    .says("`filter.before` of the next call; null at the end."),
            ),
        ])
    }
}

/// `POST /api/messages/bulk`: what a filter finds, newest first; unless `dry_run` is false nothing
/// but counting happens.
pub(crate) async fn apply(api: Shared, request: Request) -> Result<Response, Refusal> {
    let limit = api.options.max_body_bytes;
    let (parts, payload) = request.into_parts();
    let payload = body::read(payload, limit, &api.options).await?;
    let bulk = body::object::<BulkIn<'_>>(&payload)?.into_bulk()?;
    let limit = bulk.filter.limit;
    let found = api.store.messages(bulk.filter).await;
    let found = found.map_err(error::from_store)?;
    let full = u32::try_from(found.len()).unwrap_or(u32::MAX) == limit;
    let mut done = DoneOut {
        action: bulk.action.as_str(),
        dry_run: bulk.dry_run,
        matched: found.len(),
        done: 0,
        failed: 0,
        ids: found.iter().take(SHOWN).map(|m| m.id.get()).collect(),
        failures: Vec::new(),
        next: found.last().filter(|_| full).map(|m| m.id.get()),
    };
    if !bulk.dry_run {
        let told = Told {
            action: done.action,
            what: "messages",
            id: None,
            before: serde_json::from_slice(&payload).unwrap_or_default(),
            after: Value::Null,
        };
        let begun = audit::begin(&api, &parts.extensions, told).await?;
        let outcome = act_on_all(&api, &bulk.action, (&found, done)).await;
        let after = |done: &DoneOut| serde_json::to_value(done).unwrap_or_default();
        done = begun.ended(&api, outcome, after).await?;
    }
    json::data(StatusCode::OK, done)
}

async fn act_on_all(
    api: &Api,
    action: &Action,
    (found, mut done): (&[Message], DoneOut),
) -> Result<DoneOut, Refusal> {
    for message in found {
        match act(api, action, message).await {
            Ok(()) => done.done += 1,
            // Nothing that follows would fare better.
            Err(refusal) if refusal.reason.is_retryable() && done.done == 0 => {
                return Err(refusal);
            }
            Err(refusal) => {
                done.failed += 1;
                if done.failures.len() < SHOWN {
                    let (id, detail) = (message.id.get(), refusal.detail);
                    done.failures.push(Failure { id, detail });
                }
            }
        }
    }
    Ok(done)
}

async fn act(api: &Api, action: &Action, message: &Message) -> Result<(), Refusal> {
    let id = message.id;
    match action {
        Action::Cancel { reason } => {
            let report = Report::Ended {
                how: FinalStatus::Failed,
                reason: Some(reason.clone()),
            };
            api.desk.report(id, report).await.map(drop)
        }
        Action::Retry => {
            let edit = Edit {
                deliver_after: Some(None),
                ..Edit::default()
            };
            api.desk.edit(id, edit).await.map(drop)
        }
        Action::Reroute { to } => {
            let to = match to {
                Some(name) => name.clone(),
                None => routed(api, message).await?,
            };
            let edit = Edit {
                dest_smsc: Some(Some(to)),
                ..Edit::default()
            };
            api.desk.edit(id, edit).await.map(drop)
        }
        Action::Requeue => submit_again(api, message).await.map(drop),
    }
}

/// The frontend that routing gives a message now.
async fn routed(api: &Api, message: &Message) -> Result<FrontendName, Refusal> {
    let content = &message.content;
    let question = Question {
        calling: Given::parse(content.source.as_str()).ok(),
        called: given(content.destination.as_str())?,
        source_smsc: content.source_smsc.clone(),
        source_type: None,
        enum_domain: None,
        draw: Some(message.id.get()),
    };
    let outcomes = api.control.simulate(question).await?.outcomes;
    let to = outcomes.into_iter().find_map(|outcome| outcome.dest_smsc);
    to.ok_or_else(|| Refusal::new(Reason::Conflict, "no route delivers it"))
}

fn given(number: &str) -> Result<Given, Refusal> {
    Given::parse(number).map_err(|rule| Refusal::field("destination_msisdn", rule))
}

/// `POST /api/messages/{id}/requeue`: the message is submitted again, as another one.
pub(crate) async fn requeue(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (mut parts, _) = request.into_parts();
    let id = query::message_id(&mut parts).await?;
    let found = api.store.message(id).await.map_err(error::from_store)?;
    let former = found.ok_or_else(|| Refusal::no_message(id))?;
    let told = Told::of_message("requeue", id);
    let begun = audit::begin(&api, &parts.extensions, told).await?;
    let outcome = submit_again(&api, &former).await;
    let after = |again: &Message| serde_json::json!({ "message": again.id.get() });
    let again = begun.ended(&api, outcome, after).await?;
    Ok(message::one(StatusCode::CREATED, &again))
}

/// A final state is written once (D11), so what ended is submitted anew. The key makes a second
/// click find the first one's message.
async fn submit_again(api: &Api, former: &Message) -> Result<Message, Refusal> {
    if former.ending().is_none() {
        let detail = format!("message {} has not ended: it can be retried", former.id);
        return Err(Refusal::new(Reason::Conflict, detail));
    }
    let content = former.content.clone();
    let digest: [u8; 32] = Sha256::digest(format!("requeue {}", former.id)).into();
    let submission = Submission {
        source: Given::parse(content.source.as_str()).ok(),
        destination: given(content.destination.as_str())?,
        body: content.body,
        source_smsc: content.source_smsc,
        source_type: None,
        dest_smsc: None,
        source_imsi: content.source_imsi,
        dest_imsi: content.dest_imsi,
        parts: Some(content.parts),
        part_number: content.part_number,
        tp: content.tp,
        send_time: content.send_time,
        expires: None,
        deliver_after: None,
        raw_pdu: content.raw_pdu,
        raw_data: content.raw_data,
        raw_sip: content.raw_sip,
        origin: None,
        dedupe: Some(Dedupe {
            key: digest,
            body: digest,
        }),
    };
    let accepted = api.intake.submit(submission).await?;
    if !accepted.repeated {
        note(
            api,
            former.id,
            format!("as message {}", accepted.message.id),
        )
        .await;
        let of = format!("of message {}", former.id);
        note(api, accepted.message.id, of).await;
    }
    Ok(Arc::unwrap_or_clone(accepted.message))
}

async fn note(api: &Api, id: MessageId, description: String) {
    let event = Event {
        name: EventName::Requeued,
        description,
        at: api.now(),
        source: api.options.node.clone(),
    };
    if let Err(error) = api.store.add_event(id, event).await {
        tracing::warn!(%id, %error, "a line of a log was not stored");
    }
}

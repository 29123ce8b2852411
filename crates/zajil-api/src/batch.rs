//! Many messages in one call (D7): submits, and reports, each with its own answer.

use std::collections::HashMap;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::value::RawValue;
use zajil_core::message::Message;
use zajil_core::outcome::Refusal;
use zajil_core::port::{Accepted, Each, Submission};

use crate::access::Client;
use crate::dto::batch::{self, BatchIn, BatchOut, BatchReportIn};
use crate::dto::submit::{self, Submit};
use crate::messages::{check_report, in_time};
use crate::router::{Api, Shared};
use crate::{body, json};

/// A batch may be so many times as large as another body.
const LARGER: usize = 8;

/// `POST /api/messages/batch`: 201 when every message is stored, 207 when some were refused.
pub(crate) async fn submit(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (parts, payload) = request.into_parts();
    let limit = api.options.max_body_bytes.saturating_mul(LARGER);
    let payload = body::read(payload, limit, &api.options).await?;
    let items = body::object::<BatchIn<'_>>(&payload)?.into_items()?;
    let client = Client::of(&parts.extensions)?;
    if let Err(denied) = api.options.access.owe(client, items.len(), api.now()) {
        return Ok(denied.answer());
    }
    let key = submit::key(&parts)?;
    let holder = client.holder();
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let mut read: Vec<Each<Submission>> = Vec::with_capacity(items.len());
    for raw in items {
        let whole = key.as_deref().map(|key| {
            // Which of those that say the same it is.
            let count = seen.entry(raw.get()).or_default();
            *count += 1;
            (key, *count)
        });
        read.push(submission(&api, raw, (&holder, whole)));
    }
    let (sound, places) = sorted(read);
    let answers = match sound.is_empty() {
        true => Vec::new(),
        false => in_time(&api, api.intake.submit_many(sound)).await?,
    };
    let answers: Vec<Each<Accepted>> = joined(places, answers);
    answer(StatusCode::CREATED, BatchOut::new(201, &answers, taken))
}

fn taken(done: &Accepted) -> (&Message, bool) {
    (&done.message, done.repeated)
}

/// `POST /api/messages/batch_report`: 200 when every report took effect, 207 when some did not.
pub(crate) async fn report(api: Shared, request: Request) -> Result<Response, Refusal> {
    let limit = api.options.max_body_bytes.saturating_mul(LARGER);
    let (parts, payload) = request.into_parts();
    let payload = body::read(payload, limit, &api.options).await?;
    let items = body::object::<BatchReportIn<'_>>(&payload)?.into_items()?;
    let client = Client::of(&parts.extensions)?;
    if let Err(denied) = api.options.access.owe(client, items.len(), api.now()) {
        return Ok(denied.answer());
    }
    let mut read = Vec::with_capacity(items.len());
    for item in items {
        read.push(match batch::report(item) {
            Ok((id, report)) => check_report(&api, client, id, &report)
                .await
                .map(|()| (id, report)),
            Err(refusal) => Err(refusal),
        });
    }
    let (sound, places) = sorted(read);
    let answers = match sound.is_empty() {
        true => Vec::new(),
        false => in_time(&api, api.desk.report_many(sound)).await?,
    };
    let answers: Vec<Each<Message>> = joined(places, answers);
    answer(
        StatusCode::OK,
        BatchOut::new(200, &answers, |message| (message, false)),
    )
}

fn answer(whole: StatusCode, out: BatchOut<'_>) -> Result<Response, Refusal> {
    let status = match out.is_whole() {
        true => whole,
        false => StatusCode::MULTI_STATUS,
    };
    json::success(status, out)
}

/// One item. Under a key of its own it is recognised wherever it comes again; under the key of the
/// whole, by what it says, wherever it stands: a batch that comes again in another order, or with
/// one mended or added, sends what is new in it and nothing twice. Of several that say the same
/// each is sent.
fn submission(
    api: &Api,
    raw: &RawValue,
    (holder, whole): (&str, Option<(&str, usize)>),
) -> Result<Submission, Refusal> {
    let submit: Submit<'_> = batch::item(raw)?;
    let mut submission = submit.into_submission(api.now(), api.options.max_text_chars)?;
    let own = batch::key(raw)?;
    let octets = raw.get().as_bytes();
    if let Some(key) = own.text("idempotency_key", 255)? {
        submit::check_key("idempotency_key", &key)?;
        submission.dedupe = Some(submit::dedupe(&key, holder, &submission, octets));
    } else if let Some((key, count)) = whole {
        // No key can hold the character, so no other submit meets this one.
        let key = format!("{key}\u{1f}{count}\u{1f}{}", raw.get());
        submission.dedupe = Some(submit::dedupe(&key, holder, &submission, octets));
    }
    Ok(submission)
}

/// What can be handed on, and for each item nothing, or why it cannot.
fn sorted<T>(items: Vec<Each<T>>) -> (Vec<T>, Vec<Option<Refusal>>) {
    let mut sound = Vec::with_capacity(items.len());
    let mut places = Vec::with_capacity(items.len());
    for item in items {
        places.push(match item {
            Ok(item) => {
                sound.push(item);
                None
            }
            Err(refusal) => Some(refusal),
        });
    }
    (sound, places)
}

/// The answers in their places, between the refusals.
fn joined<T>(places: Vec<Option<Refusal>>, answers: Vec<Each<T>>) -> Vec<Each<T>> {
    let mut answers = answers.into_iter();
    let place = |refusal: Option<Refusal>| match refusal {
        Some(refusal) => Some(Err(refusal)),
        None => answers.next(),
    };
    places.into_iter().filter_map(place).collect()
}

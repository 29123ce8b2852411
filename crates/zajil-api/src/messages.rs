//! `/api/messages`: submit, list, offer, edit, report (S3, D7).

use std::future::Future;

use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use serde_json::Value;
use zajil_core::concatenation;
use zajil_core::id::MessageId;
use zajil_core::lifecycle::{Edit, Report};
use zajil_core::message::Message;
use zajil_core::offer::Asker;
use zajil_core::outcome::{Reason, Refusal};
use zajil_core::port::{Ask, Submission};
use zajil_core::status::Status;
use zajil_store::contract::Filter;
use zajil_telemetry::log;

use crate::access::{Client, check_own};
use crate::dto::edit::{Change, Patch};
use crate::dto::message;
use crate::dto::raw::Raw;
use crate::dto::report::{Cancel, Delivered, Failed};
use crate::dto::submit::{self, Submit};
use crate::query::{self, Parameters};
use crate::router::{Api, Shared};
use crate::{audit, body, error, json};

/// `POST /api/messages`.
pub(crate) async fn submit(api: Shared, request: Request) -> Result<Response, Refusal> {
    let submission = submission(&api, request).await?;
    let accepted = in_time(&api, api.intake.submit(submission)).await?;
    log::Request::is_about(accepted.message.id.get());
    Ok(message::one(StatusCode::CREATED, &accepted.message))
}

/// `POST /api/messages/create_async`.
pub(crate) async fn submit_async(api: Shared, request: Request) -> Result<Response, Refusal> {
    let submission = submission(&api, request).await?;
    let accepted = in_time(&api, api.intake.submit_async(submission)).await?;
    log::Request::is_about(accepted.message.id.get());
    Ok(message::accepted(&accepted.message))
}

/// `POST /api/messages_raw`.
pub(crate) async fn submit_raw(api: Shared, request: Request) -> Result<Response, Refusal> {
    let submission = raw_submission(&api, request).await?;
    let accepted = in_time(&api, api.intake.submit(submission)).await?;
    log::Request::is_about(accepted.message.id.get());
    Ok(message::one(StatusCode::CREATED, &accepted.message))
}

/// `POST /api/messages_raw/async`.
pub(crate) async fn submit_raw_async(api: Shared, request: Request) -> Result<Response, Refusal> {
    let submission = raw_submission(&api, request).await?;
    let accepted = in_time(&api, api.intake.submit_async(submission)).await?;
    log::Request::is_about(accepted.message.id.get());
    Ok(message::accepted(&accepted.message))
}

async fn submission(api: &Api, request: Request) -> Result<Submission, Refusal> {
    let (parts, payload) = split(api, request).await?;
    let submit: Submit<'_> = body::object(&payload)?;
    let submission = submit.into_submission(api.now(), api.options.max_text_chars)?;
    keyed(&parts, &payload, submission)
}

async fn raw_submission(api: &Api, request: Request) -> Result<Submission, Refusal> {
    let (parts, payload) = split(api, request).await?;
    let raw: Raw<'_> = body::object(&payload)?;
    let submission = raw.into_submission(api.now())?;
    keyed(&parts, &payload, submission)
}

/// The submission under the client's own key, if it sent one (D6).
fn keyed(parts: &Parts, payload: &[u8], mut submission: Submission) -> Result<Submission, Refusal> {
    if let Some(key) = submit::key(parts)? {
        let holder = Client::of(&parts.extensions)?.holder();
        submission.dedupe = Some(submit::dedupe(&key, &holder, &submission, payload));
    }
    Ok(submission)
}

/// Waits for the store, but not for ever.
pub(crate) async fn in_time<T>(
    api: &Api,
    answer: impl Future<Output = Result<T, Refusal>>,
) -> Result<T, Refusal> {
    tokio::time::timeout(api.options.request_timeout, answer)
        .await
        .unwrap_or_else(|_| {
            let seconds = api.options.request_timeout.as_secs();
            let detail = format!(
                "no answer within {seconds} s; the message may have been taken: repeat the request \
             with an Idempotency-Key"
            );
            Err(Refusal::new(Reason::StorageDown, detail))
        })
}

/// Which messages a query string chooses.
fn chosen(parameters: &Parameters) -> Result<Filter, Refusal> {
    Ok(Filter {
        status: parameters.text("status").map(status).transpose()?,
        number: query::digits(parameters, "number")?,
        dest_smsc: parameters.frontend("dest_smsc")?.map(Some),
        source_smsc: parameters.frontend("source_smsc")?,
        from: parameters.time("from")?,
        to: parameters.time("to")?,
        before: parameters.message_id("before")?,
        ..Filter::default()
    })
}

fn status(word: &str) -> Result<Status, Refusal> {
    Status::parse(word).ok_or_else(|| {
        let words = Status::ALL.map(Status::as_str).join(", ");
        Refusal::field("status", format!("must be one of {words}"))
    })
}

/// `GET /api/messages`: for a frontend with the header `smsc` (S3.1), for an operator without.
/// An operator's page ends early once it has about 8 MiB: the next `offset` is this one plus the
/// messages that came, and only an empty page is the end.
pub(crate) async fn list(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    let parameters = Parameters::of(&parts)?;
    if let Some(name) = query::smsc_header(&parts)? {
        let asker = Asker {
            name,
            include_unrouted: query::include_unrouted(&parts)?,
        };
        return offer_to(&api, asker, &parts, &parameters).await;
    }
    check_reads(Client::of(&parts.extensions)?)?;
    let scheduled = parameters.boolean("scheduled")?;
    let filter = Filter {
        scheduled_after: scheduled.then(|| api.now()),
        limit: parameters.limit()?,
        offset: parameters.offset()?,
        ..chosen(&parameters)?
    };
    let messages = api
        .store
        .messages(filter)
        .await
        .map_err(error::from_store)?;
    Ok(message::page(&messages))
}

/// Refuses a client that may not see everything.
fn check_reads(client: &Client) -> Result<(), Refusal> {
    if client.caller.scopes.may_read() {
        return Ok(());
    }
    let detail = "this needs the scope read; a frontend names itself in the header smsc";
    Err(Refusal::new(Reason::Forbidden, detail))
}

/// `GET /api/messages/queue?smsc=NAME`.
pub(crate) async fn offer(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    let parameters = Parameters::of(&parts)?;
    let include_unrouted = query::include_unrouted(&parts)?;
    let asker = Asker {
        name: parameters.smsc()?,
        include_unrouted,
    };
    offer_to(&api, asker, &parts, &parameters).await
}

/// `GET /api/messages/get_by_smsc?smsc=NAME`: the older form, which includes unrouted ones.
pub(crate) async fn offer_with_unrouted(
    api: Shared,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    let parameters = Parameters::of(&parts)?;
    let asker = Asker {
        name: parameters.smsc()?,
        include_unrouted: true,
    };
    offer_to(&api, asker, &parts, &parameters).await
}

async fn offer_to(
    api: &Api,
    asker: Asker,
    parts: &Parts,
    parameters: &Parameters,
) -> Result<Response, Refusal> {
    let client = Client::of(&parts.extensions)?;
    client.check_acts_for(&asker.name)?;
    if asker.include_unrouted && !client.caller.scopes.may_take_unrouted() {
        let detail = "messages without a frontend need the scope unrouted";
        return Err(Refusal::new(Reason::Forbidden, detail));
    }
    let ask = Ask {
        asker,
        limit: parameters.limit()?,
        lease: parameters.lease()?,
        wait: parameters.wait()?,
    };
    // Nobody would see what was leased.
    if ask.lease.is_some() && parts.method == Method::HEAD {
        return Err(Refusal::new(
            Reason::NotAllowed,
            "HEAD cannot lease messages",
        ));
    }
    Ok(message::many(&api.desk.offer(ask).await?))
}

/// `GET /api/messages/{id}`: a part of a text comes with what is there of the text (D9).
pub(crate) async fn show(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (mut parts, _) = request.into_parts();
    let id = query::message_id(&mut parts).await?;
    let found = api.store.message(id).await.map_err(error::from_store)?;
    let found = found.ok_or_else(|| Refusal::no_message(id))?;
    let client = Client::of(&parts.extensions)?;
    let reads = client.caller.scopes.may_read();
    if !reads {
        check_own(&api, client, &found).await?;
    }
    if concatenation::key(&found.content).is_none() {
        return Ok(message::one(StatusCode::OK, &found));
    }
    let all = api.store.parts(id).await.map_err(error::from_store)?;
    let mut parts = Vec::with_capacity(all.len());
    for part in all {
        // The other parts of the text may be for others.
        if reads || part.id == id || check_own(&api, client, &part).await.is_ok() {
            parts.push(part);
        }
    }
    let joined = concatenation::joined(&found, &parts);
    Ok(message::one_of_several(&found, joined.as_ref()))
}

/// `PATCH /api/messages/{id}`.
pub(crate) async fn edit(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (mut parts, payload) = split(&api, request).await?;
    let patch: Patch<'_> = body::object(&payload)?;
    let change = patch.into_change(api.now(), api.options.max_text_chars)?;
    apply(&api, (&mut parts, &payload), change).await
}

/// `PUT /api/messages/{id}`: counts a failed attempt, unless the body names something to change.
pub(crate) async fn edit_or_count_failure(
    api: Shared,
    request: Request,
) -> Result<Response, Refusal> {
    let (mut parts, payload) = split(&api, request).await?;
    let patch: Patch<'_> = body::object_or_nothing(&payload)?;
    let change = patch.into_change(api.now(), api.options.max_text_chars)?;
    if change.sets_status || change.edit != Edit::default() {
        return apply(&api, (&mut parts, &payload), change).await;
    }
    failure(&api, &mut parts, &payload).await
}

async fn apply(
    api: &Api,
    (parts, payload): (&mut Parts, &[u8]),
    change: Change,
) -> Result<Response, Refusal> {
    let id = query::message_id(parts).await?;
    check_edits(api, parts, &change).await?;
    if !change.fixed.is_empty() {
        let found = api.store.message(id).await.map_err(error::from_store)?;
        change.check_fixed(&found.ok_or_else(|| Refusal::no_message(id))?)?;
    }
    let sets_status = change.sets_status;
    // A frontend says what became of its message, at the rate of the traffic; an administrator who
    // says so has decided it.
    let by_frontend = !Client::of(&parts.extensions)?.caller.scopes.is_admin();
    let begun = match is_report(&change.edit) && by_frontend {
        true => None,
        false => audit::edit_begins(api, &parts.extensions, id, payload).await?,
    };
    let edited = api.desk.edit(id, change.edit).await;
    let edited = match begun {
        Some(begun) => begun.ended_as_asked(api, edited).await,
        None => edited,
    };
    let edited = edited.map_err(|refusal| match refusal.reason {
        // Only a second ending is a conflict of states; anything else is a field that cannot be
        // changed any more (S3: 422).
        Reason::AlreadyFinal if !sets_status => Refusal::new(Reason::Conflict, refusal.detail),
        _ => refusal,
    })?;
    Ok(message::one(StatusCode::OK, &edited))
}

/// `POST /api/messages/{id}/increment_delivery_attempt`.
pub(crate) async fn count_failure(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (mut parts, payload) = split(&api, request).await?;
    failure(&api, &mut parts, &payload).await
}

async fn failure(api: &Api, parts: &mut Parts, payload: &[u8]) -> Result<Response, Refusal> {
    let failed: Failed<'_> = body::object_or_nothing(payload)?;
    reported(api, parts, failed.into_attempt()?).await
}

/// `POST /api/messages/{id}/mark_failed` (D7).
pub(crate) async fn mark_failed(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (mut parts, payload) = split(&api, request).await?;
    let failed: Failed<'_> = body::object_or_nothing(&payload)?;
    reported(&api, &mut parts, failed.into_report()?).await
}

/// `POST /api/messages/{id}/cancel`: a message that waits, scheduled or not, ends as failed.
pub(crate) async fn cancel(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (mut parts, payload) = split(&api, request).await?;
    let cancel: Cancel<'_> = body::object_or_nothing(&payload)?;
    let report = cancel.into_report()?;
    let id = query::message_id(&mut parts).await?;
    let cancelled = match audit::edit_begins(&api, &parts.extensions, id, &payload).await? {
        Some(begun) => {
            let cancelled = api.desk.report(id, report).await;
            begun.ended_as_asked(&api, cancelled).await?
        }
        None => api.desk.report(id, report).await?,
    };
    Ok(message::one(StatusCode::OK, &cancelled))
}

/// `POST /api/messages/{id}/mark_delivered`.
pub(crate) async fn mark_delivered(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (mut parts, payload) = split(&api, request).await?;
    let delivered: Delivered<'_> = body::object_or_nothing(&payload)?;
    reported(&api, &mut parts, delivered.into_report()?).await
}

async fn reported(api: &Api, parts: &mut Parts, report: Report) -> Result<Response, Refusal> {
    let id = query::message_id(parts).await?;
    check_reports(api, parts, &report).await?;
    let message: Message = api.desk.report(id, report).await?;
    Ok(message::one(StatusCode::OK, &message))
}

/// Refuses a frontend's report on what is not its own, or in the name of another.
async fn check_reports(api: &Api, parts: &mut Parts, report: &Report) -> Result<(), Refusal> {
    let client = Client::of(&parts.extensions)?.clone();
    let id = query::message_id(parts).await?;
    check_report(api, &client, id, report).await
}

/// The same for the report on this message.
pub(crate) async fn check_report(
    api: &Api,
    client: &Client,
    id: MessageId,
    report: &Report,
) -> Result<(), Refusal> {
    if client.caller.scopes.is_admin() {
        return Ok(());
    }
    if let Report::Delivered { by: Some(by), .. } = report {
        client.check_acts_for(by)?;
    }
    let found = api.store.message(id).await.map_err(error::from_store)?;
    let found = found.ok_or_else(|| Refusal::no_message(id))?;
    check_own(api, client, &found).await
}

/// A frontend may say by an edit what became of its own message (S3), and nothing else.
async fn check_edits(api: &Api, parts: &mut Parts, change: &Change) -> Result<(), Refusal> {
    let client = Client::of(&parts.extensions)?;
    if client.caller.scopes.is_admin() {
        return Ok(());
    }
    let Some(report) = change
        .edit
        .report
        .clone()
        .filter(|_| is_report(&change.edit))
    else {
        return client.check_admin();
    };
    if let Some(Some(name)) = &change.edit.dest_smsc {
        client.check_acts_for(name)?;
    }
    check_reports(api, parts, &report).await
}

/// Whether an edit says nothing but what became of the message, and by whom.
fn is_report(edit: &Edit) -> bool {
    let rest = Edit {
        report: None,
        dest_smsc: None,
        ..edit.clone()
    };
    edit.report.is_some() && rest == Edit::default()
}

/// `DELETE /api/messages/{id}`.
pub(crate) async fn remove(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (mut parts, _) = request.into_parts();
    let id = query::message_id(&mut parts).await?;
    let begun = audit::removal_begins(&api, &parts.extensions, id).await?;
    let removed = api.desk.remove(id).await;
    match begun {
        Some(begun) => begun.ended(&api, removed, |()| Value::Null).await?,
        None => removed?,
    }
    Ok(json::removed())
}

async fn split(api: &Api, request: Request) -> Result<(Parts, Bytes), Refusal> {
    let (parts, payload) = request.into_parts();
    let payload = body::read(payload, api.options.max_body_bytes, &api.options).await?;
    Ok((parts, payload))
}

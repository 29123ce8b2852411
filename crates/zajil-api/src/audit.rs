//! The audit log (S3.8): who changed what, from what to what. `GET /api/audit` reads it.
//!
//! What the shelf holds is changed in one transaction with its entry. Anything else is written
//! down before it happens, as `begun`, and once more afterwards: when the process dies between, the
//! entry says that it may have happened, and nothing that happened is without one.

use axum::extract::Request;
use axum::http::{Extensions, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zajil_core::frontend::FrontendName;
use zajil_core::id::MessageId;
use zajil_core::outcome::{Reason, Refusal};
use zajil_store::shelf::{Change, Kind, Page, Record, Start};
use zajil_telemetry::log;

use crate::access::{Client, Mode};
use crate::dto::At;
use crate::openapi::schema::{self, Described, Schema, list as list_of, shown};
use crate::query::Parameters;
use crate::router::{Api, Shared};
use crate::{error, json};

/// How many entries one call looks through.
const MOST_LOOKED_AT: usize = 10_000;
const PAGE: u32 = 500;
/// More of a record than this is not kept, in octets.
const MOST_KEPT: usize = 64 << 10;

/// A change, as it is told.
#[derive(Debug)]
pub(crate) struct Told {
    /// What happens: `create`, `update`, `remove` …
    pub(crate) action: &'static str,
    /// To what: `route`, `api_key` …
    pub(crate) what: &'static str,
    /// Which one.
    pub(crate) id: Option<String>,
    /// What it said before.
    pub(crate) before: Value,
    /// What it says after; for what is only begun, what was asked for.
    pub(crate) after: Value,
}

/// Version 1 of an entry.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    version: u32,
    who: String,
    address: Option<String>,
    request_id: String,
    action: String,
    what: String,
    id: Option<String>,
    outcome: String,
    before: Value,
    after: Value,
}

/// A change that is written down and has not ended.
#[derive(Debug)]
#[must_use]
pub(crate) struct Begun {
    record: u64,
    entry: Entry,
}

/// An entry for a change of the shelf, to be committed with it.
pub(crate) fn entry(extensions: &Extensions, told: Told) -> Result<Change, Refusal> {
    let entry = Entry::of(extensions, told, "done")?;
    Ok(Change::Add {
        kind: Kind::Audit,
        name: None,
        body: written(&entry)?,
    })
}

/// Writes down that a change begins. It must not begin without.
pub(crate) async fn begin(
    api: &Api,
    extensions: &Extensions,
    told: Told,
) -> Result<Begun, Refusal> {
    let entry = Entry::of(extensions, told, "begun")?;
    let change = Change::Add {
        kind: Kind::Audit,
        name: None,
        body: written(&entry)?,
    };
    let added = api.store.change_shelf(vec![change], api.now()).await;
    let added = added.map_err(error::from_store)?;
    let record = added.first().map_or(0, |record| record.id);
    Ok(Begun { record, entry })
}

/// Writes down that somebody with a name edits a message. On an open door everybody is the same
/// somebody, and frontends edit at the rate of the traffic; the log of each message tells then.
///
/// The text stays out: it is nobody's business but the sender's and the recipient's (S10.4).
pub(crate) async fn edit_begins(
    api: &Api,
    extensions: &Extensions,
    id: MessageId,
    asked: &[u8],
) -> Result<Option<Begun>, Refusal> {
    if api.options.access.mode() == Mode::Open {
        return Ok(None);
    }
    let mut asked: Value = serde_json::from_slice(asked).unwrap_or_default();
    if let Some(text) = asked.get_mut("message_body") {
        *text = Value::from("****");
    }
    let told = Told {
        before: facts(api, id).await?,
        after: asked,
        ..Told::of_message("update", id)
    };
    begin(api, extensions, told).await.map(Some)
}

/// Writes down that somebody with a name removes a message.
pub(crate) async fn removal_begins(
    api: &Api,
    extensions: &Extensions,
    id: MessageId,
) -> Result<Option<Begun>, Refusal> {
    if api.options.access.mode() == Mode::Open {
        return Ok(None);
    }
    let told = Told {
        before: facts(api, id).await?,
        ..Told::of_message("remove", id)
    };
    begin(api, extensions, told).await.map(Some)
}

/// What an edit may change in a message, without its text; null when there is none.
async fn facts(api: &Api, id: MessageId) -> Result<Value, Refusal> {
    let found = api.store.message(id).await.map_err(error::from_store)?;
    Ok(found.map_or(Value::Null, |message| {
        serde_json::json!({
            "status": message.status().as_str(),
            "dest_smsc": message.dest_smsc.as_ref().map(FrontendName::as_str),
            "deliver_after": message.deliver_after.map(At),
            "expires": At(message.expires),
            "delivery_attempts": message.attempts.get(),
        })
    }))
}

impl Told {
    /// About a message.
    pub(crate) fn of_message(action: &'static str, id: MessageId) -> Self {
        Self {
            action,
            what: "message",
            id: Some(id.to_string()),
            before: Value::Null,
            after: Value::Null,
        }
    }
}

impl Begun {
    /// Writes down how it ended, for what changes as it was asked for.
    pub(crate) async fn ended_as_asked<T>(
        self,
        api: &Api,
        outcome: Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let after = self.entry.after.clone();
        self.ended(api, outcome, |_| after).await
    }

    /// Writes down how it ended, and answers the outcome as it is.
    pub(crate) async fn ended<T>(
        mut self,
        api: &Api,
        outcome: Result<T, Refusal>,
        after: impl FnOnce(&T) -> Value,
    ) -> Result<T, Refusal> {
        match &outcome {
            Ok(done) => {
                "done".clone_into(&mut self.entry.outcome);
                self.entry.after = kept(after(done));
                if self.entry.id.is_none() {
                    let id = self.entry.after.get("id").filter(|id| id.is_number());
                    self.entry.id = id.map(ToString::to_string);
                }
            }
            Err(refusal) => {
                self.entry.outcome = format!("refused: {}", refusal.reason.code());
            }
        }
        let change = Change::Set {
            kind: Kind::Audit,
            id: self.record,
            base: None,
            body: written(&self.entry)?,
        };
        if let Err(error) = api.store.change_shelf(vec![change], api.now()).await {
            // It stays `begun`, which is true as far as the log knows.
            tracing::error!(%error, entry = self.record, "the end of a change is not written");
        }
        outcome
    }
}

impl Entry {
    fn of(extensions: &Extensions, told: Told, outcome: &str) -> Result<Self, Refusal> {
        let client = Client::of(extensions)?;
        Ok(Self {
            version: 1,
            who: client.caller.who.clone(),
            address: client.address.map(|address| address.to_string()),
            request_id: log::Request::present_id().unwrap_or_default(),
            action: told.action.to_owned(),
            what: told.what.to_owned(),
            id: told.id,
            outcome: outcome.to_owned(),
            before: kept(told.before),
            after: kept(told.after),
        })
    }
}

/// What is kept of a value: all of it, unless it is very long.
fn kept(value: Value) -> Value {
    let length = value.to_string().len();
    if length <= MOST_KEPT {
        return value;
    }
    serde_json::json!({ "octets": length })
}

fn written(entry: &Entry) -> Result<String, Refusal> {
    serde_json::to_string(entry).map_err(|error| {
        tracing::error!(%error, "an audit entry cannot be written");
        Refusal::new(Reason::Internal, "internal error")
    })
}

#[derive(Debug, Serialize)]
struct Shown {
    entry: u64,
    at: At,
    #[serde(flatten)]
    told: Entry,
}

#[derive(Debug, Serialize)]
pub(crate) struct Log {
    data: Vec<Shown>,
    /// Where the next call goes on, as `before`; none at the end.
    next: Option<u64>,
}

impl Described for Log {
    const NAME: &'static str = "AuditPage";

    fn schema() -> Schema {
        let entry = schema::record([
            ("entry", shown::id()),
            ("at", shown::time()),
            ("version", shown::count()),
            ("who", shown::text()),
            ("address", shown::text().or_null()),
            ("request_id", shown::text()),
            ("action", shown::text()),
            ("what", shown::text()),
            ("id", shown::text().or_null()),
            ("outcome", shown::text()),
            ("before", Schema::any()),
            ("after", Schema::any()),
        ]);
        let next = shown::id().or_null();
        schema::record([
            ("data", list_of(entry, None)),
            (
                "next",
                next.says("The `before` of the next page; null at the end."),
            ),
        ])
    }
}

/// `GET /api/audit`: newest first; `what`, `id` and `who` (a part of it) choose, `before` goes on.
pub(crate) async fn list(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    let parameters = Parameters::of(&parts)?;
    let limit = usize::try_from(parameters.limit()?).unwrap_or(usize::MAX);
    let before = parameters.row("before")?;
    let mut from = match before.and_then(|id| u64::try_from(id).ok()) {
        Some(id) => Start::Before(id),
        None => Start::Newest,
    };
    let chosen = |entry: &Entry| {
        let is = |name, value: Option<&str>| {
            parameters.text(name).is_none_or(|text| value == Some(text))
        };
        is("what", Some(&entry.what))
            && is("id", entry.id.as_deref())
            && parameters
                .text("who")
                .is_none_or(|part| entry.who.contains(part))
    };
    let mut log = Log {
        data: Vec::new(),
        next: None,
    };
    let mut looked_at = 0;
    loop {
        let page = Page {
            kind: Kind::Audit,
            from,
            offset: 0,
            limit: PAGE,
        };
        let records = api.store.shelf(page).await.map_err(error::from_store)?;
        let full = records.len() >= PAGE as usize;
        for record in records {
            looked_at += 1;
            from = Start::Before(record.id);
            log.next = Some(record.id);
            log.data.extend(
                entry_shown(&record)
                    .into_iter()
                    .filter(|shown| chosen(&shown.told)),
            );
            if log.data.len() >= limit || looked_at >= MOST_LOOKED_AT {
                return json::bare(StatusCode::OK, &log);
            }
        }
        if !full {
            log.next = None;
            return json::bare(StatusCode::OK, &log);
        }
    }
}

fn entry_shown(record: &Record) -> Option<Shown> {
    match serde_json::from_str(&record.body) {
        Ok(told) => Some(Shown {
            entry: record.id,
            at: At(record.added_at),
            told,
        }),
        Err(error) => {
            tracing::error!(entry = record.id, %error, "an audit entry cannot be read");
            None
        }
    }
}

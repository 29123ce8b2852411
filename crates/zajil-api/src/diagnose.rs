//! `/api/diagnose`: why a message is where it is (S14.4). Gathers the facts; the core judges them.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use zajil_core::diagnose::{self, CdrState, Facts, Finding, Line, Missing};
use zajil_core::frontend::{FrontendName, Presence};
use zajil_core::id::MessageId;
use zajil_core::message::{Life, Message};
use zajil_core::number::Given;
use zajil_core::offer::Asker;
use zajil_core::outcome::Refusal;
use zajil_core::port::{Outcome, Question};
use zajil_core::status::Status;
use zajil_store::contract::OfferAsk;

use crate::openapi::schema::{self, Described, Schema, list, shown};
use crate::router::{Api, Shared};
use crate::{error, json, query};

/// How far into the outbox a message is looked for.
const OUTBOX_LOOKED_AT: u32 = 1_000;

#[derive(Debug, Serialize)]
pub(crate) struct DiagnosisOut {
    message_id: u64,
    /// Null when it is not here.
    status: Option<&'static str>,
    findings: Vec<FindingOut>,
}

#[derive(Debug, Serialize)]
struct FindingOut {
    code: &'static str,
    sentence: String,
    remedy: Option<String>,
}

impl From<Finding> for FindingOut {
    fn from(finding: Finding) -> Self {
        Self {
            code: finding.code.as_str(),
            sentence: finding.sentence,
            remedy: finding.remedy,
        }
    }
}

impl Described for DiagnosisOut {
    const NAME: &'static str = "Diagnosis";

    fn schema() -> Schema {
        let finding = schema::record([
            ("code", shown::text().says("A stable word.")),
            ("sentence", shown::text()),
            ("remedy", shown::text().or_null()),
        ]);
        let status = shown::word(Status::ALL.map(Status::as_str)).or_null();
        schema::record([
            ("message_id", shown::id()),
            ("status", status.says("Null when it is not here.")),
            ("findings", list(finding, None)),
        ])
    }
}

/// `GET /api/diagnose/{message_id}`. An id that is not here is answered too: why it is not.
pub(crate) async fn why(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (mut parts, _) = request.into_parts();
    let id = query::message_id(&mut parts).await?;
    let found = api.store.message(id).await.map_err(error::from_store)?;
    let findings = match &found {
        Some(message) => present(&api, message).await?,
        None => missing(&api, id).await?,
    };
    let diagnosis = DiagnosisOut {
        message_id: id.get(),
        status: found.map(|message| message.status().as_str()),
        findings: findings.into_iter().map(FindingOut::from).collect(),
    };
    json::data(StatusCode::OK, diagnosis)
}

async fn missing(api: &Api, id: MessageId) -> Result<Vec<Finding>, Refusal> {
    let events = api.store.events(id).await.map_err(error::from_store)?;
    Ok(diagnose::explain_missing(&Missing {
        now: api.now(),
        id,
        events: &events,
        kept: api.options.kept,
    }))
}

async fn present(api: &Api, message: &Message) -> Result<Vec<Finding>, Refusal> {
    let store = &api.store;
    let failed = error::from_store;
    let now = api.now();
    let events = store.events(message.id).await.map_err(failed)?;
    let mut facts = Facts {
        now,
        message,
        events: &events,
        location: None,
        frontends: &[],
        pause: None,
        line: Line::Unknown,
        routes_today: None,
        cdr: CdrState::Unknown,
        kept: api.options.kept,
    };
    match message.life {
        Life::Charging { .. } => {}
        Life::Ended(_) => facts.cdr = cdr(api, message.id).await?,
        Life::Pending { .. } => {
            let number = message.content.destination.as_str().to_owned();
            let location = store.location_of(number).await.map_err(failed)?;
            let frontends = store.frontends().await.map_err(failed)?;
            let serving = location.as_ref().and_then(|found| found.serving(now));
            let decided = message.dest_smsc.as_ref().or(serving);
            let pause = decided.and_then(|name| api.control.pause(name));
            let routes_today = match decided.filter(|name| active(&frontends, name, api)) {
                Some(_) => None,
                None => routes_today(api, message).await,
            };
            facts.line = match decided {
                Some(name) if message.due() <= now => line(api, message, name).await?,
                Some(_) | None => Line::Unknown,
            };
            facts.location = location.as_ref();
            facts.frontends = &frontends;
            facts.pause = pause.as_ref();
            facts.routes_today = routes_today.as_deref();
            return Ok(diagnose::explain(&facts));
        }
    }
    Ok(diagnose::explain(&facts))
}

fn active(frontends: &[Presence], name: &FrontendName, api: &Api) -> bool {
    let known = frontends.iter().find(|p| p.registration.name == *name);
    known.is_some_and(|presence| presence.is_active(api.now()))
}

/// What the frontend would be offered first.
async fn line(api: &Api, message: &Message, name: &FrontendName) -> Result<Line, Refusal> {
    let ask = OfferAsk {
        asker: Asker {
            name: name.clone(),
            include_unrouted: false,
        },
        limit: 1,
        now: api.now(),
    };
    let offered = api.store.offer(ask).await.map_err(error::from_store)?;
    Ok(match offered.first() {
        None => Line::Unknown,
        Some(first) if first.id == message.id => Line::First,
        Some(first) => Line::Behind(first.due()),
    })
}

async fn cdr(api: &Api, id: MessageId) -> Result<CdrState, Refusal> {
    let failed = error::from_store;
    let waiting = api.store.outbox(OUTBOX_LOOKED_AT).await.map_err(failed)?;
    if waiting.iter().any(|(_, cdr)| cdr.message_id == id.as_i64()) {
        let figures = api.store.figures().await.map_err(failed)?;
        return Ok(CdrState::Waits(figures.outbox));
    }
    let all = u32::try_from(waiting.len()).unwrap_or(u32::MAX) < OUTBOX_LOOKED_AT;
    Ok(if all {
        CdrState::Written
    } else {
        CdrState::Unknown
    })
}

/// What routing would decide today. Says nothing where the rules of today would change numbers that
/// were translated already, or the simulator cannot answer.
async fn routes_today(api: &Api, message: &Message) -> Option<Vec<Outcome>> {
    let content = &message.content;
    let question = Question {
        calling: Given::parse(content.source.as_str()).ok(),
        called: Given::parse(content.destination.as_str()).ok()?,
        source_smsc: content.source_smsc.clone(),
        source_type: None,
        enum_domain: None,
        draw: None,
    };
    let simulation = api.control.simulate(question).await.ok()?;
    let same = simulation.called == content.destination && simulation.calling == content.source;
    same.then_some(simulation.outcomes)
}

//! `/api/cdrs`: finished messages, looked up where billing finds them (S10.3, S10.4).

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use zajil_core::number;
use zajil_core::outcome::{Reason, Refusal};
use zajil_core::port::{CdrFilter, CdrPlace};
use zajil_core::status::{FinalStatus, Status};

use crate::dto::cdr::{self, Shown};
use crate::json;
use crate::query::Parameters;
use crate::router::Shared;

/// `GET /api/cdrs`: the newest rows that fit, and where the next page begins.
pub(crate) async fn list(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    let parameters = Parameters::of(&parts)?;
    let filter = filter(&parameters)?;
    let before = parameters.row("before")?.map(CdrPlace);
    let limit = parameters.limit()?;
    let shown = Shown {
        bodies: api.options.show_cdr_bodies,
        masked: parameters.boolean("masked")?,
    };
    let cdrs = api.cdrs.as_ref().ok_or_else(|| {
        let detail = "there is no CDR database: cdr_enabled is false";
        Refusal::new(Reason::NotFound, detail)
    })?;
    let found = cdrs.search(&filter, before, limit).await;
    let rows = found.map_err(|error| {
        tracing::warn!(%error, "the CDR database cannot be searched");
        Refusal::new(Reason::StorageDown, "the CDR database does not answer: try again")
    })?;
    json::bare(StatusCode::OK, &cdr::page(&rows, shown, limit))
}

fn filter(parameters: &Parameters) -> Result<CdrFilter, Refusal> {
    let status = parameters.text("status").map(|word| match Status::parse(word) {
        Some(Status::Final(status)) => Ok(status),
        Some(Status::Pending) | None => {
            let words = FinalStatus::ALL.map(FinalStatus::as_str).join(", ");
            Err(Refusal::field("status", format!("must be one of {words}")))
        }
    });
    let text = |name| parameters.text(name).map(str::to_owned);
    let number = |name| text(name).map(|given| given.trim().to_owned());
    let filter = CdrFilter {
        number: number("number"),
        calling_number: number("calling_number"),
        called_number: number("called_number"),
        message_id: parameters.row("message_id")?,
        status: status.transpose()?,
        source_smsc: text("source_smsc"),
        dest_smsc: text("dest_smsc"),
        from: parameters.time("from")?,
        to: parameters.time("to")?,
    };
    for (name, number) in [
        ("number", &filter.number),
        ("calling_number", &filter.calling_number),
        ("called_number", &filter.called_number),
    ] {
        let long = number.as_ref().is_some_and(|n| n.len() > 4 * number::LONGEST);
        if long {
            return Err(Refusal::field(name, "is too long for a number"));
        }
    }
    Ok(filter)
}

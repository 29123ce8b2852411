//! `/api/smpp/unmatched`: receipts of carriers that belong to no message that is waited for.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use zajil_core::outcome::Refusal;
use zajil_store::record::{SmppUnmatched, decode_smpp_unmatched};
use zajil_store::shelf::{Kind, Page, Start};

use crate::dto::At;
use crate::openapi::schema::{self, Described, Schema, shown};
use crate::query::Parameters;
use crate::router::Shared;
use crate::{error, json};

/// One receipt.
#[derive(Debug, Serialize)]
pub(crate) struct UnmatchedOut<'a> {
    id: u64,
    carrier: &'a str,
    receipted_message_id: &'a str,
    destination: &'a str,
    state: &'a str,
    error: Option<&'a str>,
    received_at: At,
}

/// `GET /api/smpp/unmatched`: newest first.
pub(crate) async fn list(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    let parameters = Parameters::of(&parts)?;
    let page = api.store.shelf(Page {
        kind: Kind::SmppUnmatched,
        from: Start::Newest,
        offset: parameters.offset()?,
        limit: parameters.limit()?,
    });
    let records = page.await.map_err(error::from_store)?;
    let read = records.iter().map(|record| {
        let receipt = decode_smpp_unmatched(&record.body).map_err(error::from_store)?;
        Ok::<(_, SmppUnmatched), Refusal>((record, receipt))
    });
    let all: Vec<_> = read.collect::<Result<_, _>>()?;
    let shown = all.iter().map(|(record, receipt)| UnmatchedOut {
        id: record.id,
        carrier: receipt.carrier.as_str(),
        receipted_message_id: &receipt.id,
        destination: &receipt.from,
        state: &receipt.state,
        error: receipt.error.as_deref(),
        received_at: At(record.added_at),
    });
    json::data(StatusCode::OK, shown.collect::<Vec<_>>())
}

impl Described for UnmatchedOut<'_> {
    const NAME: &'static str = "SmppUnmatchedReceipt";

    fn schema() -> Schema {
        schema::record([
            ("id", shown::count()),
            ("carrier", shown::text()),
            ("receipted_message_id", shown::text()),
            ("destination", shown::text()),
            ("state", shown::text()),
            ("error", shown::text().or_null()),
            ("received_at", shown::time()),
        ])
    }
}

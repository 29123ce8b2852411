//! CDRs on the wire: the columns of S10.1.

use serde::Serialize;
use zajil_core::cdr::Cdr;
use zajil_core::number::end_hidden;
use zajil_core::port::CdrPlace;
use zajil_core::status::FinalStatus;

use super::At;
use crate::openapi::schema::{self, Described, Schema, list, shown};

/// How rows are shown (S10.4).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown {
    /// Texts too.
    pub(crate) bodies: bool,
    /// Numbers without their last four digits.
    pub(crate) masked: bool,
}

/// A page: `next` is the `before` of the page that follows; none after the last.
#[derive(Debug, Serialize)]
pub(crate) struct Page<'a> {
    data: Vec<CdrOut<'a>>,
    next: Option<i64>,
}

#[derive(Debug, Serialize)]
struct CdrOut<'a> {
    id: i64,
    message_id: i64,
    calling_number: String,
    called_number: String,
    source_smsc: Option<&'a str>,
    dest_smsc: Option<&'a str>,
    origin_node: &'a str,
    destination_node: &'a str,
    submission_time: At,
    delivery_time: Option<At>,
    expiry_time: At,
    status: &'static str,
    delivery_attempts: u32,
    message_parts: u32,
    deadletter: bool,
    message_body: Option<&'a str>,
}

/// The rows of a page.
pub(crate) fn page(rows: &[(CdrPlace, Cdr)], shown: Shown, limit: u32) -> Page<'_> {
    let full = u32::try_from(rows.len()).is_ok_and(|count| count >= limit);
    Page {
        data: rows
            .iter()
            .map(|(place, cdr)| row(*place, cdr, shown))
            .collect(),
        next: rows.last().filter(|_| full).map(|(place, _)| place.0),
    }
}

fn row(place: CdrPlace, cdr: &Cdr, shown: Shown) -> CdrOut<'_> {
    let number = |number: &str| match shown.masked {
        true => end_hidden(number),
        false => number.to_owned(),
    };
    CdrOut {
        id: place.0,
        message_id: cdr.message_id,
        calling_number: number(&cdr.calling_number),
        called_number: number(&cdr.called_number),
        source_smsc: cdr.source_smsc.as_deref(),
        dest_smsc: cdr.dest_smsc.as_deref(),
        origin_node: &cdr.origin_node,
        destination_node: &cdr.destination_node,
        submission_time: At(cdr.submission_time),
        delivery_time: cdr.delivery_time.map(At),
        expiry_time: At(cdr.expiry_time),
        status: cdr.status.as_str(),
        delivery_attempts: cdr.delivery_attempts,
        message_parts: cdr.message_parts,
        deadletter: cdr.deadletter,
        message_body: cdr.message_body.as_deref().filter(|_| shown.bodies),
    }
}

impl Described for CdrOut<'_> {
    const NAME: &'static str = "Cdr";

    fn schema() -> Schema {
        schema::record([
            ("id", shown::id()),
            ("message_id", shown::id()),
            ("calling_number", shown::text()),
            ("called_number", shown::text()),
            ("source_smsc", shown::text().or_null()),
            ("dest_smsc", shown::text().or_null()),
            ("origin_node", shown::text()),
            ("destination_node", shown::text()),
            ("submission_time", shown::time()),
            ("delivery_time", shown::time().or_null()),
            ("expiry_time", shown::time()),
            (
                "status",
                shown::word(FinalStatus::ALL.map(FinalStatus::as_str)),
            ),
            ("delivery_attempts", shown::count()),
            ("message_parts", shown::count()),
            ("deadletter", shown::boolean()),
            (
                "message_body",
                shown::text()
                    .or_null()
                    .says("Null where texts are not kept or shown."),
            ),
        ])
    }
}

impl Described for Page<'_> {
    const NAME: &'static str = "CdrPage";

    fn schema() -> Schema {
        let next = shown::id().or_null();
        schema::record([
            ("data", list(schema::of::<CdrOut<'_>>(), None)),
            (
                "next",
                next.says("The `before` of the next page; null after the last."),
            ),
        ])
    }
}

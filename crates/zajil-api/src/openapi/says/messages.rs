//! Messages: submit, list, offer, edit, report; their logs, diagnosis and CDRs.

use axum::http::StatusCode;
use serde_json::json;
use zajil_core::status::{FinalStatus, Status};

use super::{MESSAGE, keyed, messages, on_message, one_message, paged};
use crate::bulk::DoneOut;
use crate::diagnose::DiagnosisOut;
use crate::dto::batch::{BatchIn, BatchOut, BatchReportIn};
use crate::dto::bulk::BulkIn;
use crate::dto::cdr::Page;
use crate::dto::edit::Patch;
use crate::dto::event::{EventOut, NewEvent};
use crate::dto::message::AcceptedOut;
use crate::dto::raw::Raw;
use crate::dto::report::{Cancel, Delivered, Failed};
use crate::dto::submit::Submit;
use crate::openapi::Operation;
use crate::openapi::schema::{self, data, given, list, shown, success};

/// An SMS-SUBMIT of "hellohello".
const PDU: &str = "0011000B915155214365F70000AA0AE8329BFD4697D9EC37";

pub(crate) fn submit() -> Operation {
    let operation = Operation::new("submitMessage", "Submits a message")
        .detail(
            "Answered after translation, routing, charging and durable storage. A message that no \
             route takes is stored and waits.",
        )
        .body::<Submit<'_>>(json!({
            "source_msisdn": "+15550000001", "destination_msisdn": "+15551234567",
            "message_body": "Hello", "source_smsc": "my_app",
        }))
        .example(
            "scheduled",
            json!({
                "destination_msisdn": "+15551234567", "message_body": "Good morning",
                "deliver_after": "2026-01-31T07:00:00Z", "expires": "2026-01-31T19:00:00Z",
            }),
        )
        .answer(StatusCode::CREATED, "It is stored.", one_message())
        .leads_to("showMessage", "id", "/data/id")
        .leads_to("markDelivered", "id", "/data/id")
        .leads_to("listEvents", "message_id", "/data/id");
    keyed(operation)
}

pub(crate) fn submit_async() -> Operation {
    let operation = Operation::new("submitMessageAsync", "Submits a message to be stored soon")
        .detail(
            "Answered once it is in the bounded intake batch, before it is stored (D5). With an \
             `Idempotency-Key` it is stored first.",
        )
        .body::<Submit<'_>>(json!({
            "destination_msisdn": "+15551234567", "message_body": "Hello",
        }))
        .answer(
            StatusCode::ACCEPTED,
            "It is in the batch.",
            success(schema::of::<AcceptedOut>()),
        );
    keyed(operation)
}

pub(crate) fn submit_raw() -> Operation {
    let operation = Operation::new("submitPdu", "Submits an SMS TPDU")
        .detail("Decoded into a message. The same PDU again gets the first answer (S9.2).")
        .body::<Raw<'_>>(json!({ "pdu": PDU, "source_smsc": "my_app" }))
        .answer(StatusCode::CREATED, "It is stored.", one_message());
    keyed(operation)
}

pub(crate) fn submit_raw_async() -> Operation {
    let operation = Operation::new("submitPduAsync", "Submits an SMS TPDU to be stored soon")
        .body::<Raw<'_>>(json!({ "pdu": PDU, "source_smsc": "my_app" }))
        .answer(
            StatusCode::ACCEPTED,
            "It is taken.",
            success(schema::of::<AcceptedOut>()),
        );
    keyed(operation)
}

pub(crate) fn list_all() -> Operation {
    let statuses = Status::ALL.map(Status::as_str);
    let operation = Operation::new(
        "listMessages",
        "Lists messages, or offers them to a frontend",
    )
    .detail(
        "With the header `smsc` the messages that this frontend may have now, longest due \
             first (S3.1); without, all messages, newest first. A page ends early once it has \
             about 8 MiB: the next `offset` is this one plus the messages that came, and only an \
             empty page is the end.",
    )
    .query("status", shown::word(statuses), "Only these.")
    .query(
        "number",
        given::digits(),
        "Only those of a number with these digits.",
    )
    .query(
        "dest_smsc",
        given::query_frontend(),
        "Only those of this frontend.",
    )
    .query(
        "source_smsc",
        given::query_frontend(),
        "Only those that it submitted.",
    )
    .query(
        "from",
        given::query_time(),
        "Only those inserted at or after this.",
    )
    .query(
        "to",
        given::query_time(),
        "Only those inserted before this.",
    )
    .query(
        "before",
        shown::id(),
        "Only lower ids: the last of a page leads to the next.",
    );
    offered(paged(operation).header(
        "smsc",
        given::header_frontend(),
        "Asks for the messages of this frontend; only `limit`, `lease` and `wait` count then.",
    ))
    .header(
        "include-unrouted",
        shown::boolean(),
        "Also those that nothing decides.",
    )
}

/// `lease` and `wait` (D7), and the answer of a page that offers.
fn offered(operation: Operation) -> Operation {
    operation
        .query(
            "lease",
            shown::integer(1, 3_600),
            "Hold them for so many seconds: nobody else gets them meanwhile (D7).",
        )
        .query(
            "wait",
            shown::integer(0, 60),
            "Wait up to so many seconds for the first to fall due (D7).",
        )
        .answer(StatusCode::OK, "The messages.", messages())
}

fn offers(id: &'static str, summary: &'static str) -> Operation {
    offered(
        Operation::new(id, summary)
            .needed_query("smsc", given::query_frontend(), "gateway_1")
            .query(
                "limit",
                shown::integer(1, 1_000).default(100),
                "At most this many.",
            ),
    )
}

pub(crate) fn offer() -> Operation {
    offers("offerMessages", "Offers a frontend its messages").header(
        "include-unrouted",
        shown::boolean(),
        "Also those that nothing decides.",
    )
}

pub(crate) fn offer_with_unrouted() -> Operation {
    offers(
        "offerMessagesWithUnrouted",
        "Offers a frontend its messages and the unrouted ones",
    )
}

pub(crate) fn show() -> Operation {
    on_message("showMessage", "Shows a message")
        .detail("A part of a text comes with `joined`, what is there of the text (D9).")
        .answer(StatusCode::OK, "The message.", one_message())
}

pub(crate) fn edit() -> Operation {
    on_message("editMessage", "Changes a message that waits")
        .detail("Fields that are absent stay.")
        .body::<Patch<'_>>(json!({ "deliver_after": "2026-01-01T06:00:00Z" }))
        .answer(StatusCode::OK, "The message as it is now.", one_message())
        .refuses(409)
}

pub(crate) fn edit_or_count_failure() -> Operation {
    on_message(
        "putMessage",
        "Counts a failed attempt, or changes the message",
    )
    .detail(
        "Without a body, or with one that changes nothing: `delivery_attempts` + 1, and \
             `deliver_after` by the schedule of S3.2. Else as PATCH.",
    )
    .optional_body::<Patch<'_>>(json!({}))
    .answer(StatusCode::OK, "The message as it is now.", one_message())
    .refuses(409)
}

pub(crate) fn remove() -> Operation {
    on_message("removeMessage", "Removes a message")
        .detail("One that waits ends first, with its CDR.")
        .empty("It is gone.")
}

pub(crate) fn count_failure() -> Operation {
    on_message("countFailure", "Counts a failed attempt")
        .optional_body::<Failed<'_>>(json!({ "reason": "absent subscriber" }))
        .answer(StatusCode::OK, "The message as it is now.", one_message())
        .refuses(409)
}

pub(crate) fn cancel() -> Operation {
    on_message(
        "cancelMessage",
        "Cancels a message that waits, scheduled or not",
    )
    .detail("It ends as failed, with its CDR and the reason in its log.")
    .optional_body::<Cancel<'_>>(json!({ "reason": "the appointment was moved" }))
    .answer(
        StatusCode::OK,
        "The message, which has ended.",
        one_message(),
    )
    .refuses(409)
}

pub(crate) fn mark_delivered() -> Operation {
    on_message("markDelivered", "Reports a delivery")
        .optional_body::<Delivered<'_>>(json!({ "dest_smsc": "gateway_1" }))
        .answer(
            StatusCode::OK,
            "The message, which has ended.",
            one_message(),
        )
        .refuses(409)
}

pub(crate) fn mark_failed() -> Operation {
    on_message("markFailed", "Reports a failure")
        .detail(
            "The message is due again after `retry_after`, or by the schedule of its \
             `error_class`. When `permanent`, the next frontend of its route gets it, or it ends.",
        )
        .optional_body::<Failed<'_>>(json!({ "reason": "busy", "error_class": "busy" }))
        .example(
            "permanent",
            json!({ "reason": "barred", "permanent": true }),
        )
        .answer(StatusCode::OK, "The message as it is now.", one_message())
        .refuses(409)
}

pub(crate) fn bulk() -> Operation {
    Operation::new(
        "bulk",
        "Cancels, retries, routes again or requeues many messages",
    )
    .detail(
        "What the filter finds, newest first. Only counts, unless `dry_run` is false. `next` of \
             the answer is `filter.before` of the call that goes on.",
    )
    .body::<BulkIn<'_>>(json!({
        "action": "cancel", "filter": { "status": "pending" }, "dry_run": true,
    }))
    .answer(
        StatusCode::OK,
        "What was done.",
        data(schema::of::<DoneOut>()),
    )
}

pub(crate) fn batch() -> Operation {
    let operation = Operation::new("submitBatch", "Submits up to 1,000 messages")
        .detail(
            "They are stored in one transaction; those of which money moves have their own. Each \
             has its result, in order; one that is refused keeps no other out. An \
             `Idempotency-Key` covers each item by what it says, so that the batch can be sent \
             again, also mended, longer or in another order: what is stored is answered as before, \
             and what was refused or is new is tried. An item may have an `idempotency_key` of its \
             own instead.",
        )
        .body::<BatchIn<'_>>(json!({ "messages": [
            { "destination_msisdn": "+15551234567", "message_body": "One" },
            { "destination_msisdn": "+15551234568", "message_body": "Two",
              "idempotency_key": "order-4711" },
        ] }))
        .answer(
            StatusCode::CREATED,
            "All are stored.",
            success(schema::of::<BatchOut<'_>>()),
        )
        .answer(
            StatusCode::MULTI_STATUS,
            "Some were refused: `results` says which, and why.",
            success(schema::of::<BatchOut<'_>>()),
        );
    keyed(operation)
}

pub(crate) fn batch_report() -> Operation {
    let id: u64 = MESSAGE.parse().unwrap_or_default();
    Operation::new("reportBatch", "Reports on up to 1,000 messages")
        .detail("In one transaction; each has its result, in order.")
        .body::<BatchReportIn<'_>>(json!({ "reports": [
            { "id": id, "outcome": "delivered", "dest_smsc": "gateway_1" },
        ] }))
        .answer(
            StatusCode::OK,
            "All took effect.",
            success(schema::of::<BatchOut<'_>>()),
        )
        .answer(
            StatusCode::MULTI_STATUS,
            "Some did not: `results` says which, and why.",
            success(schema::of::<BatchOut<'_>>()),
        )
}

pub(crate) fn requeue() -> Operation {
    on_message(
        "requeueMessage",
        "Submits a message that has ended once more",
    )
    .detail("As another message; a second call finds the first one's.")
    .answer(StatusCode::CREATED, "The new message.", one_message())
    .refuses(422)
}

pub(crate) fn add_event() -> Operation {
    let id: u64 = MESSAGE.parse().unwrap_or_default();
    Operation::new("addEvent", "Adds a line to the log of a message")
        .body::<NewEvent<'_>>(json!({
            "message_id": id, "name": "billing_checked", "event_source": "billing",
        }))
        .answer(
            StatusCode::CREATED,
            "The line.",
            data(schema::of::<EventOut<'_>>()),
        )
        .refuses(404)
}

pub(crate) fn events() -> Operation {
    Operation::new("listEvents", "Shows the log of a message")
        .detail("Oldest first. The log outlives its message.")
        .path("message_id", shown::id(), MESSAGE)
        .answer(
            StatusCode::OK,
            "The lines.",
            data(list(schema::of::<EventOut<'_>>(), None)),
        )
}

pub(crate) fn diagnose() -> Operation {
    Operation::new("diagnoseMessage", "Says why a message is where it is")
        .detail("An id that is not here is answered too: why it is not.")
        .path("message_id", shown::id(), MESSAGE)
        .answer(
            StatusCode::OK,
            "The findings.",
            data(schema::of::<DiagnosisOut>()),
        )
}

pub(crate) fn cdrs() -> Operation {
    let statuses = FinalStatus::ALL.map(FinalStatus::as_str);
    Operation::new("listCdrs", "Finds CDRs")
        .detail("Newest first.")
        .query(
            "number",
            given::query_number(),
            "Calling or called number, whole.",
        )
        .query("calling_number", given::query_number(), "")
        .query("called_number", given::query_number(), "")
        .query("message_id", shown::row(), "")
        .query("status", shown::word(statuses), "")
        .query("source_smsc", shown::text(), "")
        .query("dest_smsc", shown::text(), "")
        .query("from", given::query_time(), "Submitted at or after this.")
        .query("to", given::query_time(), "Submitted before this.")
        .query("before", shown::row(), "`next` of the page before.")
        .query(
            "limit",
            shown::integer(1, 1_000).default(100),
            "At most this many.",
        )
        .query(
            "masked",
            shown::boolean(),
            "Numbers without their last four digits.",
        )
        .answer(StatusCode::OK, "A page.", schema::of::<Page<'_>>())
        .refuses(404)
}

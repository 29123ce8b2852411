//! Frontends, what was decided about them, and locations.

use axum::http::StatusCode;
use serde_json::json;

use super::paged;
use crate::dto::frontend::{FrontendOut, RegistrationIn, StatsOut};
use crate::dto::location::{LocationOut, SightingIn};
use crate::dto::policy::{PauseIn, PolicyOut, RetryIn};
use crate::openapi::Operation;
use crate::openapi::schema::{self, Schema, data, given, list, shown};

fn frontends() -> Schema {
    data(list(schema::of::<FrontendOut<'_>>(), None))
}

fn frontend() -> Schema {
    data(schema::of::<FrontendOut<'_>>())
}

pub(crate) fn frontends_list() -> Operation {
    Operation::new(
        "listFrontends",
        "Lists frontends: the latest stretch of each",
    )
    .answer(StatusCode::OK, "The frontends.", frontends())
}

pub(crate) fn frontends_active() -> Operation {
    Operation::new(
        "listActiveFrontends",
        "Lists the frontends whose registration lives",
    )
    .answer(StatusCode::OK, "The frontends.", frontends())
}

pub(crate) fn frontends_stats() -> Operation {
    Operation::new("frontendStats", "Counts frontends").answer(
        StatusCode::OK,
        "The figures.",
        data(schema::of::<StatsOut>()),
    )
}

pub(crate) fn frontend_history() -> Operation {
    Operation::new(
        "frontendHistory",
        "Lists all stretches of a frontend, newest first",
    )
    .path("name", given::needed_frontend(), "gateway_1")
    .answer(StatusCode::OK, "The stretches.", frontends())
}

pub(crate) fn frontend_show() -> Operation {
    Operation::new("showFrontend", "Shows one stretch of a frontend")
        .path("id", shown::id(), "1")
        .answer(StatusCode::OK, "The stretch.", frontend())
}

fn registers(id: &'static str) -> Operation {
    Operation::new(id, "Registers a frontend, or renews its registration")
        .detail("It lives 90 seconds; repeat it every 30 to 60.")
        .body::<RegistrationIn<'_>>(json!({
            "frontend_name": "gateway_2", "frontend_type": "SMPP",
            "configuration": { "system_id": "zajil" },
        }))
        .answer(StatusCode::CREATED, "A stretch begins.", frontend())
        .answer(StatusCode::OK, "A stretch goes on.", frontend())
        .leads_to("showFrontend", "id", "/data/id")
}

pub(crate) fn register() -> Operation {
    registers("registerFrontend")
}

pub(crate) fn register_too() -> Operation {
    registers("registerFrontendToo")
}

fn on_frontend(id: &'static str, summary: &'static str) -> Operation {
    Operation::new(id, summary)
        .path("id", given::needed_frontend(), "gateway_1")
        .detail("`id` is the name of the frontend, registered or not.")
        .answer(
            StatusCode::OK,
            "What is decided about it.",
            data(schema::of::<PolicyOut<'_>>()),
        )
        .refuses(422)
}

pub(crate) fn pause() -> Operation {
    on_frontend(
        "pauseFrontend",
        "Pauses a frontend: it gets nothing until it is resumed",
    )
    .optional_body::<PauseIn<'_>>(json!({ "reason": "maintenance", "seconds": 600 }))
}

pub(crate) fn resume() -> Operation {
    on_frontend("resumeFrontend", "Resumes a frontend")
}

pub(crate) fn policy() -> Operation {
    on_frontend("showPolicy", "Shows what is decided about a frontend")
}

pub(crate) fn policy_set() -> Operation {
    on_frontend("setPolicy", "Replaces the retry schedules of a frontend")
        .body::<RetryIn<'_>>(json!({ "retry": { "absent": [300, 900], "busy": [30] } }))
}

fn location() -> Schema {
    data(schema::of::<LocationOut<'_>>())
}

fn on_location(id: &'static str, summary: &'static str) -> Operation {
    Operation::new(id, summary).path("id_or_msisdn", shown::id(), "1")
}

pub(crate) fn locations_list() -> Operation {
    paged(Operation::new("listLocations", "Lists locations by id")).answer(
        StatusCode::OK,
        "The locations.",
        data(list(schema::of::<LocationOut<'_>>(), None)),
    )
}

pub(crate) fn location_create() -> Operation {
    Operation::new("createLocation", "Says where a subscriber is")
        .detail("The IMSI is the key. Messages that wait for the subscriber are due at once.")
        .body::<SightingIn<'_>>(json!({
            "imsi": "001010000000002", "msisdn": "+15551234568", "location": "gateway_1",
        }))
        .answer(StatusCode::CREATED, "The IMSI is new.", location())
        .answer(StatusCode::OK, "The IMSI was known.", location())
        .leads_to("showLocation", "id_or_msisdn", "/data/id")
        .leads_to("removeLocation", "id_or_msisdn", "/data/id")
}

pub(crate) fn location_show() -> Operation {
    Operation::new("showLocation", "Shows a location, by id or number")
        .path("id_or_msisdn", shown::text(), "1")
        .answer(StatusCode::OK, "The location.", location())
}

pub(crate) fn location_update() -> Operation {
    on_location("updateLocation", "Changes a location")
        .detail("Fields that are absent stay.")
        .body::<SightingIn<'_>>(json!({ "registered": true }))
        .answer(StatusCode::OK, "The location as it is now.", location())
}

pub(crate) fn location_remove() -> Operation {
    on_location("removeLocation", "Forgets a location")
        .detail("Its messages wait as unrouted.")
        .empty("It is gone.")
}

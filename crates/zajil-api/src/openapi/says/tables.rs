//! The tables of routes and translation rules, the simulator and the test call.

use axum::http::StatusCode;
use serde_json::json;

use crate::dto::simulation::{QuestionIn, SimulationOut};
use crate::openapi::Operation;
use crate::openapi::schema::{self, data, list, shown};
use crate::table::{ExportedOut, ImportFrame, ImportedOut, Table};
use crate::translations::Tested;

/// The names of the operations on a table.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) list: &'static str,
    pub(crate) create: &'static str,
    pub(crate) show: &'static str,
    pub(crate) replace: &'static str,
    pub(crate) update: &'static str,
    pub(crate) remove: &'static str,
    pub(crate) export: &'static str,
    pub(crate) import: &'static str,
    /// Of the schema of an export.
    pub(crate) exported: &'static str,
    /// Of the schema of an import.
    pub(crate) imported: &'static str,
}

pub(crate) fn all<T: Table>() -> Operation {
    let rows = data(list(schema::of::<T::Shown>(), None));
    Operation::new(T::NAMES.list, "Lists the table by id").answer(
        StatusCode::OK,
        "The entries.",
        rows,
    )
}

pub(crate) fn create<T: Table>() -> Operation {
    Operation::new(T::NAMES.create, "Adds an entry")
        .detail("In force for new messages when this is answered.")
        .body::<T::Given>(T::example())
        .answer(
            StatusCode::CREATED,
            "The entry.",
            data(schema::of::<T::Shown>()),
        )
        .leads_to(T::NAMES.show, "id", "/data/id")
        .leads_to(T::NAMES.update, "id", "/data/id")
        .leads_to(T::NAMES.remove, "id", "/data/id")
}

fn on_entry<T: Table>(id: &'static str, summary: &'static str) -> Operation {
    Operation::new(id, summary).path("id", shown::id(), "1")
}

pub(crate) fn show<T: Table>() -> Operation {
    let row = data(schema::of::<T::Shown>());
    on_entry::<T>(T::NAMES.show, "Shows an entry").answer(StatusCode::OK, "The entry.", row)
}

pub(crate) fn replace<T: Table>() -> Operation {
    on_entry::<T>(T::NAMES.replace, "Replaces an entry")
        .detail("Fields that are absent take their defaults.")
        .body::<T::Given>(T::example())
        .answer(
            StatusCode::OK,
            "The entry as it is now.",
            data(schema::of::<T::Shown>()),
        )
}

pub(crate) fn update<T: Table>() -> Operation {
    on_entry::<T>(T::NAMES.update, "Changes an entry")
        .detail("Fields that are absent stay.")
        .body::<T::Given>(json!({ "enabled": false }))
        .answer(
            StatusCode::OK,
            "The entry as it is now.",
            data(schema::of::<T::Shown>()),
        )
}

pub(crate) fn remove<T: Table>() -> Operation {
    on_entry::<T>(T::NAMES.remove, "Removes an entry").empty("It is gone.")
}

pub(crate) fn export<T: Table>() -> Operation {
    Operation::new(
        T::NAMES.export,
        "Exports the table: what import takes back as it is",
    )
    .answer(
        StatusCode::OK,
        "The table.",
        data(schema::of::<ExportedOut<T>>()),
    )
}

pub(crate) fn import<T: Table>() -> Operation {
    Operation::new(T::NAMES.import, "Imports a table, all of it or nothing")
        .detail("`merge` adds, and replaces those of the same id; `replace` empties the table.")
        .body::<ImportFrame<T>>(json!({ "mode": "merge", T::ENTRIES: [T::example()] }))
        .answer(
            StatusCode::OK,
            "What was done.",
            data(schema::of::<ImportedOut>()),
        )
}

pub(crate) fn simulate() -> Operation {
    Operation::new("simulateRoute", "Says what would become of a message")
        .detail("Translation, ENUM, every route and why it lost, the charge. Nothing is stored.")
        .body::<QuestionIn<'_>>(json!({
            "calling_number": "+15550000001", "called_number": "+15551234567",
        }))
        .answer(
            StatusCode::OK,
            "What would happen.",
            data(schema::of::<SimulationOut<'_>>()),
        )
}

pub(crate) fn test() -> Operation {
    Operation::new(
        "testTranslation",
        "Says what the translation rules make of numbers",
    )
    .body::<QuestionIn<'_>>(json!({ "called_number": "5551234567" }))
    .answer(
        StatusCode::OK,
        "What they make of them.",
        data(schema::of::<Tested<'_>>()),
    )
}

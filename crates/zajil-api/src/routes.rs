//! `/api/routes`: the routing table (S4.1, S4.4) and its simulator (S4.5).

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use zajil_core::outcome::Refusal;
use zajil_core::port::{Routing, RoutingChange};
use zajil_core::route::RouteId;

use crate::dto::import::ImportIn;
use crate::dto::route::{RouteIn, RouteOut};
use crate::dto::simulation::{QuestionIn, SimulationOut};
use crate::openapi::says::tables::Names;
use crate::router::Shared;
use crate::table::{self, Table};
use crate::{body, json};

/// The routing table.
pub(crate) struct Routes;

impl Table for Routes {
    const ENTRY: &'static str = "route";
    const ENTRIES: &'static str = "routes";
    const NAMES: Names = Names {
        list: "listRoutes",
        create: "createRoute",
        show: "showRoute",
        replace: "replaceRoute",
        update: "updateRoute",
        remove: "removeRoute",
        export: "exportRoutes",
        import: "importRoutes",
        exported: "RouteExport",
        imported: "RouteImport",
    };
    type Row<'a> = RouteOut<'a>;
    type Given = RouteIn<'static>;
    type Shown = RouteOut<'static>;

    fn example() -> serde_json::Value {
        serde_json::json!({
            "called_prefix": "+1555", "dest_smsc": "gateway_1", "weight": 70, "priority": 10,
        })
    }

    fn rows(routing: &Routing) -> Vec<RouteOut<'_>> {
        let routes = routing.routes.iter();
        routes.map(|route| RouteOut::from(&**route)).collect()
    }

    fn row(routing: &Routing, id: u64) -> Option<RouteOut<'_>> {
        routing.route(RouteId(id)).map(RouteOut::from)
    }

    fn add(payload: &[u8]) -> Result<RoutingChange, Refusal> {
        let terms = body::object::<RouteIn<'_>>(payload)?.into_terms(None)?;
        Ok(RoutingChange::AddRoute(terms))
    }

    fn set(payload: &[u8], id: u64, base: Option<&Routing>) -> Result<RoutingChange, Refusal> {
        let id = RouteId(id);
        let base = base.and_then(|routing| routing.route(id));
        let base = base.map(|route| &route.terms);
        let terms = body::object::<RouteIn<'_>>(payload)?.into_terms(base)?;
        Ok(RoutingChange::SetRoute(id, terms))
    }

    fn remove(id: u64) -> RoutingChange {
        RoutingChange::RemoveRoute(RouteId(id))
    }

    fn import(payload: &[u8]) -> Result<(RoutingChange, usize), Refusal> {
        let frame: ImportIn<'_, RouteIn<'_>> = table::import_frame(Self::ENTRIES, payload)?;
        let import = frame.into_import(Self::ENTRIES, |mut item| {
            let id = item.take_id()?;
            Ok((id.map(|id| id.0), (id, item.into_terms(None)?)))
        })?;
        let count = import.entries.len();
        let change = RoutingChange::ImportRoutes {
            routes: import.entries,
            replace: import.replace,
        };
        Ok((change, count))
    }
}

/// `POST /api/routes/simulate`: what would become of a message (S4.5). Nothing is stored.
pub(crate) async fn simulate(api: Shared, request: Request) -> Result<Response, Refusal> {
    let payload = table::read(&api, request.into_body()).await?;
    let (question, limit) = body::object::<QuestionIn<'_>>(&payload)?.into_question()?;
    let simulation = api.control.simulate(question).await?;
    json::data(StatusCode::OK, SimulationOut::new(&simulation, limit))
}

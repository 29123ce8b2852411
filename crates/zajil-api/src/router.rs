//! Every URL of the REST door on one page.

use std::future::Future;
use std::ops::Deref;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, on};
use zajil_core::clock::{Clock, Timestamp};
use zajil_core::outcome::{Reason, Refusal};
use zajil_core::port::{CdrSearch, Control, Desk, Intake};
use zajil_store::Store;
use zajil_telemetry::Telemetry;

use crate::fence::fenced;
use crate::options::Options;
use crate::request_id::RequestIds;
use crate::routes::Routes;
use crate::stream::Places;
use crate::table::Table;
use crate::translations::Rules;
use crate::{
    bulk, cdrs, diagnose, events, frontends, locations, messages, policies, routes, stream, system,
    table, translations,
};

/// The REST door with everything it talks to.
#[derive(Clone)]
pub struct Api {
    /// Where messages enter.
    pub intake: Arc<dyn Intake>,
    /// Where they leave and are reported on.
    pub desk: Arc<dyn Desk>,
    /// What routes them.
    pub control: Arc<dyn Control>,
    /// For reading: lists, records and event logs.
    pub store: Arc<dyn Store>,
    /// Finished messages, where there is a CDR database.
    pub cdrs: Option<Arc<dyn CdrSearch>>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// What happens, for live streams.
    pub telemetry: Arc<Telemetry>,
    /// The settings.
    pub options: Options,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Api {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

const GET: MethodFilter = MethodFilter::GET;
const POST: MethodFilter = MethodFilter::POST;
const PUT: MethodFilter = MethodFilter::PUT;
const PATCH: MethodFilter = MethodFilter::PATCH;
const DELETE: MethodFilter = MethodFilter::DELETE;

/// The door while it is open.
pub(crate) struct Door {
    api: Api,
    request_ids: RequestIds,
    pub(crate) streams: Places,
}

impl Deref for Door {
    type Target = Api;

    fn deref(&self) -> &Api {
        &self.api
    }
}

/// What every handler gets.
pub(crate) type Shared = Arc<Door>;

/// The door as a service. Serve it with `ConnectInfo<SocketAddr>` among the request's extensions
/// (`into_make_service_with_connect_info`), so that a frontend's address is known.
pub fn router(api: Api) -> Router {
    Router::new()
        .merge(message_pages())
        .merge(delivery_pages())
        .merge(table_pages())
        .route("/api/status", page(GET, system::status))
        .route("/api/stream", page(GET, stream::open))
        .route("/healthz", page(GET, system::alive))
        .route("/readyz", page(GET, system::ready))
        .fallback(|State(api): State<Shared>, request: Request| async move {
            let answer = |request| fenced(no_page(request));
            api.request_ids.traced(request, answer).await
        })
        .method_not_allowed_fallback(|State(api): State<Shared>, request: Request| async move {
            let answer = |request| fenced(no_verb(request));
            api.request_ids.traced(request, answer).await
        })
        .with_state(Arc::new(Door {
            streams: Places::new(api.options.max_streams),
            api,
            request_ids: RequestIds::new(),
        }))
}

fn message_pages() -> Router<Shared> {
    let all = page(GET, messages::list).merge(page(POST, messages::submit));
    let one = page(GET, messages::show)
        .merge(page(PATCH, messages::edit))
        .merge(page(PUT, messages::edit_or_count_failure))
        .merge(page(DELETE, messages::remove));
    Router::new()
        .route("/api/messages", all)
        .route(
            "/api/messages/create_async",
            page(POST, messages::submit_async),
        )
        .route(
            "/api/messages/get_by_smsc",
            page(GET, messages::offer_with_unrouted),
        )
        .route("/api/messages/queue", page(GET, messages::offer))
        .route("/api/messages/{id}", one)
        .route(
            "/api/messages/{id}/increment_delivery_attempt",
            page(POST, messages::count_failure),
        )
        .route(
            "/api/messages/{id}/mark_delivered",
            page(POST, messages::mark_delivered),
        )
        .route("/api/messages/bulk", page(POST, bulk::apply))
        .route("/api/messages/{id}/requeue", page(POST, bulk::requeue))
        .route(
            "/api/messages/{id}/mark_failed",
            page(POST, messages::mark_failed),
        )
        .route("/api/messages_raw", page(POST, messages::submit_raw))
        .route(
            "/api/messages_raw/async",
            page(POST, messages::submit_raw_async),
        )
        .route("/api/cdrs", page(GET, cdrs::list))
        .route("/api/events", page(POST, events::add))
        .route("/api/events/{message_id}", page(GET, events::list))
        .route("/api/diagnose/{message_id}", page(GET, diagnose::why))
}

fn delivery_pages() -> Router<Shared> {
    let locations = page(GET, locations::list).merge(page(POST, locations::create));
    let location = page(GET, locations::show)
        .merge(page(PATCH, locations::update))
        .merge(page(DELETE, locations::forget));
    let policy = page(GET, policies::show).merge(page(PUT, policies::replace));
    let frontends = page(GET, frontends::list).merge(page(POST, frontends::register));
    Router::new()
        .route("/api/locations", locations)
        .route("/api/locations/{id_or_msisdn}", location)
        .route("/api/frontends", frontends)
        .route("/api/frontends/register", page(POST, frontends::register))
        .route("/api/frontends/active", page(GET, frontends::active))
        .route("/api/frontends/stats", page(GET, frontends::stats))
        .route(
            "/api/frontends/history/{name}",
            page(GET, frontends::history),
        )
        .route("/api/frontends/{id}", page(GET, frontends::show))
        .route("/api/frontends/{id}/pause", page(POST, policies::pause))
        .route("/api/frontends/{id}/resume", page(POST, policies::resume))
        .route("/api/frontends/{id}/policy", policy)
}

fn table_pages() -> Router<Shared> {
    Router::new()
        .merge(pages_of::<Routes>("/api/routes"))
        .route("/api/routes/simulate", page(POST, routes::simulate))
        .merge(pages_of::<Rules>("/api/translations"))
        .route("/api/translations/test", page(POST, translations::test))
}

/// The pages that every table has.
fn pages_of<T: Table + 'static>(path: &str) -> Router<Shared> {
    let all = page(GET, table::list::<T>).merge(page(POST, table::create::<T>));
    let one = page(GET, table::show::<T>)
        .merge(page(PUT, table::replace::<T>))
        .merge(page(PATCH, table::update::<T>))
        .merge(page(DELETE, table::remove::<T>));
    Router::new()
        .route(path, all)
        .route(&format!("{path}/export"), page(GET, table::export::<T>))
        .route(&format!("{path}/import"), page(POST, table::import::<T>))
        .route(&format!("{path}/{{id}}"), one)
}

async fn no_page(request: Request) -> Result<Response, Refusal> {
    let path = crate::query::shown(request.uri().path());
    Err(Refusal::new(
        Reason::NotFound,
        format!("there is no {path} here"),
    ))
}

async fn no_verb(request: Request) -> Result<Response, Refusal> {
    let path = crate::query::shown(request.uri().path());
    let detail = format!("{path} does not take {}", request.method());
    Err(Refusal::new(Reason::NotAllowed, detail))
}

/// A handler behind its fence. Handlers answer `Result<Response, Refusal>`, which axum does not
/// take, so there is no way around it; and no layer boxes each request once more.
fn page<F, A>(verb: MethodFilter, handler: F) -> MethodRouter<Shared>
where
    F: Fn(Shared, Request) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Result<Response, Refusal>> + Send + 'static,
{
    on(verb, move |State(api): State<Shared>, request: Request| {
        let (door, handler) = (Arc::clone(&api), handler.clone());
        async move {
            let answer = |request| fenced(handler(api, request));
            door.request_ids.traced(request, answer).await
        }
    })
}

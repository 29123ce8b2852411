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
use zajil_core::webhook::Webhooks;
use zajil_store::Store;
use zajil_telemetry::Telemetry;

use crate::access::{self, Need};
use crate::fence::fenced;
use crate::options::Options;
use crate::request_id::RequestIds;
use crate::routes::Routes;
use crate::stream::Places;
use crate::table::Table;
use crate::translations::Rules;
use crate::{
    audit, bulk, cdrs, cluster, diagnose, events, frontends, keys, locations, messages, policies,
    routes, stream, system, table, translations, webhooks,
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
    /// Subscriptions to events, where they are on.
    pub webhooks: Option<Arc<dyn Webhooks>>,
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
        .merge(cluster_pages())
        .merge(access_pages())
        .merge(webhook_pages())
        .route("/api/status", page(GET, Need::Open, system::status))
        .route("/api/stream", page(GET, Need::Read, stream::open))
        .route("/healthz", page(GET, Need::Open, system::alive))
        .route("/readyz", page(GET, Need::Open, system::ready))
        .fallback(|State(api): State<Shared>, request: Request| async move {
            let door = Arc::clone(&api);
            let answer = |request| guarded(api, Need::Open, request, no_page);
            door.request_ids.traced(request, answer).await
        })
        .method_not_allowed_fallback(|State(api): State<Shared>, request: Request| async move {
            let door = Arc::clone(&api);
            let answer = |request| guarded(api, Need::Open, request, no_verb);
            door.request_ids.traced(request, answer).await
        })
        .with_state(Arc::new(Door {
            streams: Places::new(api.options.max_streams),
            api,
            request_ids: RequestIds::new(),
        }))
}

fn message_pages() -> Router<Shared> {
    let all = page(GET, Need::ReadOrFrontend, messages::list).merge(page(
        POST,
        Need::Submit,
        messages::submit,
    ));
    let one = page(GET, Need::ReadOrFrontend, messages::show)
        .merge(page(PATCH, Need::Frontend, messages::edit))
        .merge(page(PUT, Need::Frontend, messages::edit_or_count_failure))
        .merge(page(DELETE, Need::Admin, messages::remove));
    Router::new()
        .route("/api/messages", all)
        .route(
            "/api/messages/create_async",
            page(POST, Need::SubmitAsync, messages::submit_async),
        )
        .route(
            "/api/messages/get_by_smsc",
            page(GET, Need::Frontend, messages::offer_with_unrouted),
        )
        .route(
            "/api/messages/queue",
            page(GET, Need::Frontend, messages::offer),
        )
        .route("/api/messages/{id}", one)
        .route(
            "/api/messages/{id}/increment_delivery_attempt",
            page(POST, Need::Frontend, messages::count_failure),
        )
        .route(
            "/api/messages/{id}/mark_delivered",
            page(POST, Need::Frontend, messages::mark_delivered),
        )
        .route("/api/messages/bulk", page(POST, Need::Admin, bulk::apply))
        .route(
            "/api/messages/{id}/requeue",
            page(POST, Need::Admin, bulk::requeue),
        )
        .route(
            "/api/messages/{id}/mark_failed",
            page(POST, Need::Frontend, messages::mark_failed),
        )
        .route(
            "/api/messages_raw",
            page(POST, Need::Submit, messages::submit_raw),
        )
        .route(
            "/api/messages_raw/async",
            page(POST, Need::SubmitAsync, messages::submit_raw_async),
        )
        .route("/api/cdrs", page(GET, Need::Read, cdrs::list))
        .route("/api/events", page(POST, Need::Frontend, events::add))
        .route(
            "/api/events/{message_id}",
            page(GET, Need::Read, events::list),
        )
        .route(
            "/api/diagnose/{message_id}",
            page(GET, Need::Read, diagnose::why),
        )
}

fn delivery_pages() -> Router<Shared> {
    let locations =
        page(GET, Need::Read, locations::list).merge(page(POST, Need::Locate, locations::create));
    let location = page(GET, Need::Read, locations::show)
        .merge(page(PATCH, Need::Locate, locations::update))
        .merge(page(DELETE, Need::Locate, locations::forget));
    let policy =
        page(GET, Need::Read, policies::show).merge(page(PUT, Need::Admin, policies::replace));
    let frontends = page(GET, Need::Read, frontends::list).merge(page(
        POST,
        Need::Frontend,
        frontends::register,
    ));
    Router::new()
        .route("/api/locations", locations)
        .route("/api/locations/{id_or_msisdn}", location)
        .route("/api/frontends", frontends)
        .route(
            "/api/frontends/register",
            page(POST, Need::Frontend, frontends::register),
        )
        .route(
            "/api/frontends/active",
            page(GET, Need::Read, frontends::active),
        )
        .route(
            "/api/frontends/stats",
            page(GET, Need::Read, frontends::stats),
        )
        .route(
            "/api/frontends/history/{name}",
            page(GET, Need::Read, frontends::history),
        )
        .route(
            "/api/frontends/{id}",
            page(GET, Need::Read, frontends::show),
        )
        .route(
            "/api/frontends/{id}/pause",
            page(POST, Need::Admin, policies::pause),
        )
        .route(
            "/api/frontends/{id}/resume",
            page(POST, Need::Admin, policies::resume),
        )
        .route("/api/frontends/{id}/policy", policy)
}

fn table_pages() -> Router<Shared> {
    Router::new()
        .merge(pages_of::<Routes>("/api/routes"))
        .route(
            "/api/routes/simulate",
            page(POST, Need::Read, routes::simulate),
        )
        .merge(pages_of::<Rules>("/api/translations"))
        .route(
            "/api/translations/test",
            page(POST, Need::Read, translations::test),
        )
}

fn access_pages() -> Router<Shared> {
    let all = page(GET, Need::Admin, keys::list).merge(page(POST, Need::Admin, keys::create));
    let one = page(GET, Need::Admin, keys::show).merge(page(DELETE, Need::Admin, keys::revoke));
    Router::new()
        .route("/api/keys", all)
        .route("/api/keys/{id}", one)
        .route("/api/audit", page(GET, Need::Admin, audit::list))
}

fn cluster_pages() -> Router<Shared> {
    Router::new()
        .route("/api/cluster", page(GET, Need::Read, cluster::show))
        .route(
            "/api/cluster/{name}/drain",
            page(POST, Need::Admin, cluster::drain),
        )
        .route(
            "/api/cluster/{name}/resume",
            page(POST, Need::Admin, cluster::resume),
        )
}

/// The address of a receiver is a secret of its own now and then: only an administrator reads it.
fn webhook_pages() -> Router<Shared> {
    let admin = Need::Admin;
    let all = page(GET, admin, webhooks::list).merge(page(POST, admin, webhooks::create));
    let one = page(GET, admin, webhooks::show)
        .merge(page(PATCH, admin, webhooks::change))
        .merge(page(DELETE, admin, webhooks::remove));
    let path = |rest: &str| format!("/api/webhooks/{{id}}{rest}");
    Router::new()
        .route("/api/webhooks", all)
        .route(&path(""), one)
        .route(&path("/rotate"), page(POST, admin, webhooks::rotate))
        .route(&path("/test"), page(POST, admin, webhooks::test))
        .route(&path("/dead"), page(GET, admin, webhooks::dead))
        .route(&path("/replay"), page(POST, admin, webhooks::replay))
}

/// The pages that every table has.
fn pages_of<T: Table + 'static>(path: &str) -> Router<Shared> {
    let all =
        page(GET, Need::Read, table::list::<T>).merge(page(POST, Need::Admin, table::create::<T>));
    let one = page(GET, Need::Read, table::show::<T>)
        .merge(page(PUT, Need::Admin, table::replace::<T>))
        .merge(page(PATCH, Need::Admin, table::update::<T>))
        .merge(page(DELETE, Need::Admin, table::remove::<T>));
    Router::new()
        .route(path, all)
        .route(
            &format!("{path}/export"),
            page(GET, Need::Read, table::export::<T>),
        )
        .route(
            &format!("{path}/import"),
            page(POST, Need::Admin, table::import::<T>),
        )
        .route(&format!("{path}/{{id}}"), one)
}

async fn no_page(_: Shared, request: Request) -> Result<Response, Refusal> {
    let path = crate::query::shown(request.uri().path());
    Err(Refusal::new(
        Reason::NotFound,
        format!("there is no {path} here"),
    ))
}

async fn no_verb(_: Shared, request: Request) -> Result<Response, Refusal> {
    let path = crate::query::shown(request.uri().path());
    let detail = format!("{path} does not take {}", request.method());
    Err(Refusal::new(Reason::NotAllowed, detail))
}

/// A handler behind its guard and its fence: who may call it is said where it gets its path.
/// Handlers answer `Result<Response, Refusal>`, which axum does not take, so there is no way around
/// either; and no layer boxes each request once more.
fn page<F, A>(verb: MethodFilter, need: Need, handler: F) -> MethodRouter<Shared>
where
    F: Fn(Shared, Request) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Result<Response, Refusal>> + Send + 'static,
{
    on(verb, move |State(api): State<Shared>, request: Request| {
        let (door, handler) = (Arc::clone(&api), handler.clone());
        async move {
            let answer = |request| guarded(api, need, request, handler);
            door.request_ids.traced(request, answer).await
        }
    })
}

async fn guarded<F, A>(api: Shared, need: Need, mut request: Request, handler: F) -> Response
where
    F: FnOnce(Shared, Request) -> A,
    A: Future<Output = Result<Response, Refusal>>,
{
    let now = api.now();
    let options = &api.options;
    let asked = (need, options.trusted_proxies.as_slice());
    let admitted = match options.access.admit(&request, asked, now) {
        Ok(admitted) => admitted,
        Err(denied) => return denied.answer(),
    };
    request.extensions_mut().insert(admitted.client);
    let mut response = fenced(handler(api, request)).await;
    if let Some(verdict) = admitted.verdict {
        access::mark(&mut response, verdict, now);
    }
    response
}

//! Every URL of the REST door on one page.

mod page;

use std::ops::Deref;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use zajil_core::clock::{Clock, Timestamp};
use zajil_core::outcome::{Reason, Refusal};
use zajil_core::port::{CdrSearch, Control, Desk, Intake, SmppAccounts, SmppCarriers};
use zajil_core::smpp::Account;
use zajil_core::smpp::carrier::Carrier;
use zajil_core::webhook::Webhooks;
use zajil_store::Store;
use zajil_telemetry::Telemetry;

use crate::access::Need;
use crate::dto::mms::Mms;
use crate::dto::ss7::Ss7Event;
use crate::openapi::says::shelf::{MmsMessages, MmsQueues, Named, Ss7Events};
use crate::openapi::says::{self, tables};
use crate::openapi::{Listed, Operation};
use crate::options::Options;
use crate::request_id::RequestIds;
use crate::routes::Routes;
use crate::shelf::Shelved;
use crate::smpp_parties::Party;
use crate::stream::Places;
use crate::table::Table;
use crate::translations::Rules;
use crate::{
    audit, batch, bulk, cdrs, cluster, diagnose, docs, events, frontends, keys, locations,
    messages, policies, routes, shelf, smpp_parties, smpp_unmatched, stream, system, table,
    translations, webhooks,
};

use page::{DELETE, GET, PATCH, POST, PUT, Pages, guarded};

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
    /// The SMPP accounts in force here, where SMPP is served.
    pub smpp: Option<Arc<dyn SmppAccounts>>,
    /// How SMPP carriers are doing here.
    pub carriers: Option<Arc<dyn SmppCarriers>>,
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
    let pages = pages().router;
    pages
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

/// Every page of the door, for its description.
pub(crate) fn listed() -> Vec<Listed> {
    let pages = pages().listed.into_iter();
    pages
        .map(|(path, verb, says)| (path, verb, says()))
        .collect()
}

fn pages() -> Pages {
    Pages::new()
        .merge(message_pages())
        .merge(one_message_pages())
        .merge(log_pages())
        .merge(frontend_pages())
        .merge(location_pages())
        .merge(access_pages())
        .merge(smpp_pages())
        .merge(cluster_pages())
        .merge(webhook_pages())
        .merge(shelf_pages::<Mms, MmsMessages>("/api/mms_messages"))
        .merge(shelf_pages::<Mms, MmsQueues>("/api/mms_message_queues"))
        .merge(shelf_pages::<Ss7Event, Ss7Events>("/api/ss7_events"))
        .merge(pages_of::<Routes>("/api/routes"))
        .on(
            (POST, "/api/routes/simulate", Need::Read),
            routes::simulate,
            tables::simulate,
        )
        .merge(pages_of::<Rules>("/api/translations"))
        .on(
            (POST, "/api/translations/test", Need::Read),
            translations::test,
            tables::test,
        )
        .on(
            (GET, "/api/status", Need::Open),
            system::status,
            says::system::status,
        )
        .on(
            (GET, "/api/openapi.json", Need::Open),
            docs::openapi,
            says::system::openapi,
        )
        .on(
            (GET, "/api/docs", Need::Open),
            docs::page,
            says::system::docs,
        )
        .on(
            (GET, "/api/stream", stream::NEED),
            stream::open,
            says::system::stream,
        )
        .on(
            (GET, "/healthz", Need::Open),
            system::alive,
            says::system::alive,
        )
        .on(
            (GET, "/readyz", Need::Open),
            system::ready,
            says::system::ready,
        )
}

fn message_pages() -> Pages {
    use says::messages as said;
    Pages::new()
        .on(
            (GET, "/api/messages", Need::ReadOrFrontend),
            messages::list,
            said::list_all,
        )
        .on(
            (POST, "/api/messages", Need::Submit),
            messages::submit,
            said::submit,
        )
        .on(
            (POST, "/api/messages/create_async", Need::SubmitAsync),
            messages::submit_async,
            said::submit_async,
        )
        .on(
            (GET, "/api/messages/get_by_smsc", Need::Frontend),
            messages::offer_with_unrouted,
            said::offer_with_unrouted,
        )
        .on(
            (GET, "/api/messages/queue", Need::Frontend),
            messages::offer,
            said::offer,
        )
        .on(
            (POST, "/api/messages/bulk", Need::Admin),
            bulk::apply,
            said::bulk,
        )
        .on(
            (POST, "/api/messages/batch", Need::Submit),
            batch::submit,
            said::batch,
        )
        .on(
            (POST, "/api/messages/batch_report", Need::Frontend),
            batch::report,
            said::batch_report,
        )
        .on(
            (POST, "/api/messages_raw", Need::Submit),
            messages::submit_raw,
            said::submit_raw,
        )
        .on(
            (POST, "/api/messages_raw/async", Need::SubmitAsync),
            messages::submit_raw_async,
            said::submit_raw_async,
        )
}

fn one_message_pages() -> Pages {
    use says::messages as said;
    Pages::new()
        .on(
            (GET, "/api/messages/{id}", Need::ReadOrFrontend),
            messages::show,
            said::show,
        )
        .on(
            (PATCH, "/api/messages/{id}", Need::Frontend),
            messages::edit,
            said::edit,
        )
        .on(
            (PUT, "/api/messages/{id}", Need::Frontend),
            messages::edit_or_count_failure,
            said::edit_or_count_failure,
        )
        .on(
            (DELETE, "/api/messages/{id}", Need::Admin),
            messages::remove,
            said::remove,
        )
        .on(
            (
                POST,
                "/api/messages/{id}/increment_delivery_attempt",
                Need::Frontend,
            ),
            messages::count_failure,
            said::count_failure,
        )
        .on(
            (POST, "/api/messages/{id}/mark_delivered", Need::Frontend),
            messages::mark_delivered,
            said::mark_delivered,
        )
        .on(
            (POST, "/api/messages/{id}/cancel", Need::Admin),
            messages::cancel,
            said::cancel,
        )
        .on(
            (POST, "/api/messages/{id}/mark_failed", Need::Frontend),
            messages::mark_failed,
            said::mark_failed,
        )
        .on(
            (POST, "/api/messages/{id}/requeue", Need::Admin),
            bulk::requeue,
            said::requeue,
        )
}

fn log_pages() -> Pages {
    use says::messages as said;
    Pages::new()
        .on((GET, "/api/cdrs", Need::Read), cdrs::list, said::cdrs)
        .on(
            (POST, "/api/events", Need::Frontend),
            events::add,
            said::add_event,
        )
        .on(
            (GET, "/api/events/{message_id}", Need::Read),
            events::list,
            said::events,
        )
        .on(
            (GET, "/api/diagnose/{message_id}", Need::Read),
            diagnose::why,
            said::diagnose,
        )
}

fn frontend_pages() -> Pages {
    use says::delivery as said;
    Pages::new()
        .on(
            (GET, "/api/frontends", Need::Read),
            frontends::list,
            said::frontends_list,
        )
        .on(
            (POST, "/api/frontends", Need::Frontend),
            frontends::register,
            said::register,
        )
        .on(
            (POST, "/api/frontends/register", Need::Frontend),
            frontends::register,
            said::register_too,
        )
        .on(
            (GET, "/api/frontends/active", Need::Read),
            frontends::active,
            said::frontends_active,
        )
        .on(
            (GET, "/api/frontends/stats", Need::Read),
            frontends::stats,
            said::frontends_stats,
        )
        .on(
            (GET, "/api/frontends/history/{name}", Need::Read),
            frontends::history,
            said::frontend_history,
        )
        .on(
            (GET, "/api/frontends/{id}", Need::Read),
            frontends::show,
            said::frontend_show,
        )
        .on(
            (POST, "/api/frontends/{id}/pause", Need::Admin),
            policies::pause,
            said::pause,
        )
        .on(
            (POST, "/api/frontends/{id}/resume", Need::Admin),
            policies::resume,
            said::resume,
        )
        .on(
            (GET, "/api/frontends/{id}/policy", Need::Read),
            policies::show,
            said::policy,
        )
        .on(
            (PUT, "/api/frontends/{id}/policy", Need::Admin),
            policies::replace,
            said::policy_set,
        )
}

fn location_pages() -> Pages {
    use says::delivery as said;
    const ONE: &str = "/api/locations/{id_or_msisdn}";
    Pages::new()
        .on(
            (GET, "/api/locations", Need::Read),
            locations::list,
            said::locations_list,
        )
        .on(
            (POST, "/api/locations", Need::Locate),
            locations::create,
            said::location_create,
        )
        .on((GET, ONE, Need::Read), locations::show, said::location_show)
        .on(
            (PATCH, ONE, Need::Locate),
            locations::update,
            said::location_update,
        )
        .on(
            (DELETE, ONE, Need::Locate),
            locations::forget,
            said::location_remove,
        )
}

fn smpp_pages() -> Pages {
    use says::smpp as said;
    party_pages::<Account>(
        ("/api/smpp/accounts", said::accounts, said::account_create),
        (
            "/api/smpp/accounts/{system_id}",
            said::account_show,
            said::account_update,
            said::account_remove,
        ),
    )
    .merge(party_pages::<Carrier>(
        ("/api/smpp/carriers", said::carriers, said::carrier_create),
        (
            "/api/smpp/carriers/{name}",
            said::carrier_show,
            said::carrier_update,
            said::carrier_remove,
        ),
    ))
    .on(
        (GET, "/api/smpp/unmatched", Need::Admin),
        smpp_unmatched::list,
        said::unmatched,
    )
}

/// What a page says of itself.
type Said = fn() -> Operation;

/// The pages of whom we speak SMPP with: all of them, and one.
fn party_pages<T: Party>(
    (all, list, create): (&'static str, Said, Said),
    (one, show, update, remove): (&'static str, Said, Said, Said),
) -> Pages {
    Pages::new()
        .on((GET, all, Need::Admin), smpp_parties::list::<T>, list)
        .on((POST, all, Need::Admin), smpp_parties::create::<T>, create)
        .on((GET, one, Need::Admin), smpp_parties::show::<T>, show)
        .on((PATCH, one, Need::Admin), smpp_parties::update::<T>, update)
        .on(
            (DELETE, one, Need::Admin),
            smpp_parties::remove::<T>,
            remove,
        )
}

fn access_pages() -> Pages {
    use says::access as said;
    Pages::new()
        .on((GET, "/api/keys", Need::Admin), keys::list, said::keys)
        .on(
            (POST, "/api/keys", Need::Admin),
            keys::create,
            said::key_create,
        )
        .on((GET, "/api/keys/{id}", Need::Admin), keys::show, said::key)
        .on(
            (DELETE, "/api/keys/{id}", Need::Admin),
            keys::revoke,
            said::key_revoke,
        )
        .on((GET, "/api/audit", Need::Admin), audit::list, said::audit)
}

/// The pages of small records that no rule reads.
fn shelf_pages<T: Shelved, N: Named>(path: &str) -> Pages {
    use says::shelf as said;
    let one = format!("{path}/{{id}}");
    Pages::new()
        .on((GET, path, Need::Read), shelf::list::<T>, said::all::<T, N>)
        .on(
            (POST, path, T::WRITES),
            shelf::create::<T>,
            said::create::<T, N>,
        )
        .on(
            (GET, &one, Need::Read),
            shelf::show::<T>,
            said::show::<T, N>,
        )
        .on(
            (PATCH, &one, Need::Admin),
            shelf::update::<T>,
            said::update::<T, N>,
        )
        .on(
            (DELETE, &one, Need::Admin),
            shelf::remove::<T>,
            said::remove::<T, N>,
        )
}

fn cluster_pages() -> Pages {
    use says::system as said;
    Pages::new()
        .on(
            (GET, "/api/cluster", Need::Read),
            cluster::show,
            said::cluster,
        )
        .on(
            (POST, "/api/cluster/{name}/drain", Need::Admin),
            cluster::drain,
            said::drain,
        )
        .on(
            (POST, "/api/cluster/{name}/resume", Need::Admin),
            cluster::resume,
            said::undrain,
        )
}

/// The address of a receiver is a secret of its own now and then: only an administrator reads it.
fn webhook_pages() -> Pages {
    use says::webhooks as said;
    const ADMIN: Need = Need::Admin;
    const ONE: &str = "/api/webhooks/{id}";
    let path = |rest: &str| format!("{ONE}/{rest}");
    Pages::new()
        .on((GET, "/api/webhooks", ADMIN), webhooks::list, said::all)
        .on(
            (POST, "/api/webhooks", ADMIN),
            webhooks::create,
            said::create,
        )
        .on((GET, ONE, ADMIN), webhooks::show, said::show)
        .on((PATCH, ONE, ADMIN), webhooks::change, said::change)
        .on((DELETE, ONE, ADMIN), webhooks::remove, said::remove)
        .on(
            (POST, &path("rotate"), ADMIN),
            webhooks::rotate,
            said::rotate,
        )
        .on((POST, &path("test"), ADMIN), webhooks::test, said::test)
        .on((GET, &path("dead"), ADMIN), webhooks::dead, said::dead)
        .on(
            (POST, &path("replay"), ADMIN),
            webhooks::replay,
            said::replay,
        )
}

/// The pages that every table has.
fn pages_of<T: Table + 'static>(path: &str) -> Pages {
    let one = format!("{path}/{{id}}");
    let (export, import) = (format!("{path}/export"), format!("{path}/import"));
    Pages::new()
        .on((GET, path, Need::Read), table::list::<T>, tables::all::<T>)
        .on(
            (POST, path, Need::Admin),
            table::create::<T>,
            tables::create::<T>,
        )
        .on(
            (GET, &export, Need::Read),
            table::export::<T>,
            tables::export::<T>,
        )
        .on(
            (POST, &import, Need::Admin),
            table::import::<T>,
            tables::import::<T>,
        )
        .on((GET, &one, Need::Read), table::show::<T>, tables::show::<T>)
        .on(
            (PUT, &one, Need::Admin),
            table::replace::<T>,
            tables::replace::<T>,
        )
        .on(
            (PATCH, &one, Need::Admin),
            table::update::<T>,
            tables::update::<T>,
        )
        .on(
            (DELETE, &one, Need::Admin),
            table::remove::<T>,
            tables::remove::<T>,
        )
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

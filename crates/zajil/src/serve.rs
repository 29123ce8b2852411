//! The server: builds the graph, runs it until a signal, and takes it down in order.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::routing::get;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use zajil_api::Readiness;
use zajil_cdr::outbox::{Aside, Bodies};
use zajil_cdr::{Outbox, retention};
use zajil_core::clock::Clock;
use zajil_core::diagnose::Kept;
use zajil_core::id::NodeNumber;
use zajil_core::outcome::Reason;
use zajil_core::port::{CdrSearch, CdrSink};
use zajil_core::webhook::Webhooks;
use zajil_engine::tasks::Tasks;
use zajil_engine::{Engine, Parts, SharedClock};
use zajil_store::cluster::Discovery;
use zajil_store::{Cluster, Store};
use zajil_telemetry::log::{self, Log};
use zajil_telemetry::{Door, Fact, Telemetry};

use crate::access;
use crate::backup;
use crate::config::{Api, Cdr, Config};
use crate::home::{Home, Standing};
use crate::listen::{Listener, Observer, Service};
use crate::outside::{Outside, readiness, watch};
use crate::records::Records;
use crate::smpp;
use crate::tls::Certificates;

/// How long a stopping server waits for CDRs; what is left is written after the next start.
const DRAIN_WITHIN: Duration = Duration::from_secs(10);

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) api: SocketAddr,
    /// `http` or `https`.
    pub(crate) scheme: &'static str,
    pub(crate) metrics: Option<SocketAddr>,
    pub(crate) smpp: Option<SocketAddr>,
    pub(crate) data: PathBuf,
    engine: Arc<Engine>,
    store: Arc<dyn Store>,
    doors: Vec<JoinHandle<()>>,
    drain: Tasks,
    stop_doors: CancellationToken,
    telemetry: Arc<Telemetry>,
    standing: Arc<Standing>,
}

impl Server {
    /// Starts everything. It accepts requests when this returns.
    pub(crate) async fn start(config: Config) -> anyhow::Result<Self> {
        // Bound first: a second server on the same port must fail before it touches data.
        let api = Listener::bind(config.api.listen)?;
        let metrics = config.metrics.map(Listener::bind).transpose()?;
        let smpp = smpp::listen(&config.smpp).await?;
        let smpp_address = smpp.as_ref().map(|(_, address)| *address);
        let data = config.store.directory.clone();
        let wall: Arc<dyn Clock> = Arc::new(zajil_engine::system::SystemClock);
        let telemetry = telemetry(&config, &wall)?;
        let certificates = access::certificates(&config.api, &telemetry)?;
        let scheme = certificates.as_ref().map_or("http", |_| "https");
        let address = format!("{scheme}://{}", api.address());
        let home = Home::open(&config, &telemetry, address).await?;
        let (store, clock) = (Arc::clone(&home.store), Arc::clone(&home.clock));
        let outside = Outside::open(&config, &telemetry)?;
        let issuer = outside.issuer.clone();
        let parts = Parts {
            store: Arc::clone(&store),
            clock: Arc::clone(&clock),
            dice: Arc::new(zajil_engine::system::ThreadDice),
            telemetry: Arc::clone(&telemetry),
            lookup: outside.lookup(),
            charger: outside.charger.clone(),
        };
        let engine = Engine::start(parts, engine_options(&config, home.number)).await?;
        let mut drain = Tasks::new(CancellationToken::new(), Arc::clone(&telemetry));
        home.attend(&mut drain, &engine);
        let records = Records::open(&config.cdr, &telemetry)?;
        keep_records(&mut drain, &config, &records, (&store, &clock, &telemetry));
        let told = Arc::clone(&telemetry);
        drain.spawn("live hub", move |token| pump(Arc::clone(&told), token));
        let webhooks = webhooks(&mut drain, &config, (&store, &clock, &telemetry))?;
        let stop_doors = CancellationToken::new();
        access::watch(&mut drain, certificates.as_ref(), &telemetry);
        let server = config.cdr.server.as_ref().and(records.search.clone());
        let outside = outside.with(server);
        let ready = ready(&mut drain, &home, (stop_doors.clone(), outside), &telemetry);
        let access = access::open(&config, &*store).await?;
        let kept = (config.api.audit_retention, config.messages.event_ttl);
        access::keep(&mut drain, &access, kept, (&store, &clock));
        access::follow(&mut drain, &access, issuer);
        let options = api_options(&config, ready, (access, home.cluster()));
        let things = (&store, &clock, &telemetry);
        let parties = smpp::Parties::new(&store, &telemetry);
        let optional = (records.search, webhooks, parties.clone());
        let app = rest(&engine, things, optional, options);
        let (api_address, metrics_address) =
            (api.address(), metrics.as_ref().map(Listener::address));
        let service = service(app, &config.api, certificates, &telemetry);
        let mut doors = open_doors((api, service), metrics, &telemetry, &stop_doors);
        let open = (&config.smpp, smpp.map(|(listener, _)| listener), parties);
        let smpp = smpp::doors(open, &mut drain, &engine, (things, &stop_doors)).await?;
        doors.extend(smpp.into_iter().map(run));
        telemetry.record(&Fact::NodeStarted);
        Ok(Self {
            api: api_address,
            scheme,
            metrics: metrics_address,
            smpp: smpp_address,
            data,
            engine,
            store,
            doors,
            drain,
            stop_doors,
            telemetry,
            standing: home.standing,
        })
    }

    /// Waits until this node's place in its cluster has been given away.
    pub(crate) async fn until_expelled(&self) {
        self.standing.expelled.cancelled().await;
    }

    /// Stops in the order that loses nothing: doors, engine (its intake is flushed), CDRs, store.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.telemetry.record(&Fact::NodeStopping);
        // Waiting pollers and streams must end before their connections can drain.
        self.stop_doors.cancel();
        if let Some(hub) = self.telemetry.live() {
            hub.turn();
            hub.close();
        }
        self.engine.stop().await;
        for door in self.doors {
            // Whatever became of a listener, the rest must still be put away.
            if let Err(error) = door.await {
                tracing::error!(%error, "a listener ended early");
            }
        }
        self.engine.finish().await;
        self.drain.stop(DRAIN_WITHIN).await;
        self.store.close().await.context("closing the store")
    }
}

/// The API with its limits.
fn service(
    app: Router,
    config: &Api,
    certificates: Option<Arc<Certificates>>,
    telemetry: &Arc<Telemetry>,
) -> Service {
    Service {
        seen: count_refusals(Arc::clone(telemetry)),
        most_of_one: config.most_of_one(),
        proxies: config.trusted_proxies.clone(),
        certificates,
        telemetry: Some(Arc::clone(telemetry)),
        ..Service::plain(app, config.max_connections)
    }
}

/// Hands on what is told to those who listen.
async fn pump(telemetry: Arc<Telemetry>, token: CancellationToken) {
    if let Some(hub) = telemetry.live() {
        token.run_until_cancelled(hub.pump()).await;
    }
}

/// What the REST door has only where it is configured.
type Optional = (
    Option<Arc<dyn CdrSearch>>,
    Option<Arc<dyn Webhooks>>,
    smpp::Parties,
);

/// The REST door.
fn rest(
    engine: &Arc<Engine>,
    (store, clock, telemetry): (&Arc<dyn Store>, &Arc<dyn Clock>, &Arc<Telemetry>),
    (cdrs, webhooks, smpp): Optional,
    options: zajil_api::Options,
) -> Router {
    zajil_api::router(zajil_api::Api {
        intake: engine.clone(),
        desk: engine.clone(),
        control: engine.clone(),
        store: Arc::clone(store),
        cdrs,
        webhooks,
        smpp: Some(smpp.book),
        carriers: Some(smpp.standings),
        clock: Arc::clone(clock),
        telemetry: Arc::clone(telemetry),
        options,
    })
}

/// The API says in a header why it refused; here that becomes a figure and a log line.
fn count_refusals(telemetry: Arc<Telemetry>) -> Observer {
    Arc::new(move |response| {
        let Some(code) = response.headers().get("x-reason") else {
            return;
        };
        let reason = Reason::ALL.into_iter().find(|reason| code == reason.code());
        if let Some(reason) = reason {
            let door = Door::Rest;
            let id = response.headers().get("x-request-id");
            let request_id = id.and_then(|id| id.to_str().ok());
            let request = log::Request::new(request_id.unwrap_or_default());
            request.within(|| telemetry.record(&Fact::Refused { door, reason }));
        }
    })
}

fn metrics_app(telemetry: Arc<Telemetry>) -> Router {
    Router::new().route(
        "/metrics",
        get(move || async move {
            let kind = [(
                axum::http::header::CONTENT_TYPE,
                "text/plain; version=0.0.4",
            )];
            (kind, telemetry.metrics.render())
        }),
    )
}

/// SIGTERM and SIGINT: from when this is made they no longer end the process by themselves.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for one of them, and names it.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// At each SIGHUP the log file is opened again by its name. Runs until the process ends.
pub(crate) fn reopen_at_hangup(log: Log) -> anyhow::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    drop(run(async move {
        while hangup.recv().await.is_some() {
            match log.reopen() {
                Ok(()) => tracing::info!("SIGHUP: the log file was opened again"),
                Err(error) => tracing::error!(%error, "the log file cannot be opened again"),
            }
        }
    }));
    Ok(())
}

/// With the hub for live streams, and traces if they are asked for.
fn telemetry(config: &Config, clock: &Arc<dyn Clock>) -> anyhow::Result<Arc<Telemetry>> {
    let (name, kept) = (config.node.name.clone(), config.live.kept_events);
    let telemetry = Telemetry::new().context("metrics")?;
    let telemetry = telemetry.with_live(Arc::clone(clock), name, kept);
    Ok(Arc::new(match &config.traces {
        None => telemetry,
        Some(options) => telemetry.with_traces(options).context("traces")?,
    }))
}

/// The answer to `/readyz`, which the metrics show too.
fn ready(
    drain: &mut Tasks,
    home: &Home,
    (stopping, outside): (CancellationToken, Outside),
    telemetry: &Arc<Telemetry>,
) -> Readiness {
    let standing = Arc::clone(&home.standing);
    let running = move || match stopping.is_cancelled() {
        true => Err("it is stopping".to_owned()),
        false => standing.takes_work(),
    };
    let ready = readiness(running, Arc::clone(&home.store), outside);
    let (watched, told) = (ready.clone(), Arc::clone(telemetry));
    drain.spawn("watch readiness", move |token| {
        watch(watched.clone(), Arc::clone(&told), token)
    });
    ready
}

/// Opens the API, and the metrics where they have an address.
fn open_doors(
    api: (Listener, Service),
    metrics: Option<Listener>,
    telemetry: &Arc<Telemetry>,
    stop: &CancellationToken,
) -> Vec<JoinHandle<()>> {
    let figures = Service::plain(metrics_app(Arc::clone(telemetry)), 64);
    let doors = std::iter::once(api).chain(metrics.map(|door| (door, figures)));
    let doors = doors.map(|(door, service)| run(door.serve(service, stop.clone())));
    doors.collect()
}

/// Starts what sends events to subscriptions, if they are on.
fn webhooks(
    drain: &mut Tasks,
    config: &Config,
    (store, clock, telemetry): (&Arc<dyn Store>, &Arc<dyn Clock>, &Arc<Telemetry>),
) -> anyhow::Result<Option<Arc<dyn Webhooks>>> {
    let Some(options) = &config.webhooks else {
        return Ok(None);
    };
    let parts = zajil_webhook::Parts {
        store: Arc::clone(store),
        clock: Arc::clone(clock),
        dice: Arc::new(zajil_engine::system::ThreadDice),
        telemetry: Arc::clone(telemetry),
    };
    let book = zajil_webhook::Book::new(parts, options.clone()).context("webhooks")?;
    let deliverer = book.clone();
    drain.spawn("webhooks", move |token| deliverer.clone().run(token));
    Ok(Some(Arc::new(book)))
}

/// Starts what writes CDRs, and what deletes them once they are old.
fn keep_records(
    drain: &mut Tasks,
    config: &Config,
    records: &Records,
    (store, clock, telemetry): (&Arc<dyn Store>, &Arc<dyn Clock>, &Arc<Telemetry>),
) {
    let worker = cdr_worker(config, &records.sink, (store, clock, telemetry));
    drain.spawn("CDR worker", move |token| worker().drain(token));
    if let (Some(age), Some(search)) = (config.cdr.retention, &records.search) {
        let (search, clock) = (Arc::clone(search), Arc::clone(clock));
        drain.spawn("CDR retention", move |token| {
            retention::run(Arc::clone(&search), Arc::clone(&clock), age, token)
        });
    }
}

/// Makes the worker anew when a bug has ended it.
fn cdr_worker(
    config: &Config,
    sink: &Arc<dyn CdrSink>,
    (store, clock, telemetry): (&Arc<dyn Store>, &Arc<dyn Clock>, &Arc<Telemetry>),
) -> impl Fn() -> Outbox + Send + Sync + 'static + use<> {
    let options = outbox_options(&config.cdr);
    let refused = config.store.directory.join(backup::ASIDE);
    let (store, sink) = (Arc::clone(store), Arc::clone(sink));
    let (clock, telemetry) = (Arc::clone(clock), Arc::clone(telemetry));
    move || {
        let aside = Aside::new(refused.clone(), Arc::clone(&telemetry));
        let parts = zajil_cdr::outbox::Parts {
            store: Arc::clone(&store),
            sink: Arc::clone(&sink),
            clock: Arc::clone(&clock),
            telemetry: Arc::clone(&telemetry),
        };
        Outbox::new(parts, options).with_aside(aside)
    }
}

fn outbox_options(cdr: &Cdr) -> zajil_cdr::outbox::Options {
    zajil_cdr::outbox::Options {
        batch_size: cdr.batch_size,
        flush_interval: cdr.flush_interval,
        bodies: if cdr.keep_bodies {
            Bodies::Keep
        } else {
            Bodies::Omit
        },
        ..zajil_cdr::outbox::Options::default()
    }
}

fn api_options(
    config: &Config,
    ready: Readiness,
    (access, cluster): (Arc<zajil_api::Access>, Option<Arc<dyn Cluster>>),
) -> zajil_api::Options {
    let shared = config.store.shared.as_ref();
    zajil_api::Options {
        access,
        ready,
        cluster: cluster.map(|members| zajil_api::Neighbours {
            members,
            expected: shared.map_or_else(Vec::new, |shared| shared.expected.clone()),
            discovery: shared
                .and_then(|shared| shared.discovery.clone())
                .map(|dns| Arc::new(dns) as Arc<dyn Discovery>),
        }),
        max_body_bytes: config.api.max_body_bytes,
        show_cdr_bodies: config.cdr.show_bodies,
        max_streams: config.live.max_streams,
        mask_streams: config.live.mask_numbers,
        trusted_proxies: config.api.trusted_proxies.clone(),
        kept: Kept {
            messages: config.messages.retention,
            events: config.messages.event_ttl,
            cdrs: config.cdr.enabled,
        },
        ..zajil_api::Options::new(&config.api.application, config.node.name.clone())
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the top of the tree: joined by Server::stop"
)]
fn run(task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(task)
}

fn engine_options(config: &Config, number: NodeNumber) -> zajil_engine::Options {
    let messages = &config.messages;
    zajil_engine::Options {
        node: config.node.name.clone(),
        node_number: number,
        dead_letter_time: messages.dead_letter_time,
        fingerprint_ttl: messages.fingerprint_ttl,
        message_retention: messages.retention,
        receipt_retention: messages.receipt_retention,
        event_ttl: messages.event_ttl,
        frontend_history: messages.frontend_history,
        retention_check_interval: messages.retention_check,
        intake_capacity: messages.intake_capacity,
        lease_margin: match config.store.shared {
            Some(_) => SharedClock::APART,
            None => Duration::ZERO,
        },
        strictness: messages.strictness,
        charging: config.charging.clone(),
        seed_routes: config.routes.clone(),
        seed_rules: config.rules.clone(),
    }
}

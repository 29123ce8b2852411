//! A node under test: the real engine, a store (mostly in memory), a set clock, and webhooks.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use zajil_core::clock::Clock as _;
use zajil_core::event::NodeName;
use zajil_core::id::MessageId;
use zajil_core::lifecycle::Report;
use zajil_core::port::{Desk as _, Intake as _};
use zajil_core::status::FinalStatus;
use zajil_core::webhook::{Secret, Terms, Webhook, Webhooks as _};
use zajil_engine::Engine;
use zajil_store::Store;
use zajil_store::contract::{OutboxSeq, Purged, Retention};
use zajil_store::memory::MemoryStore;
use zajil_store::shelf::{Kind, Page, Start};
use zajil_telemetry::Telemetry;
use zajil_testkit::build::submission;
use zajil_testkit::clock::FakeClock;
use zajil_testkit::dice::FixedDice;
use zajil_webhook::{Book, Network, Options, Parts};

pub(crate) struct Node {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) engine: Arc<Engine>,
    pub(crate) book: Book,
    pub(crate) options: Options,
    tasks: JoinSet<()>,
    token: CancellationToken,
}

/// Options of a node that may reach this machine.
pub(crate) fn local() -> Options {
    Options {
        allowed_networks: vec![Network::parse("127.0.0.0/8").unwrap()],
        timeout: Duration::from_secs(5),
        ..Options::default()
    }
}

pub(crate) fn terms(url: &str, events: &[&str]) -> Terms {
    Terms {
        url: url.to_owned(),
        events: events.iter().map(|event| (*event).to_owned()).collect(),
        frontend: None,
        number: None,
        masked: false,
        enabled: true,
        description: None,
    }
}

impl Node {
    pub(crate) async fn start(options: Options) -> Self {
        Self::on(Arc::new(MemoryStore::new()), options).await
    }

    pub(crate) async fn on(store: Arc<dyn Store>, options: Options) -> Self {
        let clock = Arc::new(FakeClock::default());
        let telemetry = Telemetry::new().unwrap();
        let telemetry = Arc::new(telemetry.with_live(clock.clone(), NodeName::new("n1"), 1_000));
        let parts = zajil_engine::Parts {
            store: Arc::clone(&store),
            clock: clock.clone(),
            dice: Arc::new(FixedDice::new(vec![0])),
            telemetry: Arc::clone(&telemetry),
            lookup: None,
            charger: None,
        };
        let engine = Engine::start(parts, zajil_engine::Options::default()).await;
        let mut node = Self {
            book: book(&store, &clock, &telemetry, &options),
            store,
            clock,
            telemetry,
            engine: engine.unwrap(),
            options,
            tasks: JoinSet::new(),
            token: CancellationToken::new(),
        };
        node.run();
        node
    }

    fn run(&mut self) {
        let told = Arc::clone(&self.telemetry);
        self.tasks
            .spawn(async move { told.live().unwrap().pump().await });
        self.tasks.spawn(self.book.clone().run(self.token.clone()));
    }

    /// Nothing is sent any more.
    pub(crate) async fn halt(&mut self) {
        self.tasks.shutdown().await;
    }

    /// Retention takes every message that has ended.
    pub(crate) async fn forget_finished(&self) {
        let entries = self.store.outbox(1_000).await.unwrap();
        let last = entries.last().map_or(OutboxSeq(0), |(seq, _)| *seq);
        self.store.outbox_done(last).await.unwrap();
        let keep = Retention {
            messages: Duration::ZERO,
            events: Duration::ZERO,
            frontends: Duration::ZERO,
        };
        let later = self.clock.now().plus(Duration::from_secs(1));
        while self.store.purge(keep, later, 1_000).await.unwrap() != Purged::default() {}
    }

    /// The node dies, as far as webhooks can tell, and starts again on the same store.
    pub(crate) async fn crash(&mut self) {
        self.tasks.shutdown().await;
        self.book = book(&self.store, &self.clock, &self.telemetry, &self.options);
        self.run();
    }

    pub(crate) async fn subscribe(&self, url: &str, events: &[&str]) -> (Webhook, Secret) {
        self.book.create(terms(url, events)).await.unwrap()
    }

    pub(crate) async fn submit(&self) -> MessageId {
        let submitted = self
            .engine
            .submit(submission("7726", "+15551234567", "secret"));
        submitted.await.unwrap().message.id
    }

    /// A message that was delivered.
    pub(crate) async fn deliver(&self) -> u64 {
        let id = self.submit().await;
        let report = Report::Delivered { by: None, at: None };
        self.engine.report(id, report).await.unwrap();
        id.get()
    }

    /// A message that failed.
    pub(crate) async fn fail(&self) -> u64 {
        let id = self.submit().await;
        let report = Report::Ended {
            how: FinalStatus::Failed,
            reason: None,
        };
        self.engine.report(id, report).await.unwrap();
        id.get()
    }

    /// How many deliveries are on the shelf.
    pub(crate) async fn shelved(&self) -> usize {
        let page = Page {
            kind: Kind::WebhookDelivery,
            from: Start::After(0),
            offset: 0,
            limit: 1_000,
        };
        let records = self.store.shelf(page).await.unwrap();
        records
            .iter()
            .filter(|record| record.name.is_none())
            .count()
    }

    /// Up to which ending all is settled, as it is stored.
    pub(crate) async fn place(&self) -> u64 {
        let page = Page {
            kind: Kind::WebhookDelivery,
            from: Start::After(0),
            offset: 0,
            limit: 1_000,
        };
        let records = self.store.shelf(page).await.unwrap();
        let place = records.iter().find(|record| record.name.is_some());
        let stored = place.map(|place| serde_json::from_str::<serde_json::Value>(&place.body));
        stored.map_or(0, |stored| stored.unwrap()["done"].as_u64().unwrap())
    }

    /// Waits until a subscription is as it should be.
    pub(crate) async fn wait_until(
        &self,
        id: u64,
        mut is: impl FnMut(&Webhook) -> bool,
    ) -> Webhook {
        let wait = async {
            loop {
                let webhook = self.book.show(id).await.unwrap();
                if is(&webhook) {
                    return webhook;
                }
                tokio::task::yield_now().await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(60), wait).await;
        match waited {
            Ok(webhook) => webhook,
            Err(_) => panic!("{:?}", self.book.show(id).await.unwrap()),
        }
    }
}

fn book(
    store: &Arc<dyn Store>,
    clock: &Arc<FakeClock>,
    telemetry: &Arc<Telemetry>,
    options: &Options,
) -> Book {
    let parts = Parts {
        store: Arc::clone(store),
        clock: clock.clone(),
        dice: Arc::new(FixedDice::new(vec![0])),
        telemetry: Arc::clone(telemetry),
    };
    Book::new(parts, options.clone()).unwrap()
}

//! The book of subscriptions: made, changed and shown here, kept on the shelf.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::Uri;
use tokio::sync::Notify;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_util::sync::CancellationToken;
use zajil_core::clock::{Clock, Dice, Timestamp};
use zajil_core::outcome::{Reason, Refusal};
use zajil_core::port::Answer;
use zajil_core::webhook::{Change, Dead, Figures, Pinged, Secret, Terms, Webhook, Webhooks};
use zajil_store::contract::{Endings, Store};
use zajil_store::shelf::{self, Kind, Page, Record, Start};
use zajil_telemetry::live::NAMES;
use zajil_telemetry::{Stopwatch, Telemetry};

use crate::record::{StoredDelivery, StoredSecret, StoredWebhook, read, written};
use crate::send::{self, Letter, Sender};
use crate::{Error, Options, courier, deliver, event, sign};

/// There may be so many subscriptions.
const MOST: usize = 1_000;
const LONGEST_URL: usize = 2_000;
/// How much of the shelf is read or changed at a time.
pub(crate) const PAGE: u32 = 1_000;
/// How long a secret that was replaced signs too.
const BOTH_SIGN: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);

/// What webhooks work with.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Where subscriptions, deliveries and finished messages are. It must keep the order of the
    /// endings.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub dice: Arc<dyn Dice>,
    /// Where events come from, and facts are told.
    pub telemetry: Arc<Telemetry>,
}

/// The subscriptions, and what sends events to them.
#[derive(Debug, Clone)]
pub struct Book(Arc<Desk>);

/// What the book and the deliverer share.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) parts: Parts,
    pub(crate) options: Options,
    pub(crate) sender: Sender,
    /// How each subscription goes, as the deliverer knows it.
    figures: Mutex<BTreeMap<u64, Figures>>,
    /// Deliveries that are to be tried anew, with their subscriptions.
    replayed: Mutex<Vec<(u64, u64)>>,
    /// Says to the deliverer that something has changed.
    pub(crate) nudge: Notify,
}

impl Book {
    /// Opens the book. Nothing is sent until [`Book::run`].
    ///
    /// # Errors
    /// [`Error`] when the certificates cannot be used.
    pub fn new(parts: Parts, options: Options) -> Result<Self, Error> {
        let roots = match &options.ca_file {
            None => None,
            Some(path) => {
                let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
                Some(read.map_err(|error| Error::Certificates(error.to_string()))?)
            }
        };
        let sender = Sender::new(options.allowed_networks.clone(), options.timeout, roots);
        Ok(Self(Arc::new(Desk {
            parts,
            sender: sender.map_err(Error::Certificates)?,
            options,
            figures: Mutex::default(),
            replayed: Mutex::default(),
            nudge: Notify::new(),
        })))
    }

    /// Sends events until the token is cancelled. What is under way then is sent again after the
    /// next start.
    pub async fn run(self, token: CancellationToken) {
        deliver::run(self.0, token).await;
    }
}

impl Desk {
    pub(crate) fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    /// How messages ended.
    pub(crate) fn endings(&self) -> Result<&dyn Endings, zajil_store::Error> {
        let none = || zajil_store::Error::Conflict("this store keeps no order of endings".into());
        self.parts.store.endings().ok_or_else(none)
    }

    async fn last_ending(&self) -> Result<u64, zajil_store::Error> {
        Ok(self.endings()?.finished_last().await?.0)
    }

    pub(crate) fn show_figures(&self, figures: BTreeMap<u64, Figures>) {
        *lock(&self.figures) = figures;
    }

    pub(crate) fn take_replayed(&self) -> Vec<(u64, u64)> {
        std::mem::take(&mut *lock(&self.replayed))
    }

    /// Every record of a kind, a page at a time.
    pub(crate) async fn each(
        &self,
        kind: Kind,
        mut take: impl FnMut(Record),
    ) -> Result<(), zajil_store::Error> {
        let mut after = 0;
        loop {
            let page = Page {
                kind,
                from: Start::After(after),
                offset: 0,
                limit: PAGE,
            };
            let records = self.parts.store.shelf(page).await?;
            let Some(last) = records.last() else {
                return Ok(());
            };
            after = last.id;
            records.into_iter().for_each(&mut take);
        }
    }

    async fn record(&self, id: u64) -> Result<(Record, StoredWebhook), Refusal> {
        let found = self.parts.store.shelf_record(Kind::Webhook, id).await;
        let record = found.map_err(failed)?.ok_or_else(|| unknown(id))?;
        let stored = read(&record).map_err(failed)?;
        Ok((record, stored))
    }

    fn shown(&self, record: &Record, stored: &StoredWebhook) -> Webhook {
        Webhook {
            id: record.id,
            terms: stored.terms(),
            inserted_at: record.added_at,
            updated_at: record.written_at,
            figures: lock(&self.figures)
                .get(&record.id)
                .cloned()
                .unwrap_or_default(),
        }
    }

    async fn list(&self) -> Result<Vec<Webhook>, Refusal> {
        let mut records = Vec::new();
        let each = self.each(Kind::Webhook, |record| records.push(record));
        each.await.map_err(failed)?;
        let shown = |record: Record| {
            let stored = read(&record).map_err(failed)?;
            Ok(self.shown(&record, &stored))
        };
        records.into_iter().map(shown).collect()
    }

    async fn create(&self, terms: Terms) -> Result<(Webhook, Secret), Refusal> {
        self.check(&terms)?;
        let mut count = 0;
        let counted = self.each(Kind::Webhook, |_| count += 1);
        counted.await.map_err(failed)?;
        if count >= MOST {
            let detail = format!("there are {MOST} subscriptions, and no more can be made");
            return Err(Refusal::new(Reason::Conflict, detail));
        }
        let secret = sign::secret().ok_or_else(no_chance)?;
        let since = self.last_ending().await.map_err(failed)?;
        let secrets = vec![StoredSecret {
            key: secret.0.clone(),
            until: None,
        }];
        let stored = StoredWebhook::new(terms, since, secrets);
        let add = shelf::Change::Add {
            kind: Kind::Webhook,
            name: None,
            body: written(&stored),
        };
        let record = self.write(add).await?;
        Ok((self.shown(&record, &stored), secret))
    }

    async fn change(&self, id: u64, change: Change) -> Result<Webhook, Refusal> {
        let (record, stored) = self.record(id).await?;
        let terms = stored.terms().after(change);
        self.check(&terms)?;
        // What ended while it did not want to hear of it is never sent.
        let wanted = courier::wants_endings(&stored.terms());
        let since = match courier::wants_endings(&terms) && !wanted {
            true => self.last_ending().await.map_err(failed)?,
            false => stored.since,
        };
        let stored = StoredWebhook::new(terms, since, stored.secrets);
        let record = self.write(set(&record, &stored)).await?;
        Ok(self.shown(&record, &stored))
    }

    /// Where nodes share a store only endings are told: they are in the store, in an order. What
    /// else happens is known to the node where it happens, and not to the one that tells.
    fn check(&self, terms: &Terms) -> Result<(), Refusal> {
        check(terms)?;
        let shared = self.endings().is_ok_and(Endings::is_shared);
        match terms.events.iter().find(|name| !courier::is_ending(name)) {
            Some(name) if shared => {
                let rule = "must be how messages end where nodes share a store";
                Err(Refusal::field("events", format!("{rule}, not '{name}'")))
            }
            _ => Ok(()),
        }
    }

    async fn rotate(&self, id: u64) -> Result<(Webhook, Secret), Refusal> {
        let (record, mut stored) = self.record(id).await?;
        let secret = sign::secret().ok_or_else(no_chance)?;
        let now = self.now();
        let until = Some(now.plus(BOTH_SIGN).millis());
        // One former secret at the most, so that a header stays short.
        stored.secrets.truncate(1);
        for former in &mut stored.secrets {
            former.until = until;
        }
        let key = secret.0.clone();
        stored.secrets.insert(0, StoredSecret { key, until: None });
        let record = self.write(set(&record, &stored)).await?;
        Ok((self.shown(&record, &stored), secret))
    }

    async fn remove(&self, id: u64) -> Result<(), Refusal> {
        let (record, _) = self.record(id).await?;
        self.write(shelf::Change::Remove {
            kind: Kind::Webhook,
            id: record.id,
            base: None,
        })
        .await?;
        // A crash in between leaves deliveries of nobody: they are removed at the next start.
        let mut orphans = Vec::new();
        let each = self.each_delivery(|delivery, stored| {
            if stored.webhook == id {
                orphans.push(delivery);
            }
        });
        each.await?;
        for some in orphans.chunks(PAGE as usize) {
            let remove = some.iter().map(|id| shelf::Change::Remove {
                kind: Kind::WebhookDelivery,
                id: *id,
                base: None,
            });
            let removed = self
                .parts
                .store
                .change_shelf(remove.collect(), self.now())
                .await;
            match removed {
                // The deliverer may have been faster.
                Ok(_) | Err(zajil_store::Error::NotFound) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(())
    }

    async fn ping(&self, id: u64) -> Result<Pinged, Refusal> {
        let (_, stored) = self.record(id).await?;
        let letter = letter(&stored, &event::test(id, self.now()), self.now())?;
        let watch = Stopwatch::start();
        let (status, error) = match self.sender.post(letter).await {
            Ok(status) => (Some(status), None),
            Err(failed) => (failed.status, Some(failed.why)),
        };
        Ok(Pinged {
            status,
            error,
            took_ms: u64::try_from(watch.elapsed().as_millis()).unwrap_or(u64::MAX),
        })
    }

    /// Every delivery on the shelf.
    async fn each_delivery(
        &self,
        mut take: impl FnMut(u64, StoredDelivery),
    ) -> Result<(), Refusal> {
        let each = self.each(Kind::WebhookDelivery, |record| {
            if record.name.is_none()
                && let Ok(stored) = read(&record)
            {
                take(record.id, stored);
            }
        });
        each.await.map_err(failed)
    }

    async fn dead(&self, id: u64, before: Option<u64>, limit: u32) -> Result<Vec<Dead>, Refusal> {
        self.record(id).await?;
        let (limit, mut found) = (limit as usize, Vec::new());
        let mut from = before.map_or(Start::Newest, Start::Before);
        loop {
            let page = Page {
                kind: Kind::WebhookDelivery,
                from,
                offset: 0,
                limit: PAGE,
            };
            let records = self.parts.store.shelf(page).await.map_err(failed)?;
            let Some(last) = records.last() else {
                return Ok(found);
            };
            from = Start::Before(last.id);
            for record in records.iter().filter(|record| record.name.is_none()) {
                let stored: StoredDelivery = read(record).map_err(failed)?;
                if stored.dead && stored.webhook == id {
                    found.push(dead(record.id, stored));
                    if found.len() >= limit {
                        return Ok(found);
                    }
                }
            }
        }
    }

    /// A page at a time, so that a long outage does not come to lie in memory.
    async fn replay(&self, id: u64, chosen: Option<Vec<u64>>) -> Result<u64, Refusal> {
        self.record(id).await?;
        let chosen: Option<BTreeSet<u64>> = chosen.map(|chosen| chosen.into_iter().collect());
        let is_chosen = |delivery| chosen.as_ref().is_none_or(|set| set.contains(&delivery));
        let (mut from, mut count) = (0, 0);
        loop {
            let page = Page {
                kind: Kind::WebhookDelivery,
                from: Start::After(from),
                offset: 0,
                limit: PAGE,
            };
            let records = self.parts.store.shelf(page).await.map_err(failed)?;
            let Some(last) = records.last() else {
                self.nudge.notify_one();
                return Ok(count);
            };
            from = last.id;
            let mut again = Vec::new();
            for record in records.iter().filter(|record| record.name.is_none()) {
                let stored: StoredDelivery = read(record).map_err(failed)?;
                if stored.dead && stored.webhook == id && is_chosen(record.id) {
                    again.push((record.id, stored));
                }
            }
            count += again.len() as u64;
            self.try_anew(id, again).await?;
        }
    }

    async fn try_anew(&self, id: u64, some: Vec<(u64, StoredDelivery)>) -> Result<(), Refusal> {
        if some.is_empty() {
            return Ok(());
        }
        let now = self.now();
        let told: Vec<_> = some.iter().map(|(delivery, _)| (id, *delivery)).collect();
        let changes = some
            .into_iter()
            .map(|(delivery, stored)| shelf::Change::Set {
                kind: Kind::WebhookDelivery,
                id: delivery,
                base: None,
                body: written(&stored.anew(now)),
            });
        let changed = self.parts.store.change_shelf(changes.collect(), now).await;
        changed.map_err(failed)?;
        lock(&self.replayed).extend(told);
        Ok(())
    }

    async fn write(&self, change: shelf::Change) -> Result<Record, Refusal> {
        let written = self
            .parts
            .store
            .change_shelf(vec![change], self.now())
            .await;
        let record = written.map_err(failed)?.pop();
        self.nudge.notify_one();
        record.ok_or_else(|| Refusal::new(Reason::Internal, "internal error"))
    }
}

impl Webhooks for Book {
    fn list(&self) -> Answer<'_, Vec<Webhook>> {
        Box::pin(self.0.list())
    }

    fn show(&self, id: u64) -> Answer<'_, Webhook> {
        Box::pin(async move {
            let (record, stored) = self.0.record(id).await?;
            Ok(self.0.shown(&record, &stored))
        })
    }

    fn create(&self, terms: Terms) -> Answer<'_, (Webhook, Secret)> {
        Box::pin(self.0.create(terms))
    }

    fn change(&self, id: u64, change: Change) -> Answer<'_, Webhook> {
        Box::pin(self.0.change(id, change))
    }

    fn remove(&self, id: u64) -> Answer<'_, ()> {
        Box::pin(self.0.remove(id))
    }

    fn rotate(&self, id: u64) -> Answer<'_, (Webhook, Secret)> {
        Box::pin(self.0.rotate(id))
    }

    fn ping(&self, id: u64) -> Answer<'_, Pinged> {
        Box::pin(self.0.ping(id))
    }

    fn dead(&self, id: u64, before: Option<u64>, limit: u32) -> Answer<'_, Vec<Dead>> {
        Box::pin(self.0.dead(id, before, limit))
    }

    fn replay(&self, id: u64, deliveries: Option<Vec<u64>>) -> Answer<'_, u64> {
        Box::pin(self.0.replay(id, deliveries))
    }
}

/// An event for a receiver, signed.
pub(crate) fn letter(
    stored: &StoredWebhook,
    told: &event::Told,
    now: Timestamp,
) -> Result<Letter, Refusal> {
    let secrets = stored.secrets(now);
    let secrets: Vec<&Secret> = secrets.iter().collect();
    let signature = sign::header(&secrets, &told.webhook_id, now, told.body.as_bytes());
    Ok(Letter {
        url: url(&stored.url)?,
        id: told.webhook_id.clone(),
        timestamp: now.secs(),
        signature,
        body: told.body.clone().into(),
    })
}

fn dead(id: u64, stored: StoredDelivery) -> Dead {
    Dead {
        id,
        webhook_id: stored.webhook_id,
        event: stored.event,
        message_id: stored.message_id,
        attempts: stored.attempts,
        born: Timestamp::from_millis(stored.born),
        last_error: stored.last_error,
    }
}

fn set(record: &Record, stored: &StoredWebhook) -> shelf::Change {
    shelf::Change::Set {
        kind: Kind::Webhook,
        id: record.id,
        base: Some(record.revision),
        body: written(stored),
    }
}

fn check(terms: &Terms) -> Result<(), Refusal> {
    url(&terms.url)?;
    if terms.events.is_empty() {
        return Err(Refusal::field("events", "must name at least one event"));
    }
    for event in &terms.events {
        if !NAMES.contains(&event.as_str()) {
            let names = NAMES.join(", ");
            let rule = format!("must be names of events ({names}), not '{event}'");
            return Err(Refusal::field("events", rule));
        }
    }
    Ok(())
}

/// A URL that can be posted to. Where it leads is checked at every connection.
fn url(text: &str) -> Result<Uri, Refusal> {
    const RULE: &str = "must be a URL such as https://example.com/zajil, without user or fragment";
    let wrong = || Refusal::field("url", RULE);
    if text.len() > LONGEST_URL || text.contains('#') {
        return Err(wrong());
    }
    let url: Uri = text.parse().map_err(|_| wrong())?;
    let scheme = matches!(url.scheme_str(), Some("http" | "https"));
    let user = url
        .authority()
        .is_some_and(|authority| authority.as_str().contains('@'));
    if !scheme || user || send::host(&url).is_none() {
        return Err(wrong());
    }
    Ok(url)
}

fn unknown(id: u64) -> Refusal {
    Refusal::new(Reason::NotFound, format!("webhook {id} not found"))
}

fn no_chance() -> Refusal {
    tracing::error!("the system gives no random octets");
    Refusal::new(Reason::Internal, "internal error")
}

fn failed(error: zajil_store::Error) -> Refusal {
    let refusal = error.refusal();
    if !matches!(refusal.reason, Reason::Conflict | Reason::NotFound) {
        tracing::warn!(%error, "a subscription cannot be read or written");
    }
    refusal
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

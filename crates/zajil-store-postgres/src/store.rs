//! The contract's methods, each one job for a writer or a reader.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio_postgres::Row;
use zajil_core::cdr::Cdr;
use zajil_core::clock::Timestamp;
use zajil_core::event::{Event, Scene};
use zajil_core::frontend::{FrontendName, FrontendStats, Presence, Registration};
use zajil_core::id::MessageId;
use zajil_core::lifecycle::{Edit, Report};
use zajil_core::location::{Location, Sighting};
use zajil_core::message::Message;
use zajil_core::offer::Asker;
use zajil_core::policy::Policy;
use zajil_core::port::{Routing, RoutingChange};
use zajil_core::queue::{Depth, Home};
use zajil_store::contract::{
    Draft, Endings, Figures, Filter, Located, NotDone, OfferAsk, OutboxSeq, Outcome, Placed,
    Purged, Refund, Reported, Retention,
};
use zajil_store::{Error, Reply, Store, record};
use zajil_telemetry::{Fact, HandedFact};

use crate::accept::{Accept, Prepared};
use crate::conn::{Step, bind};
use crate::error::Done;
use crate::hot::Hot;
use crate::lane::{Delta, Tx};
use crate::lease::{self, Lease};
use crate::location::Others;
use crate::open::PostgresStore;
use crate::report::{self, Reports, What};
use crate::row::{damaged, message, messages, newest, stored};
use crate::run::in_run;
use crate::tables::{self, only, records};
use crate::{location, look, sweep, turn};

/// How many locations an offer tidies up on its way.
const LOCATIONS_AT_ONCE: u32 = 1_000;

/// A closure for a chore: the inputs are shared by its repetitions.
macro_rules! chore {
    ($store:ident . $method:ident, $input:expr, |$tx:ident, $given:ident| $work:expr) => {{
        let input = Arc::new($input);
        $store.$method(move |$tx| {
            let $given = Arc::clone(&input);
            Box::pin(async move { $work.await })
        })
    }};
}

fn first<T>(rows: &[Row], read: impl Fn(&Row) -> Done<T>) -> Done<Option<T>> {
    rows.first().map(read).transpose()
}

impl Store for PostgresStore {
    fn highest_id(&self) -> Reply<'_, Option<MessageId>> {
        let read = |rows: &[Row]| Ok(MessageId::new(only(rows)?).ok());
        Box::pin(self.quick.read(|| Step::bare(look::HIGHEST), read))
    }

    fn reserve_ids(&self, up_to: MessageId) -> Reply<'_, ()> {
        const RESERVE: &str = "INSERT INTO meta AS m VALUES ('highest', $1) ON CONFLICT (name) \
             DO UPDATE SET value = greatest(m.value, excluded.value)";
        Box::pin(self.chore(move |tx| {
            Box::pin(async move {
                let step = Step::new(RESERVE, bind![up_to.as_i64()]);
                tx.ask(step).await.map(drop)
            })
        }))
    }

    fn accept(&self, drafts: Vec<Draft>, now: Timestamp) -> Reply<'_, Vec<Placed>> {
        let drafts: Vec<Prepared> = drafts.into_iter().map(Prepared::new).collect();
        Box::pin(self.ask(move |ticket| {
            Hot::Accept(Accept {
                drafts,
                now,
                ticket,
            })
        }))
    }

    fn forget_key(&self, key: [u8; 32], id: MessageId) -> Reply<'_, ()> {
        const FORGET: &str = "DELETE FROM dedupe WHERE key = $1 AND message_id = $2";
        Box::pin(self.chore(move |tx| {
            Box::pin(async move {
                let step = Step::new(FORGET, bind![key.to_vec(), id.as_i64()]);
                tx.ask(step).await.map(drop)
            })
        }))
    }

    fn offer(&self, ask: OfferAsk) -> Reply<'_, Vec<Message>> {
        Box::pin(async move {
            self.tidy(ask.now).await?;
            self.quick.read(move || lease::offer(&ask), messages).await
        })
    }

    fn lease(&self, ask: OfferAsk, until: Timestamp) -> Reply<'_, Vec<Message>> {
        Box::pin(async move {
            self.tidy(ask.now).await?;
            let lease = |ticket| Hot::Lease(Lease { ask, until, ticket });
            let leased = self.ask(lease).await?;
            self.common.held.keep(&leased);
            if let Some(telemetry) = &self.common.telemetry {
                for id in leased.returned {
                    telemetry.record(&Fact::Handed(HandedFact::LeaseReturned { id }));
                }
            }
            Ok(leased.messages)
        })
    }

    fn next_due(&self, asker: Asker, now: Timestamp) -> Reply<'_, Option<Timestamp>> {
        Box::pin(async move {
            self.tidy(now).await?;
            let read = |rows: &[Row]| first(rows, |row| Ok(row.try_get::<_, Option<i64>>(0)?));
            let key = (asker.name.as_str(), asker.include_unrouted);
            let from = self.common.fronts.start(key).far;
            // A millisecond later all is looked at.
            let look = self.common.fronts.next_look(key);
            let look = look.map(|wait| now.plus(wait).plus(Duration::from_millis(1)));
            let due = self.quick.read(move || lease::next_due(&asker, from), read);
            let due = due.await?.flatten().map(Timestamp::from_millis);
            Ok(due.into_iter().chain(look).min())
        })
    }

    fn report(&self, reports: Vec<(MessageId, Report)>, scene: Scene) -> Reply<'_, Vec<Outcome>> {
        let reports = reports.into_iter();
        let all: Vec<_> = reports
            .map(|(id, report)| (id, What::Report(report)))
            .collect();
        let held = self.common.held.take(&all);
        Box::pin(self.ask(move |ticket| {
            Hot::Report(Reports {
                all,
                scene,
                held,
                ticket,
            })
        }))
    }

    fn edit(&self, id: MessageId, edit: Edit, scene: Scene) -> Reply<'_, Outcome> {
        Box::pin(self.one(id, What::Edit(edit), scene))
    }

    fn remove(&self, id: MessageId, scene: Scene) -> Reply<'_, Result<(), NotDone>> {
        Box::pin(async move {
            let removed = self.one(id, What::Remove, scene).await?;
            Ok(removed.map(drop))
        })
    }

    fn message(&self, id: MessageId) -> Reply<'_, Option<Message>> {
        let read = |rows: &[Row]| first(rows, message);
        Box::pin(self.quick.read(move || look::one(id), read))
    }

    fn messages(&self, filter: Filter) -> Reply<'_, Vec<Message>> {
        Box::pin(self.slow.read(move || look::list(&filter), messages))
    }

    fn parts(&self, id: MessageId) -> Reply<'_, Vec<Message>> {
        Box::pin(self.quick.read(move || look::parts(id), messages))
    }

    fn events(&self, id: MessageId) -> Reply<'_, Vec<Event>> {
        Box::pin(self.quick.read(move || look::log(id), look::events))
    }

    fn add_event(&self, id: MessageId, event: Event) -> Reply<'_, bool> {
        Box::pin(chore!(self.chore, event, |tx, event| log_if_known(
            tx, id, &event
        )))
    }

    fn sweep(&self, scene: Scene, limit: u32) -> Reply<'_, Vec<Reported>> {
        Box::pin(async move {
            let mut told = self.overdue((scene.clone(), Vec::new()), limit).await?;
            let more = limit.saturating_sub(u32::try_from(told.len()).unwrap_or(limit));
            match self.list_near(scene.now).await {
                // Of a turn that nobody listed in time, as after a database was away.
                Ok(true) if more > 0 => {
                    let but = told.iter().map(|told| told.message.id.as_i64()).collect();
                    told.extend(self.overdue((scene, but), more).await?);
                }
                Ok(_) => {}
                // What was told is told; a shorter stretch comes next.
                Err(error) => tracing::warn!(%error, "turns that come near were not looked for"),
            }
            Ok(told)
        })
    }

    fn purge(&self, keep: Retention, now: Timestamp, limit: u32) -> Reply<'_, Purged> {
        Box::pin(async move {
            let purge = chore!(self.long_chore, keep, |tx, keep| sweep::purge(
                tx, &keep, now, limit
            ));
            let purged = purge.await?;
            if purged == Purged::default() {
                self.make_days(now).await?;
                self.drop_days(keep, now).await?;
                self.contract().await?;
            }
            Ok(purged)
        })
    }

    fn expire_locations(&self, now: Timestamp, limit: u32) -> Reply<'_, u64> {
        Box::pin(async move {
            let expire =
                self.long_chore(move |tx| Box::pin(location::expire(tx, now, limit, Others::Skip)));
            let handled = expire.await?;
            if handled < u64::from(limit) {
                self.find_first_end().await?;
            }
            Ok(handled)
        })
    }

    fn register(&self, registration: Registration, now: Timestamp) -> Reply<'_, (Presence, bool)> {
        Box::pin(chore!(self.chore, registration, |tx, it| tables::register(
            tx, &it, now
        )))
    }

    fn frontends(&self) -> Reply<'_, Vec<Presence>> {
        let read = |rows: &[Row]| records(rows, record::decode_presence);
        Box::pin(self.quick.read(|| Step::bare(tables::FRONTENDS), read))
    }

    fn frontend(&self, id: u64) -> Reply<'_, Option<Presence>> {
        const SQL: &str = "SELECT record FROM frontend WHERE id = $1";
        let read = |rows: &[Row]| tables::record(rows, record::decode_presence);
        Box::pin(self.quick.read(move || look::by_id(SQL, id), read))
    }

    fn frontend_history(&self, name: FrontendName) -> Reply<'_, Vec<Presence>> {
        let read = |rows: &[Row]| records(rows, record::decode_presence);
        let step = move || Step::new(tables::HISTORY, bind![name.as_str().to_owned()]);
        Box::pin(self.quick.read(step, read))
    }

    fn frontend_stats(&self, now: Timestamp) -> Reply<'_, FrontendStats> {
        let step = move || Step::new(tables::STATS, bind![now.millis()]);
        Box::pin(self.quick.read(step, tables::stats))
    }

    fn policies(&self) -> Reply<'_, Vec<Policy>> {
        const SQL: &str = "SELECT record FROM policy ORDER BY frontend COLLATE \"C\"";
        let read = |rows: &[Row]| records(rows, record::decode_policy);
        Box::pin(self.quick.read(|| Step::bare(SQL), read))
    }

    fn set_policy(&self, policy: Policy) -> Reply<'_, ()> {
        Box::pin(chore!(self.chore, policy, |tx, policy| tables::set_policy(
            tx, &policy
        )))
    }

    fn expire_frontends(&self, now: Timestamp) -> Reply<'_, Vec<Presence>> {
        Box::pin(self.long_chore(move |tx| Box::pin(tables::expire_frontends(tx, now))))
    }

    fn locate(&self, id: Option<u64>, sighting: Sighting, now: Timestamp) -> Reply<'_, Located> {
        Box::pin(async move {
            let locate = chore!(self.chore, sighting, |tx, it| location::locate(
                tx, id, &it, now
            ));
            let (located, until) = locate.await?;
            if let Some(until) = until {
                self.note_end(until);
            }
            Ok(located)
        })
    }

    fn forget_location(&self, id: u64, now: Timestamp) -> Reply<'_, bool> {
        Box::pin(self.chore(move |tx| Box::pin(location::forget(tx, id, now))))
    }

    fn location(&self, id: u64) -> Reply<'_, Option<Location>> {
        const SQL: &str = "SELECT record FROM location WHERE id = $1";
        let read = |rows: &[Row]| tables::record(rows, record::decode_location);
        Box::pin(self.quick.read(move || look::by_id(SQL, id), read))
    }

    fn location_of(&self, number: String) -> Reply<'_, Option<Location>> {
        let read = |rows: &[Row]| tables::record(rows, record::decode_location);
        Box::pin(self.quick.read(move || look::location_of(&number), read))
    }

    fn locations(&self, limit: u32, offset: u32) -> Reply<'_, Vec<Location>> {
        const SQL: &str = "SELECT record FROM location ORDER BY id LIMIT $1 OFFSET $2";
        let step = move || Step::new(SQL, bind![i64::from(limit), i64::from(offset)]);
        let read = |rows: &[Row]| records(rows, record::decode_location);
        Box::pin(self.slow.read(step, read))
    }

    fn routing(&self) -> Reply<'_, Routing> {
        Box::pin(
            self.slow
                .read(|| Step::bare(tables::ROUTING), tables::routing),
        )
    }

    fn routing_version(&self) -> Reply<'_, u64> {
        Box::pin(self.quick.read(|| Step::bare(tables::VERSION), only))
    }

    fn change_routing(
        &self,
        change: RoutingChange,
        base: Option<u64>,
    ) -> Reply<'_, (u64, Option<u64>)> {
        Box::pin(async move {
            use RoutingChange::{ImportRoutes, ImportRules};
            if matches!(change, ImportRoutes { .. } | ImportRules { .. }) {
                let change = chore!(self.long_chore, change, |tx, it| {
                    tables::change_routing(tx, &it, base)
                });
                return change.await;
            }
            chore!(self.chore, change, |tx, it| {
                tables::change_routing(tx, &it, base)
            })
            .await
        })
    }

    fn outbox(&self, limit: u32) -> Reply<'_, Vec<(OutboxSeq, Cdr)>> {
        Box::pin(async move {
            // The rows of one entry must not be on their way from two nodes at once.
            if !self.has_duty("outbox").await? {
                return Ok(Vec::new());
            }
            let entries = self.slow.read(move || look::outbox(limit), look::entries);
            let entries = entries.await?;
            let mut known = self
                .handed_out
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            known.extend(entries.iter().map(|(seq, _)| seq.0));
            Ok(entries)
        })
    }

    fn endings(&self) -> Option<&dyn Endings> {
        Some(self)
    }

    fn outbox_done(&self, last: OutboxSeq) -> Reply<'_, ()> {
        Box::pin(async move {
            let done: Vec<i64> = {
                let known = self
                    .handed_out
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                known.range(..=last.0).map(|seq| stored(*seq)).collect()
            };
            chore!(self.chore, done, |tx, done| forget_entries(tx, &done)).await?;
            let mut known = self
                .handed_out
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            known.retain(|seq| *seq > last.0);
            Ok(())
        })
    }

    fn refunds(&self, now: Timestamp, limit: u32) -> Reply<'_, Vec<Refund>> {
        let step = move || look::refunds(now, limit);
        Box::pin(self.quick.read(step, look::read_refunds))
    }

    fn begin_refund(&self, id: MessageId, now: Timestamp) -> Reply<'_, bool> {
        const BEGIN: &str =
            "UPDATE refund SET begun = $2 WHERE id = $1 AND begun IS NULL RETURNING id";
        Box::pin(self.chore(move |tx| {
            Box::pin(async move {
                let step = Step::new(BEGIN, bind![id.as_i64(), now.millis()]);
                Ok(!tx.ask(step).await?.is_empty())
            })
        }))
    }

    fn refund_done(&self, id: MessageId, event: Option<Event>) -> Reply<'_, ()> {
        Box::pin(chore!(self.chore, event, |tx, event| refund_done(
            tx,
            id,
            event.as_ref().as_ref()
        )))
    }

    fn postpone_refund(&self, id: MessageId, until: Timestamp) -> Reply<'_, ()> {
        const LATER: &str = "UPDATE refund SET begun = NULL, next_try = $2 WHERE id = $1";
        Box::pin(self.chore(move |tx| {
            Box::pin(async move {
                let step = Step::new(LATER, bind![id.as_i64(), until.millis()]);
                tx.ask(step).await.map(drop)
            })
        }))
    }

    fn figures(&self) -> Reply<'_, Figures> {
        Box::pin(self.quick.read(|| Step::bare(look::FIGURES), look::figures))
    }

    fn depths(&self, now: Timestamp) -> Reply<'_, BTreeMap<Home, Depth>> {
        Box::pin(self.slow.read(move || look::depths(now), look::read_depths))
    }

    fn close(&self) -> Reply<'_, ()> {
        Box::pin(async move {
            if !self.is_closed() {
                if let Err(error) = zajil_store::Cluster::leave(self).await {
                    tracing::warn!(%error, "this node's place ends by itself");
                }
                self.stop().await;
            }
            Ok(())
        })
    }
}

impl PostgresStore {
    /// A location that has just run out must not offer, and its messages are unrouted.
    /// A caller waits for it, so it does not stand behind sweeps.
    async fn tidy(&self, now: Timestamp) -> Result<(), Error> {
        if self.location_over(now) {
            let most = LOCATIONS_AT_ONCE;
            let expire =
                self.chore(move |tx| Box::pin(location::expire(tx, now, most, Others::Await)));
            if expire.await? < u64::from(most) {
                self.find_first_end().await?;
            }
        }
        Ok(())
    }

    /// One change in a transaction of its own.
    async fn one(&self, id: MessageId, what: What, scene: Scene) -> Result<Outcome, Error> {
        let input = (vec![(id, what)], scene);
        let done = chore!(self.chore, input, |tx, it| report::all(tx, &it.0, &it.1));
        let outcome = done.await?.pop();
        outcome.ok_or_else(|| damaged("no outcome of a change".into()))
    }

    /// Whether a duty that one node has at a time is this process's: it is taken for 15 s.
    pub(crate) async fn has_duty(&self, duty: &'static str) -> Result<bool, Error> {
        const TAKE: &str = "INSERT INTO duty AS d VALUES ($2, $1, \
             (extract(epoch FROM clock_timestamp()) * 1000)::bigint + 15000) \
             ON CONFLICT (name) DO UPDATE SET session = excluded.session, until = excluded.until \
             WHERE d.session = excluded.session OR d.until <= excluded.until - 15000 \
             RETURNING name";
        let session = self.session;
        let step = move || Step::new(TAKE, bind![session, duty]);
        self.quick.read(step, |rows| Ok(!rows.is_empty())).await
    }

    async fn overdue(&self, given: (Scene, Vec<i64>), limit: u32) -> Result<Vec<Reported>, Error> {
        chore!(self.long_chore, given, |tx, given| sweep::overdue(
            tx, &given, limit
        ))
        .await
    }

    /// Lists turns that come near by the index, if this node does: a stretch, a second after the
    /// last at the earliest. Whether one was listed that has come already.
    async fn list_near(&self, now: Timestamp) -> Result<bool, Error> {
        if !self.walk.is_time(now) {
            return Ok(false);
        }
        if self.walk.asks(now) {
            let has = self.has_duty(turn::DUTY).await?;
            self.walk.set_duty(has, now);
        }
        let Some(stretch) = self.walk.next(now) else {
            return Ok(false);
        };
        let walk = self.long_chore(move |tx| Box::pin(stretch.walk(tx)));
        let seen = walk.await.inspect_err(|_| self.walk.failed())?;
        self.walk.walked(stretch, seen);
        Ok(seen.come)
    }

    /// Makes the days ahead, so that no submit has to wait for its own.
    async fn make_days(&self, now: Timestamp) -> Result<(), Error> {
        let make = self.long_chore(move |tx| Box::pin(sweep::make_days(tx, now)));
        match make.await {
            // Somebody makes or drops one just now: the next sweep tries again.
            Err(Error::Busy) => Ok(()),
            done => done,
        }
    }

    async fn drop_days(&self, keep: Retention, now: Timestamp) -> Result<(), Error> {
        loop {
            let drop = chore!(self.long_chore, keep, |tx, keep| sweep::drop_day(
                tx, &keep, now
            ));
            match drop.await {
                Ok(true) => {}
                // A reader holds it up: the next sweep tries again.
                Ok(false) | Err(Error::Busy) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}

/// Adds a line to a log that is there. `false` when there is none.
pub(crate) async fn log_if_known(tx: &Tx<'_>, id: MessageId, event: &Event) -> Done<bool> {
    const NEWER: &str = "UPDATE log SET newest = greatest(newest, $2) WHERE id = $1";
    const LOG: &str = concat!(
        "INSERT INTO event SELECT $1, nextval('event_n'), $2, $3 \
         WHERE EXISTS (SELECT 1 FROM q WHERE id = $1) \
         OR EXISTS (SELECT 1 FROM fin WHERE id = $1) OR ",
        in_run!("$1"),
        " OR EXISTS (SELECT 1 FROM log WHERE id = $1) RETURNING n"
    );
    let events = std::slice::from_ref(event);
    let at = newest(events);
    let values = bind![id.as_i64(), at, record::encode_events(events)];
    let added = tx.ask(Step::new(LOG, values)).await?;
    tx.ask(Step::new(NEWER, bind![id.as_i64(), at])).await?;
    Ok(!added.is_empty())
}

/// Forgets a refund, and logs what became of it.
async fn refund_done(tx: &Tx<'_>, id: MessageId, event: Option<&Event>) -> Done<()> {
    const FORGET: &str = "DELETE FROM refund WHERE id = $1 RETURNING id";
    let gone = tx.ask(Step::new(FORGET, bind![id.as_i64()])).await?;
    if let (false, Some(event)) = (gone.is_empty(), event) {
        log_if_known(tx, id, event).await?;
    }
    Ok(())
}

async fn forget_entries(tx: &Tx<'_>, done: &[i64]) -> Done<()> {
    const FORGET: &str = "WITH gone AS (DELETE FROM outbox WHERE seq = ANY ($1) RETURNING 1) \
         SELECT count(*) FROM gone";
    let gone = only(&tx.ask(Step::new(FORGET, bind![done.to_vec()])).await?)?;
    tx.count(Delta {
        outbox: -stored(gone),
        ..Delta::default()
    });
    Ok(())
}

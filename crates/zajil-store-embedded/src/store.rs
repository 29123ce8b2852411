//! The contract's methods, each one job for the writer or a reader.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use rusqlite::{Connection, OptionalExtension as _, params};
use zajil_core::cdr::{self, Cdr};
use zajil_core::clock::Timestamp;
use zajil_core::event::{Event, Scene};
use zajil_core::frontend::{FrontendName, FrontendStats, Presence, Registration};
use zajil_core::id::MessageId;
use zajil_core::lifecycle::{Edit, Report};
use zajil_core::location::{Location, Sighting};
use zajil_core::message::Message;
use zajil_core::number::key;
use zajil_core::offer::Asker;
use zajil_core::policy::Policy;
use zajil_core::port::{Routing, RoutingChange};
use zajil_core::queue::{Depth, Home};
use zajil_store::contract::{
    Draft, Endings, Figures, Filter, Located, NotDone, OfferAsk, OutboxSeq, Outcome, Placed,
    Purged, Refund, Reported, Retention,
};
use zajil_store::{Error, Reply, Store};
use zajil_telemetry::{Fact, HandedFact};

use crate::accept::{self, Prepared};
use crate::depth::{self, Scan};
use crate::error::Done;
use crate::open::EmbeddedStore;
use crate::row::{EITHER, MSG, either, find, location_of, message_id};
use crate::writer::Tx;
use crate::{list, offer, parts, refund, report, sweep, tables};

impl Store for EmbeddedStore {
    fn highest_id(&self) -> Reply<'_, Option<MessageId>> {
        Box::pin(self.readers.run(|db| {
            let sql = "SELECT max((SELECT coalesce(max(id), 0) FROM msg), \
                              (SELECT coalesce(max(message_id), 0) FROM log), \
                              coalesce((SELECT value FROM meta WHERE name = 'highest'), 0))";
            let highest: i64 = db.query_row(sql, [], |row| row.get(0))?;
            Ok(message_id(highest).ok())
        }))
    }

    fn reserve_ids(&self, up_to: MessageId) -> Reply<'_, ()> {
        Box::pin(self.writer.run(move |tx| {
            tx.db
                .prepare_cached(
                    "INSERT INTO meta VALUES ('highest', ?1) \
                     ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)",
                )?
                .execute([up_to.as_i64()])?;
            Ok(())
        }))
    }

    fn accept(&self, drafts: Vec<Draft>, now: Timestamp) -> Reply<'_, Vec<Placed>> {
        let drafts: Vec<Prepared> = drafts.into_iter().map(Prepared::new).collect();
        let octets = drafts.iter().map(Prepared::octets).sum();
        Box::pin(
            self.writer
                .run_heavy(octets, move |tx| accept::accept(tx, &drafts, now)),
        )
    }

    fn offer(&self, ask: OfferAsk) -> Reply<'_, Vec<Message>> {
        Box::pin(async move {
            // A location that has just run out must not offer, and its messages are unrouted.
            let now = ask.now;
            if self.readers.run(move |db| location_over(db, now)).await? {
                self.expire_locations(now, sweep::LOCATIONS_AT_ONCE).await?;
            }
            let offered = self.readers.run(move |db| offer::offer(db, &ask)).await?;
            Ok(offered.into_iter().map(|one| one.message).collect())
        })
    }

    fn lease(&self, ask: OfferAsk, until: Timestamp) -> Reply<'_, Vec<Message>> {
        Box::pin(async move {
            let leased = self
                .writer
                .run_if_wanted(move |tx| offer::lease(tx, &ask, until))
                .await?;
            if let Some(telemetry) = &self.telemetry {
                for id in leased.returned {
                    telemetry.record(&Fact::Handed(HandedFact::LeaseReturned { id }));
                }
            }
            Ok(leased.messages)
        })
    }

    fn next_due(&self, asker: Asker, _now: Timestamp) -> Reply<'_, Option<Timestamp>> {
        Box::pin(self.readers.run(move |db| offer::next_due(db, &asker)))
    }

    fn report(&self, reports: Vec<(MessageId, Report)>, scene: Scene) -> Reply<'_, Vec<Outcome>> {
        Box::pin(self.writer.run(move |tx| {
            reports
                .iter()
                .map(|(id, what)| report::report(tx, *id, what, &scene))
                .collect()
        }))
    }

    fn edit(&self, id: MessageId, edit: Edit, scene: Scene) -> Reply<'_, Outcome> {
        Box::pin(
            self.writer
                .run(move |tx| report::edit(tx, id, &edit, &scene)),
        )
    }

    fn forget_key(&self, key: [u8; 32], id: MessageId) -> Reply<'_, ()> {
        Box::pin(self.writer.run(move |tx| accept::forget_key(tx, &key, id)))
    }

    fn remove(&self, id: MessageId, scene: Scene) -> Reply<'_, Result<(), NotDone>> {
        Box::pin(self.writer.run(move |tx| report::remove(tx, id, &scene)))
    }

    fn message(&self, id: MessageId) -> Reply<'_, Option<Message>> {
        Box::pin(self.readers.run(move |db| find(db, id)))
    }

    fn messages(&self, filter: Filter) -> Reply<'_, Vec<Message>> {
        Box::pin(self.readers.run(move |db| list::list(db, &filter)))
    }

    fn parts(&self, id: MessageId) -> Reply<'_, Vec<Message>> {
        Box::pin(self.readers.run(move |db| parts::around(db, id)))
    }

    fn events(&self, id: MessageId) -> Reply<'_, Vec<Event>> {
        Box::pin(self.readers.run(move |db| sweep::events(db, id.as_i64())))
    }

    fn add_event(&self, id: MessageId, event: Event) -> Reply<'_, bool> {
        Box::pin(self.writer.run(move |tx| tx.log_if_known(id, &event)))
    }

    fn sweep(&self, scene: Scene, limit: u32) -> Reply<'_, Vec<Reported>> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Box::pin(async move {
            let mut told = Vec::new();
            // Piece by piece, so that others have their turn in between.
            loop {
                let (left, scene) = (limit - told.len(), scene.clone());
                let piece = move |tx: &mut Tx<'_>| sweep::overdue(tx, &scene, left);
                match self.writer.run(piece).await {
                    Ok((more, is_all)) => {
                        told.extend(more);
                        if is_all || told.len() >= limit {
                            return Ok(told);
                        }
                    }
                    Err(error) if told.is_empty() => return Err(error),
                    Err(error) => {
                        // What was told is stored, and its callers must hear of it.
                        tracing::warn!(%error, "a sweep stopped before its end");
                        return Ok(told);
                    }
                }
            }
        })
    }

    fn purge(&self, keep: Retention, now: Timestamp, limit: u32) -> Reply<'_, Purged> {
        Box::pin(
            self.writer
                .run(move |tx| sweep::purge(tx, &keep, now, limit)),
        )
    }

    fn expire_locations(&self, now: Timestamp, limit: u32) -> Reply<'_, u64> {
        Box::pin(self.writer.run(move |tx| sweep::locations(tx, now, limit)))
    }

    fn register(&self, registration: Registration, now: Timestamp) -> Reply<'_, (Presence, bool)> {
        Box::pin(
            self.writer
                .run(move |tx| tables::register(tx, &registration, now)),
        )
    }

    fn frontends(&self) -> Reply<'_, Vec<Presence>> {
        Box::pin(self.readers.run(tables::frontends))
    }

    fn frontend(&self, id: u64) -> Reply<'_, Option<Presence>> {
        Box::pin(self.readers.run(move |db| tables::frontend(db, id)))
    }

    fn frontend_history(&self, name: FrontendName) -> Reply<'_, Vec<Presence>> {
        Box::pin(self.readers.run(move |db| tables::history(db, &name)))
    }

    fn frontend_stats(&self, now: Timestamp) -> Reply<'_, FrontendStats> {
        Box::pin(self.readers.run(move |db| tables::stats(db, now)))
    }

    fn policies(&self) -> Reply<'_, Vec<Policy>> {
        Box::pin(self.readers.run(tables::policies))
    }

    fn set_policy(&self, policy: Policy) -> Reply<'_, ()> {
        Box::pin(self.writer.run(move |tx| tables::set_policy(tx, &policy)))
    }

    fn expire_frontends(&self, now: Timestamp) -> Reply<'_, Vec<Presence>> {
        Box::pin(self.writer.run(move |tx| tables::expire_frontends(tx, now)))
    }

    fn locate(&self, id: Option<u64>, sighting: Sighting, now: Timestamp) -> Reply<'_, Located> {
        Box::pin(
            self.writer
                .run(move |tx| tables::locate(tx, id, &sighting, now)),
        )
    }

    fn forget_location(&self, id: u64, now: Timestamp) -> Reply<'_, bool> {
        Box::pin(
            self.writer
                .run(move |tx| tables::forget_location(tx, id, now)),
        )
    }

    fn location(&self, id: u64) -> Reply<'_, Option<Location>> {
        Box::pin(self.readers.run(move |db| tables::location(db, id)))
    }

    fn location_of(&self, number: String) -> Reply<'_, Option<Location>> {
        Box::pin(self.readers.run(move |db| location_of(db, &key(&number))))
    }

    fn locations(&self, limit: u32, offset: u32) -> Reply<'_, Vec<Location>> {
        Box::pin(
            self.readers
                .run(move |db| tables::locations(db, limit, offset)),
        )
    }

    fn routing(&self) -> Reply<'_, Routing> {
        Box::pin(self.readers.run(tables::routing))
    }

    fn routing_version(&self) -> Reply<'_, u64> {
        Box::pin(self.readers.run(tables::routing_version))
    }

    fn change_routing(
        &self,
        change: RoutingChange,
        base: Option<u64>,
    ) -> Reply<'_, (u64, Option<u64>)> {
        Box::pin(
            self.writer
                .run(move |tx| tables::change_routing(tx, &change, base)),
        )
    }

    fn outbox(&self, limit: u32) -> Reply<'_, Vec<(OutboxSeq, Cdr)>> {
        Box::pin(self.readers.run(move |db| {
            let done = db
                .prepare_cached("SELECT value FROM meta WHERE name = 'outbox_done'")?
                .query_row([], |row| row.get(0))
                .optional()?;
            finished(db, done.unwrap_or(0), limit)
        }))
    }

    fn endings(&self) -> Option<&dyn Endings> {
        Some(self)
    }

    fn outbox_done(&self, last: OutboxSeq) -> Reply<'_, ()> {
        Box::pin(self.writer.run(move |tx| {
            let done = tx
                .db
                .prepare_cached(
                    "SELECT count(*) FROM finished WHERE seq <= ?1 AND seq > \
                     coalesce((SELECT value FROM meta WHERE name = 'outbox_done'), 0)",
                )?
                .query_row([place(last)], |row| row.get::<_, i64>(0))?;
            tx.db
                .prepare_cached(
                    "INSERT INTO meta VALUES ('outbox_done', ?1) ON CONFLICT (name) \
                     DO UPDATE SET value = max(value, excluded.value)",
                )?
                .execute([place(last)])?;
            tx.delta.outbox -= done;
            Ok(())
        }))
    }

    fn refunds(&self, now: Timestamp, limit: u32) -> Reply<'_, Vec<Refund>> {
        Box::pin(self.readers.run(move |db| refund::oldest(db, now, limit)))
    }

    fn begin_refund(&self, id: MessageId, now: Timestamp) -> Reply<'_, bool> {
        Box::pin(self.writer.run(move |tx| refund::begin(tx, id, now)))
    }

    fn refund_done(&self, id: MessageId, event: Option<Event>) -> Reply<'_, ()> {
        Box::pin(
            self.writer
                .run(move |tx| refund::done(tx, id, event.as_ref())),
        )
    }

    fn postpone_refund(&self, id: MessageId, until: Timestamp) -> Reply<'_, ()> {
        Box::pin(self.writer.run(move |tx| refund::postpone(tx, id, until)))
    }

    fn figures(&self) -> Reply<'_, Figures> {
        Box::pin(async move {
            let (first_due, refunds) = self.readers.run(depth::first_due_and_refunds).await?;
            let count = |counter: &std::sync::atomic::AtomicI64| {
                u64::try_from(counter.load(Ordering::Relaxed)).unwrap_or(0)
            };
            Ok(Figures {
                messages: count(&self.counts.messages),
                pending: count(&self.counts.pending),
                outbox: count(&self.counts.outbox),
                first_due,
                refunds,
            })
        })
    }

    fn depths(&self, now: Timestamp) -> Reply<'_, BTreeMap<Home, Depth>> {
        Box::pin(async move {
            let mut scan = Scan::default();
            // Piece by piece, so that look-ups have their turn in between.
            while !scan.is_done() {
                scan = self.readers.run(move |db| scan.go_on(db, now)).await?;
            }
            self.readers.run(move |db| scan.by_name(db)).await
        })
    }

    fn close(&self) -> Reply<'_, ()> {
        Box::pin(async move {
            self.readers.stop();
            self.writer.stop();
            Ok(())
        })
    }
}

impl Endings for EmbeddedStore {
    fn finished(&self, after: OutboxSeq, limit: u32) -> Reply<'_, Vec<(OutboxSeq, Cdr)>> {
        Box::pin(
            self.readers
                .run(move |db| finished(db, place(after), limit)),
        )
    }

    fn finished_last(&self) -> Reply<'_, OutboxSeq> {
        Box::pin(self.readers.run(|db| {
            let last = db
                .prepare_cached(LAST_ENDING)?
                .query_row([], |row| row.get::<_, i64>(0))?;
            Ok(OutboxSeq(u64::try_from(last).unwrap_or(0)))
        }))
    }
}

/// The place of the last ending: retention may have taken the message, and another store, from
/// which all was moved here, may have counted further.
pub(crate) const LAST_ENDING: &str = "SELECT max(coalesce((SELECT max(seq) FROM finished), 0), \
     coalesce((SELECT max(value) FROM meta WHERE name IN ('outbox_done', 'outbox_last')), 0))";

fn place(seq: OutboxSeq) -> i64 {
    i64::try_from(seq.0).unwrap_or(i64::MAX)
}

fn location_over(db: &Connection, now: Timestamp) -> Done<bool> {
    let mut statement =
        db.prepare_cached("SELECT EXISTS (SELECT 1 FROM location WHERE serves_until <= ?1)")?;
    Ok(statement.query_row([now.millis()], |row| row.get(0))?)
}

fn finished(db: &Connection, after: i64, limit: u32) -> Done<Vec<(OutboxSeq, Cdr)>> {
    static SQL: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| {
        format!(
            "SELECT {MSG}, {EITHER}, o.seq FROM finished o JOIN msg m ON m.id = o.id \
             JOIN fin f ON f.id = o.id LEFT JOIN q ON q.id = o.id WHERE o.seq > ?1 \
             ORDER BY o.seq LIMIT ?2"
        )
    });
    let mut statement = db.prepare_cached(&SQL)?;
    let mut rows = statement.query(params![after, limit])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        let seq = u64::try_from(row.get::<_, i64>(20)?).unwrap_or(0);
        let cdr = cdr::of(&either(row)?);
        let cdr = cdr.ok_or_else(|| Error::Damaged("an outbox entry of no end".into()))?;
        entries.push((OutboxSeq(seq), cdr));
    }
    Ok(entries)
}

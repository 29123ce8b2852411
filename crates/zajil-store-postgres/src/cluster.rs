//! Nodes: numbers lent by the store's clock, heartbeats, and who is there.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio_postgres::Row;
use zajil_core::clock::Timestamp;
use zajil_core::id::NodeNumber;
use zajil_store::cluster::{Cluster, Hint, Introduction, LEASE, Member};
use zajil_store::{Error, Reply};

use crate::conn::{Step, bind};
use crate::error::Done;
use crate::lane::Tx;
use crate::open::PostgresStore;
use crate::row::{damaged, instant, whole};
use crate::schema::unused;
use crate::transfer;

/// The database's clock, in milliseconds since 1970.
pub(crate) const TIME: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";

/// Whoever changes who is there, or keeps everybody out.
pub(crate) const JOIN: &str = "SELECT pg_advisory_xact_lock(8819050541073690212)";

/// Numbers are 5 bits of an id (D21).
const NUMBERS: u8 = 32;

const MEMBERS: &str = "SELECT number, name, address, version, started_at, seen_at, draining \
     FROM node ORDER BY number";

impl PostgresStore {
    /// Whether new messages may share rows by now; what it was when nobody answers.
    async fn look_for_runs(&self) {
        let known = self
            .quick
            .read(|| Step::bare(unused::RUNS_KNOWN), unused::read);
        if let Ok(known) = known.await {
            self.common.runs.set_known(known);
        }
    }
}

impl Cluster for PostgresStore {
    fn time(&self) -> Reply<'_, Timestamp> {
        Box::pin(self.quick.read(|| Step::bare(TIME), read_time))
    }

    fn hint(&self) -> Reply<'_, Hint> {
        Box::pin(async move { self.common.hints.next().await.ok_or(Error::Closed) })
    }

    fn join(&self, who: Introduction) -> Reply<'_, NodeNumber> {
        let (who, session) = (Arc::new(who), self.session);
        Box::pin(async move {
            let number = self.chore(move |tx| {
                let who = Arc::clone(&who);
                Box::pin(async move { join(tx, &who, session).await })
            });
            let number = number.await?;
            self.common.joined.store(true, Ordering::Release);
            self.look_for_runs().await;
            Ok(number)
        })
    }

    fn beat(&self) -> Reply<'_, bool> {
        const BEAT: &str = "UPDATE node SET seen_at = \
             (extract(epoch FROM clock_timestamp()) * 1000)::bigint \
             WHERE session = $1 RETURNING draining";
        let session = self.session;
        let step = move || Step::new(BEAT, bind![session]);
        Box::pin(async move {
            let draining = self.quick.read(step, |rows| match rows.first() {
                Some(row) => Ok(row.try_get(0)?),
                None => Err(Error::NotFound.into()),
            });
            let draining = draining.await?;
            self.look_for_runs().await;
            Ok(draining)
        })
    }

    fn leave(&self) -> Reply<'_, ()> {
        let session = self.session;
        Box::pin(self.chore(move |tx| {
            Box::pin(async move {
                const LEAVE: &str = "DELETE FROM node WHERE session = $1";
                const REST: &str = "DELETE FROM duty WHERE session = $1";
                tx.ask(Step::new(LEAVE, bind![session])).await?;
                tx.ask(Step::new(REST, bind![session])).await?;
                unused::forget_gone(tx).await
            })
        }))
    }

    fn members(&self) -> Reply<'_, Vec<Member>> {
        let read = |rows: &[Row]| rows.iter().map(member).collect();
        Box::pin(self.quick.read(|| Step::bare(MEMBERS), read))
    }

    fn drain(&self, name: String, draining: bool) -> Reply<'_, bool> {
        const DRAIN: &str = "UPDATE node SET draining = $2 WHERE name = $1 RETURNING number";
        Box::pin(self.chore(move |tx| {
            let name = name.clone();
            Box::pin(async move {
                let rows = tx.ask(Step::new(DRAIN, bind![name, draining])).await?;
                tx.hints.touch_tables();
                Ok(!rows.is_empty())
            })
        }))
    }
}

fn read_time(rows: &[Row]) -> Done<Timestamp> {
    let row = rows.first().ok_or_else(|| damaged("no answer".into()))?;
    instant(row, 0)
}

fn member(row: &Row) -> Done<Member> {
    Ok(Member {
        number: u8::try_from(whole(row, 0)?).unwrap_or(u8::MAX),
        name: row.try_get(1)?,
        address: row.try_get(2)?,
        version: row.try_get(3)?,
        started_at: instant(row, 4)?,
        seen_at: instant(row, 5)?,
        draining: row.try_get(6)?,
    })
}

/// Takes a number: the one that the name had, the one that is asked for, or the lowest free one.
async fn join(tx: &Tx<'_>, who: &Introduction, session: i64) -> Done<NodeNumber> {
    const ENTER: &str = "INSERT INTO node VALUES ($1, $2, $3, $4, $5, $6, $6, false)";
    tx.ask(Step::bare(JOIN)).await?;
    transfer::keep_out(tx.conn).await?;
    let now = read_time(&tx.ask(Step::bare(TIME)).await?)?;
    let rows = tx.ask(Step::bare(MEMBERS)).await?;
    let members: Vec<Member> = rows.iter().map(member).collect::<Done<_>>()?;
    let mut taken = Vec::with_capacity(members.len());
    for member in &members {
        let lent = now.since(member.seen_at) < LEASE;
        // A process that comes back need not wait for the lease of the one that has died.
        if lent && (member.name != who.name || lives(tx, member.number).await?) {
            taken.push(member.number);
        }
    }
    let free = |number: &u8| !taken.contains(number);
    let mine = members.iter().find(|member| member.name == who.name);
    if let Some(member) = mine.filter(|member| !free(&member.number)) {
        let told = format!(
            "a node with the name {} is there, with number {}",
            who.name, member.number
        );
        return Err(Error::Conflict(told).into());
    }
    let wished = who.number.map(NodeNumber::get);
    let number = mine
        .map(|member| member.number)
        .or(wished.filter(free))
        .or_else(|| (0..NUMBERS).find(free))
        .ok_or_else(|| Error::Conflict("all 32 node numbers are taken".into()))?;
    for gone in members.iter().filter(|member| member.number == number) {
        forget(tx, gone.number).await?;
    }
    let values = bind![
        i64::from(number),
        who.name.clone(),
        session,
        who.address.clone(),
        who.version.clone(),
        now.millis(),
    ];
    tx.ask(Step::new(ENTER, values)).await?;
    unused::note(tx, session).await?;
    unused::forget_gone(tx).await?;
    Ok(NodeNumber::new(number).map_err(|error| damaged(error.to_string()))?)
}

/// Whether the process that holds a number has a connection: each of them holds a lock that ends
/// with it (see [`Conn::open`](crate::conn::Conn::open)), so one that was killed is known at once.
async fn lives(tx: &Tx<'_>, number: u8) -> Done<bool> {
    const LIVES: &str = "SELECT NOT pg_try_advisory_xact_lock(session) FROM node WHERE number = $1";
    let rows = tx.ask(Step::new(LIVES, bind![i64::from(number)])).await?;
    Ok(rows.first().map_or(Ok(false), |row| row.try_get(0))?)
}

/// Removes a node that has gone. What its writers have counted goes to those of all; a writer that
/// lives on finds its row missing, and undoes what it was doing.
async fn forget(tx: &Tx<'_>, number: u8) -> Done<()> {
    const FORGET: &str = "DELETE FROM node WHERE number = $1 RETURNING session";
    const FOLD: &str = "WITH gone AS (DELETE FROM lane WHERE session = $1 \
         RETURNING messages, pending, outbox) \
         INSERT INTO lane AS l SELECT 0, 0, 0, coalesce(sum(messages), 0), \
         coalesce(sum(pending), 0), coalesce(sum(outbox), 0) FROM gone \
         ON CONFLICT (session, lane) DO UPDATE SET messages = l.messages + excluded.messages, \
         pending = l.pending + excluded.pending, outbox = l.outbox + excluded.outbox";
    for row in tx.ask(Step::new(FORGET, bind![i64::from(number)])).await? {
        let session: i64 = row.try_get(0)?;
        tx.ask(Step::new(FOLD, bind![session])).await?;
    }
    Ok(())
}

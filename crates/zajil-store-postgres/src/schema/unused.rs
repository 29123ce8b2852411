//! What only nodes of former versions use goes once none of them is there (contract).
//!
//! Every node writes down which form its version knows, beside its place. One of a version that
//! did not do so yet has nothing written, and counts as a former one.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio_postgres::Row;
use zajil_store::Error;

use super::{KNOWN, LOCK_WITHIN};
use crate::conn::{Conn, Step, bind};
use crate::error::Done;
use crate::lane::Tx;
use crate::open::PostgresStore;

/// Nodes of this form and later ones do not use it.
const SINCE: i64 = 6;
pub(super) const DROP: &str = "DROP INDEX IF EXISTS q_turn";
const DROP_BESIDE: &str = "DROP INDEX CONCURRENTLY IF EXISTS q_turn";

/// So long others' transactions are waited for.
const WITHIN: Duration = Duration::from_secs(60);

/// Whether every node that was there of late knows a form.
macro_rules! all_know {
    ($form:literal) => {
        concat!(
            "NOT EXISTS (SELECT 1 FROM node n \
             WHERE seen_at > extract(epoch FROM clock_timestamp()) * 1000 - 600000 \
             AND NOT EXISTS (SELECT 1 FROM meta \
               WHERE name = 'form of ' || n.session AND value >= ",
            $form,
            "))"
        )
    };
}

/// Whether they know of runs (form 9): others would not see what stands in them. None of a former
/// version starts once the tables have this form.
pub(crate) const RUNS_KNOWN: &str = concat!("SELECT ", all_know!("9"));

/// A yes or no; no without an answer.
pub(crate) fn read(rows: &[Row]) -> Done<bool> {
    Ok(rows.first().map_or(Ok(false), |row| row.try_get(0))?)
}

/// Writes down which form a node knows, with its place.
pub(crate) async fn note(tx: &Tx<'_>, session: i64) -> Done<()> {
    const NOTE: &str = "INSERT INTO meta VALUES ('form of ' || $1::bigint, $2) \
         ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    let known = i64::try_from(KNOWN).unwrap_or(i64::MAX);
    tx.ask(Step::new(NOTE, bind![session, known])).await?;
    Ok(())
}

/// Forgets what is written of nodes that have gone.
pub(crate) async fn forget_gone(tx: &Tx<'_>) -> Done<()> {
    const FORGET: &str = "DELETE FROM meta WHERE name LIKE 'form of %' AND NOT EXISTS \
         (SELECT 1 FROM node WHERE meta.name = 'form of ' || session)";
    tx.ask(Step::bare(FORGET)).await.map(drop)
}

/// Drops it at a start, unless nodes were there of late. Those of a former version work on without
/// it, but slowly; they do not start any more.
pub(crate) async fn contract(conn: &Conn) -> Done<()> {
    const ALONE: &str = "SELECT to_regclass('q_turn') IS NOT NULL AND NOT EXISTS (SELECT 1 \
         FROM node WHERE seen_at > extract(epoch FROM clock_timestamp()) * 1000 - 600000)";
    let rows = conn.ask(Step::bare(ALONE)).await?;
    if !read(&rows)? {
        return Ok(());
    }
    let drop = format!("SET lock_timeout = {LOCK_WITHIN}; {DROP}");
    match conn.batch(&drop).await {
        // Somebody reads it just now: it is for later.
        Err(fault) if fault.is_passing() => Ok(()),
        done => done,
    }
}

impl PostgresStore {
    /// Drops it beside those who work, once every node that was there of late knows a form that
    /// does without: a cluster whose nodes are replaced one by one is never without others.
    pub(crate) async fn contract(&self) -> Result<(), Error> {
        const UNUSED: &str = concat!(
            "SELECT to_regclass('q_turn') IS NOT NULL AND ",
            all_know!("$1")
        );
        if !self.common.joined.load(Ordering::Acquire) {
            return Ok(());
        }
        let step = || Step::new(UNUSED, bind![SINCE]);
        let unused = self.quick.read(step, read);
        if !unused.await? || !self.has_duty("contract").await? {
            return Ok(());
        }
        let (dial, manners) = (&self.common.dial, &self.common.manners);
        let dropped = async {
            let conn = Box::pin(Conn::open(dial, manners, None)).await?;
            let conn = conn.patient(WITHIN + Duration::from_secs(1));
            let within = WITHIN.as_millis();
            let set = format!("SET statement_timeout = {within}; SET lock_timeout = {within}");
            conn.batch(&set).await?;
            conn.batch(DROP_BESIDE).await
        };
        match dropped.await {
            Ok(()) => tracing::info!("an index that only former versions used has gone"),
            // The next turn finds what is left of it.
            Err(fault) => {
                let error = fault.into_error();
                tracing::warn!(%error, "an index that only former versions used stays for now");
            }
        }
        Ok(())
    }
}

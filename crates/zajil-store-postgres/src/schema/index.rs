//! An index of a table that is in use, made while nodes write to it.
//!
//! `CREATE INDEX` on a table that is cut into days keeps writers out until every day is done, which
//! may take hours, and cannot be done concurrently. So it is made on the table alone, which takes a
//! moment, then on each day concurrently, and attached. Days that come meanwhile have it from the
//! beginning. What was interrupted is gone on with.

use std::time::Duration;

use zajil_telemetry::Stopwatch;

use crate::conn::{Conn, Step, bind};
use crate::error::{Done, Fault};

/// An index that an existing schema gets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Index {
    pub(crate) name: &'static str,
    pub(crate) table: &'static str,
    pub(crate) column: &'static str,
    /// Which rows stand in it, as a clause; nothing = all.
    pub(crate) only: &'static str,
    /// Whether the table is cut into days.
    pub(crate) cut: bool,
}

/// For so long whoever builds is waited for, and so are others' long transactions.
pub(crate) const PATIENCE: Duration = Duration::from_secs(12 * 3_600);
const STEP: Duration = Duration::from_secs(1);

/// Who builds; the class is beside those of [`super::LOCK`] and of moves. It is tried and never
/// waited for: a statement that waits is itself what a concurrent build waits for. Days must be
/// made meanwhile, so it is another one than theirs.
const TRY: &str =
    "SELECT pg_try_advisory_lock(2053796726, hashtext(current_setting('search_path')))";
const RELEASE: &str =
    "SELECT pg_advisory_unlock(2053796726, hashtext(current_setting('search_path')))";

const BROKEN: &str = "SELECT EXISTS (SELECT 1 FROM pg_index \
     WHERE indexrelid = to_regclass($1) AND NOT indisvalid)";

/// The days of a table that have no part of the index. The index itself is not asked whether it is
/// valid: it stays invalid when the last day that lacked it was dropped, and serves all the same.
const LACKING: &str = "SELECT c.relname::text FROM pg_inherits i \
     JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = to_regclass($1) \
     AND NOT EXISTS (SELECT 1 FROM pg_inherits p JOIN pg_index x ON x.indexrelid = p.inhrelid \
       WHERE p.inhparent = to_regclass($2) AND x.indrelid = c.oid) ORDER BY 1";

impl Index {
    /// What makes it where nobody works yet.
    pub(super) fn create(&self) -> String {
        let Self {
            name,
            table,
            column,
            only,
            ..
        } = self;
        format!("CREATE INDEX {name} ON {table} ({column}){only}")
    }

    /// Whether every day has it.
    pub(super) async fn is_built(&self, conn: &Conn) -> Done<bool> {
        const THERE: &str = "SELECT to_regclass($1) IS NOT NULL";
        if !yes(conn, Step::new(THERE, bind![self.name])).await? {
            return Ok(false);
        }
        match self.cut {
            true => Ok(self.lacking(conn).await?.is_empty()),
            false => Ok(!yes(conn, Step::new(BROKEN, bind![self.name])).await?),
        }
    }

    /// Builds what is missing of it, outside a transaction; or waits for another node that does.
    pub(super) async fn build(&self, conn: &Conn) -> Done<()> {
        let watch = Stopwatch::start();
        while !yes(conn, Step::bare(TRY)).await? {
            pause(watch).await?;
        }
        tracing::info!(
            index = self.name,
            "an index is built; nodes work on meanwhile"
        );
        let built = self.fill(conn, watch).await;
        if !built.as_ref().is_err_and(Fault::loses_connection) {
            conn.ask(Step::bare(RELEASE)).await?;
        }
        built
    }

    async fn fill(&self, conn: &Conn, watch: Stopwatch) -> Done<()> {
        let Self {
            name,
            table,
            column,
            only,
            cut,
        } = self;
        conn.batch("SET statement_timeout = 0").await?;
        if !cut {
            return self.fill_one(conn, table, name).await;
        }
        let create = format!("CREATE INDEX IF NOT EXISTS {name} ON ONLY {table} ({column}){only}");
        briefly(conn, &create, watch).await?;
        loop {
            let days = self.lacking(conn).await?;
            if days.is_empty() {
                return Ok(());
            }
            for day in days {
                let done = self.fill_day(conn, &day, watch).await;
                // A day that retention has dropped needs none.
                if done.is_err() && self.lacking(conn).await?.contains(&day) {
                    return done;
                }
            }
        }
    }

    async fn fill_day(&self, conn: &Conn, day: &str, watch: Stopwatch) -> Done<()> {
        let part = format!("{day}_{}", self.column);
        self.fill_one(conn, day, &part).await?;
        let attach = format!("ALTER INDEX {} ATTACH PARTITION {part}", self.name);
        briefly(conn, &attach, watch).await
    }

    /// Of a table that is not cut into days, or of one day.
    async fn fill_one(&self, conn: &Conn, table: &str, name: &str) -> Done<()> {
        conn.batch("SET lock_timeout = 0").await?;
        if yes(conn, Step::new(BROKEN, bind![name.to_owned()])).await? {
            let drop = format!("DROP INDEX CONCURRENTLY IF EXISTS {name}");
            conn.batch(&drop).await?;
        }
        let (column, only) = (self.column, self.only);
        let create =
            format!("CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {table} ({column}){only}");
        conn.batch(&create).await
    }

    async fn lacking(&self, conn: &Conn) -> Done<Vec<String>> {
        let step = Step::new(LACKING, bind![self.table, self.name]);
        let rows = conn.ask(step).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }
}

async fn yes(conn: &Conn, step: Step<'_>) -> Done<bool> {
    let rows = conn.ask(step).await?;
    rows.first().map_or(Ok(false), |row| Ok(row.try_get(0)?))
}

/// One statement whose lock others queue up behind: it gives up soon, and tries again later.
async fn briefly(conn: &Conn, sql: &str, watch: Stopwatch) -> Done<()> {
    let timeout = format!("SET lock_timeout = {}", super::LOCK_WITHIN);
    conn.batch(&timeout).await?;
    loop {
        match conn.batch(sql).await {
            Err(fault) if fault.is_passing() => pause(watch).await?,
            done => return done,
        }
    }
}

async fn pause(since: Stopwatch) -> Done<()> {
    if since.elapsed() >= PATIENCE {
        return Err(Fault::Silent("let an index be built"));
    }
    tokio::time::sleep(STEP).await;
    Ok(())
}

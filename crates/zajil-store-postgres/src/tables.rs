//! The small tables: frontends, policies, routes and rules.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use tokio_postgres::Row;
use zajil_core::clock::Timestamp;
use zajil_core::frontend::{FrontendStats, Presence, Registration};
use zajil_core::policy::Policy;
use zajil_core::port::{Routing, RoutingChange};
use zajil_core::route::{Route, RouteId};
use zajil_core::translate::{Rule, RuleId};
use zajil_store::{Error, record};

use crate::conn::{Step, bind};
use crate::error::Done;
use crate::lane::Tx;
use crate::location;
use crate::row::{damaged, stored, whole};

/// Reads each row's first column as a record.
pub(crate) fn records<T>(rows: &[Row], decode: impl Fn(&str) -> Result<T, Error>) -> Done<Vec<T>> {
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        found.push(decode(row.try_get(0)?)?);
    }
    Ok(found)
}

/// The only row's first column as a record.
pub(crate) fn record<T>(
    rows: &[Row],
    decode: impl Fn(&str) -> Result<T, Error>,
) -> Done<Option<T>> {
    Ok(records(rows.get(..1).unwrap_or_default(), decode)?.pop())
}

/// Registers a frontend.
pub(crate) async fn register(
    tx: &Tx<'_>,
    registration: &Registration,
    now: Timestamp,
) -> Done<(Presence, bool)> {
    const LATEST: &str = "SELECT record FROM frontend WHERE name = $1 ORDER BY id DESC LIMIT 1";
    const BEGIN: &str = "INSERT INTO frontend (name, expires_at, swept, registrations, record) \
         VALUES ($1, 0, false, 0, '') RETURNING id";
    let name = registration.name.as_str().to_owned();
    location::hold(tx.conn, location::Held::Frontend, &[name.clone()].into()).await?;
    let rows = tx.ask(Step::new(LATEST, bind![name.clone()])).await?;
    let latest = record(&rows, record::decode_presence)?;
    let (presence, new) = match latest.filter(|presence| presence.is_active(now)) {
        Some(mut presence) => {
            presence.renew(registration.clone(), now);
            (presence, false)
        }
        None => {
            let rows = tx.ask(Step::new(BEGIN, bind![name])).await?;
            let id = only(&rows)?;
            (Presence::begin(id, registration.clone(), now), true)
        }
    };
    write(tx, &presence).await?;
    Ok((presence, new))
}

/// The number in the only row.
pub(crate) fn only(rows: &[Row]) -> Done<u64> {
    let row = rows.first().ok_or_else(|| damaged("no answer".into()))?;
    whole(row, 0)
}

async fn write(tx: &Tx<'_>, presence: &Presence) -> Done<()> {
    const WRITE: &str = "UPDATE frontend SET expires_at = $2, swept = $3, registrations = $4, \
         record = $5 WHERE id = $1";
    let values = bind![
        stored(presence.id),
        presence.expires_at.millis(),
        presence.swept,
        stored(presence.registrations),
        record::encode_presence(presence),
    ];
    tx.ask(Step::new(WRITE, values)).await.map(drop)
}

/// The frontends that vanished since the last sweep, each told to one sweep only.
pub(crate) async fn expire_frontends(tx: &Tx<'_>, now: Timestamp) -> Done<Vec<Presence>> {
    const GONE: &str = "SELECT record FROM frontend WHERE NOT swept AND expires_at <= $1 \
         ORDER BY id FOR UPDATE SKIP LOCKED";
    let rows = tx.ask(Step::new(GONE, bind![now.millis()])).await?;
    let mut gone = records(&rows, record::decode_presence)?;
    for presence in &mut gone {
        presence.swept = true;
        write(tx, presence).await?;
    }
    Ok(gone)
}

/// The latest stretch of every frontend, by name.
pub(crate) const FRONTENDS: &str = "SELECT record FROM frontend WHERE id IN \
     (SELECT max(id) FROM frontend GROUP BY name) ORDER BY name COLLATE \"C\"";

/// All stretches of a frontend.
pub(crate) const HISTORY: &str = "SELECT record FROM frontend WHERE name = $1 ORDER BY id DESC";

/// The figures of S3.4.
pub(crate) const STATS: &str = "SELECT count(*) FILTER (WHERE last > $1), count(*), \
     coalesce(sum(times), 0)::bigint FROM (SELECT max(expires_at) AS last, \
     sum(registrations) AS times FROM frontend GROUP BY name) AS f";

pub(crate) fn stats(rows: &[Row]) -> Done<FrontendStats> {
    let row = rows.first().ok_or_else(|| damaged("no answer".into()))?;
    let (active, unique) = (whole(row, 0)?, whole(row, 1)?);
    Ok(FrontendStats {
        active,
        expired: unique - active,
        unique,
        registrations: whole(row, 2)?,
    })
}

/// Stores what was decided about a frontend.
pub(crate) async fn set_policy(tx: &Tx<'_>, policy: &Policy) -> Done<()> {
    const FORGET: &str = "DELETE FROM policy WHERE frontend = $1";
    const SET: &str = "INSERT INTO policy VALUES ($1, $2) \
         ON CONFLICT (frontend) DO UPDATE SET record = excluded.record";
    let name = policy.frontend.as_str().to_owned();
    let step = if policy.is_empty() {
        Step::new(FORGET, bind![name])
    } else {
        Step::new(SET, bind![name, record::encode_policy(policy)])
    };
    tx.ask(step).await?;
    tx.hints.touch_tables();
    Ok(())
}

/// The version of the routing tables.
pub(crate) const VERSION: &str =
    "SELECT coalesce((SELECT value FROM meta WHERE name = 'routing'), 0)";

/// The tables with their version, as of one moment.
pub(crate) const ROUTING: &str = "SELECT 0 AS kind, value AS id, '' AS record FROM meta \
     WHERE name = 'routing' UNION ALL SELECT 1, id, record FROM route \
     UNION ALL SELECT 2, id, record FROM rule ORDER BY kind, id";

pub(crate) fn routing(rows: &[Row]) -> Done<Routing> {
    let mut tables = Routing::default();
    for row in rows {
        let (kind, id): (i32, u64) = (row.try_get(0)?, whole(row, 1)?);
        let text: &str = row.try_get(2)?;
        match kind {
            0 => tables.version = id,
            1 => tables.routes.push(Arc::new(Route {
                id: RouteId(id),
                terms: record::decode_route(text)?,
            })),
            _ => tables.rules.push(Arc::new(Rule {
                id: RuleId(id),
                terms: record::decode_rule(text)?,
            })),
        }
    }
    Ok(tables)
}

/// Changes the routing tables.
pub(crate) async fn change_routing(
    tx: &Tx<'_>,
    change: &RoutingChange,
    base: Option<u64>,
) -> Done<(u64, Option<u64>)> {
    // First, so that changes happen one after the other. An answer instead undoes it.
    const NEXT: &str = "INSERT INTO meta AS m VALUES ('routing', 1) \
         ON CONFLICT (name) DO UPDATE SET value = m.value + 1 RETURNING value";
    let version = only(&tx.ask(Step::bare(NEXT)).await?)?;
    if base.is_some_and(|base| base + 1 != version) {
        return Err(Error::Conflict("the tables were changed meanwhile".into()).into());
    }
    let id = match change {
        RoutingChange::AddRoute(terms) => add(tx, &ROUTE, record::encode_route(terms)).await?,
        RoutingChange::SetRoute(id, terms) => {
            set(tx, &ROUTE, id.0, record::encode_route(terms)).await?
        }
        RoutingChange::RemoveRoute(id) => remove(tx, &ROUTE, id.0).await?,
        RoutingChange::ImportRoutes { routes, replace } => {
            let rows = routes.iter().map(|(id, terms)| {
                let id = id.map(|id| id.0);
                (id, record::encode_route(terms))
            });
            import(tx, &ROUTE, rows.collect(), *replace).await?;
            None
        }
        RoutingChange::AddRule(terms) => add(tx, &RULE, record::encode_rule(terms)).await?,
        RoutingChange::SetRule(id, terms) => {
            set(tx, &RULE, id.0, record::encode_rule(terms)).await?
        }
        RoutingChange::RemoveRule(id) => remove(tx, &RULE, id.0).await?,
        RoutingChange::ImportRules { rules, replace } => {
            let rows = rules.iter().map(|(id, terms)| {
                let id = id.map(|id| id.0);
                (id, record::encode_rule(terms))
            });
            import(tx, &RULE, rows.collect(), *replace).await?;
            None
        }
    };
    tx.hints.touch_tables();
    Ok((version, id))
}

/// The statements of one of the two tables.
struct Entries {
    add: &'static str,
    set: &'static str,
    remove: &'static str,
    known: &'static str,
    clear: &'static str,
    put: &'static str,
    add_all: &'static str,
}

macro_rules! entries {
    ($table:literal) => {
        Entries {
            add: concat!("INSERT INTO ", $table, " (record) VALUES ($1) RETURNING id"),
            set: concat!(
                "UPDATE ",
                $table,
                " SET record = $2 WHERE id = $1 RETURNING id"
            ),
            remove: concat!("DELETE FROM ", $table, " WHERE id = $1 RETURNING id"),
            known: concat!("SELECT id FROM ", $table),
            clear: concat!("DELETE FROM ", $table),
            put: concat!(
                "INSERT INTO ",
                $table,
                " (id, record) SELECT * FROM unnest($1::bigint[], $2::text[]) \
                  ON CONFLICT (id) DO UPDATE SET record = excluded.record"
            ),
            add_all: concat!(
                "INSERT INTO ",
                $table,
                " (record) SELECT * FROM unnest($1::text[])"
            ),
        }
    };
}

const ROUTE: Entries = entries!("route");
const RULE: Entries = entries!("rule");

async fn add(tx: &Tx<'_>, entries: &Entries, record: String) -> Done<Option<u64>> {
    let rows = tx.ask(Step::new(entries.add, bind![record])).await?;
    only(&rows).map(Some)
}

async fn set(tx: &Tx<'_>, entries: &Entries, id: u64, record: String) -> Done<Option<u64>> {
    let step = Step::new(entries.set, bind![stored(id), record]);
    found(tx.ask(step).await?.first())
}

async fn remove(tx: &Tx<'_>, entries: &Entries, id: u64) -> Done<Option<u64>> {
    let step = Step::new(entries.remove, bind![stored(id)]);
    found(tx.ask(step).await?.first())
}

fn found(row: Option<&Row>) -> Done<Option<u64>> {
    match row {
        Some(row) => whole(row, 0).map(Some),
        None => Err(Error::NotFound.into()),
    }
}

/// An entry whose id was known keeps it; all others get new ids.
async fn import(
    tx: &Tx<'_>,
    entries: &Entries,
    rows: Vec<(Option<u64>, String)>,
    replace: bool,
) -> Done<()> {
    let mut known = HashSet::new();
    for row in tx.ask(Step::bare(entries.known)).await? {
        known.insert(whole(&row, 0)?);
    }
    if replace {
        tx.ask(Step::bare(entries.clear)).await?;
    }
    let (mut kept, mut new) = (BTreeMap::new(), Vec::new());
    for (id, record) in rows {
        match id.filter(|id| known.contains(id)) {
            Some(id) => drop(kept.insert(stored(id), record)),
            None => new.push(record),
        }
    }
    let (ids, records): (Vec<i64>, Vec<String>) = kept.into_iter().unzip();
    tx.ask(Step::new(entries.put, bind![ids, records])).await?;
    tx.ask(Step::new(entries.add_all, bind![new])).await?;
    Ok(())
}

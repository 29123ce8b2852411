//! The small tables: locations, frontends, routes and rules.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, LazyLock};

use rusqlite::{Connection, OptionalExtension, params};
use zajil_core::clock::Timestamp;
use zajil_core::frontend::{FrontendName, FrontendStats, Presence, Registration};
use zajil_core::location::{Location, Sighting};
use zajil_core::number::key;
use zajil_core::policy::Policy;
use zajil_core::port::{Routing, RoutingChange};
use zajil_core::route::{Route, RouteId};
use zajil_core::translate::{Rule, RuleId};
use zajil_store::contract::Located;
use zajil_store::{Error, record};

use crate::error::Done;
use crate::row::{UNROUTED, serving};
use crate::writer::Tx;

/// Puts the undecided messages of a number where its location says now; answers with the queue
/// that got some.
pub(crate) fn rehome(
    tx: &mut Tx<'_>,
    number: &str,
    now: Timestamp,
) -> Done<Option<Option<FrontendName>>> {
    let name = serving(tx.db, number, now)?;
    let (dest, located) = match &name {
        Some(name) => (tx.dest(name)?, true),
        None => (UNROUTED, false),
    };
    let moved = tx
        .db
        .prepare_cached(
            "UPDATE q SET dest = ?2, located = ?3 \
             WHERE id IN (SELECT id FROM waiting WHERE number = ?1) AND dest <> ?2",
        )?
        .execute(params![number, dest, located])?;
    Ok((moved > 0).then_some(name))
}

/// A subscriber has returned: what failed and waits to be tried again is due at once (D10). Answers
/// with the queues it is in.
fn wake(tx: &mut Tx<'_>, number: &str, now: Timestamp) -> Done<Vec<Option<FrontendName>>> {
    const ASLEEP: &str = "q.due > ?2 AND attempts > 0 \
         AND q.id IN (SELECT id FROM retrying WHERE number = ?1) \
         AND (leased_until IS NULL OR leased_until <= ?2)";
    static QUEUES: LazyLock<String> = LazyLock::new(|| {
        let sql = "SELECT DISTINCT name FROM q LEFT JOIN dest ON dest.id = q.dest WHERE";
        format!("{sql} q.dest <> -1 AND {ASLEEP}")
    });
    static WAKE: LazyLock<String> =
        LazyLock::new(|| format!("UPDATE q SET due = ?2, deliver_after = ?2 WHERE {ASLEEP}"));
    let bind = params![number, now.millis()];
    let mut queues = Vec::new();
    let mut statement = tx.db.prepare_cached(&QUEUES)?;
    let mut rows = statement.query(bind)?;
    while let Some(row) = rows.next()? {
        let name: Option<String> = row.get(0)?;
        let name = name.map(|name| FrontendName::parse(&name)).transpose();
        queues.push(name.map_err(|error| Error::Damaged(format!("a frontend name {error}")))?);
    }
    tx.db.prepare_cached(&WAKE)?.execute(bind)?;
    Ok(queues)
}

fn comparable(msisdn: Option<&String>) -> Option<String> {
    msisdn.map(|text| key(text).into_owned())
}

/// Stores where a subscriber is.
pub(crate) fn locate(
    tx: &mut Tx<'_>,
    id: Option<u64>,
    sighting: &Sighting,
    now: Timestamp,
) -> Done<Located> {
    let known = match (id, &sighting.imsi) {
        (Some(id), _) => Some(location(tx.db, id)?.ok_or(Error::NotFound)?),
        (None, Some(imsi)) => by_imsi(tx.db, imsi)?,
        (None, None) => return Err(Error::Conflict("imsi is required".into()).into()),
    };
    let before = known
        .as_ref()
        .and_then(|location| comparable(location.msisdn.as_ref()));
    let (location, new) = match known {
        Some(mut location) => {
            location.update(sighting.clone(), now);
            (location, false)
        }
        None => {
            let imsi = sighting.imsi.clone().unwrap_or_default();
            tx.db
                .prepare_cached(
                    "INSERT INTO location (imsi, updated_at, record) VALUES (?1, ?2, '')",
                )?
                .execute(params![imsi, now.millis()])?;
            let id = u64::try_from(tx.db.last_insert_rowid()).unwrap_or(0);
            (Location::first(id, imsi, sighting.clone(), now), true)
        }
    };
    let number = comparable(location.msisdn.as_ref());
    let serves_until = location
        .serving(now)
        .and(location.expires)
        .map(Timestamp::millis);
    tx.db
        .prepare_cached(
            "UPDATE location SET number = ?2, updated_at = ?3, serves_until = ?4, record = ?5 \
             WHERE id = ?1",
        )?
        .execute(params![
            i64::try_from(location.id).unwrap_or(0),
            number,
            now.millis(),
            serves_until,
            record::encode_location(&location),
        ])?;
    let mut queues = BTreeSet::new();
    let serves = location.serving(now).is_some();
    for number in [
        before.filter(|old| number.as_ref() != Some(old)),
        number.clone(),
    ]
    .iter()
    .flatten()
    {
        queues.extend(rehome(tx, number, now)?);
    }
    if let Some(number) = number.as_deref().filter(|_| serves) {
        queues.extend(wake(tx, number, now)?);
    }
    Ok(Located {
        location,
        new,
        queues,
    })
}

/// Removes a location.
pub(crate) fn forget_location(tx: &mut Tx<'_>, id: u64, now: Timestamp) -> Done<bool> {
    let Some(location) = location(tx.db, id)? else {
        return Ok(false);
    };
    tx.db
        .prepare_cached("DELETE FROM location WHERE id = ?1")?
        .execute([row_id(id)])?;
    if let Some(number) = comparable(location.msisdn.as_ref()) {
        rehome(tx, &number, now)?;
    }
    Ok(true)
}

fn row_id(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(-1)
}

fn by_imsi(db: &Connection, imsi: &str) -> Done<Option<Location>> {
    one(
        db,
        "SELECT record FROM location WHERE imsi = ?1",
        [imsi],
        record::decode_location,
    )
}

/// A location by id.
pub(crate) fn location(db: &Connection, id: u64) -> Done<Option<Location>> {
    one(
        db,
        "SELECT record FROM location WHERE id = ?1",
        [row_id(id)],
        record::decode_location,
    )
}

/// Locations by id.
pub(crate) fn locations(db: &Connection, limit: u32, offset: u32) -> Done<Vec<Location>> {
    let sql = "SELECT record FROM location ORDER BY id LIMIT ?1 OFFSET ?2";
    many(db, sql, [limit, offset], record::decode_location)
}

fn one<T, P: rusqlite::Params>(
    db: &Connection,
    sql: &str,
    bind: P,
    decode: impl Fn(&str) -> Result<T, Error>,
) -> Done<Option<T>> {
    let text: Option<String> = db
        .prepare_cached(sql)?
        .query_row(bind, |row| row.get(0))
        .optional()?;
    Ok(text.map(|text| decode(&text)).transpose()?)
}

fn many<T, P: rusqlite::Params>(
    db: &Connection,
    sql: &str,
    bind: P,
    decode: impl Fn(&str) -> Result<T, Error>,
) -> Done<Vec<T>> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(bind)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(decode(row.get_ref(0)?.as_str().unwrap_or(""))?);
    }
    Ok(found)
}

/// Registers a frontend.
pub(crate) fn register(
    tx: &mut Tx<'_>,
    registration: &Registration,
    now: Timestamp,
) -> Done<(Presence, bool)> {
    let latest = one(
        tx.db,
        "SELECT record FROM frontend WHERE name = ?1 ORDER BY id DESC LIMIT 1",
        [registration.name.as_str()],
        record::decode_presence,
    )?;
    let (presence, new) = match latest.filter(|presence| presence.is_active(now)) {
        Some(mut presence) => {
            presence.renew(registration.clone(), now);
            (presence, false)
        }
        None => {
            tx.db
                .prepare_cached(
                    "INSERT INTO frontend (name, expires_at, swept, registrations, record) \
                     VALUES (?1, 0, 0, 0, '')",
                )?
                .execute([registration.name.as_str()])?;
            let id = u64::try_from(tx.db.last_insert_rowid()).unwrap_or(0);
            (Presence::begin(id, registration.clone(), now), true)
        }
    };
    write(tx, &presence)?;
    Ok((presence, new))
}

fn write(tx: &Tx<'_>, presence: &Presence) -> Done<()> {
    tx.db
        .prepare_cached(
            "UPDATE frontend SET expires_at = ?2, swept = ?3, registrations = ?4, record = ?5 \
             WHERE id = ?1",
        )?
        .execute(params![
            row_id(presence.id),
            presence.expires_at.millis(),
            presence.swept,
            i64::try_from(presence.registrations).unwrap_or(i64::MAX),
            record::encode_presence(presence),
        ])?;
    Ok(())
}

/// The frontends that vanished since the last sweep.
pub(crate) fn expire_frontends(tx: &mut Tx<'_>, now: Timestamp) -> Done<Vec<Presence>> {
    let sql = "SELECT record FROM frontend WHERE swept = 0 AND expires_at <= ?1 ORDER BY id";
    let mut gone = many(tx.db, sql, [now.millis()], record::decode_presence)?;
    for presence in &mut gone {
        presence.swept = true;
        write(tx, presence)?;
    }
    Ok(gone)
}

/// The latest stretch of every frontend, by name.
pub(crate) fn frontends(db: &Connection) -> Done<Vec<Presence>> {
    let sql = "SELECT record FROM frontend WHERE id IN \
               (SELECT max(id) FROM frontend GROUP BY name) ORDER BY name";
    many(db, sql, [], record::decode_presence)
}

/// One record.
pub(crate) fn frontend(db: &Connection, id: u64) -> Done<Option<Presence>> {
    one(
        db,
        "SELECT record FROM frontend WHERE id = ?1",
        [row_id(id)],
        record::decode_presence,
    )
}

/// All stretches of a frontend, newest first.
pub(crate) fn history(db: &Connection, name: &FrontendName) -> Done<Vec<Presence>> {
    let sql = "SELECT record FROM frontend WHERE name = ?1 ORDER BY id DESC";
    many(db, sql, [name.as_str()], record::decode_presence)
}

/// The figures of S3.4.
pub(crate) fn stats(db: &Connection, now: Timestamp) -> Done<FrontendStats> {
    let figures = db
        .prepare_cached(
            "SELECT count(*) FILTER (WHERE last > ?1), count(*), coalesce(sum(times), 0) FROM \
             (SELECT max(expires_at) AS last, sum(registrations) AS times FROM frontend \
              GROUP BY name)",
        )?
        .query_row([now.millis()], |row| {
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, i64>(1)?,
                row.get::<_, i64>(2)?,
            ))
        })?;
    let count = |value: i64| u64::try_from(value).unwrap_or(0);
    let (active, unique, registrations) = (count(figures.0), count(figures.1), count(figures.2));
    Ok(FrontendStats {
        active,
        expired: unique - active,
        unique,
        registrations,
    })
}

/// What was decided about frontends.
pub(crate) fn policies(db: &Connection) -> Done<Vec<Policy>> {
    let sql = "SELECT record FROM policy ORDER BY frontend";
    many(db, sql, [], record::decode_policy)
}

/// Stores what was decided about a frontend, or forgets an empty decision.
pub(crate) fn set_policy(tx: &mut Tx<'_>, policy: &Policy) -> Done<()> {
    let name = policy.frontend.as_str();
    if policy.is_empty() {
        tx.db
            .prepare_cached("DELETE FROM policy WHERE frontend = ?1")?
            .execute([name])?;
    } else {
        tx.db
            .prepare_cached("INSERT OR REPLACE INTO policy VALUES (?1, ?2)")?
            .execute([name, &record::encode_policy(policy)])?;
    }
    Ok(())
}

/// The version of the routing tables.
pub(crate) fn routing_version(db: &Connection) -> Done<u64> {
    let version: Option<i64> = db
        .prepare_cached("SELECT value FROM meta WHERE name = 'routing'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(u64::try_from(version.unwrap_or(0)).unwrap_or(0))
}

/// The routing tables.
pub(crate) fn routing(db: &Connection) -> Done<Routing> {
    let mut tables = Routing {
        version: routing_version(db)?,
        ..Routing::default()
    };
    let id = |row: &rusqlite::Row<'_>| -> rusqlite::Result<u64> {
        Ok(u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0))
    };
    let mut statement = db.prepare_cached("SELECT id, record FROM route ORDER BY id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let terms = record::decode_route(row.get_ref(1)?.as_str().unwrap_or(""))?;
        tables.routes.push(Arc::new(Route {
            id: RouteId(id(row)?),
            terms,
        }));
    }
    let mut statement = db.prepare_cached("SELECT id, record FROM rule ORDER BY id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let terms = record::decode_rule(row.get_ref(1)?.as_str().unwrap_or(""))?;
        tables.rules.push(Arc::new(Rule {
            id: RuleId(id(row)?),
            terms,
        }));
    }
    Ok(tables)
}

/// Changes the routing tables.
pub(crate) fn change_routing(
    tx: &mut Tx<'_>,
    change: &RoutingChange,
    base: Option<u64>,
) -> Done<(u64, Option<u64>)> {
    let version = routing_version(tx.db)?;
    if base.is_some_and(|base| base != version) {
        return Err(Error::Conflict("the tables were changed meanwhile".into()).into());
    }
    let id = match change {
        RoutingChange::AddRoute(terms) => insert(tx, "route", None, &record::encode_route(terms))?,
        RoutingChange::SetRoute(id, terms) => set(tx, "route", id.0, &record::encode_route(terms))?,
        RoutingChange::RemoveRoute(id) => remove(tx, "route", id.0)?,
        RoutingChange::ImportRoutes { routes, replace } => {
            let rows = routes.iter().map(|(id, terms)| {
                let id = id.map(|id| id.0);
                (id, record::encode_route(terms))
            });
            import(tx, "route", rows, *replace)?;
            None
        }
        RoutingChange::AddRule(terms) => insert(tx, "rule", None, &record::encode_rule(terms))?,
        RoutingChange::SetRule(id, terms) => set(tx, "rule", id.0, &record::encode_rule(terms))?,
        RoutingChange::RemoveRule(id) => remove(tx, "rule", id.0)?,
        RoutingChange::ImportRules { rules, replace } => {
            let rows = rules.iter().map(|(id, terms)| {
                let id = id.map(|id| id.0);
                (id, record::encode_rule(terms))
            });
            import(tx, "rule", rows, *replace)?;
            None
        }
    };
    tx.db
        .prepare_cached(
            "INSERT INTO meta VALUES ('routing', 1) \
             ON CONFLICT (name) DO UPDATE SET value = value + 1",
        )?
        .execute([])?;
    Ok((routing_version(tx.db)?, id))
}

/// An entry whose id was known keeps it; all others get new ids.
fn import(
    tx: &Tx<'_>,
    table: &str,
    rows: impl Iterator<Item = (Option<u64>, String)>,
    replace: bool,
) -> Done<()> {
    let known: HashSet<u64> = {
        let sql = format!("SELECT id FROM {table}");
        let mut statement = tx.db.prepare_cached(&sql)?;
        let ids = statement.query_map([], |row| row.get::<_, i64>(0))?;
        let ids: Vec<i64> = ids.collect::<Result<_, _>>()?;
        ids.into_iter()
            .filter_map(|id| u64::try_from(id).ok())
            .collect()
    };
    if replace {
        let sql = format!("DELETE FROM {table}");
        tx.db.prepare_cached(&sql)?.execute([])?;
    }
    for (id, record) in rows {
        insert(tx, table, id.filter(|id| known.contains(id)), &record)?;
    }
    Ok(())
}

fn insert(tx: &Tx<'_>, table: &str, id: Option<u64>, record: &str) -> Done<Option<u64>> {
    let sql = format!("INSERT OR REPLACE INTO {table} (id, record) VALUES (?1, ?2)");
    tx.db
        .prepare_cached(&sql)?
        .execute(params![id.map(row_id), record])?;
    Ok(u64::try_from(tx.db.last_insert_rowid()).ok())
}

fn set(tx: &Tx<'_>, table: &str, id: u64, record: &str) -> Done<Option<u64>> {
    let sql = format!("UPDATE {table} SET record = ?2 WHERE id = ?1");
    let found = tx
        .db
        .prepare_cached(&sql)?
        .execute(params![row_id(id), record])?;
    if found == 0 {
        Err(Error::NotFound.into())
    } else {
        Ok(Some(id))
    }
}

fn remove(tx: &Tx<'_>, table: &str, id: u64) -> Done<Option<u64>> {
    let sql = format!("DELETE FROM {table} WHERE id = ?1");
    let found = tx.db.prepare_cached(&sql)?.execute([row_id(id)])?;
    if found == 0 {
        Err(Error::NotFound.into())
    } else {
        Ok(Some(id))
    }
}

//! Which frontend a live location names (S3.3), read so that nobody moves it meanwhile.
//!
//! Whoever stores an undecided message and whoever moves a subscriber take a lock on the number in
//! the database, shared and exclusive; so a message never waits in a queue that its location has
//! left in the same moment.

use std::collections::{BTreeSet, HashMap};

use zajil_core::clock::Timestamp;
use zajil_core::frontend::FrontendName;
use zajil_core::location::{Location, Sighting};
use zajil_core::number::key;
use zajil_store::contract::Located;
use zajil_store::{Error, record};

use crate::conn::{Conn, Step, bind};
use crate::error::Done;
use crate::lane::Tx;
use crate::row::{UNROUTED, frontend, queue, stored};
use crate::tables::{self, only};

/// What a lock is on; each has a class of advisory locks of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Held {
    /// The messages of a number.
    Number,
    /// The record of a subscriber.
    Subscriber,
    /// The stretches of a frontend.
    Frontend,
}

impl Held {
    /// "zjno", "zjim", "zjfr".
    fn class(self) -> i32 {
        match self {
            Self::Number => 0x7a6a_6e6f,
            Self::Subscriber => 0x7a6a_696d,
            Self::Frontend => 0x7a6a_6672,
        }
    }
}

/// How many locks all numbers share: the database has room for a few thousand.
const LOCKS: u64 = 1_024;

/// Frontends by number in comparable form.
pub(crate) type Serving = HashMap<String, FrontendName>;

fn locks(numbers: &BTreeSet<String>) -> Vec<i32> {
    // FNV-1a: every version of this program has to find the same lock.
    let lock = |number: &String| {
        let hash = number
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        i32::try_from(hash % LOCKS).unwrap_or(0)
    };
    // In order, so that two never wait for each other.
    let locks: BTreeSet<i32> = numbers.iter().map(lock).collect();
    locks.into_iter().collect()
}

/// The steps that answer whose the numbers are; the last one's rows are for [`read`].
pub(crate) fn look(numbers: &BTreeSet<String>, now: Timestamp) -> [Step<'static>; 2] {
    const LOCK: &str = "SELECT pg_advisory_xact_lock_shared($1, n) FROM unnest($2::int[]) AS n";
    const SERVING: &str = "SELECT DISTINCT ON (number) number, frontend FROM location \
         WHERE number = ANY ($1) AND frontend IS NOT NULL AND serves_until > $2 \
         ORDER BY number, updated_at DESC, id DESC";
    let list: Vec<String> = numbers.iter().cloned().collect();
    [
        Step::new(LOCK, bind![Held::Number.class(), locks(numbers)]),
        Step::new(SERVING, bind![list, now.millis()]),
    ]
}

/// What [`look`] found.
pub(crate) fn read(rows: &[tokio_postgres::Row]) -> Done<Serving> {
    let mut serving = Serving::with_capacity(rows.len());
    for row in rows {
        serving.insert(row.try_get(0)?, frontend(row.try_get(1)?)?);
    }
    Ok(serving)
}

/// Nobody else has these until the transaction ends.
pub(crate) async fn hold(conn: &Conn, what: Held, names: &BTreeSet<String>) -> Done<()> {
    const HOLD: &str = "SELECT pg_advisory_xact_lock($1, n) FROM unnest($2::int[]) AS n";
    conn.ask(Step::new(HOLD, bind![what.class(), locks(names)]))
        .await
        .map(drop)
}

/// Puts the undecided messages of a number where its location says now; answers with the queue that
/// got some. The number is held.
async fn rehome(tx: &Tx<'_>, number: &str, now: Timestamp) -> Done<Option<Option<FrontendName>>> {
    const MOVE: &str = "WITH moved AS (UPDATE q SET dest = $2 WHERE number = $1 AND undecided \
         AND dest IS NOT NULL AND dest <> $2 RETURNING 1) SELECT count(*) FROM moved";
    let [_, serving] = look(&[number.to_owned()].into(), now);
    let home = read(&tx.ask(serving).await?)?.remove(number);
    let dest = home.as_ref().map_or(UNROUTED, FrontendName::as_str);
    let step = Step::new(MOVE, bind![number.to_owned(), dest.to_owned()]);
    let moved = only(&tx.ask(step).await?)?;
    Ok((moved > 0).then_some(home))
}

/// A subscriber has returned: what failed and waits to be tried again is due at once (D10). Answers
/// with the queues it is in.
async fn wake(tx: &Tx<'_>, number: &str, now: Timestamp) -> Done<Vec<Option<FrontendName>>> {
    const WAKE: &str = "WITH awake AS (UPDATE q SET due = $2, deliver_after = $2 \
         WHERE number = $1 AND due > $2 AND attempts > 0 AND dest IS NOT NULL \
         AND (leased_until IS NULL OR leased_until <= $2) RETURNING dest) \
         SELECT DISTINCT dest FROM awake";
    let step = Step::new(WAKE, bind![number.to_owned(), now.millis()]);
    let mut queues = Vec::new();
    for row in tx.ask(step).await? {
        queues.push(queue(row.try_get(0)?)?);
    }
    Ok(queues)
}

fn comparable(location: &Location) -> Option<String> {
    let msisdn = location.msisdn.as_deref();
    msisdn.map(|text| key(text).into_owned())
}

/// Stores where a subscriber is; answers also until when that serves.
pub(crate) async fn locate(
    tx: &Tx<'_>,
    id: Option<u64>,
    sighting: &Sighting,
    now: Timestamp,
) -> Done<(Located, Option<Timestamp>)> {
    const ADD: &str = "INSERT INTO location (imsi, updated_at, record) VALUES ($1, $2, '') \
         RETURNING id";
    const WRITE: &str = "UPDATE location SET number = $2, frontend = $3, updated_at = $4, \
         serves_until = $5, record = $6 WHERE id = $1";
    let known = find(tx, id, sighting.imsi.as_deref()).await?;
    let before = known.as_ref().and_then(comparable);
    let (location, new) = match (known, sighting.imsi.clone()) {
        (Some(mut location), _) => {
            location.update(sighting.clone(), now);
            (location, false)
        }
        (None, Some(imsi)) => {
            let step = Step::new(ADD, bind![imsi.clone(), now.millis()]);
            let id = only(&tx.ask(step).await?)?;
            (Location::first(id, imsi, sighting.clone(), now), true)
        }
        (None, None) => return Err(Error::Conflict("imsi is required".into()).into()),
    };
    let number = comparable(&location);
    let numbers: BTreeSet<String> = before.iter().chain(&number).cloned().collect();
    hold(tx.conn, Held::Number, &numbers).await?;
    let serving = location.serving(now);
    let until = serving.map(|_| location.expires.unwrap_or(Timestamp::MAX));
    let values = bind![
        stored(location.id),
        number.clone(),
        serving.map(FrontendName::to_string),
        now.millis(),
        until.map(Timestamp::millis),
        record::encode_location(&location),
    ];
    tx.ask(Step::new(WRITE, values)).await?;
    let mut queues = BTreeSet::new();
    for number in &numbers {
        queues.extend(rehome(tx, number, now).await?);
    }
    if let Some(number) = number.as_deref().filter(|_| until.is_some()) {
        queues.extend(wake(tx, number, now).await?);
    }
    for queue in &queues {
        tx.queued(queue.as_ref());
    }
    let located = Located {
        location,
        new,
        queues,
    };
    Ok((located, until))
}

/// The record that a sighting is about, locked.
async fn find(tx: &Tx<'_>, id: Option<u64>, imsi: Option<&str>) -> Done<Option<Location>> {
    const BY_ID: &str = "SELECT record FROM location WHERE id = $1 FOR UPDATE";
    const BY_IMSI: &str = "SELECT record FROM location WHERE imsi = $1 FOR UPDATE";
    let rows = match (id, imsi) {
        (Some(id), _) => {
            let rows = tx.ask(Step::new(BY_ID, bind![stored(id)])).await?;
            if rows.is_empty() {
                return Err(Error::NotFound.into());
            }
            rows
        }
        (None, Some(imsi)) => {
            // Two first sightings at once are one subscriber.
            hold(tx.conn, Held::Subscriber, &[imsi.to_owned()].into()).await?;
            tx.ask(Step::new(BY_IMSI, bind![imsi.to_owned()])).await?
        }
        (None, None) => Vec::new(),
    };
    tables::record(&rows, record::decode_location)
}

/// Removes a location.
pub(crate) async fn forget(tx: &Tx<'_>, id: u64, now: Timestamp) -> Done<bool> {
    const FORGET: &str = "DELETE FROM location WHERE id = $1 RETURNING record";
    let rows = tx.ask(Step::new(FORGET, bind![stored(id)])).await?;
    let Some(location) = tables::record(&rows, record::decode_location)? else {
        return Ok(false);
    };
    if let Some(number) = comparable(&location) {
        hold(tx.conn, Held::Number, &[number.clone()].into()).await?;
        if let Some(queue) = rehome(tx, &number, now).await? {
            tx.queued(queue.as_ref());
        }
    }
    Ok(true)
}

/// What to do about a location that somebody else is just moving messages away from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Others {
    /// Leave it to them.
    Skip,
    /// Wait until they have: the caller is about to offer what is left.
    Await,
}

/// Moves messages away from locations that ran out; answers how many locations.
pub(crate) async fn expire(tx: &Tx<'_>, now: Timestamp, limit: u32, others: Others) -> Done<u64> {
    const SKIP: &str = "UPDATE location SET serves_until = NULL WHERE id IN (SELECT id \
         FROM location WHERE serves_until <= $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED) \
         RETURNING number";
    const AWAIT: &str = "UPDATE location SET serves_until = NULL WHERE id IN (SELECT id \
         FROM location WHERE serves_until <= $1 ORDER BY id LIMIT $2 FOR UPDATE) \
         RETURNING number";
    let sql = match others {
        Others::Skip => SKIP,
        Others::Await => AWAIT,
    };
    let step = Step::new(sql, bind![now.millis(), i64::from(limit)]);
    let rows = tx.ask(step).await?;
    let mut numbers = BTreeSet::new();
    for row in &rows {
        numbers.extend(row.try_get::<_, Option<String>>(0)?);
    }
    hold(tx.conn, Held::Number, &numbers).await?;
    for number in &numbers {
        if let Some(queue) = rehome(tx, number, now).await? {
            tx.queued(queue.as_ref());
        }
    }
    Ok(u64::try_from(rows.len()).unwrap_or(u64::MAX))
}

/// When the first location runs out.
pub(crate) const FIRST_END: &str = "SELECT min(serves_until) FROM location \
     WHERE serves_until IS NOT NULL";

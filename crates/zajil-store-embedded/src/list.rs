//! Lists of messages, newest first: what operators and applications look for.

use std::sync::LazyLock;

use rusqlite::{Connection, Statement, params};
use zajil_core::clock::Timestamp;
use zajil_core::frontend::FrontendName;
use zajil_core::message::Message;
use zajil_core::number::key;
use zajil_core::status::Status;
use zajil_store::contract::Filter;

use crate::error::Done;
use crate::row::{EITHER, MSG, either};
use crate::run;

/// So many pending messages are looked at before the next are sought.
const PIECE: usize = 65_536;

/// What a filter asks of `msg m`, `q` and `fin f`; [`Asked`] is what it is about.
const FITS: &str = "coalesce(f.hidden, 0) = 0 \
     AND (?1 IS NULL OR f.how = ?1) \
     AND (?2 IS NULL OR instr(m.source, ?2) > 0 OR instr(m.destination, ?2) > 0) \
     AND (?3 = 0 OR CASE WHEN f.id IS NULL THEN m.dest_smsc ELSE f.dest_smsc END IS ?4) \
     AND (?5 IS NULL OR m.source_smsc = ?5) \
     AND (?6 IS NULL OR m.inserted_at >= ?6) \
     AND (?7 IS NULL OR m.inserted_at < ?7) \
     AND (?8 IS NULL OR (q.attempts = 0 AND q.deliver_after > ?8))";

/// The parameters of [`FITS`].
struct Asked<'a> {
    how: Option<&'static str>,
    number: Option<String>,
    filter: &'a Filter,
}

impl<'a> Asked<'a> {
    fn of(filter: &'a Filter) -> Self {
        let how = match filter.status {
            Some(Status::Final(how)) => Some(how.as_str()),
            Some(Status::Pending) | None => None,
        };
        let number = filter.number.as_ref();
        Self {
            how,
            number: number.map(|number| key(number).into_owned()),
            filter,
        }
    }

    /// Runs a statement that has an id, a limit and an offset behind [`FITS`].
    fn run(
        &self,
        statement: &mut Statement<'_>,
        id: i64,
        (limit, offset): (u32, u32),
    ) -> Done<Vec<Message>> {
        let filter = self.filter;
        let dest = filter.dest_smsc.as_ref().and_then(Option::as_ref);
        let values = params![
            self.how,
            self.number,
            filter.dest_smsc.is_some(),
            dest.map(FrontendName::as_str),
            filter.source_smsc.as_ref().map(FrontendName::as_str),
            filter.from.map(Timestamp::millis),
            filter.to.map(Timestamp::millis),
            filter.scheduled_after.map(Timestamp::millis),
            id,
            limit,
            offset,
        ];
        let rows = statement.query_map(values, either)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// Many messages, newest first. A status or number filter reads past what does not fit; pending
/// ones are found through their queues, however many finished ones lie between.
pub(crate) fn list(db: &Connection, filter: &Filter) -> Done<Vec<Message>> {
    if let Some(place) = &filter.place {
        return list_here(db, place, filter);
    }
    // What is scheduled has a row in `q`.
    let (from, order) = match (filter.scheduled_after, filter.status) {
        (Some(_), None | Some(Status::Pending)) => (
            "q JOIN msg m ON m.id = q.id LEFT JOIN fin f ON f.id = m.id",
            "q.id",
        ),
        (None, Some(Status::Pending)) => return pending(db, filter),
        (_, Some(Status::Final(_))) => (
            "fin f JOIN msg m ON m.id = f.id LEFT JOIN q ON q.id = m.id",
            "f.id",
        ),
        (None, None) => (
            "msg m LEFT JOIN q ON q.id = m.id LEFT JOIN fin f ON f.id = m.id",
            "m.id",
        ),
    };
    let sql = format!(
        "SELECT {MSG}, {EITHER} FROM {from} WHERE {FITS} AND {order} < ?9 \
         ORDER BY {order} DESC LIMIT ?10 OFFSET ?11"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let page = (filter.limit, filter.offset);
    Asked::of(filter).run(&mut statement, before(filter), page)
}

fn before(filter: &Filter) -> i64 {
    filter.before.map_or(i64::MAX, |before| before.as_i64())
}

/// The messages that wait and are found in a place, newest first.
fn list_here(db: &Connection, place: &str, filter: &Filter) -> Done<Vec<Message>> {
    static SQL: LazyLock<String> = LazyLock::new(|| {
        format!(
            "SELECT {MSG}, {EITHER} FROM findable i CROSS JOIN msg m ON m.id = i.id \
             LEFT JOIN q ON q.id = i.id LEFT JOIN fin f ON f.id = i.id \
             WHERE i.place = ?1 AND i.id < ?2 AND f.id IS NULL ORDER BY i.id DESC LIMIT ?3"
        )
    });
    let mut statement = db.prepare_cached(&SQL)?;
    let rows = statement.query_map(params![place, before(filter), filter.limit], either)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The pending messages that fit, newest first, whether they stand in a run or have a row.
fn pending(db: &Connection, filter: &Filter) -> Done<Vec<Message>> {
    static SQL: LazyLock<String> = LazyLock::new(|| {
        format!(
            "SELECT {MSG}, {EITHER} FROM msg m LEFT JOIN q ON q.id = m.id \
             LEFT JOIN fin f ON f.id = m.id WHERE {FITS} AND m.id = ?9 LIMIT ?10 OFFSET ?11"
        )
    });
    let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let (limit, mut skip) = (size(filter.limit), size(filter.offset));
    let takes_all = filter.number.is_none()
        && filter.dest_smsc.is_none()
        && filter.source_smsc.is_none()
        && filter.from.is_none()
        && filter.to.is_none();
    let piece = match takes_all {
        true => limit.saturating_add(skip).min(PIECE),
        false => PIECE,
    };
    let asked = Asked::of(filter);
    let mut statement = db.prepare_cached(&SQL)?;
    let (mut found, mut below) = (Vec::new(), before(filter));
    while found.len() < limit {
        let ids = newest(db, below, piece)?;
        for id in &ids {
            for message in asked.run(&mut statement, *id, (1, 0))? {
                match skip {
                    0 => found.push(message),
                    _ => skip -= 1,
                }
            }
            if found.len() == limit {
                break;
            }
        }
        match ids.last() {
            Some(last) if ids.len() == piece => below = *last,
            _ => break,
        }
    }
    Ok(found)
}

/// The highest ids of pending messages below one, at most so many.
fn newest(db: &Connection, below: i64, limit: usize) -> Done<Vec<i64>> {
    // Most often as many of the newest wait, or not many do at all.
    let (near, is_all) = among_the_newest(db, below, limit)?;
    if near.len() == limit || is_all {
        return Ok(near);
    }
    let mut ids = run::newest(db, below, limit)?;
    let mut statement =
        db.prepare_cached("SELECT id FROM q WHERE id < ?1 ORDER BY id DESC LIMIT ?2")?;
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    for id in statement.query_map([below, most], |row| row.get(0))? {
        ids.push(id?);
    }
    ids.sort_unstable_by(|one, other| other.cmp(one));
    ids.truncate(limit);
    Ok(ids)
}

/// Those of the newest messages that wait, and whether these were all messages.
fn among_the_newest(db: &Connection, below: i64, limit: usize) -> Done<(Vec<i64>, bool)> {
    let looked_at = limit.saturating_mul(2).saturating_add(1_000);
    let mut statement = db.prepare_cached(
        "SELECT m.id, f.id IS NULL FROM msg m LEFT JOIN fin f ON f.id = m.id \
         WHERE m.id < ?1 ORDER BY m.id DESC LIMIT ?2",
    )?;
    let mut rows = statement.query([below, i64::try_from(looked_at).unwrap_or(i64::MAX)])?;
    let (mut ids, mut read) = (Vec::new(), 0);
    while ids.len() < limit {
        let Some(row) = rows.next()? else {
            return Ok((ids, read < looked_at));
        };
        read += 1;
        if row.get(1)? {
            ids.push(row.get(0)?);
        }
    }
    Ok((ids, false))
}

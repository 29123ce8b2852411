//! The move itself, over two ports: how it begins or goes on, what is compared, and how it ends.
//!
//! It may be killed at any moment and run again. A source is marked before anything is written and
//! kept from starting from then on, so that it does not change; the target's mark says which row
//! came last and commits with the rows. A target may start before its source is marked as moved:
//! never both.

use sha2::{Digest as _, Sha256};
use zajil_core::civil;
use zajil_core::clock::Timestamp;

use super::{Mark, Port, Role, Row, Table, Value};
use crate::contract::Error;

/// How a move begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// Nothing has been carried yet.
    Anew,
    /// It goes on where it was.
    Again,
    /// All was carried and compared; only the source does not know yet.
    AtItsEnd,
}

/// A row more has been carried, or compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Of which table.
    pub table: Table,
    /// How many of it in this run.
    pub rows: u64,
}

/// Who is told how far it came.
pub type Told<'a> = &'a mut (dyn FnMut(Progress) + Send);

/// What a table of a store holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    /// Its rows.
    pub rows: u64,
    /// The SHA-256 of all of them in the order of keys, in hexadecimal.
    pub sha256: String,
}

/// A table on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// Which one.
    pub table: Table,
    /// What the source holds.
    pub source: Sum,
    /// What the target holds.
    pub target: Sum,
}

impl Compared {
    /// Whether both hold the same.
    #[must_use]
    pub fn agrees(&self) -> bool {
        self.source == self.target
    }
}

/// Begins a move, or goes on with one: marks both sides. `id` is drawn by the caller.
///
/// # Errors
/// [`Error::Conflict`] when these two cannot be moved: one is part of another move, the source has
/// moved already, or the target is not empty. Nothing was changed then.
pub async fn begin(
    source: &mut dyn Port,
    target: &mut dyn Port,
    (id, now): (String, Timestamp),
) -> Result<Begun, Error> {
    let (from, to) = (source.mark().await?, target.mark().await?);
    let from = from.filter(|mark| mark.role == Role::Source || !mark.done);
    match (from, to) {
        (None, to) => {
            is_free(to.as_ref(), target).await?;
            let other = target.place();
            let mark = mark((id, Role::Source), other, now);
            source.set_mark(Some(mark.clone())).await?;
            enter(&mark, source, target).await
        }
        (Some(from), _) if from.role == Role::Target || from.done => Err(refused(source, &from)),
        (Some(from), Some(to)) if to.id == from.id => match to.done {
            true => Ok(Begun::AtItsEnd),
            false => Ok(Begun::Again),
        },
        (Some(from), None) if from.other == target.place() => {
            is_free(None, target).await?;
            enter(&from, source, target).await
        }
        (Some(from), _) => Err(refused(source, &from)),
    }
}

fn mark((id, role): (String, Role), other: String, at: Timestamp) -> Mark {
    Mark {
        id,
        role,
        other,
        at,
        done: false,
        reached: None,
    }
}

async fn enter(from: &Mark, source: &dyn Port, target: &mut dyn Port) -> Result<Begun, Error> {
    let mark = mark((from.id.clone(), Role::Target), source.place(), from.at);
    target.set_mark(Some(mark)).await?;
    Ok(Begun::Anew)
}

fn refused(port: &dyn Port, mark: &Mark) -> Error {
    let why = mark.keeps_out().unwrap_or_default();
    Error::Conflict(format!("{} is part of a move: {why}", port.place()))
}

/// Whether a store can be filled: it holds nothing, and no other move fills it.
///
/// # Errors
/// [`Error::Conflict`] when not.
pub async fn is_free(mark: Option<&Mark>, target: &mut dyn Port) -> Result<(), Error> {
    match mark {
        Some(mark) if mark.role == Role::Target && !mark.done => {
            let (place, other) = (target.place(), &mark.other);
            let at = civil::to_the_second(mark.at);
            return Err(Error::Conflict(format!(
                "{place} holds a part of another move, from {other} since {at}: if that one was \
                 given up, empty it first"
            )));
        }
        Some(mark) if mark.keeps_out().is_some() => return Err(refused(target, mark)),
        _ => {}
    }
    for table in Table::ALL {
        if !target.rows(table, table.start(), 1).await?.is_empty() {
            let place = target.place();
            return Err(Error::Conflict(format!(
                "{place} is not empty: it has rows of {table}; only an empty store can be filled"
            )));
        }
    }
    Ok(())
}

/// Carries everything that has not been carried yet.
///
/// # Errors
/// What either side answers; what was carried stays, and the next call goes on behind it.
pub async fn carry(
    source: &mut dyn Port,
    target: &mut dyn Port,
    told: Told<'_>,
) -> Result<(), Error> {
    let mark = target.mark().await?;
    let mut mark = mark.ok_or_else(|| Error::Damaged("a target without a mark".into()))?;
    let reached = mark.reached.clone();
    for table in Table::ALL {
        let mut after = match &reached {
            Some((last, _)) if *last > table => continue,
            Some((last, key)) if *last == table => key.clone(),
            _ => table.start(),
        };
        let mut rows = 0;
        loop {
            let page = source.rows(table, after, table.at_once()).await?;
            let Some(last) = page.last() else { break };
            after = table.key(last);
            rows += u64::try_from(page.len()).unwrap_or(0);
            mark.reached = Some((table, after.clone()));
            target.put(table, page, mark.clone()).await?;
            told(Progress { table, rows });
        }
    }
    Ok(())
}

/// What a table holds.
///
/// # Errors
/// As [`Port::rows`].
pub async fn sum(port: &mut dyn Port, table: Table, told: Told<'_>) -> Result<Sum, Error> {
    let (mut digest, mut rows, mut after) = (Sha256::new(), 0, table.start());
    loop {
        let page = port.rows(table, after, table.at_once()).await?;
        let Some(last) = page.last() else { break };
        after = table.key(last);
        rows += u64::try_from(page.len()).unwrap_or(0);
        page.iter().for_each(|row| add(&mut digest, row));
        told(Progress { table, rows });
    }
    let octets = digest.finalize();
    let sha256 = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    Ok(Sum { rows, sha256 })
}

/// Every value with its kind and its length, so that no two rows read the same.
fn add(digest: &mut Sha256, row: &Row) {
    let mut tagged = |tag: u8, octets: &[u8]| {
        digest.update([tag]);
        digest.update(
            u64::try_from(octets.len())
                .unwrap_or(u64::MAX)
                .to_be_bytes(),
        );
        digest.update(octets);
    };
    for value in row {
        match value {
            Value::Null => tagged(0, &[]),
            Value::Int(number) => tagged(1, &number.to_be_bytes()),
            Value::Text(text) => tagged(2, text.as_bytes()),
            Value::Bytes(octets) => tagged(3, octets),
        }
    }
}

/// Reads both sides again, from the first row to the last.
///
/// # Errors
/// As [`Port::rows`].
pub async fn compare(
    source: &mut dyn Port,
    target: &mut dyn Port,
    told: Told<'_>,
) -> Result<Vec<Compared>, Error> {
    let mut all = Vec::with_capacity(Table::ALL.len());
    for table in Table::ALL {
        all.push(Compared {
            table,
            source: sum(source, table, told).await?,
            target: sum(target, table, told).await?,
        });
    }
    Ok(all)
}

/// Says that everything has been carried and compared: the target may start, the source never
/// does unless somebody takes its mark away.
///
/// # Errors
/// As [`Port::set_mark`].
pub async fn finish(
    source: &mut dyn Port,
    target: &mut dyn Port,
    now: Timestamp,
) -> Result<(), Error> {
    // A node that has started on the target meanwhile is left alone.
    if let Some(mark) = target.mark().await?.filter(|mark| !mark.done) {
        let done = Mark {
            done: true,
            at: now,
            reached: None,
            ..mark
        };
        target.set_mark(Some(done)).await?;
    }
    leave(source, now).await
}

/// The second half of it: a target may start already, and the source does not know yet.
///
/// # Errors
/// As [`Port::set_mark`].
pub async fn leave(source: &mut dyn Port, now: Timestamp) -> Result<(), Error> {
    let mark = source.mark().await?;
    let mark = mark.ok_or_else(|| Error::Damaged("a source without a mark".into()))?;
    let done = Mark {
        done: true,
        at: now,
        ..mark
    };
    source.set_mark(Some(done)).await
}

/// The other side of a move as it was found, whoever works on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Other {
    /// Where it is, without passwords.
    pub place: String,
    /// The mark that it has.
    pub mark: Option<Mark>,
}

impl Other {
    /// Whether everything has arrived there although the source's mark does not say so.
    #[must_use]
    pub fn has_all_of(&self, source: &Mark) -> bool {
        let here = self.mark.as_ref();
        let unsaid = source.role == Role::Source && !source.done;
        unsaid && here.is_some_and(|mark| mark.id == source.id && mark.done)
    }
}

/// Takes the mark of a source away, so that nodes start on it again with what it held. A source
/// that was moved says so, and whoever asks knows; of one on its way the target must be looked at:
/// it may have everything already, and nodes that work on it.
///
/// # Errors
/// [`Error::Conflict`] when it is no source, or on its way and the target was not looked at, or has
/// everything.
pub async fn undo(source: &mut dyn Port, target: Option<&Other>) -> Result<(), Error> {
    let place = source.place();
    let refuse = |why: String| Err(Error::Conflict(format!("{place} {why}")));
    let mark = source.mark().await?;
    let Some(mark) = mark.filter(|mark| mark.role == Role::Source) else {
        return refuse("has not been moved anywhere".into());
    };
    let is_named = |other: &Other| {
        let its = other.mark.as_ref();
        its.is_some_and(|its| its.id == mark.id) || other.place == mark.other
    };
    match target {
        Some(other) if other.has_all_of(&mark) => {
            let to = &other.place;
            refuse(format!(
                "was moved to {to}, which holds everything, and nodes may work there: run the same \
                 zajil migrate again, without --undo"
            ))
        }
        Some(other) if !mark.done && !is_named(other) => {
            let (to, named) = (&mark.other, &other.place);
            refuse(format!("is on its way to {to}, not to {named}"))
        }
        None if !mark.done => refuse(format!(
            "is on its way to {}: name that with --to, since it may hold everything already",
            mark.other
        )),
        _ => source.set_mark(None).await,
    }
}

//! Parts that carriers took and have not told the end of: written with the report of it (D19).

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio_postgres::Row;
use zajil_core::clock::Timestamp;
use zajil_core::frontend::FrontendName;
use zajil_core::id::MessageId;
use zajil_core::smpp::Awaited;
use zajil_store::Reply;
use zajil_store::awaited::{AwaitedPart, AwaitedParts};

use crate::conn::{Step, bind};
use crate::error::Done;
use crate::lane::Tx;
use crate::open::PostgresStore;
use crate::row::{damaged, instant, message_id, whole};

macro_rules! columns {
    () => {
        "carrier, id, message_id, tail, taken_at, until, parts, delivered"
    };
}

impl AwaitedParts for PostgresStore {
    fn awaited_parts(
        &self,
        carrier: FrontendName,
        ids: Vec<String>,
    ) -> Reply<'_, Vec<AwaitedPart>> {
        const FIND: &str = concat!(
            "SELECT ",
            columns!(),
            " FROM awaited WHERE carrier = $1 AND id = ANY ($2) ORDER BY id"
        );
        let step = move || Step::new(FIND, bind![carrier.to_string(), ids.clone()]);
        Box::pin(self.quick.read(step, read))
    }

    fn part_delivered(&self, carrier: FrontendName, id: String) -> Reply<'_, Option<u64>> {
        let key = Arc::new((carrier.to_string(), id));
        Box::pin(self.chore(move |tx| {
            let key = Arc::clone(&key);
            Box::pin(async move { delivered(tx, &key).await })
        }))
    }

    fn overdue_parts(&self, now: Timestamp, limit: u32) -> Reply<'_, Vec<AwaitedPart>> {
        const LATE: &str = concat!(
            "SELECT ",
            columns!(),
            " FROM awaited WHERE until < $1 ORDER BY until, carrier, id LIMIT $2"
        );
        let step = move || Step::new(LATE, bind![now.millis(), i64::from(limit)]);
        Box::pin(self.quick.read(step, read))
    }

    fn forget_parts(
        &self,
        of: Vec<(MessageId, Timestamp)>,
    ) -> Reply<'_, Vec<(FrontendName, String)>> {
        // Locked in one order, so that two callers never wait for each other.
        const FORGET: &str = "WITH told AS MATERIALIZED (SELECT a.carrier, a.id FROM awaited a \
             JOIN unnest($1::bigint[], $2::bigint[]) AS n (id, at) \
             ON a.message_id = n.id AND a.taken_at <= n.at \
             ORDER BY a.carrier, a.id FOR UPDATE OF a) \
             DELETE FROM awaited a USING told t \
             WHERE a.carrier = t.carrier AND a.id = t.id RETURNING a.carrier, a.id";
        let of = of.into_iter().map(|(id, at)| (id.as_i64(), at.millis()));
        let of: Arc<(Vec<i64>, Vec<i64>)> = Arc::new(of.unzip());
        Box::pin(self.chore(move |tx| {
            let of = Arc::clone(&of);
            Box::pin(async move {
                let bounds = bind![of.0.clone(), of.1.clone()];
                let gone = tx.ask(Step::new(FORGET, bounds)).await?;
                let key = |row: &Row| Ok((carrier(row)?, row.try_get(1)?));
                gone.iter().map(key).collect()
            })
        }))
    }
}

fn carrier(row: &Row) -> Done<FrontendName> {
    let name = FrontendName::parse(row.try_get(0)?);
    Ok(name.map_err(|_| damaged("an awaited part has no carrier".into()))?)
}

fn read(rows: &[Row]) -> Done<Vec<AwaitedPart>> {
    let part = |row: &Row| {
        Ok(AwaitedPart {
            carrier: carrier(row)?,
            id: row.try_get(1)?,
            message: message_id(row.try_get(2)?)?,
            tail: row.try_get(3)?,
            taken_at: instant(row, 4)?,
            until: instant(row, 5)?,
            parts: whole(row, 6)?,
            delivered: row.try_get(7)?,
        })
    };
    rows.iter().map(part).collect()
}

async fn delivered(tx: &Tx<'_>, key: &(String, String)) -> Done<Option<u64>> {
    // All parts of the turn first: of receipts that come together the last sees the others.
    const LOCK: &str = "SELECT 1 FROM awaited WHERE (message_id, taken_at) = \
         (SELECT message_id, taken_at FROM awaited WHERE carrier = $1 AND id = $2) \
         ORDER BY carrier, id FOR UPDATE";
    const DELIVERED: &str = "UPDATE awaited SET delivered = true \
         WHERE carrier = $1 AND id = $2 RETURNING message_id, taken_at";
    const LEFT: &str = "SELECT count(*) FROM awaited \
         WHERE message_id = $1 AND taken_at = $2 AND NOT delivered";
    let named = || bind![key.0.clone(), key.1.clone()];
    tx.ask(Step::new(LOCK, named())).await?;
    let rows = tx.ask(Step::new(DELIVERED, named())).await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let turn = bind![row.try_get::<_, i64>(0)?, row.try_get::<_, i64>(1)?];
    let left = tx.ask(Step::new(LEFT, turn)).await?;
    let row = left.first().ok_or_else(|| damaged("no answer".into()))?;
    Ok(Some(whole(row, 0)?))
}

/// Rows of `awaited`, written with the reports that their parts were taken.
#[derive(Debug, Default)]
pub(crate) struct AwaitedRows(BTreeMap<(String, String), AwaitedRow>);

/// What a row has beside its key.
#[derive(Debug)]
struct AwaitedRow {
    message: i64,
    tail: String,
    taken_at: i64,
    until: i64,
    parts: i64,
}

impl AwaitedRows {
    /// A carrier that gives an id again means the last part by it.
    pub(crate) fn push(&mut self, message: MessageId, parts: &Awaited, now: Timestamp) {
        for id in &parts.ids {
            let row = AwaitedRow {
                message: message.as_i64(),
                tail: parts.tail.clone(),
                taken_at: now.millis(),
                until: parts.until.millis(),
                parts: i64::try_from(parts.ids.len()).unwrap_or(i64::MAX),
            };
            self.0.insert((parts.carrier.to_string(), id.clone()), row);
        }
    }

    pub(crate) fn step<'a>(self) -> Option<Step<'a>> {
        const TAKEN: &str = "INSERT INTO awaited AS a \
             (carrier, id, message_id, tail, taken_at, until, parts) \
             SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], \
             $5::bigint[], $6::bigint[], $7::bigint[]) \
             ON CONFLICT (carrier, id) DO UPDATE SET message_id = excluded.message_id, \
             tail = excluded.tail, taken_at = excluded.taken_at, until = excluded.until, \
             parts = excluded.parts, \
             delivered = false";
        if self.0.is_empty() {
            return None;
        }
        let (mut carriers, mut ids, mut messages) = (Vec::new(), Vec::new(), Vec::new());
        let (mut tails, mut taken) = (Vec::new(), Vec::new());
        let (mut until, mut parts) = (Vec::new(), Vec::new());
        for ((carrier, id), row) in self.0 {
            carriers.push(carrier);
            ids.push(id);
            messages.push(row.message);
            tails.push(row.tail);
            taken.push(row.taken_at);
            until.push(row.until);
            parts.push(row.parts);
        }
        let rows = bind![carriers, ids, messages, tails, taken, until, parts];
        Some(Step::new(TAKEN, rows))
    }
}

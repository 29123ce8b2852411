//! Parts that carriers took and have not told the end of: written with the report of it (D19).

use rusqlite::{OptionalExtension, Row, params};
use zajil_core::clock::Timestamp;
use zajil_core::frontend::FrontendName;
use zajil_core::id::MessageId;
use zajil_core::smpp::Awaited;
use zajil_store::awaited::{AwaitedPart, AwaitedParts};
use zajil_store::{Error, Reply};

use crate::error::Done;
use crate::open::EmbeddedStore;
use crate::row::message_id;
use crate::writer::Tx;

const COLUMNS: &str = "carrier, id, message_id, tail, taken_at, until, parts, delivered";

impl AwaitedParts for EmbeddedStore {
    fn awaited_parts(
        &self,
        carrier: FrontendName,
        mut ids: Vec<String>,
    ) -> Reply<'_, Vec<AwaitedPart>> {
        ids.sort();
        ids.dedup();
        Box::pin(self.readers.run(move |db| {
            let sql = format!("SELECT {COLUMNS} FROM awaited WHERE carrier = ?1 AND id = ?2");
            let mut statement = db.prepare_cached(&sql)?;
            let mut found = Vec::new();
            for id in &ids {
                let key = params![carrier.as_str(), id];
                let part = statement.query_row(key, |row| Ok(part(row))).optional()?;
                found.extend(part.transpose()?);
            }
            Ok(found)
        }))
    }

    fn part_delivered(&self, carrier: FrontendName, id: String) -> Reply<'_, Option<u64>> {
        Box::pin(self.writer.run(move |tx| delivered(tx, &carrier, &id)))
    }

    fn overdue_parts(&self, now: Timestamp, limit: u32) -> Reply<'_, Vec<AwaitedPart>> {
        Box::pin(self.readers.run(move |db| {
            let sql = format!(
                "SELECT {COLUMNS} FROM awaited WHERE until < ?1 \
                 ORDER BY until, carrier, id LIMIT ?2"
            );
            let mut statement = db.prepare_cached(&sql)?;
            let mut rows = statement.query(params![now.millis(), limit])?;
            let mut late = Vec::new();
            while let Some(row) = rows.next()? {
                late.push(part(row)?);
            }
            Ok(late)
        }))
    }

    fn forget_parts(
        &self,
        of: Vec<(MessageId, Timestamp)>,
    ) -> Reply<'_, Vec<(FrontendName, String)>> {
        Box::pin(self.writer.run(move |tx| {
            let sql = "DELETE FROM awaited WHERE message_id = ?1 AND taken_at <= ?2 \
                 RETURNING carrier, id";
            let mut statement = tx.db.prepare_cached(sql)?;
            let mut gone = Vec::new();
            for (id, at) in &of {
                let mut rows = statement.query(params![id.as_i64(), at.millis()])?;
                while let Some(row) = rows.next()? {
                    gone.push((carrier(row)?, row.get(1)?));
                }
            }
            Ok(gone)
        }))
    }
}

impl Tx<'_> {
    /// Writes down what a carrier took.
    pub(crate) fn await_parts(
        &mut self,
        message: MessageId,
        parts: &Awaited,
        now: Timestamp,
    ) -> Done<()> {
        let sql = "INSERT OR REPLACE INTO awaited VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0)";
        let mut statement = self.db.prepare_cached(sql)?;
        for id in &parts.ids {
            statement.execute(params![
                parts.carrier.as_str(),
                id,
                message.as_i64(),
                parts.tail,
                now.millis(),
                parts.until.millis(),
                i64::try_from(parts.ids.len()).unwrap_or(i64::MAX),
            ])?;
        }
        Ok(())
    }
}

fn damaged(what: &str) -> Error {
    Error::Damaged(format!("an awaited part has {what}"))
}

fn carrier(row: &Row<'_>) -> Done<FrontendName> {
    let name = FrontendName::parse(row.get_ref(0)?.as_str().unwrap_or(""));
    Ok(name.map_err(|_| damaged("no carrier"))?)
}

fn part(row: &Row<'_>) -> Done<AwaitedPart> {
    Ok(AwaitedPart {
        carrier: carrier(row)?,
        id: row.get(1)?,
        message: message_id(row.get(2)?)?,
        tail: row.get(3)?,
        taken_at: Timestamp::from_millis(row.get(4)?),
        until: Timestamp::from_millis(row.get(5)?),
        parts: u64::try_from(row.get::<_, i64>(6)?).unwrap_or(0),
        delivered: row.get(7)?,
    })
}

fn delivered(tx: &Tx<'_>, carrier: &FrontendName, id: &str) -> Done<Option<u64>> {
    let turn: Option<(i64, i64)> = tx
        .db
        .prepare_cached("SELECT message_id, taken_at FROM awaited WHERE carrier = ?1 AND id = ?2")?
        .query_row(params![carrier.as_str(), id], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let Some((message, taken_at)) = turn else {
        return Ok(None);
    };
    tx.db
        .prepare_cached("UPDATE awaited SET delivered = 1 WHERE carrier = ?1 AND id = ?2")?
        .execute(params![carrier.as_str(), id])?;
    let sql = "SELECT count(*) FROM awaited \
         WHERE message_id = ?1 AND taken_at = ?2 AND delivered = 0";
    let left: i64 = tx
        .db
        .prepare_cached(sql)?
        .query_row([message, taken_at], |row| row.get(0))?;
    Ok(Some(u64::try_from(left).unwrap_or(0)))
}

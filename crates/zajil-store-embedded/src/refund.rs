//! Prices to be given back: written with the end of a message, begun once, then forgotten.

use rusqlite::{Connection, params};
use zajil_core::clock::Timestamp;
use zajil_core::event::Event;
use zajil_core::id::MessageId;
use zajil_store::contract::Refund;
use zajil_store::record;

use crate::error::Done;
use crate::writer::Tx;

/// The oldest refunds.
pub(crate) fn oldest(db: &Connection, now: Timestamp, limit: u32) -> Done<Vec<Refund>> {
    let mut statement = db.prepare_cached(
        "SELECT record, begun FROM refund WHERE next_try <= ?1 ORDER BY id LIMIT ?2",
    )?;
    let mut rows = statement.query(params![now.millis(), limit])?;
    let mut refunds = Vec::new();
    while let Some(row) = rows.next()? {
        let mut refund = record::decode_refund(row.get_ref(0)?.as_str().unwrap_or(""))?;
        refund.begun = row.get::<_, Option<i64>>(1)?.map(Timestamp::from_millis);
        refunds.push(refund);
    }
    Ok(refunds)
}

/// Marks a refund as begun, unless it was.
pub(crate) fn begin(tx: &mut Tx<'_>, id: MessageId, now: Timestamp) -> Done<bool> {
    let begun = tx
        .db
        .prepare_cached("UPDATE refund SET begun = ?2 WHERE id = ?1 AND begun IS NULL")?
        .execute(params![id.as_i64(), now.millis()])?;
    Ok(begun > 0)
}

/// Forgets a refund, and logs what became of it.
pub(crate) fn done(tx: &mut Tx<'_>, id: MessageId, event: Option<&Event>) -> Done<()> {
    let forgotten = tx
        .db
        .prepare_cached("DELETE FROM refund WHERE id = ?1")?
        .execute([id.as_i64()])?;
    if let (true, Some(event)) = (forgotten > 0, event) {
        tx.log_if_known(id, event)?;
    }
    Ok(())
}

/// Lets somebody begin again, later.
pub(crate) fn postpone(tx: &mut Tx<'_>, id: MessageId, until: Timestamp) -> Done<()> {
    tx.db
        .prepare_cached("UPDATE refund SET begun = NULL, next_try = ?2 WHERE id = ?1")?
        .execute(params![id.as_i64(), until.millis()])?;
    Ok(())
}

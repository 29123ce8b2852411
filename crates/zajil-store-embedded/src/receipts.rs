//! Receipts that applications are owed: written with the change of their message (D19).

use rusqlite::{Connection, Rows, params};
use zajil_core::clock::Timestamp;
use zajil_core::event::Event;
use zajil_core::frontend::FrontendName;
use zajil_core::message::Message;
use zajil_core::receipt;
use zajil_store::receipts::{Owed, ReceiptSeq, Receipts, Told};
use zajil_store::{Reply, record};

use crate::error::Done;
use crate::open::EmbeddedStore;
use crate::row::message_id;
use crate::writer::Tx;

impl Receipts for EmbeddedStore {
    fn lease_receipts(
        &self,
        account: FrontendName,
        limit: u32,
        now: Timestamp,
        until: Timestamp,
    ) -> Reply<'_, Vec<Owed>> {
        Box::pin(async move {
            // Nearly always nothing is due: the writer need not hear of it.
            if !self.receipts_due(account.clone(), now).await? {
                return Ok(Vec::new());
            }
            let lease = move |tx: &mut Tx<'_>| lease(tx, &account, limit, (now, until));
            self.writer.run_if_wanted(lease).await
        })
    }

    fn receipts_due(&self, account: FrontendName, now: Timestamp) -> Reply<'_, bool> {
        const DUE: &str = "SELECT 1 FROM receipt WHERE account = ?1 AND due <= ?2 LIMIT 1";
        let is_due = move |db: &Connection| {
            let mut statement = db.prepare_cached(DUE)?;
            Ok(statement.exists(params![account.as_str(), now.millis()])?)
        };
        Box::pin(self.readers.run(is_due))
    }

    fn tell_receipts(&self, told: Vec<(ReceiptSeq, Told)>) -> Reply<'_, ()> {
        let tell =
            move |tx: &mut Tx<'_>| told.iter().try_for_each(|(seq, told)| tell(tx, *seq, told));
        Box::pin(self.writer.run(tell))
    }

    fn stale_receipts(&self, before: Timestamp, limit: u32) -> Reply<'_, Vec<Owed>> {
        Box::pin(self.readers.run(move |db| stale(db, before, limit)))
    }

    fn receipts_owed(&self) -> Reply<'_, u64> {
        let count = |db: &Connection| {
            let owed: i64 = db
                .prepare_cached("SELECT count(*) FROM receipt")?
                .query_row([], |row| row.get(0))?;
            Ok(u64::try_from(owed).unwrap_or(0))
        };
        Box::pin(self.readers.run(count))
    }
}

impl Tx<'_> {
    /// Writes the receipt that a change of a message calls for, in place of a former one.
    pub(crate) fn owe(&mut self, message: &Message, events: &[Event]) -> Done<()> {
        let Some(receipt) = receipt::owed(message, events) else {
            return Ok(());
        };
        let made_at = message.updated_at.millis();
        self.kept(
            "INSERT OR REPLACE INTO receipt (message_id, account, due, made_at, tries, record) \
             VALUES (?1, ?2, ?3, ?3, 0, ?4)",
        )?
        .execute(params![
            message.id.as_i64(),
            receipt.account.as_str(),
            made_at,
            record::encode_receipt(&receipt),
        ])?;
        Ok(())
    }
}

fn all(mut rows: Rows<'_>) -> Done<Vec<Owed>> {
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(Owed {
            seq: ReceiptSeq(u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0)),
            tries: row.get(1)?,
            receipt: record::decode_receipt(row.get_ref(2)?.as_str().unwrap_or(""))?,
        });
    }
    Ok(all)
}

fn due(db: &Connection, account: &FrontendName, now: Timestamp, limit: u32) -> Done<Vec<Owed>> {
    let mut statement = db.prepare_cached(
        "SELECT seq, tries, record FROM receipt WHERE account = ?1 AND due <= ?2 \
         ORDER BY due, seq LIMIT ?3",
    )?;
    all(statement.query(params![account.as_str(), now.millis(), limit])?)
}

fn lease(
    tx: &mut Tx<'_>,
    account: &FrontendName,
    limit: u32,
    (now, until): (Timestamp, Timestamp),
) -> Done<Vec<Owed>> {
    let leased = due(tx.db, account, now, limit)?;
    for owed in &leased {
        put_off(tx, owed.seq, until, 0)?;
    }
    Ok(leased)
}

fn place(seq: ReceiptSeq) -> i64 {
    i64::try_from(seq.0).unwrap_or(i64::MAX)
}

fn put_off(tx: &mut Tx<'_>, seq: ReceiptSeq, until: Timestamp, tries: u32) -> Done<()> {
    tx.kept("UPDATE receipt SET due = ?2, tries = tries + ?3 WHERE seq = ?1")?
        .execute(params![place(seq), until.millis(), tries])?;
    Ok(())
}

fn tell(tx: &mut Tx<'_>, seq: ReceiptSeq, told: &Told) -> Done<()> {
    let event = match told {
        Told::Again(at) => return put_off(tx, seq, *at, 1),
        Told::Unsent(at) => return put_off(tx, seq, *at, 0),
        Told::Done(event) => event,
    };
    let gone: Option<i64> = {
        let statement = tx.kept("DELETE FROM receipt WHERE seq = ?1 RETURNING message_id")?;
        let mut rows = statement.query([place(seq)])?;
        let id = rows.next()?.map(|row| row.get(0)).transpose()?;
        // Read to its end, or the row stays.
        while rows.next()?.is_some() {}
        id
    };
    if let Some(id) = gone {
        tx.log_if_known(message_id(id)?, event)?;
    }
    Ok(())
}

fn stale(db: &Connection, before: Timestamp, limit: u32) -> Done<Vec<Owed>> {
    let mut statement = db.prepare_cached(
        "SELECT seq, tries, record FROM receipt WHERE made_at < ?1 ORDER BY made_at, seq LIMIT ?2",
    )?;
    all(statement.query(params![before.millis(), limit])?)
}

//! Receipts that applications are owed: written with the change of their message (D19).

use std::sync::Arc;

use tokio_postgres::Row;
use zajil_core::clock::Timestamp;
use zajil_core::event::Event;
use zajil_core::frontend::FrontendName;
use zajil_core::message::Message;
use zajil_core::receipt;
use zajil_store::contract::Reported;
use zajil_store::receipts::{Owed, ReceiptSeq, Receipts, Told};
use zajil_store::{Reply, record};

use crate::conn::{Step, bind};
use crate::error::Done;
use crate::lane::Tx;
use crate::notify::Hints;
use crate::open::PostgresStore;
use crate::row::{message_id, whole};
use crate::store::log_if_known;
use crate::tables::only;

impl Receipts for PostgresStore {
    fn lease_receipts(
        &self,
        account: FrontendName,
        limit: u32,
        now: Timestamp,
        until: Timestamp,
    ) -> Reply<'_, Vec<Owed>> {
        // In two steps, since the rows of an UPDATE have no order.
        const LEASE: &str = "WITH d AS MATERIALIZED (SELECT seq, due FROM receipt \
             WHERE account = $1 AND due <= $2 ORDER BY due, seq LIMIT $3 \
             FOR UPDATE SKIP LOCKED), \
             l AS (UPDATE receipt r SET due = $4 FROM d WHERE r.seq = d.seq \
             RETURNING r.seq, r.tries, r.record, d.due AS was_due) \
             SELECT seq, tries, record FROM l ORDER BY was_due, seq";
        Box::pin(async move {
            // Nearly always nothing is due: no transaction is needed to see that.
            if !self.receipts_due(account.clone(), now).await? {
                return Ok(Vec::new());
            }
            let account = Arc::new(account);
            let lease = self.chore(move |tx| {
                let account = Arc::clone(&account);
                Box::pin(async move {
                    let (now, until) = (now.millis(), until.millis());
                    let bounds = bind![account.to_string(), now, i64::from(limit), until];
                    read(&tx.ask(Step::new(LEASE, bounds)).await?)
                })
            });
            lease.await
        })
    }

    fn receipts_due(&self, account: FrontendName, now: Timestamp) -> Reply<'_, bool> {
        const DUE: &str = "SELECT 1 FROM receipt WHERE account = $1 AND due <= $2 LIMIT 1";
        let look = move || Step::new(DUE, bind![account.to_string(), now.millis()]);
        Box::pin(self.quick.read(look, |rows| Ok(!rows.is_empty())))
    }

    fn tell_receipts(&self, told: Vec<(ReceiptSeq, Told)>) -> Reply<'_, ()> {
        let told = Arc::new(told);
        Box::pin(self.chore(move |tx| {
            let told = Arc::clone(&told);
            Box::pin(async move {
                for (seq, told) in told.iter() {
                    tell(tx, *seq, told).await?;
                }
                Ok(())
            })
        }))
    }

    fn stale_receipts(&self, before: Timestamp, limit: u32) -> Reply<'_, Vec<Owed>> {
        const STALE: &str = "SELECT seq, tries, record FROM receipt WHERE made_at < $1 \
             ORDER BY made_at, seq LIMIT $2";
        let step = move || Step::new(STALE, bind![before.millis(), i64::from(limit)]);
        Box::pin(self.quick.read(step, read))
    }

    fn receipts_owed(&self) -> Reply<'_, u64> {
        const COUNT: &str = "SELECT count(*) FROM receipt";
        Box::pin(self.quick.read(|| Step::bare(COUNT), only))
    }
}

fn read(rows: &[Row]) -> Done<Vec<Owed>> {
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        all.push(Owed {
            seq: ReceiptSeq(whole(row, 0)?),
            tries: u32::try_from(whole(row, 1)?).unwrap_or(u32::MAX),
            receipt: record::decode_receipt(row.try_get(2)?)?,
        });
    }
    Ok(all)
}

async fn tell(tx: &Tx<'_>, seq: ReceiptSeq, told: &Told) -> Done<()> {
    const PUT_OFF: &str = "UPDATE receipt SET due = $2, tries = tries + $3 WHERE seq = $1";
    const GONE: &str = "DELETE FROM receipt WHERE seq = $1 RETURNING message_id";
    let place = i64::try_from(seq.0).unwrap_or(i64::MAX);
    let put_off = |at: &Timestamp, tries: i64| bind![place, at.millis(), tries];
    match told {
        Told::Again(at) => tx.ask(Step::new(PUT_OFF, put_off(at, 1))).await.map(drop),
        Told::Unsent(at) => tx.ask(Step::new(PUT_OFF, put_off(at, 0))).await.map(drop),
        Told::Done(event) => {
            let gone = tx.ask(Step::new(GONE, bind![place])).await?;
            if let Some(row) = gone.first() {
                log_if_known(tx, message_id(row.try_get(0)?)?, event).await?;
            }
            Ok(())
        }
    }
}

/// Other nodes may have the account that is owed a receipt.
pub(crate) fn touch(hints: &Hints, done: &Reported) {
    if let Some(receipt) = receipt::owed(&done.message, &done.events) {
        hints.touch(Some(&receipt.account));
    }
}

/// Rows of `receipt`, written with the change of their messages.
#[derive(Debug, Default)]
pub(crate) struct ReceiptRows {
    ids: Vec<i64>,
    account: Vec<String>,
    made_at: Vec<i64>,
    record: Vec<String>,
}

impl ReceiptRows {
    /// What a change of a message calls for; a message comes here once in a round.
    pub(crate) fn push(&mut self, message: &Message, events: &[Event]) {
        if let Some(receipt) = receipt::owed(message, events) {
            self.ids.push(message.id.as_i64());
            self.account.push(receipt.account.to_string());
            self.made_at.push(message.updated_at.millis());
            self.record.push(record::encode_receipt(&receipt));
        }
    }

    pub(crate) fn step<'a>(self) -> Option<Step<'a>> {
        // A former receipt of the message leaves, and its place with it.
        const OWE: &str = "INSERT INTO receipt AS r (message_id, account, due, made_at, record) \
             SELECT n.id, n.account, n.at, n.at, n.record FROM unnest($1::bigint[], $2::text[], \
             $3::bigint[], $4::text[]) AS n (id, account, at, record) \
             ON CONFLICT (message_id) DO UPDATE SET seq = nextval('receipt_seq'), \
             account = excluded.account, due = excluded.due, made_at = excluded.made_at, \
             tries = 0, record = excluded.record";
        (!self.ids.is_empty()).then(|| {
            let rows = bind![self.ids, self.account, self.made_at, self.record];
            Step::new(OWE, rows)
        })
    }
}

//! What the deliverer writes: several changes of the shelf at once, and the place.

use super::*;

/// A change of the shelf, and what follows once it is made.
#[derive(Debug)]
pub(super) struct Write {
    change: shelf::Change,
    then: Then,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Then {
    /// An ending is on the shelf and settled.
    Added {
        webhook: u64,
        seq: u64,
        due: Timestamp,
    },
    /// A delivery waits for its next attempt.
    Parked { webhook: u64, due: Timestamp },
    /// A delivery is given up.
    Dead { webhook: u64 },
    /// A delivery is done with.
    Removed,
}

impl Write {
    pub(super) fn add(stored: &StoredDelivery, (webhook, seq, due): (u64, u64, Timestamp)) -> Self {
        Self {
            change: shelf::Change::Add {
                kind: Kind::WebhookDelivery,
                name: None,
                body: written(stored),
            },
            then: Then::Added { webhook, seq, due },
        }
    }

    pub(super) fn set(id: u64, stored: &StoredDelivery, then: Then) -> Self {
        Self {
            change: shelf::Change::Set {
                kind: Kind::WebhookDelivery,
                id,
                base: None,
                body: written(stored),
            },
            then,
        }
    }

    pub(super) fn remove(id: u64) -> Self {
        Self {
            change: shelf::Change::Remove {
                kind: Kind::WebhookDelivery,
                id,
                base: None,
            },
            then: Then::Removed,
        }
    }
}

impl Deliverer {
    /// Writes what has gathered. What cannot be written now stays for the next turn.
    pub(super) async fn write(&mut self) -> Result<(), Error> {
        while !self.writes.is_empty() {
            let count = self.writes.len().min(PAGE as usize);
            match self.change(0..count).await {
                Ok(records) => self.written(count, &records),
                // One of them is about a delivery that was removed: the others must not suffer.
                Err(Error::NotFound | Error::Conflict(_)) => self.write_one_by_one(count).await?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn write_one_by_one(&mut self, count: usize) -> Result<(), Error> {
        for _ in 0..count {
            match self.change(0..1).await {
                Ok(records) => self.written(1, &records),
                Err(Error::NotFound | Error::Conflict(_)) => drop(self.writes.remove(0)),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn change(&self, which: std::ops::Range<usize>) -> Result<Vec<Record>, Error> {
        let changes = self.writes.get(which).unwrap_or_default().iter();
        let changes = changes.map(|write| write.change.clone()).collect();
        self.desk
            .parts
            .store
            .change_shelf(changes, self.desk.now())
            .await
    }

    fn written(&mut self, count: usize, records: &[Record]) {
        let told = |fact| self.desk.parts.telemetry.record(&Fact::Webhook(fact));
        for (write, record) in self.writes.drain(..count).zip(records) {
            match write.then {
                Then::Added { webhook, seq, due } => {
                    self.place.settled(seq);
                    if let Some(courier) = self.couriers.get_mut(&webhook) {
                        courier.park(due, record.id);
                    }
                }
                Then::Parked { webhook, due } => {
                    if let Some(courier) = self.couriers.get_mut(&webhook) {
                        courier.park(due, record.id);
                    }
                }
                Then::Dead { webhook } => {
                    let delivery = record.id;
                    told(WebhookFact::Dead { webhook, delivery });
                    if let Some(courier) = self.couriers.get_mut(&webhook) {
                        courier.bury(delivery, record.written_at);
                    }
                }
                Then::Removed => {}
            }
        }
    }

    /// Stores how far everything is settled, if that has moved.
    pub(super) async fn save_place(&mut self) -> Result<(), Error> {
        let wanting = self
            .couriers
            .values()
            .filter(|courier| courier.wants_endings);
        let Some(read) = wanting.map(|courier| courier.seen).min() else {
            return Ok(());
        };
        let done = self.place.done(read);
        if done <= self.saved {
            return Ok(());
        }
        let (kind, body) = (Kind::WebhookDelivery, written(&StoredPlace::new(done)));
        let change = match self.saved_in {
            Some(id) => shelf::Change::Set {
                kind,
                id,
                base: None,
                body,
            },
            None => shelf::Change::Add {
                kind,
                name: Some(PLACE.to_owned()),
                body,
            },
        };
        let store = Arc::clone(&self.desk.parts.store);
        let records = store.change_shelf(vec![change], self.desk.now()).await?;
        self.saved_in = records.first().map(|record| record.id);
        self.saved = done;
        self.known.retain(|(_, seq)| *seq > done);
        Ok(())
    }
}

//! Attempts: what is sent when, and what follows from how it went.

use super::*;

impl Deliverer {
    /// Sends what there is to send and room for.
    pub(super) fn start(&mut self) {
        let (now, most) = (self.desk.now(), self.desk.options.concurrency);
        let mut some = true;
        // One each in turn, so that a subscription with much to do delays no other.
        while some && self.attempts.len() < MOST_BUSY {
            some = false;
            for (id, courier) in &mut self.couriers {
                if let Some(load) = courier.next(now, most) {
                    some = true;
                    let (desk, webhook) = (Arc::clone(&self.desk), Arc::clone(&courier.webhook));
                    self.attempts.spawn(attempt(desk, (*id, webhook), load));
                }
            }
        }
    }

    pub(super) fn joined(&mut self, ended: Result<Ended, tokio::task::JoinError>) {
        match ended {
            Ok(ended) => self.ended(ended),
            // Which one it was is not known; its ending stays open, and is told after a restart.
            Err(error) => tracing::error!(%error, "an attempt was lost"),
        }
    }

    fn ended(&mut self, ended: Ended) {
        let Ended {
            webhook,
            load,
            outcome,
        } = ended;
        let now = self.desk.now();
        let Some(courier) = self.couriers.get_mut(&webhook) else {
            // Its subscription was removed meanwhile.
            if let Load::Fresh(Fresh { seq: Some(seq), .. }) = load {
                self.place.settled(seq);
            }
            return;
        };
        courier.busy = courier.busy.saturating_sub(1);
        let told = |fact| self.desk.parts.telemetry.record(&Fact::Webhook(fact));
        match outcome {
            Outcome::Acknowledged => {
                told(WebhookFact::Acknowledged);
                courier.last_error = None;
                if courier.health.succeeded() {
                    courier.hasten(now);
                    told(WebhookFact::Recovered { webhook });
                }
                match load {
                    Load::Fresh(Fresh { seq, .. }) => {
                        seq.into_iter().for_each(|seq| self.place.settled(seq))
                    }
                    Load::Parked(id) => self.writes.push(Write::remove(id)),
                }
            }
            Outcome::Failed(stored, failed) => {
                told(WebhookFact::Failed);
                courier.last_error = Some(failed.why.clone());
                if let Some(rest) = courier.health.failed(now) {
                    let why = failed.why.as_str();
                    told(WebhookFact::Rests { webhook, why, rest });
                }
                self.failed(webhook, load, stored, &failed.why);
            }
            Outcome::Gone => {}
            Outcome::Unread(error) => {
                tracing::debug!(%error, "a delivery cannot be read");
                if let Load::Parked(id) = load {
                    courier.park(now.plus(ROUND), id);
                }
            }
        }
    }

    /// An attempt failed: later again, or given up.
    fn failed(&mut self, webhook: u64, load: Load, stored: Option<StoredDelivery>, why: &str) {
        match (load, stored) {
            (Load::Fresh(fresh), _) => self.put_aside(webhook, fresh, Some(why)),
            (Load::Parked(id), Some(mut stored)) => {
                let now = self.desk.now();
                let options = &self.desk.options;
                stored.attempts = stored.attempts.saturating_add(1);
                why.clone_into(&mut stored.last_error);
                let age = now.since(Timestamp::from_millis(stored.born));
                stored.dead = stored.attempts >= options.max_attempts || age >= options.max_age;
                let due = now.plus(health::wait(stored.attempts, self.desk.parts.dice.roll()));
                stored.due = due.millis();
                let then = match stored.dead {
                    true => Then::Dead { webhook },
                    false => Then::Parked { webhook, due },
                };
                self.writes.push(Write::set(id, &stored, then));
            }
            (Load::Parked(_), None) => {}
        }
    }

    /// Puts a fresh event on the shelf: it waits for its receiver, or, after a failure, for the
    /// next attempt.
    pub(super) fn put_aside(&mut self, webhook: u64, fresh: Fresh, failed: Option<&str>) {
        let Fresh { told, seq, .. } = fresh;
        let now = self.desk.now();
        let lost = || {
            let lost = WebhookFact::Lost { webhook };
            self.desk.parts.telemetry.record(&Fact::Webhook(lost));
        };
        let (Some(seq), Some(courier)) = (seq, self.couriers.get(&webhook)) else {
            lost();
            return;
        };
        if courier.parked() >= self.desk.options.max_waiting {
            lost();
            self.place.settled(seq);
            return;
        }
        let mut stored = StoredDelivery::new(webhook, seq, told);
        let due = match failed {
            Some(why) => {
                stored.attempts = 1;
                why.clone_into(&mut stored.last_error);
                now.plus(health::wait(1, self.desk.parts.dice.roll()))
            }
            None => now,
        };
        stored.due = due.millis();
        self.writes.push(Write::add(&stored, (webhook, seq, due)));
    }

    /// What is fresh must not hold the place back for long.
    pub(super) fn put_late_ones_aside(&mut self) {
        let now = self.desk.now();
        let before = now.minus(FRESH_FOR);
        let late = |(id, courier): (&u64, &mut Courier)| {
            let late = courier.overdue(before, now);
            late.into_iter()
                .map(|fresh| (*id, fresh))
                .collect::<Vec<_>>()
        };
        let late: Vec<(u64, Fresh)> = self.couriers.iter_mut().flat_map(late).collect();
        for (id, fresh) in late {
            self.put_aside(id, fresh, None);
        }
    }
}

/// One attempt, to its end.
async fn attempt(desk: Arc<Desk>, (id, webhook): (u64, Arc<StoredWebhook>), load: Load) -> Ended {
    let ended = |load, outcome| Ended {
        webhook: id,
        load,
        outcome,
    };
    let stored = match &load {
        Load::Fresh(_) => None,
        Load::Parked(delivery) => {
            let found = desk
                .parts
                .store
                .shelf_record(Kind::WebhookDelivery, *delivery);
            match found
                .await
                .and_then(|record| record.map(|record| read(&record)).transpose())
            {
                Ok(Some(stored)) => Some(stored),
                Ok(None) => return ended(load, Outcome::Gone),
                Err(error) => return ended(load, Outcome::Unread(error)),
            }
        }
    };
    let letter = match (&load, &stored) {
        (Load::Fresh(fresh), _) => letter(&webhook, &fresh.told, desk.now()),
        (Load::Parked(_), Some(stored)) => letter(&webhook, &again(stored), desk.now()),
        (Load::Parked(_), None) => return ended(load, Outcome::Gone),
    };
    let sent = match letter {
        Ok(letter) => desk.sender.post(letter).await,
        Err(refusal) => Err(Failed {
            status: None,
            why: refusal.detail,
        }),
    };
    match sent {
        Ok(_) => ended(load, Outcome::Acknowledged),
        Err(failed) => ended(load, Outcome::Failed(stored, failed)),
    }
}

/// What was told before, as it was told.
fn again(stored: &StoredDelivery) -> Told {
    Told {
        webhook_id: stored.webhook_id.clone(),
        event: "",
        message_id: stored.message_id,
        born: Timestamp::from_millis(stored.born),
        body: stored.body.clone(),
    }
}

//! What is kept for how long, and how much there is.

use std::collections::BTreeSet;
use std::time::Duration;

use zajil_core::clock::Timestamp;
use zajil_core::id::MessageId;
use zajil_core::message::{Life, Message};

use super::{State, size};
use crate::contract::{Figures, Purged, Retention};

impl State {
    /// Logs go first, so that the log of a message never leaves in the sweep that takes the
    /// message away.
    pub(super) fn purge(&mut self, keep: Retention, now: Timestamp, limit: u32) -> Purged {
        let over = |since: Timestamp, kept: Duration| now.since(since) > kept;

        let stale_log = |(id, log): (&MessageId, &Vec<_>)| {
            let gone = !self.messages.contains_key(id);
            let newest = log
                .iter()
                .map(|event: &zajil_core::event::Event| event.at)
                .max();
            (gone && newest.is_none_or(|at| over(at, keep.events))).then_some(*id)
        };
        let logs: Vec<_> = self
            .logs
            .iter()
            .filter_map(stale_log)
            .take(size(limit))
            .collect();
        for id in &logs {
            self.logs.remove(id);
        }

        let keys_before = self.keys.len();
        self.keys.retain(|_, known| known.until > now);

        let frontends_before = self.frontends.len();
        self.frontends.retain(|_, presence| {
            presence.is_active(now) || !presence.swept || !over(presence.expires_at, keep.frontends)
        });

        let undrained: BTreeSet<i64> = self.outbox.values().map(|cdr| cdr.message_id).collect();
        let finished = self.messages.values().filter(|message| {
            message
                .ending()
                .is_some_and(|ending| over(ending.at, keep.messages))
                && !undrained.contains(&message.id.as_i64())
        });
        let messages: Vec<_> = finished
            .map(|message| message.id)
            .take(size(limit))
            .collect();
        for id in &messages {
            self.messages.remove(id);
        }
        let gone: BTreeSet<i64> = messages.iter().map(|id| id.as_i64()).collect();
        self.finished
            .retain(|_, cdr| !gone.contains(&cdr.message_id));

        Purged {
            messages: count(messages.len()),
            logs: count(logs.len()),
            keys: count(keys_before - self.keys.len()),
            frontends: count(frontends_before - self.frontends.len()),
        }
    }

    pub(super) fn figures(&self) -> Figures {
        let pending = || {
            self.messages
                .values()
                .filter(|message| message.ending().is_none())
        };
        Figures {
            messages: count(self.messages.len()),
            pending: count(pending().count()),
            first_due: pending()
                .filter(|message| !matches!(message.life, Life::Charging { .. }))
                .map(Message::due)
                .min(),
            outbox: count(self.outbox.len()),
            refunds: count(self.refunds.len()),
        }
    }
}

pub(super) fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

//! What there is to do for one subscription: fresh events, deliveries that wait, and how it goes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use zajil_core::cdr::Cdr;
use zajil_core::clock::Timestamp;
use zajil_core::number;
use zajil_core::status::FinalStatus;
use zajil_core::webhook::{Figures, Terms};
use zajil_telemetry::live::{Event, Filter, Numbers, ended};

use crate::event::Told;
use crate::health::Health;
use crate::record::StoredWebhook;

/// So many fresh events wait in memory; more go to the shelf, where they wait as well.
const MOST_FRESH: usize = 256;

/// A fresh event, in memory only.
#[derive(Debug)]
pub(crate) struct Fresh {
    pub(crate) told: Told,
    /// The place of the ending that it tells; none for what is told at most once.
    pub(crate) seq: Option<u64>,
    /// Since when it waits.
    pub(crate) since: Timestamp,
}

/// One thing to send.
#[derive(Debug)]
pub(crate) enum Load {
    Fresh(Fresh),
    /// A delivery on the shelf.
    Parked(u64),
}

/// The state of one subscription.
#[derive(Debug)]
pub(crate) struct Courier {
    pub(crate) webhook: Arc<StoredWebhook>,
    filter: Filter,
    /// Whether it wants to hear how messages end.
    pub(crate) wants_endings: bool,
    /// Endings up to this place have been looked at.
    pub(crate) seen: u64,
    pub(crate) health: Health,
    pub(crate) busy: usize,
    /// Deliveries that were given up, and when.
    dead: BTreeMap<u64, Timestamp>,
    pub(crate) last_error: Option<String>,
    fresh: VecDeque<Fresh>,
    due: BTreeSet<(Timestamp, u64)>,
    /// Fresh events and others take turns.
    fresh_first: bool,
}

impl Courier {
    pub(crate) fn new(webhook: StoredWebhook, done: u64) -> Self {
        let mut courier = Self {
            seen: done,
            webhook: Arc::new(webhook.clone()),
            filter: Filter::default(),
            wants_endings: false,
            health: Health::default(),
            busy: 0,
            dead: BTreeMap::new(),
            last_error: None,
            fresh: VecDeque::new(),
            due: BTreeSet::new(),
            fresh_first: true,
        };
        courier.take_over(webhook);
        courier
    }

    /// Takes over what was changed of the subscription.
    pub(crate) fn take_over(&mut self, webhook: StoredWebhook) {
        if *self.webhook != webhook && self.webhook.url != webhook.url {
            self.health = Health::default();
        }
        let terms = webhook.terms();
        self.wants_endings = wants_endings(&terms);
        self.filter = Filter {
            names: terms.events,
            frontend: terms.frontend,
            number: terms.number,
            ..Filter::default()
        };
        self.seen = self.seen.max(webhook.since);
        self.webhook = Arc::new(webhook);
    }

    /// Names of events that are no endings.
    pub(crate) fn live_names(&self) -> impl Iterator<Item = &String> {
        let enabled = self.webhook.enabled;
        let names = self.filter.names.iter();
        names.filter(move |name| enabled && !is_ending(name))
    }

    /// Whether it is told of this ending.
    pub(crate) fn takes_ending(&self, cdr: &Cdr) -> bool {
        let frontend = self.filter.frontend.as_ref().map(ToString::to_string);
        let number = self.filter.number.as_deref();
        let is = |given: &str| number.is_some_and(|number| number::key(given) == number);
        let named = |name: &String| name == ended(cdr.status);
        self.wants_endings
            && self.filter.names.iter().any(named)
            && (frontend.is_none() || cdr.source_smsc == frontend || cdr.dest_smsc == frontend)
            && (number.is_none() || is(&cdr.calling_number) || is(&cdr.called_number))
    }

    /// Whether it is told of this event, which is no ending.
    pub(crate) fn takes(&self, event: &Event) -> bool {
        self.live_names().any(|name| name == event.name) && self.filter.takes(event)
    }

    pub(crate) fn numbers(&self, masked: bool) -> Numbers {
        match masked || self.webhook.masked {
            true => Numbers::Masked,
            false => Numbers::Full,
        }
    }

    /// Takes a fresh event, or gives it back when it must wait elsewhere.
    pub(crate) fn hand(&mut self, fresh: Fresh) -> Result<(), Fresh> {
        let rests = self.health.rests(fresh.since).is_some();
        if rests || self.fresh.len() >= MOST_FRESH {
            return Err(fresh);
        }
        self.fresh.push_back(fresh);
        Ok(())
    }

    /// Fresh events that have waited since before this, or all when it rests.
    pub(crate) fn overdue(&mut self, before: Timestamp, now: Timestamp) -> Vec<Fresh> {
        let rests = self.health.rests(now).is_some();
        let late = self
            .fresh
            .iter()
            .take_while(|fresh| rests || fresh.since < before);
        let count = late.count();
        self.fresh.drain(..count).collect()
    }

    /// The places of endings that it has in memory and will not tell any more.
    pub(crate) fn untold(self) -> impl Iterator<Item = u64> {
        self.fresh.into_iter().filter_map(|fresh| fresh.seq)
    }

    /// A delivery on the shelf is due then.
    pub(crate) fn park(&mut self, due: Timestamp, id: u64) {
        self.due.insert((due, id));
    }

    /// How many deliveries are on the shelf for it.
    pub(crate) fn parked(&self) -> usize {
        self.due.len() + self.dead.len()
    }

    /// A delivery was given up then.
    pub(crate) fn bury(&mut self, id: u64, at: Timestamp) {
        self.dead.insert(id, at);
    }

    /// Whether a delivery was given up.
    pub(crate) fn is_dead(&self, id: u64) -> bool {
        self.dead.contains_key(&id)
    }

    /// Whether any was.
    pub(crate) fn has_dead(&self) -> bool {
        !self.dead.is_empty()
    }

    /// A delivery that was given up is tried anew. Any other is under way or waits already: it must
    /// not be sent twice.
    pub(crate) fn revive(&mut self, id: u64, now: Timestamp) {
        if self.dead.remove(&id).is_some() {
            self.park(now, id);
        }
    }

    /// Forgets what was given up before this; answers which it was.
    pub(crate) fn forget_dead(&mut self, before: Timestamp) -> Vec<u64> {
        let old = self.dead.extract_if(.., |_, at| *at < before);
        old.map(|(id, _)| id).collect()
    }

    /// The receiver is back: all that waits is due.
    pub(crate) fn hasten(&mut self, now: Timestamp) {
        self.due = self
            .due
            .iter()
            .map(|(due, id)| ((*due).min(now), *id))
            .collect();
    }

    /// The next thing to send, if there is one and there is room.
    pub(crate) fn next(&mut self, now: Timestamp, most: usize) -> Option<Load> {
        if !self.webhook.enabled || self.busy >= self.health.room(now, most) {
            return None;
        }
        let due = self.due.first().is_some_and(|(due, _)| *due <= now);
        let fresh = !self.fresh.is_empty();
        let take_fresh = fresh && (self.fresh_first || !due);
        self.fresh_first = !take_fresh;
        let load = match (take_fresh, due) {
            (true, _) => self.fresh.pop_front().map(Load::Fresh),
            (false, true) => self.due.pop_first().map(|(_, id)| Load::Parked(id)),
            (false, false) => None,
        };
        self.busy += usize::from(load.is_some());
        load
    }

    pub(crate) fn figures(&self, now: Timestamp) -> Figures {
        Figures {
            waiting: self.due.len() as u64,
            dead: self.dead.len() as u64,
            failures: self.health.failures(),
            resting_until: self.health.rests(now),
            last_error: self.last_error.clone(),
        }
    }
}

/// Whether a subscription is told how messages end.
pub(crate) fn wants_endings(terms: &Terms) -> bool {
    terms.enabled && terms.events.iter().any(|name| is_ending(name))
}

/// Whether an event is the end of a message.
pub(crate) fn is_ending(name: &str) -> bool {
    FinalStatus::ALL.iter().any(|how| ended(*how) == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn courier() -> Courier {
        let terms = Terms {
            url: "http://example.com/".to_owned(),
            events: vec!["message_delivered".to_owned()],
            frontend: None,
            number: None,
            masked: false,
            enabled: true,
            description: None,
        };
        Courier::new(StoredWebhook::new(terms, 0, Vec::new()), 0)
    }

    /// A replay is told twice: to the node that was asked, and by the shelf to the one that sends.
    #[test]
    fn d16_a_delivery_that_is_replayed_twice_is_sent_once() {
        let now = Timestamp::from_secs(1);
        let mut courier = courier();
        courier.bury(7, now);
        courier.revive(7, now);
        let sent = courier.next(now, 4);
        assert!(matches!(sent, Some(Load::Parked(7))), "{sent:?}");
        courier.revive(7, now);
        let again = courier.next(now, 4);
        assert!(again.is_none(), "{again:?}");
        // Given up once more, it may be replayed once more.
        courier.bury(7, now);
        courier.revive(7, now);
        assert_eq!(courier.parked(), 1);
    }
}

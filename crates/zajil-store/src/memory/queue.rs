//! Messages: accepted, offered, reported, changed, removed, expired.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use zajil_core::cdr;
use zajil_core::charge;
use zajil_core::clock::Timestamp;
use zajil_core::concatenation;
use zajil_core::event::{Event, EventName, Scene};
use zajil_core::frontend::FrontendName;
use zajil_core::id::MessageId;
use zajil_core::lifecycle::{self, Edit, Report, Unchanged};
use zajil_core::message::{Life, Message};
use zajil_core::number;
use zajil_core::offer::{self, Asker};
use zajil_core::queue::{Depth, Home, Standing};
use zajil_core::smpp;
use zajil_core::status::Status;

use super::{KnownKey, State, next_id, size};
use crate::contract::{
    Draft, Error, Filter, NotDone, OfferAsk, OutboxSeq, Outcome, Placed, Refund, Reported,
};

impl State {
    pub(super) fn accept(
        &mut self,
        drafts: Vec<Draft>,
        now: Timestamp,
    ) -> Result<Vec<Placed>, Error> {
        let mut ids = BTreeSet::new();
        for Draft { message, .. } in &drafts {
            if self.messages.contains_key(&message.id) || !ids.insert(message.id) {
                return Err(Error::Conflict(format!(
                    "message {} is stored already",
                    message.id
                )));
            }
        }
        let place = |draft| self.place(draft, now);
        Ok(drafts.into_iter().map(place).collect())
    }

    fn place(&mut self, draft: Draft, now: Timestamp) -> Placed {
        let Draft {
            message,
            events,
            dedupe,
        } = draft;
        if let Some((dedupe, until)) = dedupe {
            match self.keys.get(&dedupe.key) {
                Some(known) if known.until > now => {
                    let same = known.body == dedupe.body;
                    return if same {
                        Placed::Repeated(known.id)
                    } else {
                        Placed::KeyReused
                    };
                }
                Some(_) | None => {}
            }
            let known = KnownKey {
                body: dedupe.body,
                id: message.id,
                until,
            };
            self.keys.insert(dedupe.key, known);
        }
        self.highest = self.highest.max(Some(message.id));
        let placed = Placed::Stored(self.queued_for(&message, now));
        self.commit(Arc::unwrap_or_clone(message), events);
        placed
    }

    /// Stores a message with what it adds to its log and, when it has just ended, its CDR.
    fn commit(&mut self, message: Message, events: Vec<Event>) {
        if let Some(cdr) = cdr::of(&message) {
            let seq = OutboxSeq(next_id(&mut self.last_outbox));
            self.outbox.insert(seq, cdr.clone());
            self.finished.insert(seq, cdr);
        }
        self.refund(&message);
        self.owe(&message, &events);
        self.logs.entry(message.id).or_default().extend(events);
        self.messages.insert(message.id, message);
    }

    /// Writes down what is to be given back of a message that has ended.
    fn refund(&mut self, message: &Message) {
        if let (Some(call), Some(ending)) = (charge::to_refund(message), message.ending()) {
            let refund = Refund {
                call,
                how: ending.how,
                begun: None,
            };
            self.refunds.insert(message.id, (Timestamp::EPOCH, refund));
        }
    }

    /// The frontend that a live location of the destination names; the latest update wins.
    fn serving(&self, message: &Message, now: Timestamp) -> Option<&FrontendName> {
        let live = self.located_at(message.content.destination.as_str());
        let live = live.filter(|l| !self.run_out.contains(&l.id) && l.serving(now).is_some());
        live.max_by_key(|l| (l.updated_at, l.id))
            .and_then(|l| l.serving(now))
    }

    /// The frontend whose queue holds the message.
    pub(super) fn queued_for(&self, message: &Message, now: Timestamp) -> Option<FrontendName> {
        match message.life {
            Life::Pending { .. } => message
                .dest_smsc
                .as_ref()
                .or_else(|| self.serving(message, now))
                .cloned(),
            // Before it is charged it is nobody's.
            Life::Charging { .. } | Life::Ended(_) => None,
        }
    }

    pub(super) fn begin_refund(&mut self, id: MessageId, now: Timestamp) -> bool {
        match self.refunds.get_mut(&id) {
            Some((_, refund)) if refund.begun.is_none() => {
                refund.begun = Some(now);
                true
            }
            Some(_) | None => false,
        }
    }

    fn may_offer(&self, message: &Message, asker: &Asker, now: Timestamp) -> bool {
        let serving = match message.dest_smsc {
            Some(_) => None,
            None => self.serving(message, now),
        };
        offer::may_offer(message, asker, serving, now)
    }

    pub(super) fn offer(&self, ask: &OfferAsk) -> Vec<Message> {
        let all = self.messages.values();
        let mut due: Vec<&Message> = all
            .filter(|message| self.may_offer(message, &ask.asker, ask.now))
            .collect();
        due.sort_by_key(|message| (message.due(), message.id));
        due.into_iter().take(size(ask.limit)).cloned().collect()
    }

    pub(super) fn lease(&mut self, ask: &OfferAsk, until: Timestamp) -> Vec<Message> {
        let mut leased = self.offer(ask);
        for message in &mut leased {
            message.life = Life::Pending {
                leased_until: Some(until),
            };
            self.messages.insert(message.id, message.clone());
        }
        leased
    }

    /// The earliest instant from `now` on at which a message, as things stand, may be offered to
    /// the asker: when it falls due, or when the location that gives it to another frontend runs
    /// out.
    pub(super) fn next_due(&self, asker: &Asker, now: Timestamp) -> Option<Timestamp> {
        let first = |message: &Message| {
            let due = message.due().max(now);
            let locations = self.located_at(message.content.destination.as_str());
            let turns = locations.filter_map(|location| location.expires);
            let instants = std::iter::once(due).chain(turns.map(|turn| turn.max(due)));
            instants
                .filter(|instant| self.may_offer(message, asker, *instant))
                .min()
        };
        self.messages.values().filter_map(first).min()
    }

    pub(super) fn report(&mut self, id: MessageId, report: &Report, scene: &Scene) -> Outcome {
        let was_for = self.messages.get(&id);
        let was_for = was_for.and_then(|message| message.dest_smsc.clone());
        let rule = |message: &mut Message| lifecycle::report(message, report, scene);
        let done = self.change(id, scene, rule)?;
        if let Report::Taken {
            parts: Some(parts), ..
        } = report
        {
            self.awaited.taken(id, parts, scene.now);
        }
        Ok(Reported {
            fell_back_from: Reported::fell_back(was_for.as_ref(), &done.message),
            ..done
        })
    }

    pub(super) fn depths(&self, now: Timestamp) -> BTreeMap<Home, Depth> {
        let mut depths: BTreeMap<Home, Depth> = BTreeMap::new();
        for message in self.messages.values() {
            let Some(standing) = Standing::of(message, now) else {
                continue;
            };
            let home = match message.life {
                Life::Charging { .. } => Home::Charging,
                Life::Pending { .. } | Life::Ended(_) => self
                    .queued_for(message, now)
                    .map_or(Home::Unrouted, Home::Frontend),
            };
            depths.entry(home).or_default().add(standing, 1);
        }
        depths
    }

    pub(super) fn edit(&mut self, id: MessageId, edit: Edit, scene: &Scene) -> Outcome {
        self.change(id, scene, |message| lifecycle::edit(message, edit, scene))
    }

    fn change(
        &mut self,
        id: MessageId,
        scene: &Scene,
        rule: impl FnOnce(&mut Message) -> Result<Vec<Event>, Unchanged>,
    ) -> Outcome {
        let stored = self.messages.get(&id).ok_or(NotDone::NotFound)?;
        let was_over = stored.ending().is_some();
        let mut message = stored.clone();
        let mut late = |why: Unchanged| {
            let line = scene.event(EventName::LateReport, why.to_string());
            self.logs.entry(id).or_default().push(line);
        };
        let events = match rule(&mut message) {
            Ok(events) => events,
            Err(why @ Unchanged::AlreadyFinal(how)) => {
                late(why);
                return Err(NotDone::AlreadyFinal(how));
            }
            Err(why @ Unchanged::NotTheirs) => {
                late(why);
                return Err(NotDone::NotTheirs);
            }
            Err(Unchanged::Charging) => return Err(NotDone::Charging),
            Err(Unchanged::NotYet) => return Err(NotDone::NotYet),
        };
        if was_over {
            self.refund(&message);
            self.logs.entry(id).or_default().extend(events.clone());
            self.messages.insert(id, message.clone());
        } else {
            self.commit(message.clone(), events.clone());
        }
        let queued_for = self.queued_for(&message, scene.now);
        Ok(Reported {
            message,
            queued_for,
            events,
            fell_back_from: None,
        })
    }

    pub(super) fn remove(&mut self, id: MessageId, scene: &Scene) -> Result<(), NotDone> {
        let message = self.messages.get(&id).ok_or(NotDone::NotFound)?;
        if message.ending().is_none() {
            self.report(id, &Report::Removed, scene)?;
        } else {
            let line = scene.event(EventName::Deleted, "removed after its end");
            self.logs.entry(id).or_default().push(line);
        }
        self.messages.remove(&id);
        Ok(())
    }

    pub(super) fn list(&self, filter: &Filter) -> Vec<Message> {
        let digits = filter.number.as_deref().map(number::key);
        let has = |text: &str| {
            digits
                .as_ref()
                .is_none_or(|d| number::key(text).contains(&**d))
        };
        let newest_first = self.messages.values().rev();
        if let Some(place) = &filter.place {
            let before = |message: &&Message| filter.before.is_none_or(|id| message.id < id);
            let here = newest_first.filter(before).filter(|message| {
                let content = &message.content;
                let origin = message.arranged.origin.as_deref();
                let at = smpp::place_of(content.source_smsc.as_ref(), origin);
                message.ending().is_none() && at.as_ref() == Some(place)
            });
            return here.take(size(filter.limit)).cloned().collect();
        }
        let wanted = newest_first.filter(|message| {
            let by_status = |status: Status| message.status() == status;
            let by_dest = |dest: &Option<FrontendName>| message.dest_smsc == *dest;
            let source = message.content.source_smsc.as_ref();
            let scheduled = |after: Timestamp| {
                let untried = message.ending().is_none() && message.attempts.get() == 0;
                untried && message.deliver_after.is_some_and(|start| start > after)
            };
            filter.status.is_none_or(by_status)
                && filter.dest_smsc.as_ref().is_none_or(by_dest)
                && (filter.source_smsc.is_none() || filter.source_smsc.as_ref() == source)
                && filter.from.is_none_or(|from| message.inserted_at >= from)
                && filter.to.is_none_or(|to| message.inserted_at < to)
                && filter.before.is_none_or(|before| message.id < before)
                && filter.scheduled_after.is_none_or(scheduled)
                && (has(message.content.source.as_str())
                    || has(message.content.destination.as_str()))
        });
        wanted
            .skip(size(filter.offset))
            .take(size(filter.limit))
            .cloned()
            .collect()
    }

    pub(super) fn parts(&self, id: MessageId) -> Vec<Message> {
        let Some((message, key)) = self
            .messages
            .get(&id)
            .and_then(|message| Some((message, concatenation::key(&message.content)?)))
        else {
            return Vec::new();
        };
        let earliest = message.inserted_at.minus(concatenation::WINDOW);
        let latest = message.inserted_at.plus(concatenation::WINDOW);
        let belongs = |other: &&Message| {
            (earliest..=latest).contains(&other.inserted_at)
                && concatenation::key(&other.content).as_ref() == Some(&key)
        };
        let place = |other: &Message| (other.inserted_at, other.id);
        let mut parts: Vec<&Message> = self.messages.values().filter(belongs).collect();
        parts.sort_unstable_by_key(|other| place(other));
        let before = parts.partition_point(|other| place(other) < place(message));
        let side = size(concatenation::MOST_ON_A_SIDE);
        let nearest = parts.iter().skip(before.saturating_sub(side));
        nearest
            .take(before.min(side) + 1 + side)
            .map(|other| Message::clone(other))
            .collect()
    }

    pub(super) fn sweep(&mut self, scene: &Scene, limit: u32) -> Vec<Reported> {
        let pending = self
            .messages
            .values()
            .filter(|message| message.ending().is_none());
        let turns = pending.map(|message| (message.next_turn(), message.id));
        let mut over: Vec<_> = turns.filter(|(turn, _)| *turn <= scene.now).collect();
        over.sort_unstable();
        over.truncate(size(limit));
        over.into_iter()
            .filter_map(|(_, id)| self.report(id, &Report::Overdue, scene).ok())
            .collect()
    }
}

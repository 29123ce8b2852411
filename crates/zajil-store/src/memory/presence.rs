//! Who is where: frontends (S3.4) and locations (S3.3).

use std::collections::{BTreeMap, BTreeSet};

use zajil_core::clock::Timestamp;
use zajil_core::frontend::{FrontendName, FrontendStats, Presence, Registration};
use zajil_core::id::MessageId;
use zajil_core::location::{Location, Sighting};
use zajil_core::message::{Life, Message};
use zajil_core::number;
use zajil_core::retry::Attempt;

use super::keep::count;
use super::{State, next_id, size};
use crate::contract::{Error, Located};

impl State {
    pub(super) fn register(
        &mut self,
        registration: Registration,
        now: Timestamp,
    ) -> (Presence, bool) {
        let of_name = self.frontends.values_mut().rev();
        let latest = of_name
            .into_iter()
            .find(|p| p.registration.name == registration.name);
        if let Some(latest) = latest.filter(|presence| presence.is_active(now)) {
            latest.renew(registration, now);
            return (latest.clone(), false);
        }
        let presence = Presence::begin(next_id(&mut self.last_frontend), registration, now);
        self.frontends.insert(presence.id, presence.clone());
        (presence, true)
    }

    /// By name: later stretches have higher ids and replace the earlier ones.
    pub(super) fn latest_stretches(&self) -> BTreeMap<&FrontendName, &Presence> {
        self.frontends
            .values()
            .map(|presence| (&presence.registration.name, presence))
            .collect()
    }

    pub(super) fn frontend_stats(&self, now: Timestamp) -> FrontendStats {
        let latest = self.latest_stretches();
        let active = latest
            .values()
            .filter(|presence| presence.is_active(now))
            .count();
        FrontendStats {
            active: count(active),
            expired: count(latest.len() - active),
            unique: count(latest.len()),
            registrations: self
                .frontends
                .values()
                .map(|presence| presence.registrations)
                .sum(),
        }
    }

    pub(super) fn expire_frontends(&mut self, now: Timestamp) -> Vec<Presence> {
        let vanished = self
            .frontends
            .values_mut()
            .filter(|p| !p.swept && !p.is_active(now));
        vanished
            .map(|presence| {
                presence.swept = true;
                presence.clone()
            })
            .collect()
    }

    pub(super) fn locate(
        &mut self,
        id: Option<u64>,
        sighting: Sighting,
        now: Timestamp,
    ) -> Result<Located, Error> {
        let before = self.places(now);
        let (location, new) = self.sight(id, sighting, now)?;
        let after = self.places(now).into_iter();
        let queues = after
            .filter(|(id, place)| {
                let (was_for, was_due) = &before[id];
                place.0 != *was_for || place.1 < *was_due
            })
            .map(|(_, (queue, _))| queue)
            .collect::<BTreeSet<_>>();
        Ok(Located {
            location,
            new,
            queues,
        })
    }

    /// Where every message waits, and from when on it is due.
    fn places(&self, now: Timestamp) -> BTreeMap<MessageId, (Option<FrontendName>, Timestamp)> {
        let pending = |message: &&Message| matches!(message.life, Life::Pending { .. });
        self.messages
            .values()
            .filter(pending)
            .map(|message| (message.id, (self.queued_for(message, now), message.due())))
            .collect()
    }

    fn sight(
        &mut self,
        id: Option<u64>,
        sighting: Sighting,
        now: Timestamp,
    ) -> Result<(Location, bool), Error> {
        let known = match id {
            Some(id) => Some(self.locations.get_mut(&id).ok_or(Error::NotFound)?),
            None => self
                .locations
                .values_mut()
                .find(|l| Some(&l.imsi) == sighting.imsi.as_ref()),
        };
        if let Some(location) = known {
            location.update(sighting, now);
            self.run_out.remove(&location.id);
            let location = location.clone();
            self.wake(&location, now);
            return Ok((location, false));
        }
        let Some(imsi) = sighting.imsi.clone() else {
            return Err(Error::Conflict("a new location needs an imsi".into()));
        };
        let location = Location::first(next_id(&mut self.last_location), imsi, sighting, now);
        self.locations.insert(location.id, location.clone());
        self.wake(&location, now);
        Ok((location, true))
    }

    /// A subscriber has returned: what failed and waits to be tried again is due at once (D10).
    fn wake(&mut self, location: &Location, now: Timestamp) {
        let Some(number) = location.msisdn.as_deref().map(number::key) else {
            return;
        };
        if location.serving(now).is_none() {
            return;
        }
        for message in self.messages.values_mut() {
            let Life::Pending { leased_until } = message.life else {
                continue;
            };
            let held = leased_until.is_some_and(|until| until > now);
            let theirs = number::key(message.content.destination.as_str()) == number;
            let failed = message.attempts > Attempt::default();
            if theirs && failed && !held && message.due() > now {
                message.deliver_after = Some(now);
            }
        }
    }

    /// The locations of a number, compared as D8 says.
    pub(super) fn located_at(&self, number: &str) -> impl Iterator<Item = &Location> {
        let key = number::key(number).into_owned();
        self.locations
            .values()
            .filter(move |l| l.msisdn.as_deref().is_some_and(|m| number::key(m) == *key))
    }

    pub(super) fn location_of(&self, number: &str) -> Option<Location> {
        self.located_at(number)
            .max_by_key(|l| (l.updated_at, l.id))
            .cloned()
    }

    pub(super) fn expire_locations(&mut self, now: Timestamp, limit: u32) -> u64 {
        let over = self.locations.values().filter(|location| {
            location.expires.is_some_and(|expires| expires <= now)
                && !self.run_out.contains(&location.id)
        });
        let over: Vec<_> = over.map(|location| location.id).take(size(limit)).collect();
        let handled = count(over.len());
        self.run_out.extend(over);
        handled
    }
}

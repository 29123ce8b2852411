//! Where the queues begin, as far as this node knows.
//!
//! What has been leased or has ended leaves dead entries at the front of the index of what is due,
//! until a vacuum comes by a minute later, and every claim would walk past all of them. So a claim
//! begins where the one before found its first message. It looks at all of the queue when that was
//! long ago, and before that when this node has written something that belongs before it; what
//! another node puts there waits for so long at the most.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use zajil_core::clock::Timestamp;
use zajil_store::contract::OfferAsk;

/// After so long a claim looks at all of its queue: a few ms for a million dead entries.
const LOOK: Duration = Duration::from_millis(200);
/// Transactions that are under way may still add what was due so long ago.
const SETTLED: Duration = Duration::from_secs(1);
/// So many queues are known; beyond it all are looked at anew.
const MOST: usize = 10_000;

/// A place in a queue: `due` and `id`.
pub(crate) type Place = (i64, i64);

/// Before everything.
const BEGINNING: Place = (i64::MIN, i64::MIN);

/// From where on a claim looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Start {
    /// First from here on …
    pub(crate) near: Place,
    /// … and when that is not enough, from here on.
    pub(crate) far: Place,
    generation: u64,
}

impl Start {
    fn looks_at_all(self) -> bool {
        self.far == BEGINNING
    }
}

/// What a claim has found.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Found {
    /// The first that it has taken.
    pub(crate) first: Option<Place>,
    /// Where the first run began, if it has looked at all: who takes from it leaves some, perhaps.
    pub(crate) run: Option<Place>,
    /// Whether it has taken as many as were asked for.
    pub(crate) full: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Fronts(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// What a claim that began before the last reset has found says nothing any more.
    generation: u64,
    of: HashMap<(String, bool), Front>,
    /// None of them begins behind this instant.
    highest: i64,
}

#[derive(Debug)]
struct Front {
    near: Place,
    far: Place,
    looked: Instant,
    /// Whether a claim since then has found less than it wanted without looking at all.
    missed: bool,
}

impl Fronts {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From where on this claim, or a look for what is due next, is to look.
    pub(crate) fn start(&self, asker: (&str, bool)) -> Start {
        let state = self.lock();
        let (name, both) = asker;
        let front = state.of.get(&(name.to_owned(), both));
        let front = front.filter(|front| front.looked.elapsed() < LOOK);
        let (near, far) = front.map_or((BEGINNING, BEGINNING), |front| (front.near, front.far));
        Start {
            near,
            far,
            generation: state.generation,
        }
    }

    /// In how long the next claim looks at all, when the last one did not and found too little:
    /// what another node has put before the front is found then.
    pub(crate) fn next_look(&self, asker: (&str, bool)) -> Option<Duration> {
        let state = self.lock();
        let (name, both) = asker;
        let front = state.of.get(&(name.to_owned(), both));
        let front = front.filter(|front| front.missed);
        front.map(|front| LOOK.saturating_sub(front.looked.elapsed()))
    }

    /// A claim has committed.
    pub(crate) fn note(&self, ask: &OfferAsk, start: Start, found: Found) {
        let mut state = self.lock();
        if start.generation != state.generation {
            return;
        }
        let key = (
            ask.asker.name.as_str().to_owned(),
            ask.asker.include_unrouted,
        );
        let settled = (ask.now.minus(SETTLED).millis(), i64::MIN);
        let first = found.first.unwrap_or(settled);
        if start.looks_at_all() {
            if state.of.len() >= MOST {
                state.of.clear();
            }
            let far = first.min(settled).min(found.run.unwrap_or(settled));
            let looked = Instant::now();
            let near = far;
            let front = Front {
                near,
                far,
                looked,
                missed: false,
            };
            state.of.insert(key.clone(), front);
        }
        let Some(front) = state.of.get_mut(&key) else {
            return;
        };
        front.missed |= !found.full && !start.looks_at_all();
        front.near = if found.full { first } else { front.far };
        let near = front.near.0;
        state.highest = state.highest.max(near);
    }

    /// This node has put something into a queue that is due then.
    pub(crate) fn note_due(&self, due: Timestamp) {
        let mut state = self.lock();
        if due.millis() <= state.highest {
            state.reset();
        }
    }

    /// This node may have changed anything.
    pub(crate) fn reset(&self) {
        self.lock().reset();
    }
}

impl State {
    fn reset(&mut self) {
        self.generation += 1;
        self.of.clear();
        self.highest = i64::MIN;
    }
}

#[cfg(test)]
mod tests {
    use zajil_core::frontend::FrontendName;
    use zajil_core::offer::Asker;

    use super::*;

    const GW: (&str, bool) = ("gw", false);

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + millis)
    }

    fn ask(millis: i64) -> OfferAsk {
        let name = FrontendName::parse("gw").unwrap();
        OfferAsk {
            asker: Asker {
                name,
                include_unrouted: false,
            },
            limit: 100,
            now: at(millis),
        }
    }

    fn found(first: Option<i64>, full: bool) -> Found {
        let first = first.map(|due| (at(due).millis(), 7));
        let run = None;
        Found { first, run, full }
    }

    fn claim(fronts: &Fronts, now: i64, found: Found) {
        fronts.note(&ask(now), fronts.start(GW), found);
    }

    /// In milliseconds after the first of these instants; none from the beginning.
    fn start(fronts: &Fronts) -> [Option<i64>; 2] {
        let start = fronts.start(GW);
        let told = |place: Place| (place != BEGINNING).then(|| place.0 - at(0).millis());
        [told(start.near), told(start.far)]
    }

    #[tokio::test(start_paused = true)]
    async fn adr15_who_found_too_little_asks_again_when_all_is_looked_at() {
        let fronts = Fronts::default();
        claim(&fronts, 9_000, found(None, false));
        assert_eq!(fronts.next_look(GW), None, "all was looked at");
        tokio::time::advance(Duration::from_millis(50)).await;
        claim(&fronts, 9_050, found(None, false));
        assert_eq!(fronts.next_look(GW), Some(Duration::from_millis(150)));
        tokio::time::advance(LOOK).await;
        assert_eq!(fronts.next_look(GW), Some(Duration::ZERO));
        claim(&fronts, 9_250, found(None, false));
        assert_eq!(fronts.next_look(GW), None);
    }

    #[tokio::test(start_paused = true)]
    async fn adr15_a_claim_begins_where_the_one_before_did_as_long_as_there_is_more() {
        let fronts = Fronts::default();
        assert_eq!(start(&fronts), [None, None]);
        claim(&fronts, 9_000, found(Some(10), true));
        assert_eq!(start(&fronts), [Some(10), Some(10)]);
        claim(&fronts, 9_000, found(Some(20), true));
        assert_eq!(
            start(&fronts),
            [Some(20), Some(10)],
            "not all was looked at"
        );
        claim(&fronts, 9_000, found(Some(30), false));
        assert_eq!(start(&fronts), [Some(10), Some(10)], "there was no more");
        tokio::time::advance(LOOK).await;
        assert_eq!(start(&fronts), [None, None]);
        assert_eq!(fronts.start(("other", false)).near, BEGINNING);
    }

    #[tokio::test(start_paused = true)]
    async fn adr15_what_is_under_way_is_not_passed_by() {
        let fronts = Fronts::default();
        for (first, full, near) in [(8_900, true, 8_900), (8_900, false, 8_000)] {
            claim(&fronts, 9_000, found(Some(first), full));
            assert_eq!(start(&fronts), [Some(near), Some(8_000)]);
        }
        tokio::time::advance(LOOK).await;
        claim(&fronts, 9_500, found(None, false));
        assert_eq!(start(&fronts), [Some(8_500), Some(8_500)]);
    }

    #[tokio::test(start_paused = true)]
    async fn adr26_a_run_that_others_were_taking_from_is_looked_at_again() {
        let fronts = Fronts::default();
        let mut found = found(Some(8_900), true);
        found.run = Some((at(3_000).millis(), 7));
        claim(&fronts, 9_000, found);
        assert_eq!(start(&fronts), [Some(8_900), Some(3_000)]);
    }

    #[tokio::test(start_paused = true)]
    async fn adr15_what_this_node_puts_before_the_front_is_looked_for_at_once() {
        let fronts = Fronts::default();
        claim(&fronts, 9_000, found(Some(8_900), true));
        fronts.note_due(at(8_901));
        assert_eq!(start(&fronts), [Some(8_900), Some(8_000)]);
        let late = fronts.start(GW);
        fronts.note_due(at(8_900));
        assert_eq!(start(&fronts), [None, None]);
        fronts.note(&ask(9_000), late, found(Some(8_950), true));
        assert_eq!(start(&fronts), [None, None], "it had begun before");
        claim(&fronts, 9_000, found(Some(10), true));
        fronts.reset();
        assert_eq!(start(&fronts), [None, None]);
    }
}

//! How carriers are doing on this node: sessions that are bound, and what went wrong last.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zajil_core::clock::Timestamp;
use zajil_core::frontend::FrontendName;
use zajil_core::port::{CarrierState, SmppCarriers};

/// The longest reason that is kept, in octets: some of it is said by the carrier.
const LONGEST_REASON: usize = 500;

/// All carriers that are bound to, or should be.
#[derive(Debug, Default)]
pub struct Standings {
    all: Mutex<HashMap<FrontendName, Arc<Mutex<CarrierState>>>>,
}

impl SmppCarriers for Standings {
    fn state(&self, carrier: &FrontendName) -> CarrierState {
        let known = lock(&self.all).get(carrier).cloned();
        known.map(|one| lock(&one).clone()).unwrap_or_default()
    }
}

impl Standings {
    /// Begins anew for this carrier.
    pub(super) fn of(&self, carrier: &FrontendName) -> Standing {
        let standing = Standing::default();
        lock(&self.all).insert(carrier.clone(), Arc::clone(&standing.0));
        standing
    }

    /// Forgets those that are not wanted any more.
    pub(super) fn keep(&self, wanted: impl Fn(&FrontendName) -> bool) {
        lock(&self.all).retain(|name, _| wanted(name));
    }
}

/// One carrier.
#[derive(Debug, Default)]
pub(super) struct Standing(Arc<Mutex<CarrierState>>);

impl Standing {
    /// A session is bound until the answer is dropped.
    pub(super) fn bound(&self) -> Bound<'_> {
        let mut state = lock(&self.0);
        state.sessions += 1;
        state.last_error = None;
        Bound(self)
    }

    /// A session could not be had, or ended.
    pub(super) fn failed(&self, at: Timestamp, why: &str) {
        let end = why.floor_char_boundary(LONGEST_REASON);
        let why = why.get(..end).unwrap_or_default().to_owned();
        lock(&self.0).last_error = Some((at, why));
    }
}

/// A session that is bound.
#[derive(Debug)]
pub(super) struct Bound<'a>(&'a Standing);

impl Drop for Bound<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.0.0);
        state.sessions = state.sessions.saturating_sub(1);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_carrier_is_known_while_it_is_wanted_and_its_error_until_it_is_bound() {
        let standings = Standings::default();
        let name = FrontendName::parse("up").unwrap();
        let up = standings.of(&name);
        up.failed(Timestamp::from_secs(5), &"\u{e9}".repeat(400));
        let state = standings.state(&name);
        let (at, why) = state.last_error.unwrap();
        assert_eq!((at, why.len()), (Timestamp::from_secs(5), 500));
        let bound = up.bound();
        let one = CarrierState {
            sessions: 1,
            last_error: None,
        };
        assert_eq!(standings.state(&name), one);
        drop(bound);
        assert_eq!(standings.state(&name), CarrierState::default());
        up.failed(Timestamp::from_secs(6), "gone");
        standings.keep(|_| false);
        assert_eq!(standings.state(&name), CarrierState::default());
    }
}

//! Wake-ups for pollers that wait: hints, never data. The scan decides.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use zajil_core::frontend::FrontendName;

/// Who waits for messages. It holds an entry per frontend that waits now, so waiters bound it.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    named: Mutex<HashMap<FrontendName, Entry>>,
    unrouted: Notify,
}

#[derive(Debug, Default)]
struct Entry {
    notify: Arc<Notify>,
    waiters: usize,
}

/// One poller's place among the waiters; leaves it when dropped.
#[derive(Debug)]
pub(crate) struct Seat<'a> {
    hub: &'a Hub,
    name: &'a FrontendName,
    pub(crate) notify: Arc<Notify>,
}

impl Hub {
    /// Something for this frontend may be due; without one, for those that take unrouted messages.
    pub(crate) fn wake(&self, queued_for: Option<&FrontendName>) {
        let Some(name) = queued_for else {
            self.unrouted.notify_waiters();
            return;
        };
        let notify = self
            .entries()
            .get(name)
            .map(|entry| Arc::clone(&entry.notify));
        if let Some(notify) = notify {
            notify.notify_waiters();
        }
    }

    /// Anything may be due for anybody.
    pub(crate) fn wake_all(&self) {
        self.unrouted.notify_waiters();
        let all: Vec<Arc<Notify>> = {
            let entries = self.entries();
            let entries = entries.values();
            entries.map(|entry| Arc::clone(&entry.notify)).collect()
        };
        for notify in all {
            notify.notify_waiters();
        }
    }

    /// Takes a place. Hints count from the moment that `notified()` was called on it.
    pub(crate) fn sit<'a>(&'a self, name: &'a FrontendName) -> Seat<'a> {
        let mut entries = self.entries();
        let entry = entries.entry(name.clone()).or_default();
        entry.waiters += 1;
        Seat {
            hub: self,
            name,
            notify: Arc::clone(&entry.notify),
        }
    }

    pub(crate) fn unrouted(&self) -> &Notify {
        &self.unrouted
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<FrontendName, Entry>> {
        self.named.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut entries = self.hub.entries();
        if let Some(entry) = entries.get_mut(self.name) {
            entry.waiters -= 1;
            if entry.waiters == 0 {
                entries.remove(self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hint_between_subscription_and_wait_is_not_lost_and_idle_names_are_forgotten() {
        let (hub, name) = (Hub::default(), FrontendName::parse("gw").unwrap());
        {
            let (first, second) = (hub.sit(&name), hub.sit(&name));
            let hints = (first.notify.notified(), second.notify.notified());
            hub.wake(Some(&name));
            tokio::join!(hints.0, hints.1);
            assert_eq!(hub.entries().len(), 1);
        }
        assert!(hub.entries().is_empty());
        hub.wake(Some(&name));
    }
}

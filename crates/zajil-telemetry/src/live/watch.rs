//! Who looks at the wire: without anybody, a PDU costs one look at a number.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Filter, Hub, Kind, Subject};

/// What is looked at.
#[derive(Debug, Default)]
pub(super) struct Watched {
    count: AtomicUsize,
    filters: Mutex<Vec<Arc<Filter>>>,
}

impl Watched {
    fn filters(&self) -> MutexGuard<'_, Vec<Arc<Filter>>> {
        self.filters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody looks, until it is dropped.
#[derive(Debug)]
pub struct Watch {
    hub: Arc<Hub>,
    filter: Arc<Filter>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        let watched = &self.hub.watched;
        let mut filters = watched.filters();
        filters.retain(|filter| !Arc::ptr_eq(filter, &self.filter));
        watched.count.store(filters.len(), Ordering::Release);
    }
}

impl Hub {
    /// Begins to look at the PDUs that a filter is about; who listens with it hears of them.
    #[must_use]
    pub fn watch(self: &Arc<Self>, filter: Filter) -> Watch {
        let filter = Arc::new(filter);
        let mut filters = self.watched.filters();
        filters.push(Arc::clone(&filter));
        self.watched.count.store(filters.len(), Ordering::Release);
        drop(filters);
        Watch {
            hub: Arc::clone(self),
            filter,
        }
    }

    /// Whether anybody looks at the wire.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.watched.count.load(Ordering::Acquire) > 0
    }

    /// Tells of a PDU, if somebody looks at what it is about.
    pub fn tell_wire(&self, name: &'static str, subject: Subject) {
        let wanted = self.watched.filters().iter().any(|f| f.is_about(&subject));
        if wanted {
            self.tell(name, Kind::Wire, || subject);
        }
    }
}

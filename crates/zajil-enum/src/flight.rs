//! One query for many callers: who asks for a number that is being asked about joins in (S6.3).
//!
//! A flight is driven by whoever waits for it. When one of them gives up the others drive on; when
//! all have, it ends and leaves no trace.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::{FutureExt as _, Shared, WeakShared};
use zajil_core::enum_query::Lookup;

/// What a flight is made of.
pub(crate) type Asking = dyn Future<Output = Lookup> + Send;

/// A look-up under way, as one of its callers holds it.
pub(crate) type Flight = Shared<Pin<Box<Asking>>>;

/// Those under way, by number.
#[derive(Debug, Default)]
pub(crate) struct Flights(Mutex<Under>);

#[derive(Debug, Default)]
struct Under {
    way: HashMap<Arc<str>, Known>,
    last: u64,
}

#[derive(Debug)]
struct Known {
    id: u64,
    /// Weak, so that callers who have all gone take the flight with them.
    flight: WeakShared<Pin<Box<Asking>>>,
}

/// A flight's entry in the list; gone with it.
struct Seat {
    flights: Arc<Flights>,
    digits: Arc<str>,
    id: u64,
}

impl Flights {
    /// Joins the flight for a number, or starts one. No two calls of `start` run at once, and none
    /// while a flight for its number is under way.
    ///
    /// # Errors
    /// What `start` has instead of a flight.
    pub(crate) fn join(
        self: &Arc<Self>,
        digits: &str,
        start: impl FnOnce() -> Result<Pin<Box<Asking>>, Lookup>,
    ) -> Result<Flight, Lookup> {
        let mut under = self.lock();
        let known = under.way.get(digits);
        if let Some(flight) = known.and_then(|known| known.flight.upgrade()) {
            return Ok(flight);
        }
        let asking = start()?;
        under.last += 1;
        let id = under.last;
        let digits: Arc<str> = digits.into();
        let seat = Seat {
            flights: Arc::clone(self),
            digits: Arc::clone(&digits),
            id,
        };
        let flight = async move {
            let _seat = seat;
            asking.await
        };
        let flight = (Box::pin(flight) as Pin<Box<Asking>>).shared();
        if let Some(weak) = flight.downgrade() {
            under.way.insert(digits, Known { id, flight: weak });
        }
        Ok(flight)
    }

    /// Callers from now on start anew; those under way go on for those who wait.
    pub(crate) fn part(&self) {
        self.lock().way.clear();
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.lock().way.len()
    }

    fn lock(&self) -> MutexGuard<'_, Under> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut under = self.flights.lock();
        // A newer flight may have taken the place.
        if under
            .way
            .get(&self.digits)
            .is_some_and(|known| known.id == self.id)
        {
            under.way.remove(&self.digits);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    fn no_second() -> Result<Pin<Box<Asking>>, Lookup> {
        panic!("a flight is under way")
    }

    #[tokio::test]
    async fn s6_3_others_drive_on_when_the_first_gives_up_and_all_are_told() {
        let flights = Arc::new(Flights::default());
        let (tell, told) = oneshot::channel::<()>();
        let asking = async {
            told.await
                .map_or(Lookup::Failed(String::new()), |()| Lookup::Absent)
        };
        let mut first = flights.join("1", || Ok(Box::pin(asking))).unwrap();
        assert!(futures_util::poll!(&mut first).is_pending());
        let mut others: Vec<_> = (0..9)
            .map(|_| flights.join("1", no_second).unwrap())
            .collect();
        for other in &mut others {
            assert!(futures_util::poll!(other).is_pending());
        }
        drop(first);
        tell.send(()).unwrap();
        for other in others {
            assert_eq!(other.await, Lookup::Absent);
        }
        assert_eq!(flights.len(), 0);
    }

    #[tokio::test]
    async fn a_flight_that_all_have_left_is_gone_and_the_next_starts_anew() {
        let flights = Arc::new(Flights::default());
        let never = || Ok(Box::pin(std::future::pending()) as Pin<Box<Asking>>);
        let mut flight = flights.join("1", never).unwrap();
        assert!(futures_util::poll!(&mut flight).is_pending());
        drop(flight);
        assert_eq!(flights.len(), 0);
        let kept = flights.join("1", never).unwrap();
        flights.part();
        let newer = flights
            .join("1", || Ok(Box::pin(async { Lookup::Absent })))
            .unwrap();
        drop(kept);
        assert_eq!(
            flights.len(),
            1,
            "the older one leaves the newer one's entry"
        );
        assert_eq!(newer.await, Lookup::Absent);
        let known = flights.join("1", || Err(Lookup::Absent));
        assert_eq!((known.err(), flights.len()), (Some(Lookup::Absent), 0));
    }
}

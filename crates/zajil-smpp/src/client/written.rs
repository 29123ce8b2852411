//! What this node knows of carriers' ids without asking the store: those that are being written
//! down, and those that it has written down itself.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;
use zajil_core::clock::Timestamp;
use zajil_core::id::MessageId;
use zajil_core::smpp::Awaited;
use zajil_store::awaited::AwaitedPart;

/// So many parts are known without asking the store; the others are asked for.
const MOST_PARTS: usize = 50_000;

/// Ids by the names that they are known by. Only a shortcut: what the store says counts, and what
/// is not here is looked up there.
#[derive(Debug, Default, Clone)]
pub(super) struct Written(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// By whom each is written down, and what is cancelled once it is.
    coming: HashMap<String, (u64, CancellationToken)>,
    serial: u64,
    parts: HashMap<String, AwaitedPart>,
    /// The names of the parts, the oldest first, and of some that are gone.
    order: VecDeque<String>,
}

impl Known {
    /// Whether this is the latest to give the name, and has not written it down yet.
    fn is_given_by(&self, name: &str, serial: u64) -> bool {
        let latest = self.coming.get(name);
        latest.is_some_and(|(latest, _)| *latest == serial)
    }
}

/// Ids whose responses have come and which are not written down yet: they are when this is dropped,
/// or never will be.
#[derive(Debug)]
pub(super) struct Coming {
    written: Written,
    names: Vec<String>,
    serial: u64,
    done: CancellationToken,
}

impl Written {
    fn known<T>(&self, change: impl FnOnce(&mut Known) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A carrier has taken a message whole, and given these names.
    pub(super) fn coming(&self, names: Vec<String>) -> Coming {
        let done = CancellationToken::new();
        let serial = self.known(|known| {
            known.serial = known.serial.wrapping_add(1);
            for name in &names {
                let coming = (known.serial, done.clone());
                known.coming.insert(name.clone(), coming);
                // It meant another message before.
                known.parts.remove(name);
            }
            known.serial
        });
        Coming {
            written: self.clone(),
            names,
            serial,
            done,
        }
    }

    /// Waits until what is being written down of these names is.
    pub(super) async fn settled(&self, names: impl Iterator<Item = &String> + Clone) {
        let is_unknown = |known: &mut Known| {
            let mut names = names.clone();
            names.any(|name| !known.parts.contains_key(name) && !known.coming.contains_key(name))
        };
        if self.known(is_unknown) {
            // The response may have been read just before, and who waits for it be next.
            tokio::task::yield_now().await;
        }
        let coming: Vec<CancellationToken> = self.known(|known| {
            let coming = names.filter_map(|name| known.coming.get(name));
            coming.map(|(_, done)| done.clone()).collect()
        });
        for done in coming {
            done.cancelled().await;
        }
    }

    /// The part that was written down by this name, once.
    pub(super) fn take(&self, name: &str, tail: &str) -> Option<AwaitedPart> {
        self.known(|known| {
            let part = known.parts.remove(name)?;
            (part.tail == tail).then_some(part)
        })
    }
}

impl Coming {
    /// The message was written down as taken, not after `at`. Of several parts the store counts
    /// which have ended; and an id that was given again meanwhile means another message.
    pub(super) fn end(self, message: MessageId, awaited: &Awaited, at: Timestamp) {
        let ([name], [id]) = (self.names.as_slice(), awaited.ids.as_slice()) else {
            return;
        };
        let part = AwaitedPart {
            carrier: awaited.carrier.clone(),
            id: id.clone(),
            message,
            tail: awaited.tail.clone(),
            taken_at: at,
            until: awaited.until,
            parts: 1,
            delivered: false,
        };
        self.written.known(|known| {
            if !known.is_given_by(name, self.serial) {
                return;
            }
            known.order.push_back(name.clone());
            known.parts.insert(name.clone(), part);
            while known.order.len() > MOST_PARTS {
                if let Some(oldest) = known.order.pop_front() {
                    known.parts.remove(&oldest);
                }
            }
        });
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        let names = std::mem::take(&mut self.names);
        self.written.known(|known| {
            for name in names {
                if known.is_given_by(&name, self.serial) {
                    known.coming.remove(&name);
                }
            }
        });
        self.done.cancel();
    }
}

#[cfg(test)]
mod tests;

//! One call at a time for each account: the others wait for their turn, in the order they came.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The accounts that have calls under way. As large as there are calls: who leaves last tidies up.
#[derive(Debug, Default)]
pub(crate) struct Queues(Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>);

/// A place in an account's queue.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    queues: &'a Queues,
    account: &'a str,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Queues {
    pub(crate) fn enter<'a>(&'a self, account: &'a str) -> Place<'a> {
        let mut queues = self.lock();
        let turn = match queues.get(account) {
            Some(turn) => Arc::clone(turn),
            None => Arc::clone(queues.entry(account.to_owned()).or_default()),
        };
        Place {
            queues: self,
            account,
            turn,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<tokio::sync::Mutex<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// Waits until it is this one's turn, which lasts as long as the guard.
    pub(crate) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut queues = self.queues.lock();
        // The map's and this one's: entering needs the lock, so nobody can come in between.
        if Arc::strong_count(&self.turn) == 2 {
            queues.remove(self.account);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn d14_an_account_is_forgotten_when_its_last_call_leaves() {
        let queues = Queues::default();
        let first = queues.enter("a");
        let turn = first.turn().await;
        let second = queues.enter("a");
        let third = queues.enter("b");
        assert!(second.turn.try_lock().is_err());
        assert!(third.turn.try_lock().is_ok());
        drop(turn);
        drop(first);
        assert!(second.turn.try_lock().is_ok());
        assert_eq!(queues.lock().len(), 2);
        drop((second, third));
        assert!(queues.lock().is_empty());
    }
}

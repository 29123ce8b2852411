//! What connects one life of a node with everything else; cut, nothing it does is seen any more.
//!
//! An engine touches the world only through its ports. So a process that dies between two
//! instructions is one whose calls stop at the port for ever, and one that stands still is one
//! whose calls wait there.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Paused,
    Dead,
}

/// Not a watch channel: that one wakes those who wait in an order that no seed decides.
#[derive(Debug)]
pub(crate) struct Line {
    state: Mutex<State>,
    changed: Notify,
}

impl Line {
    pub(crate) fn open() -> Self {
        Self {
            state: Mutex::new(State::Open),
            changed: Notify::new(),
        }
    }

    /// Goes on when the node lives and moves; never when it is dead.
    pub(crate) async fn pass(&self) {
        self.reach(State::Open).await;
    }

    /// Goes on when the node is dead.
    pub(crate) async fn death(&self) {
        self.reach(State::Dead).await;
    }

    async fn reach(&self, state: State) {
        loop {
            // Before the look: a change after it is not missed.
            let changed = self.changed.notified();
            if *self.state() == state {
                return;
            }
            changed.await;
        }
    }

    pub(crate) fn pause(&self) {
        self.turn(State::Open, State::Paused);
    }

    pub(crate) fn resume(&self) {
        self.turn(State::Paused, State::Open);
    }

    pub(crate) fn cut(&self) {
        *self.state() = State::Dead;
        self.changed.notify_waiters();
    }

    fn turn(&self, from: State, to: State) {
        let mut state = self.state();
        if *state == from {
            *state = to;
            drop(state);
            self.changed.notify_waiters();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

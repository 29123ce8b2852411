//! The store in lockstep with the model: random operations, every answer compared.
//!
//! What the contract leaves open is made equal before it is compared: the sentences of lines that
//! stores write by themselves, the order of what one sweep ends, the version of the routing tables.
//! Sweeps over locations and frontends follow every step of the clock, so that no answer depends on
//! whether one has run.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use zajil_core::clock::Timestamp;

use super::build::at;
use super::dice::Dice;
use super::moved::{self, MovableHome};
use super::subject::ALL;
use super::{Home, Subject};
use crate::contract::Store;
use crate::memory::MemoryStore;

mod compare;
mod operate;

/// Two stores that get the same calls.
struct Lockstep {
    theirs: Subject,
    ours: Subject,
    dice: Dice,
    now: Timestamp,
    /// The highest message id used.
    last_id: u64,
    seed: u64,
    step: u32,
}

/// Runs `steps` random operations on `store`, which is empty, and on a fresh model.
///
/// Public so that a store's own tests can try more seeds.
pub async fn agree(store: Arc<dyn Store>, seed: u64, steps: u32) {
    let mut pair = Lockstep::new(store, seed);
    for step in 0..steps {
        pair.step = step;
        pair.operate().await;
    }
    pair.compare_all().await;
}

/// The same, closing the store and opening it again now and then.
pub(super) async fn agree_over_restarts(home: Arc<dyn Home>, seed: u64, steps: u32) {
    let mut pair = Lockstep::new(home.open().await, seed);
    for step in 0..steps {
        pair.step = step;
        if pair.dice.chance(2) {
            pair.theirs.store.close().await.unwrap();
            // Nothing of the old one may keep the new one from opening.
            pair.theirs = Subject::new(Arc::new(MemoryStore::new()));
            pair.theirs = Subject::new(home.open().await);
        }
        pair.operate().await;
    }
    pair.compare_all().await;
    pair.theirs.store.close().await.unwrap();
}

/// The same, moving everything to the next home now and then, with what is held.
pub(super) async fn agree_over_moves(homes: &[Arc<dyn MovableHome>], seed: u64, steps: u32) {
    let mut pair: Option<Lockstep> = None;
    for (place, home) in homes.iter().enumerate() {
        let mut now = match pair.take() {
            None => Lockstep::new(home.open().await, seed),
            Some(mut pair) => {
                pair.theirs.store.close().await.unwrap();
                // Nothing of the old one may keep its place from being read.
                pair.theirs = Subject::new(Arc::new(MemoryStore::new()));
                let from = homes.get(place - 1).unwrap();
                moved::move_all(&**from, &**home).await;
                pair.theirs = Subject::new(home.open().await);
                pair.compare_all().await;
                pair
            }
        };
        for _ in 0..steps {
            now.step += 1;
            now.operate().await;
        }
        now.compare_all().await;
        pair = Some(now);
    }
    if let Some(pair) = pair {
        pair.theirs.store.close().await.unwrap();
    }
}

pub async fn d15_random_operations_agree_with_the_model(s: Subject) {
    agree(s.store, 20_241_123, 2_000).await;
}

pub async fn d15_other_random_operations_agree_with_the_model(s: Subject) {
    agree(s.store, 7, 2_000).await;
}

impl Lockstep {
    fn new(store: Arc<dyn Store>, seed: u64) -> Self {
        Self {
            theirs: Subject::new(store),
            ours: Subject::new(Arc::new(MemoryStore::new())),
            dice: Dice::new(seed),
            now: at(0),
            last_id: 0,
            seed,
            step: 0,
        }
    }

    /// One random operation, or a step of the clock.
    async fn operate(&mut self) {
        match self.dice.below(100) {
            0..=9 => self.wait().await,
            10..=26 => self.accept().await,
            27 => self.await_parts().await,
            28..=36 => self.offer().await,
            37..=44 => self.lease().await,
            45..=58 => self.report().await,
            59..=64 => self.edit().await,
            65..=66 => self.remove().await,
            67..=70 => self.look_up().await,
            71..=73 => self.list().await,
            74..=75 => self.add_event().await,
            76..=79 => self.expire().await,
            80..=81 => self.purge().await,
            82..=84 => self.register().await,
            85..=90 => self.locate().await,
            91 => self.forget_location().await,
            92..=93 => self.change_routing().await,
            94 => self.drain().await,
            95 => self.refund().await,
            98 => self.compare_receipts().await,
            96..=97 => self.next_due().await,
            _ => self.compare_figures().await,
        }
    }

    /// Moves the clock in steps of 10 ms, and sweeps.
    async fn wait(&mut self) {
        let steps = [1, 50, 500, 500, 7_000, 60_000, 720_000];
        self.now = self
            .now
            .plus(Duration::from_millis(10 * self.dice.pick(&steps)));
        self.theirs.sweep_locations(self.now).await;
        self.ours.sweep_locations(self.now).await;
        let mut theirs = self.theirs.store.expire_frontends(self.now).await.unwrap();
        let mut ours = self.ours.store.expire_frontends(self.now).await.unwrap();
        theirs.sort_by_key(|presence| presence.id);
        ours.sort_by_key(|presence| presence.id);
        self.same("expire_frontends", theirs, ours);
    }

    fn same<T: PartialEq + Debug>(&self, what: &str, theirs: T, ours: T) {
        assert!(
            theirs == ours,
            "seed {} step {}, {what}:\n  the store says {theirs:#?}\n  the model says {ours:#?}",
            self.seed,
            self.step
        );
    }

    /// A later instant, or sometimes this one.
    fn later(&mut self) -> Timestamp {
        let waits = [0, 1_000, 60_000, 130_000, 3_600_000, 86_400_000];
        self.now
            .plus(Duration::from_millis(*self.dice.pick(&waits)))
    }

    /// The id of a message that is probably there.
    fn some_id(&mut self) -> u64 {
        (self.last_id + 3)
            .saturating_sub(self.dice.below(60))
            .max(1)
    }

    fn limit(&mut self) -> u32 {
        *self.dice.pick(&[1, 3, 10, ALL, ALL])
    }
}

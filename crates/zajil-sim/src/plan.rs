//! What a seed decides before anything happens: how large the world is, how it charges, how wrong
//! its clocks are.

use std::time::Duration;

use zajil_core::charge::{FailureAction, Mode};
use zajil_core::status::FinalStatus;
use zajil_engine::Charging;

use crate::rng::Rng;

/// Nodes that share a store tell the time from it, so they differ by what a round trip leaves open
/// (ADR "In a cluster the store's clock is the clock").
const USUAL_SKEW: Duration = Duration::from_millis(250);
/// A store that fails over to a host whose clock is wrong.
const WILD_SKEW: Duration = Duration::from_secs(5 * 60);

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) nodes: u8,
    /// How long things fail.
    pub(crate) storm: Duration,
    /// At most so far a node's clock is from the true time.
    pub(crate) skew: Duration,
    pub(crate) submitters: u32,
    pub(crate) charges: bool,
    pub(crate) charging: Charging,
    /// How often a call to the store is troubled, in a thousand.
    pub(crate) trouble: u64,
}

impl Plan {
    pub(crate) fn draw(rng: &Rng) -> Self {
        let on_failure = if rng.percent(50) {
            FailureAction::Allow
        } else {
            FailureAction::Deny
        };
        let mode = if rng.percent(70) {
            Mode::Debit
        } else {
            Mode::Authorize
        };
        let refunds: &[FinalStatus] = match rng.below(3) {
            0 => &[],
            1 => &[FinalStatus::Failed],
            _ => &[FinalStatus::Failed, FinalStatus::Expired],
        };
        Self {
            nodes: u8::try_from(rng.within(1..4)).unwrap_or(1),
            storm: rng.millis(15_000..45_000),
            skew: if rng.percent(10) {
                WILD_SKEW
            } else {
                USUAL_SKEW
            },
            submitters: u32::try_from(rng.within(1..4)).unwrap_or(1),
            charges: rng.percent(60),
            charging: Charging {
                by_default: rng.percent(50),
                mode,
                on_failure,
                hold: rng.millis(10_000..20_000),
                refund_on: refunds.to_vec(),
            },
            // Some runs see nothing but crashes.
            trouble: if rng.percent(20) {
                0
            } else {
                rng.within(2..40)
            },
        }
    }
}

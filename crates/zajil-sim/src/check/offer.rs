//! Who gets a message when: not before its time, not after its end, not while somebody holds it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use zajil_core::clock::Timestamp;
use zajil_core::id::MessageId;

use super::Findings;
use crate::history::{Got, What};
use crate::run::Finale;

#[derive(Debug, Default)]
struct Seen {
    /// Until when somebody holds a message, by any node's clock.
    held: BTreeMap<MessageId, Timestamp>,
    attempts: BTreeMap<MessageId, u32>,
    ended: BTreeSet<MessageId>,
}

pub(super) fn check(finale: &Finale, findings: &mut Findings) {
    let mut seen = Seen::default();
    for entry in &finale.history {
        match &entry.what {
            What::Gave(got) => seen.judge(got, finale.plan.skew, findings),
            What::Let(id) => drop(seen.held.remove(id)),
            What::Ended(id, _) => drop(seen.ended.insert(*id)),
            _ => {}
        }
    }
}

impl Seen {
    /// The node's clock showed an instant within `skew` of `asked`.
    fn judge(&mut self, got: &Got, skew: Duration, findings: &mut Findings) {
        let Got { id, asked, .. } = *got;
        let (earliest, latest) = (asked.minus(skew), asked.plus(skew));
        if got.not_before > latest {
            let told = format!("{id} is due {:?}, given {asked:?}", got.not_before);
            findings.add("offered early", told);
        }
        if got.expires <= earliest {
            let told = format!("{id} ended {:?}, given {asked:?}", got.expires);
            findings.add("offered late", told);
        }
        if self.ended.contains(&id) {
            findings.add("offered after its end", id);
        }
        let before = self.attempts.insert(id, got.attempts).unwrap_or(0);
        if got.attempts < before {
            let told = format!("{id} had {before}, then {}", got.attempts);
            findings.add("attempts fell", told);
        }
        if let Some(until) = self.held.get(&id)
            && *until > latest
        {
            let told = format!("{id} is held until {until:?}, given {asked:?}");
            findings.add("held twice", told);
        }
        if let Some(lease) = got.lease {
            self.held.insert(id, earliest.plus(lease));
        }
    }
}

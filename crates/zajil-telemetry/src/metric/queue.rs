//! The queue by frontend and state, with a bound on what a scrape returns.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use prometheus::{Error, IntGaugeVec, Registry};
use zajil_core::queue::{Depth, Home, Standing};

use super::catalogue::QUEUES;
use super::register::add;

/// So many frontends with the longest queues have series of their own.
const MOST_FRONTENDS: usize = 20;
/// The rest, summed.
const OTHER: &str = "(other)";

/// As a label. Names of ours have brackets, so that they are hardly a frontend's.
fn label(home: &Home) -> &str {
    match home {
        Home::Unrouted => "(unrouted)",
        Home::Charging => "(charging)",
        Home::Frontend(name) => name.as_str(),
    }
}

/// `zajil_queue_messages`.
#[derive(Debug)]
pub(super) struct Queues {
    gauge: IntGaugeVec,
    shown: Mutex<BTreeSet<String>>,
}

impl Queues {
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        let queues = Self {
            gauge: add(registry, &QUEUES)?,
            shown: Mutex::default(),
        };
        queues.show(BTreeMap::new());
        Ok(queues)
    }

    /// Replaces all that was shown before.
    pub(super) fn show(&self, mut queues: BTreeMap<Home, Depth>) {
        let mut labels: BTreeMap<String, Depth> = BTreeMap::new();
        labels.insert(OTHER.to_owned(), Depth::default());
        for ours in [Home::Unrouted, Home::Charging] {
            let depth = queues.remove(&ours).unwrap_or_default();
            labels.insert(label(&ours).to_owned(), depth);
        }
        let mut frontends: Vec<_> = queues.into_iter().collect();
        // Stable: of equal ones the first by name.
        frontends.sort_by_key(|(_, depth)| std::cmp::Reverse(depth.total()));
        for (place, (home, depth)) in frontends.into_iter().enumerate() {
            let label = match place < MOST_FRONTENDS {
                true => label(&home),
                false => OTHER,
            };
            labels.entry(label.to_owned()).or_default().merge(depth);
        }
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        for (label, depth) in &labels {
            for standing in Standing::ALL {
                let gauge = [label.as_str(), standing.name()];
                let count = i64::try_from(depth.get(standing)).unwrap_or(i64::MAX);
                self.gauge.with_label_values(&gauge).set(count);
            }
        }
        let now: BTreeSet<String> = labels.into_keys().collect();
        for gone in shown.difference(&now) {
            for standing in Standing::ALL {
                let gauge = [gone.as_str(), standing.name()];
                // It was shown, so it is there.
                drop(self.gauge.remove_label_values(&gauge));
            }
        }
        *shown = now;
    }
}

#[cfg(test)]
mod tests {
    use prometheus::{Encoder as _, TextEncoder};
    use zajil_core::frontend::FrontendName;

    use super::*;

    fn due(name: &str, count: u64) -> (Home, Depth) {
        let mut depth = Depth::default();
        depth.add(Standing::Due, count);
        (Home::Frontend(FrontendName::parse(name).unwrap()), depth)
    }

    fn text(registry: &Registry) -> String {
        let mut text = Vec::new();
        TextEncoder::new()
            .encode(&registry.gather(), &mut text)
            .unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn the_longest_queues_have_series_and_the_rest_share_one() {
        let registry = Registry::new();
        let queues = Queues::new(&registry).unwrap();
        let many = (1..=25).map(|number| due(&format!("gw{number}"), number));
        queues.show(many.collect());
        let shown = text(&registry);
        assert!(shown.contains("{frontend=\"gw25\",state=\"due\"} 25\n"));
        assert!(shown.contains("{frontend=\"gw6\",state=\"due\"} 6\n"));
        assert!(!shown.contains("\"gw5\""));
        assert!(shown.contains("{frontend=\"(other)\",state=\"due\"} 15\n"));
        assert_eq!(shown.matches("state=\"leased\"").count(), 20 + 3);
    }

    #[test]
    fn a_queue_that_has_gone_leaves_and_ours_stay() {
        let registry = Registry::new();
        let queues = Queues::new(&registry).unwrap();
        queues.show([due("gw", 1)].into());
        assert!(text(&registry).contains("\"gw\""));
        queues.show(BTreeMap::new());
        let shown = text(&registry);
        assert!(!shown.contains("\"gw\""));
        for ours in ["(unrouted)", "(charging)", "(other)"] {
            let line = format!("{{frontend=\"{ours}\",state=\"due\"}} 0\n");
            assert!(shown.contains(&line), "{ours}");
        }
    }
}

//! The section `[webhooks]`.

use std::path::PathBuf;
use std::time::Duration;

use zajil_webhook::{Network, Options};

use super::file::WebhooksSection;
use super::resolve::Check;

const MILLI: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(60 * 60);
/// Dead deliveries are kept for a week, and what waits must be younger.
const OLDEST_HOURS: u64 = 144;

/// None when they are switched off.
pub(super) fn webhooks(
    section: WebhooksSection,
    mask_numbers: bool,
    check: &mut Check<'_>,
) -> Option<Options> {
    let mut allowed_networks = Vec::new();
    for text in &section.allowed_networks {
        match Network::parse(text) {
            Ok(network) => allowed_networks.push(network),
            Err(rule) => check.rule("webhooks.allowed_networks", rule),
        }
    }
    let timeout = section.timeout_ms.unwrap_or(10_000);
    let age = section.max_age_hours.unwrap_or(24);
    let mut number = |key: &str, value: Option<u32>, default: u32, most: u64| {
        let value = u64::from(value.unwrap_or(default));
        check.number::<u32>(key, value, (1, most))
    };
    let concurrency = number("webhooks.concurrency", section.concurrency, 8, 256);
    let max_attempts = number("webhooks.max_attempts", section.max_attempts, 30, 1_000);
    let waiting = number(
        "webhooks.max_waiting",
        section.max_waiting,
        100_000,
        10_000_000,
    );
    let options = Options {
        allowed_networks,
        ca_file: section.ca_file.map(PathBuf::from),
        timeout: check.time("webhooks.timeout_ms", timeout, 60_000, MILLI),
        concurrency: concurrency as usize,
        max_attempts,
        max_age: check.time("webhooks.max_age_hours", age, OLDEST_HOURS, HOUR),
        max_waiting: waiting as usize,
        mask_numbers,
        ..Options::default()
    };
    section.enabled.unwrap_or(true).then_some(options)
}

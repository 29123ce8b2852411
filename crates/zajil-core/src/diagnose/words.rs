//! Times and names in sentences.

use std::time::Duration;

use crate::civil;
use crate::clock::Timestamp;
use crate::frontend::FrontendName;

/// How long, in the two largest units that say something.
pub(super) fn long(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
    let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
    let two = |(large, unit): (u64, &str), (small, second): (u64, &str)| match small {
        0 => format!("{large} {unit}"),
        _ => format!("{large} {unit} {small} {second}"),
    };
    if days > 0 {
        two((days, "d"), (hours, "h"))
    } else if hours > 0 {
        two((hours, "h"), (minutes, "min"))
    } else if minutes > 0 {
        two((minutes, "min"), (rest, "s"))
    } else {
        format!("{rest} s")
    }
}

/// An instant, and how far away it is.
pub(super) fn when(at: Timestamp, now: Timestamp) -> String {
    let written = civil::to_the_second(at);
    if at > now {
        format!("{written} (in {})", long(at.since(now)))
    } else {
        format!("{written} ({} ago)", long(now.since(at)))
    }
}

/// `1 attempt`, `2 attempts`.
pub(super) fn count(number: u32, what: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {what}{ending}")
}

/// `'a', then 'b'`.
pub(super) fn in_turn(names: &[FrontendName]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    quoted.join(", then ")
}

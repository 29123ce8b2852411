//! The schedule: what is due when, and from when latency counts.

use super::*;

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[test]
fn with_a_rate_requests_are_due_at_even_distances_until_the_end() {
    let start = clock::now();
    let schedule = Schedule::new(start, Rate::PerSecond(100.0), Limit::Duration(ms(30)));
    let due: Vec<_> = (0..4)
        .map(|n| schedule.due(n).map(|due| due - start))
        .collect();
    assert_eq!(due, [Some(ms(0)), Some(ms(10)), Some(ms(20)), None]);
    assert_eq!(schedule.planned(), Some(3));
}

#[test]
fn latency_of_a_held_up_request_counts_from_when_it_was_due() {
    let start = clock::now();
    let schedule = Schedule::new(start, Rate::PerSecond(100.0), Limit::Count(9));
    let ticket = schedule.admit(1, start + ms(10), start + ms(500)).unwrap();
    assert_eq!(
        ticket,
        Ticket {
            number: 1,
            since: start + ms(10),
            sent: start + ms(500)
        }
    );
}

#[test]
fn our_own_timers_granularity_is_not_charged_to_the_server() {
    let start = clock::now();
    let schedule = Schedule::new(start, Rate::PerSecond(100.0), Limit::Count(9));
    let ticket = schedule.admit(1, start + ms(10), start + ms(11)).unwrap();
    assert_eq!(ticket.since, start + ms(11));
}

#[test]
fn without_a_rate_latency_counts_from_sending_and_time_ends_the_load() {
    let start = clock::now();
    let schedule = Schedule::new(start, Rate::Max, Limit::Duration(ms(100)));
    let due = schedule.due(7).unwrap();
    assert_eq!(
        schedule.admit(7, due, start + ms(50)).unwrap().since,
        start + ms(50)
    );
    assert_eq!(schedule.admit(8, due, start + ms(200)), None);
    assert_eq!(schedule.planned(), None);
}

#[test]
fn a_request_due_in_time_is_sent_a_little_late_or_not_at_all() {
    let start = clock::now();
    let schedule = Schedule::new(start, Rate::PerSecond(100.0), Limit::Duration(ms(30)));
    let late = schedule.admit(2, start + ms(20), start + ms(500)).unwrap();
    assert_eq!(late.since, start + ms(20));
    assert_eq!(schedule.admit(2, start + ms(20), start + ms(2000)), None);
}

#[tokio::test]
async fn a_count_is_handed_out_exactly() {
    let schedule = Schedule::new(clock::now(), Rate::Max, Limit::Count(3));
    let mut numbers = Vec::new();
    while let Some(ticket) = schedule.next().await {
        numbers.push(ticket.number);
    }
    assert_eq!(numbers, [0, 1, 2]);
    assert_eq!(schedule.next().await, None);
}

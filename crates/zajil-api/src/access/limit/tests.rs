//! The limit holds, comes back, and costs the same memory for a million callers.

use super::*;

fn at(millis: u64) -> Duration {
    Duration::from_millis(1_000 + millis)
}

fn allowed(table: &Table, who: u64, rate: Rate, when: Duration, calls: u32) -> u32 {
    let one = |_: &u32| table.count(who, rate.into(), when).allowed;
    u32::try_from((0..calls).filter(one).count()).unwrap()
}

#[test]
fn s3_7_as_many_as_the_rate_pass_at_once_and_come_back_evenly() {
    let (table, rate) = (Table::new(), Rate::per_second(100));
    assert_eq!(allowed(&table, 1, rate, at(0), 150), 100);
    assert_eq!(allowed(&table, 1, rate, at(0), 1), 0);
    assert_eq!(allowed(&table, 1, rate, at(10), 5), 1);
    assert_eq!(allowed(&table, 1, rate, at(510), 500), 50);
    assert_eq!(allowed(&table, 1, rate, at(5_000), 500), 100);
    assert_eq!(allowed(&table, 2, rate, at(5_000), 500), 100, "another one");
}

#[test]
fn d7_a_batch_is_paid_for_by_its_messages() {
    let (table, rate) = (Table::new(), Rate::per_second(100));
    assert!(table.count(1_u64, rate.into(), at(0)).allowed);
    assert!(table.owe(1_u64, rate.into(), at(0), 499).allowed);
    // 500 messages at 100 a second, of which 100 may come at once.
    let refused = table.count(1_u64, rate.into(), at(0));
    assert!(!refused.allowed);
    assert_eq!((refused.limit, refused.remaining), (100, 0));
    assert_eq!(refused.next_in, Duration::from_millis(4_010));
    assert_eq!(allowed(&table, 1, rate, at(4_000), 1), 0);
    assert_eq!(allowed(&table, 1, rate, at(4_010), 5), 1);
    // Nobody owes more than a batch.
    assert!(table.owe(1_u64, rate.into(), at(4_010), u32::MAX).allowed);
    assert_eq!(allowed(&table, 1, rate, at(14_010), 5), 0);
    assert_eq!(allowed(&table, 1, rate, at(14_020), 5), 1);
}

#[test]
fn d7_of_batches_that_come_at_once_one_passes_and_the_others_pay_nothing() {
    let (table, rate) = (Table::new(), Rate::per_second(100));
    for _ in 0..3 {
        assert!(table.count(1_u64, rate.into(), at(0)).allowed);
    }
    assert!(table.owe(1_u64, rate.into(), at(0), 499).allowed);
    for _ in 0..2 {
        let refused = table.owe(1_u64, rate.into(), at(0), 499);
        assert!(!refused.allowed);
        // 502 calls are counted, 100 of them may come at once.
        assert_eq!(refused.next_in, Duration::from_millis(4_030));
    }
}

#[test]
fn s3_7_the_figures_for_the_headers_are_right() {
    let (table, rate) = (Table::new(), Rate::per_second(10));
    let first = table.count(1_u64, rate.into(), at(0));
    assert_eq!((first.limit, first.remaining), (10, 9));
    assert_eq!(first.full_in, Duration::from_millis(100));
    assert_eq!(allowed(&table, 1, rate, at(0), 9), 9);
    let refused = table.count(1_u64, rate.into(), at(30));
    assert!(!refused.allowed);
    assert_eq!((refused.limit, refused.remaining), (10, 0));
    assert_eq!(refused.next_in, Duration::from_millis(70));
    assert_eq!(refused.full_in, Duration::from_millis(970));
    let seen = table.look(1_u64, rate.into(), at(130));
    assert_eq!((seen.allowed, seen.remaining), (true, 1));
    assert_eq!(
        table.look(1_u64, rate.into(), at(130)),
        seen,
        "looking costs nothing"
    );
}

#[test]
fn s3_7_refused_calls_do_not_lengthen_the_wait() {
    let (table, rate) = (Table::new(), Rate::per_second(1));
    assert_eq!(allowed(&table, 1, rate, at(0), 10_000), 1);
    assert_eq!(allowed(&table, 1, rate, at(1_000), 10), 1);
}

#[test]
fn s3_7_a_million_callers_take_no_more_memory_and_do_not_free_the_one_who_is_over() {
    let (table, rate) = (Table::new(), Rate::per_second(100));
    let places = table.sets.len() * WAYS;
    let slow = Rate::slow(20, Duration::from_secs(30));
    let guesser = u64::MAX;
    while table.count(guesser, slow, at(0)).allowed {}
    for who in 0..1_000_000_u64 {
        assert!(table.count(who, rate.into(), at(0)).allowed, "{who}");
    }
    assert_eq!(table.sets.len() * WAYS, places);
    // Its debt is the farthest from its end, so it is the last to be forgotten.
    assert!(!table.count(guesser, slow, at(1)).allowed);
}

#[test]
fn s3_7_a_clock_that_steps_back_locks_nobody_out() {
    let (table, rate) = (Table::new(), Rate::per_second(10));
    assert_eq!(allowed(&table, 1, rate, at(100_000), 20), 10);
    assert_eq!(allowed(&table, 1, rate, at(0), 20), 0);
    assert_eq!(
        allowed(&table, 1, rate, at(1_100), 20),
        10,
        "after one allowance at most"
    );
}

//! When the breaker lets through and when not.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn opened(now: Instant) -> Breaker {
    let mut breaker = Breaker::new(3, 5 * SECOND, 20 * SECOND);
    for n in 0..3 {
        assert_eq!(breaker.admit(now), Some(Pass::Free), "{n}");
        let turn = breaker.report(Pass::Free, Went::Failed, now);
        assert_eq!(turn, (n == 2).then_some(Turn::Opened(5 * SECOND)));
    }
    breaker
}

#[test]
fn failures_in_a_row_open_it_and_an_answer_between_them_does_not() {
    let now = Instant::now();
    let mut breaker = Breaker::new(3, SECOND, SECOND);
    for went in [
        Went::Failed,
        Went::Failed,
        Went::Answered,
        Went::Failed,
        Went::Failed,
    ] {
        assert_eq!(breaker.report(Pass::Free, went, now), None);
    }
    assert_eq!(breaker.report(Pass::Free, Went::Abandoned, now), None);
    assert_eq!(breaker.admit(now), Some(Pass::Free));
}

#[test]
fn one_probe_goes_through_and_each_failed_one_doubles_the_pause() {
    let mut now = Instant::now();
    let mut breaker = opened(now);
    for (pause, next) in [(5, 10), (10, 20), (20, 20), (20, 20)] {
        assert_eq!(breaker.admit(now + (pause * SECOND) - SECOND / 1_000), None);
        assert!(breaker.refuses(now));
        now += pause * SECOND;
        assert!(!breaker.refuses(now));
        assert_eq!(breaker.admit(now), Some(Pass::Probe));
        assert_eq!(breaker.admit(now), None, "one probe at a time");
        assert!(breaker.refuses(now));
        assert_eq!(
            breaker.report(Pass::Free, Went::Failed, now),
            None,
            "a straggler"
        );
        let turn = breaker.report(Pass::Probe, Went::Failed, now);
        assert_eq!(turn, Some(Turn::Opened(next * SECOND)));
    }
}

#[test]
fn an_answer_closes_it_and_an_abandoned_probe_leaves_its_turn_to_the_next() {
    let now = Instant::now();
    let mut breaker = opened(now);
    let later = now + 5 * SECOND;
    assert_eq!(breaker.admit(later), Some(Pass::Probe));
    assert_eq!(breaker.report(Pass::Probe, Went::Abandoned, later), None);
    assert_eq!(breaker.admit(later), Some(Pass::Probe));
    assert_eq!(
        breaker.report(Pass::Probe, Went::Answered, later),
        Some(Turn::Closed)
    );
    assert_eq!(breaker.admit(later), Some(Pass::Free));
    let mut breaker = opened(now);
    let straggler = breaker.report(Pass::Free, Went::Answered, now);
    assert_eq!(straggler, Some(Turn::Closed));
}

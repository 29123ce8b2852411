//! The breaker as a table: what happened when, and what the next call may do (D14).

use super::*;

const PATIENCE: Duration = Duration::from_secs(5);

fn breaker() -> Breaker {
    Breaker::new(options::Breaker {
        failures: 3,
        shortest: Duration::from_secs(5),
        longest: Duration::from_secs(15),
    })
}

fn refused() -> Admission {
    Admission::Refuse("down".into())
}

#[test]
fn d14_opens_after_failures_in_a_row_only() {
    let (mut breaker, now) = (breaker(), Instant::now());
    for _ in 0..5 {
        assert_eq!(breaker.failed(now, "down"), None);
        assert_eq!(breaker.failed(now, "down"), None);
        assert_eq!(breaker.worked(), None);
    }
    assert_eq!(breaker.failed(now, "down"), None);
    assert_eq!(breaker.failed(now, "down"), None);
    assert_eq!(breaker.admit(now, PATIENCE), Admission::Pass);
    assert_eq!(breaker.failed(now, "down"), Some(Turned::Unusable));
    assert_eq!(breaker.admit(now, PATIENCE), refused());
    assert!(breaker.refuses(now).is_some());
    assert_eq!(breaker.failed(now, "late"), None);
}

#[test]
fn d14_one_probe_at_a_time_and_longer_pauses() {
    let (mut breaker, mut now) = (breaker(), Instant::now());
    for _ in 0..3 {
        breaker.failed(now, "down");
    }
    for pause in [5, 10, 15, 15] {
        now += Duration::from_secs(pause);
        let just_before = now - Duration::from_millis(1);
        assert_eq!(breaker.admit(just_before, PATIENCE), refused(), "{pause}");
        assert_eq!(breaker.admit(now, PATIENCE), Admission::Probe, "{pause}");
        assert_eq!(breaker.admit(now, PATIENCE), refused(), "{pause}");
        assert_eq!(breaker.failed(now, "down"), None);
    }
}

#[test]
fn d14_a_probe_lets_calls_pass_on_trial() {
    let (mut breaker, mut now) = (breaker(), Instant::now());
    for _ in 0..3 {
        breaker.failed(now, "down");
    }
    now += Duration::from_secs(5);
    assert_eq!(breaker.admit(now, PATIENCE), Admission::Probe);
    assert_eq!(breaker.probed(), Some(Turned::Usable));
    assert_eq!(breaker.admit(now, PATIENCE), Admission::Pass);
    assert_eq!(breaker.failed(now, "down"), Some(Turned::Unusable));
    now += Duration::from_secs(9);
    assert_eq!(breaker.admit(now, PATIENCE), refused());
    now += Duration::from_secs(1);
    assert_eq!(breaker.admit(now, PATIENCE), Admission::Probe);
    breaker.probed();
    assert_eq!(breaker.worked(), None);
    assert_eq!(breaker.failed(now, "down"), None);
}

#[test]
fn d14_a_forgotten_probe_does_not_block_for_ever() {
    let (mut breaker, mut now) = (breaker(), Instant::now());
    for _ in 0..3 {
        breaker.failed(now, "down");
    }
    now += Duration::from_secs(5);
    assert_eq!(breaker.admit(now, PATIENCE), Admission::Probe);
    now += PATIENCE;
    assert_eq!(breaker.admit(now, PATIENCE), Admission::Probe);
    assert_eq!(breaker.worked(), Some(Turned::Usable));
}

#[test]
fn d14_a_probe_given_up_leaves_its_turn_to_the_next_call() {
    let (mut breaker, mut now) = (breaker(), Instant::now());
    for _ in 0..3 {
        breaker.failed(now, "down");
    }
    breaker.abandoned(now);
    assert_eq!(breaker.admit(now, PATIENCE), refused());
    now += Duration::from_secs(5);
    assert_eq!(breaker.admit(now, PATIENCE), Admission::Probe);
    breaker.abandoned(now);
    assert_eq!(breaker.admit(now, PATIENCE), Admission::Probe);
    assert_eq!(breaker.admit(now, PATIENCE), refused());
}

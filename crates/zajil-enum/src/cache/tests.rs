//! What the cache keeps and what it forgets.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn an_entry_lives_as_long_as_it_should_and_a_new_one_replaces_it() {
    let (now, cache) = (Instant::now(), Cache::new(NonZeroUsize::MIN));
    assert_eq!(cache.get("1", now), None);
    cache.put("1", Lookup::Absent, (now, SECOND), cache.era());
    assert_eq!(cache.get("1", now + SECOND / 2), Some(Lookup::Absent));
    assert_eq!(cache.get("1", now + SECOND), None);
    let failed = Lookup::Failed("x".to_owned());
    cache.put("1", failed.clone(), (now + SECOND, SECOND), cache.era());
    assert_eq!(cache.get("1", now + SECOND), Some(failed));
}

#[test]
fn it_never_holds_more_than_its_bound() {
    for bound in [1, 10, 1_000] {
        let (now, cache) = (
            Instant::now(),
            Cache::new(NonZeroUsize::new(bound).unwrap()),
        );
        for n in 0..bound * 5 + 10 {
            cache.put(&n.to_string(), Lookup::Absent, (now, SECOND), cache.era());
            assert!(cache.len() <= bound, "{} of {bound}", cache.len());
        }
        assert!(cache.len() > bound / 2, "{} of {bound}", cache.len());
    }
}

#[test]
fn what_was_asked_before_a_clearing_is_not_kept_after_it() {
    let (now, cache) = (Instant::now(), Cache::new(NonZeroUsize::new(9).unwrap()));
    let before = cache.era();
    cache.put("1", Lookup::Absent, (now, SECOND), before);
    cache.clear();
    assert_eq!((cache.len(), cache.get("1", now)), (0, None));
    cache.put("1", Lookup::Absent, (now, SECOND), before);
    assert_eq!((cache.len(), cache.get("1", now)), (0, None));
}

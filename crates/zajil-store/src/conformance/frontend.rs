//! Frontend registrations (S3.4).

use zajil_core::frontend::{FrontendStats, FrontendType, Presence, Registration};

use zajil_core::policy::{Pause, Policy};
use zajil_core::retry::schedule::{ErrorClass, Schedule};

use super::Subject;
use super::build::{at, name, registration};

/// One registration; answers the record and whether a stretch began.
async fn register(s: &Subject, frontend: &str, second: i64) -> (Presence, bool) {
    s.store
        .register(registration(frontend), at(second))
        .await
        .unwrap()
}

pub async fn s3_4_a_repeated_registration_renews_the_stretch(s: Subject) {
    let (first, new) = register(&s, "gw", 0).await;
    assert!(new);
    assert_eq!(first, Presence::begin(first.id, registration("gw"), at(0)));
    let changed = Registration {
        name: name("gw"),
        kind: FrontendType::Ims,
        ip_address: None,
        hostname: Some("gw \"1\"".into()),
        uptime_seconds: Some(9_000_000_000),
        configuration: None,
    };
    let (second, new) = s.store.register(changed.clone(), at(89)).await.unwrap();
    assert!(!new);
    let mut expected = first;
    expected.renew(changed, at(89));
    assert_eq!(second, expected);
    assert_eq!(
        s.store.frontend(expected.id).await.unwrap(),
        Some(expected.clone())
    );
    assert_eq!(s.store.frontends().await.unwrap(), [expected]);
}

pub async fn s3_4_a_registration_after_a_missed_one_begins_a_new_stretch(s: Subject) {
    let (first, _) = register(&s, "gw", 0).await;
    // 90 s after the last one it counts as gone, whether the sweep has run or not.
    let (second, new) = register(&s, "gw", 90).await;
    assert!(new && second.id > first.id);
    assert_eq!(
        second,
        Presence::begin(second.id, registration("gw"), at(90))
    );
    assert_eq!(s.store.frontend_history(name("gw")).await.unwrap().len(), 2);
}

pub async fn s3_4_a_vanished_frontend_is_told_once(s: Subject) {
    let (a, _) = register(&s, "a", 0).await;
    let (b, _) = register(&s, "b", 50).await;
    let vanished = |second| s.store.expire_frontends(at(second));
    assert_eq!(vanished(89).await.unwrap(), []);
    let told = vanished(90).await.unwrap();
    assert_eq!(
        told.iter().map(|presence| presence.id).collect::<Vec<_>>(),
        [a.id]
    );
    assert_eq!(vanished(91).await.unwrap(), []);
    // It comes back, and goes again: that is told again.
    let (back, new) = register(&s, "a", 100).await;
    assert!(new);
    let mut told: Vec<_> = vanished(200).await.unwrap().iter().map(|p| p.id).collect();
    told.sort_unstable();
    assert_eq!(told, [b.id, back.id]);
    assert_eq!(vanished(300).await.unwrap(), []);
}

pub async fn s3_4_the_figures_count_by_the_clock(s: Subject) {
    assert_eq!(
        s.store.frontend_stats(at(0)).await.unwrap(),
        FrontendStats::default()
    );
    for (frontend, second) in [("a", 0), ("b", 0), ("a", 60), ("b", 200), ("c", 200)] {
        register(&s, frontend, second).await;
    }
    let figures = |active, expired| FrontendStats {
        active,
        expired,
        unique: 3,
        registrations: 5,
    };
    assert_eq!(
        s.store.frontend_stats(at(201)).await.unwrap(),
        figures(2, 1)
    );
    assert_eq!(
        s.store.frontend_stats(at(290)).await.unwrap(),
        figures(0, 3),
        "before any sweep"
    );
    s.store.expire_frontends(at(290)).await.unwrap();
    assert_eq!(
        s.store.frontend_stats(at(290)).await.unwrap(),
        figures(0, 3)
    );
}

pub async fn s3_4_the_list_shows_the_latest_stretch_by_name(s: Subject) {
    assert_eq!(s.store.frontends().await.unwrap(), []);
    register(&s, "b", 0).await;
    let (c, _) = register(&s, "c", 0).await;
    let (b, _) = register(&s, "b", 100).await;
    let (a, _) = register(&s, "a", 100).await;
    assert_eq!(s.store.frontends().await.unwrap(), [a, b, c]);
}

pub async fn s3_4_history_is_kept_newest_first(s: Subject) {
    let (first, _) = register(&s, "gw", 0).await;
    register(&s, "other", 0).await;
    let told = s.store.expire_frontends(at(100)).await.unwrap();
    let (second, _) = register(&s, "gw", 100).await;
    let history = s.store.frontend_history(name("gw")).await.unwrap();
    assert_eq!(
        history.iter().map(|p| p.id).collect::<Vec<_>>(),
        [second.id, first.id]
    );
    assert_eq!(history[0], second);
    assert!(
        told.contains(&history[1]),
        "a told record is kept as it was told"
    );
    assert!(history[1].swept);
    assert_eq!(s.store.frontend_history(name("unknown")).await.unwrap(), []);
}

pub async fn s3_4_ids_rise_from_one(s: Subject) {
    let (first, _) = register(&s, "a", 0).await;
    let (second, _) = register(&s, "b", 0).await;
    register(&s, "a", 1).await;
    let (third, _) = register(&s, "c", 1).await;
    assert_eq!(first.id, 1);
    assert!(second.id > first.id && third.id > second.id);
    assert_eq!(s.store.frontend(second.id).await.unwrap(), Some(second));
    for unknown in [0, third.id + 1, u64::MAX] {
        assert_eq!(s.store.frontend(unknown).await.unwrap(), None);
    }
}

pub async fn d10_a_policy_is_kept_replaced_and_forgotten(s: Subject) {
    let waits = Schedule::new(&[30, 60]).unwrap();
    let mut policy = Policy {
        frontend: name("gw"),
        pause: Some(Pause {
            since: at(1),
            until: Some(at(60)),
            reason: "maintenance".into(),
        }),
        retry: [(ErrorClass::Absent, waits)].into(),
    };
    s.store.set_policy(policy.clone()).await.unwrap();
    let mut other = Policy::new(name("a"));
    other.pause = Some(Pause {
        since: at(2),
        until: None,
        reason: String::new(),
    });
    s.store.set_policy(other.clone()).await.unwrap();
    let kept = s.store.policies().await.unwrap();
    assert_eq!(kept, [other.clone(), policy.clone()]);
    policy.pause = None;
    s.store.set_policy(policy.clone()).await.unwrap();
    s.store.set_policy(Policy::new(name("a"))).await.unwrap();
    s.store
        .set_policy(Policy::new(name("unknown")))
        .await
        .unwrap();
    assert_eq!(s.store.policies().await.unwrap(), [policy]);
}

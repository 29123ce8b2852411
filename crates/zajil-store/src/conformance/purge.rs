//! Retention: what leaves, when, and what must not (S9.3, S8).

use std::time::Duration;

use zajil_core::clock::Timestamp;

use super::Subject;
use super::build::{DAY, at, delivered, id, keyed, name, registration, routed, unrouted};
use super::subject::ALL;
use crate::contract::{Placed, Purged, Retention};

const FOREVER: Duration = Duration::from_secs(1_000_000_000);
const BARELY: Duration = Duration::from_millis(1);

fn keep(messages: Duration, events: Duration) -> Retention {
    Retention {
        messages,
        events,
        frontends: FOREVER,
    }
}

fn hours(hours: u64) -> Duration {
    Duration::from_secs(3_600 * hours)
}

/// Purges until nothing more leaves; answers all that left.
pub(super) async fn purge(s: &Subject, keep: Retention, now: Timestamp) -> Purged {
    let mut all = Purged::default();
    for _ in 0..100 {
        let purged = s.store.purge(keep, now, 1_000).await.unwrap();
        if purged == Purged::default() {
            return all;
        }
        all.messages += purged.messages;
        all.logs += purged.logs;
        all.keys += purged.keys;
        all.frontends += purged.frontends;
    }
    panic!("the purge never comes to rest");
}

/// Purges all that may leave.
pub(super) async fn everything(s: &Subject, now: Timestamp) {
    purge(
        s,
        Retention {
            messages: BARELY,
            events: BARELY,
            frontends: BARELY,
        },
        now,
    )
    .await;
}

pub async fn s9_3_finished_messages_leave_after_their_retention(s: Subject) {
    s.accept(vec![routed(1, "gw"), routed(2, "gw"), routed(3, "gw")])
        .await;
    s.report(1, delivered(), at(3_600)).await;
    s.report(2, delivered(), at(7_200)).await;
    s.drain().await;
    let keep = keep(hours(24), FOREVER);
    let purged = purge(&s, keep, at(DAY + 3_599)).await;
    assert_eq!(purged.messages, 0, "its age counts from its end");
    let purged = purge(&s, keep, at(DAY + 3_601)).await;
    assert_eq!((purged.messages, purged.logs), (1, 0));
    assert_eq!(s.find(1).await, None);
    assert!(s.find(2).await.is_some());
    assert_eq!(s.store.figures().await.unwrap().messages, 2);
    assert_eq!(purge(&s, keep, at(DAY + 7_201)).await.messages, 1);
    assert!(s.find(3).await.is_some());
}

pub async fn s9_3_pending_messages_never_leave(s: Subject) {
    s.accept(vec![routed(1, "gw"), unrouted(2)]).await;
    everything(&s, at(1_000 * DAY)).await;
    assert_eq!(s.get(1).await, *routed(1, "gw").message);
    assert_eq!(s.log(2).await, ["message_inserted"]);
    assert_eq!(s.store.figures().await.unwrap().pending, 2);
}

pub async fn s10_2_a_message_stays_until_its_cdr_is_drained(s: Subject) {
    s.accept((1..=3).map(|n| routed(n, "gw")).collect()).await;
    for number in 1..=3 {
        s.report(number, delivered(), at(10)).await;
    }
    everything(&s, at(DAY)).await;
    assert_eq!(s.store.figures().await.unwrap().messages, 3);
    assert_eq!(s.cdrs().await.len(), 3);
    let first = s.store.outbox(1).await.unwrap()[0].0;
    s.store.outbox_done(first).await.unwrap();
    everything(&s, at(DAY)).await;
    assert_eq!(s.find(1).await, None);
    assert!(s.find(2).await.is_some() && s.find(3).await.is_some());
    assert_eq!(s.cdrs().await.len(), 2);
    s.drain().await;
    everything(&s, at(DAY)).await;
    assert_eq!(s.store.figures().await.unwrap().messages, 0);
}

pub async fn s9_3_the_purge_honours_its_limit_and_comes_to_rest(s: Subject) {
    s.accept((1..=30).map(|n| routed(n, "gw")).collect()).await;
    for number in 1..=30 {
        s.report(number, delivered(), at(10)).await;
    }
    s.drain().await;
    let keep = keep(BARELY, FOREVER);
    let first = s.store.purge(keep, at(DAY), 10).await.unwrap();
    assert!((1..=20).contains(&first.messages), "about 10: {first:?}");
    let rest = purge(&s, keep, at(DAY)).await;
    assert_eq!(first.messages + rest.messages, 30);
    assert_eq!(
        s.store.purge(keep, at(DAY), 10).await.unwrap(),
        Purged::default()
    );
}

pub async fn s8_a_log_outlives_its_message_until_its_own_time(s: Subject) {
    s.accept(vec![routed(1, "gw")]).await;
    s.report(1, delivered(), at(10)).await;
    s.drain().await;
    let keep = keep(hours(24), hours(7 * 24));
    assert_eq!(purge(&s, keep, at(2 * DAY)).await.messages, 1);
    let log = [
        "message_inserted",
        "delivery_attempt_1",
        "message_delivered",
    ];
    assert_eq!(s.log(1).await, log);
    let late = routed(1, "gw").events.remove(0);
    assert!(
        s.store.add_event(id(1), late).await.unwrap(),
        "its log is known"
    );
    assert_eq!(s.log(1).await.len(), 4);
    assert_eq!(purge(&s, keep, at(6 * DAY)).await.logs, 0);
    assert_eq!(purge(&s, keep, at(8 * DAY)).await.logs, 1);
    assert_eq!(s.log(1).await, [""; 0]);
    let late = routed(1, "gw").events.remove(0);
    assert!(!s.store.add_event(id(1), late).await.unwrap());
}

pub async fn s8_the_log_of_a_present_message_stays(s: Subject) {
    s.accept(vec![routed(1, "gw"), routed(2, "gw")]).await;
    s.report(1, delivered(), at(10)).await;
    s.drain().await;
    assert_eq!(
        purge(&s, keep(FOREVER, BARELY), at(30 * DAY)).await,
        Purged::default()
    );
    assert_eq!(s.log(1).await.len(), 3);
    assert_eq!(s.log(2).await.len(), 1);
}

pub async fn d6_keys_leave_at_their_instant(s: Subject) {
    let batch = vec![
        keyed(unrouted(1), 1, 1, at(300)),
        keyed(unrouted(2), 2, 1, at(900)),
        keyed(unrouted(3), 3, 1, at(300)),
    ];
    s.accept(batch).await;
    let keep = keep(BARELY, BARELY);
    assert_eq!(purge(&s, keep, at(299)).await.keys, 0);
    assert_eq!(purge(&s, keep, at(301)).await.keys, 2);
    let again = vec![keyed(unrouted(4), 2, 1, at(900))];
    assert_eq!(s.accept(again).await, [Placed::Repeated(id(2))]);
}

pub async fn s3_4_frontend_history_leaves_after_its_retention(s: Subject) {
    for (frontend, second) in [("a", 0), ("a", 1_000), ("b", 5_000)] {
        s.store
            .register(registration(frontend), at(second))
            .await
            .unwrap();
        s.store.expire_frontends(at(second + 100)).await.unwrap();
    }
    s.store
        .register(registration("c"), at(6_000))
        .await
        .unwrap();
    let hour = Retention {
        messages: FOREVER,
        events: FOREVER,
        frontends: hours(1),
    };
    assert_eq!(purge(&s, hour, at(3_000)).await.frontends, 0);
    assert_eq!(purge(&s, hour, at(90 + 3_601)).await.frontends, 1);
    assert_eq!(s.store.frontend_history(name("a")).await.unwrap().len(), 1);
    assert_eq!(purge(&s, hour, at(6_050)).await.frontends, 1);
    assert_eq!(s.store.frontend_history(name("a")).await.unwrap(), []);
    let left = s.store.frontends().await.unwrap();
    let left: Vec<_> = left.iter().map(|p| p.registration.name.as_str()).collect();
    assert_eq!(left, ["b", "c"]);
    assert_eq!(
        s.store.purge(hour, at(6_051), ALL).await.unwrap().frontends,
        0
    );
}

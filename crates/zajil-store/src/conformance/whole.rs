//! The store as a whole: its figures, and its end.

use std::time::Duration;

use zajil_core::lifecycle::Edit;
use zajil_core::port::RoutingChange;
use zajil_core::route::RouteId;

use super::Subject;
use super::build::{
    at, delivered, dropped, failed_attempt, id, name, plain, registration, routed, scene, sighting,
};
use super::subject::ask;
use crate::contract::{Error, Figures, Filter, OutboxSeq, Retention};

pub async fn s12_the_figures_follow_every_change(s: Subject) {
    let is = |messages, pending, oldest: Option<i64>, outbox| {
        let expected = Figures {
            messages,
            pending,
            oldest: oldest.map(at),
            outbox,
        };
        let store = s.store.clone();
        async move { assert_eq!(store.figures().await.unwrap(), expected) }
    };
    is(0, 0, None, 0).await;
    let drafts = (1..=4).map(|number| {
        let mut draft = routed(number, "gw");
        draft.message.inserted_at = at(i64::try_from(number).unwrap() * 10);
        draft.message.expires = at(1_000);
        draft
    });
    s.accept(drafts.collect()).await;
    is(4, 4, Some(10), 0).await;
    s.accept(vec![dropped(5)]).await;
    is(5, 4, Some(10), 1).await;
    s.report(2, failed_attempt(), at(50)).await;
    assert_eq!(s.leased(plain("gw"), at(50), at(60)).await, [1, 3, 4]);
    is(5, 4, Some(10), 1).await;
    s.report(1, delivered(), at(51)).await;
    is(5, 3, Some(20), 2).await;
    assert!(s.store.remove(id(3), scene(at(52))).await.unwrap().is_ok());
    is(4, 2, Some(20), 3).await;
    assert!(s.store.remove(id(5), scene(at(52))).await.unwrap().is_ok());
    is(3, 2, Some(20), 3).await;
    assert_eq!(s.store.sweep(scene(at(1_000)), 10).await.unwrap().len(), 2);
    is(3, 0, None, 5).await;
    s.drain().await;
    is(3, 0, None, 0).await;
    super::purge::everything(&s, at(2_000)).await;
    is(0, 0, None, 0).await;
}

pub async fn d5_a_closed_store_answers_closed(s: Subject) {
    s.accept(vec![routed(1, "gw")]).await;
    let store = &s.store;
    store.close().await.unwrap();
    let hour = Duration::from_secs(3_600);
    let keep = Retention {
        messages: hour,
        events: hour,
        frontends: hour,
    };
    let event = routed(1, "gw").events.remove(0);
    let change = RoutingChange::RemoveRoute(RouteId(1));
    let closed = [
        store.highest_id().await.err(),
        store.accept(vec![routed(2, "gw")]).await.err(),
        store.offer(ask(plain("gw"), at(0))).await.err(),
        store.lease(ask(plain("gw"), at(0)), at(9)).await.err(),
        store.next_due(plain("gw")).await.err(),
        store
            .report(vec![(id(1), delivered())], scene(at(0)))
            .await
            .err(),
        store.edit(id(1), Edit::default(), scene(at(0))).await.err(),
        store.remove(id(1), scene(at(0))).await.err(),
        store.message(id(1)).await.err(),
        store
            .messages(Filter {
                limit: 9,
                ..Filter::default()
            })
            .await
            .err(),
        store.events(id(1)).await.err(),
        store.add_event(id(1), event).await.err(),
        store.sweep(scene(at(0)), 9).await.err(),
        store.purge(keep, at(0), 9).await.err(),
        store.expire_locations(at(0), 9).await.err(),
        store.register(registration("gw"), at(0)).await.err(),
        store.frontends().await.err(),
        store.frontend(1).await.err(),
        store.frontend_history(name("gw")).await.err(),
        store.frontend_stats(at(0)).await.err(),
        store.expire_frontends(at(0)).await.err(),
        store
            .locate(None, sighting("1", "2", "gw"), at(0))
            .await
            .err(),
        store.forget_location(1, at(0)).await.err(),
        store.location(1).await.err(),
        store.location_of("2".into()).await.err(),
        store.locations(9, 0).await.err(),
        store.routing().await.err(),
        store.change_routing(change, None).await.err(),
        store.outbox(9).await.err(),
        store.outbox_done(OutboxSeq(1)).await.err(),
        store.figures().await.err(),
    ];
    for (call, error) in closed.into_iter().enumerate() {
        assert_eq!(
            error,
            Some(Error::Closed),
            "call {call} in the order of the contract"
        );
    }
}

//! The store as a whole: its figures, and its end.

use std::sync::Arc;

use std::time::Duration;

use zajil_core::charge::FailureAction;
use zajil_core::lifecycle::Edit;
use zajil_core::port::RoutingChange;
use zajil_core::queue::{Depth, Home, Standing};
use zajil_core::route::RouteId;

use super::Subject;
use super::arranged::charging;
use super::build::{
    at, delivered, dropped, failed_attempt, id, name, plain, registration, routed, scene, sighting,
    unrouted,
};
use super::subject::ask;
use crate::contract::{Error, Figures, Filter, OfferAsk, OutboxSeq, Retention};

pub async fn s12_the_figures_follow_every_change(s: Subject) {
    let is = |messages, pending, first_due: Option<i64>, outbox| {
        let expected = Figures {
            messages,
            pending,
            first_due: first_due.map(at),
            outbox,
            refunds: 0,
        };
        let store = s.store.clone();
        async move { assert_eq!(store.figures().await.unwrap(), expected) }
    };
    is(0, 0, None, 0).await;
    let drafts = (1..=4).map(|number| {
        let mut draft = routed(number, "gw");
        Arc::make_mut(&mut draft.message).inserted_at = at(i64::try_from(number).unwrap() * 10);
        Arc::make_mut(&mut draft.message).expires = at(1_000);
        draft
    });
    s.accept(drafts.collect()).await;
    is(4, 4, Some(10), 0).await;
    s.accept(vec![dropped(5)]).await;
    is(5, 4, Some(10), 1).await;
    s.report(1, failed_attempt(), at(50)).await;
    is(5, 4, Some(20), 1).await;
    assert_eq!(s.leased(plain("gw"), at(50), at(60)).await, [2, 3, 4]);
    // What is held or waits for its next attempt falls due later.
    is(5, 4, Some(60), 1).await;
    s.report(2, delivered(), at(51)).await;
    is(5, 3, Some(60), 2).await;
    assert!(s.store.remove(id(3), scene(at(52))).await.unwrap().is_ok());
    is(4, 2, Some(60), 3).await;
    assert!(s.store.remove(id(5), scene(at(52))).await.unwrap().is_ok());
    is(3, 2, Some(60), 3).await;
    assert_eq!(s.store.sweep(scene(at(1_000)), 10).await.unwrap().len(), 2);
    is(3, 0, None, 5).await;
    s.drain().await;
    is(3, 0, None, 0).await;
    super::purge::everything(&s, at(2_000)).await;
    is(0, 0, None, 0).await;
}

pub async fn s12_messages_are_counted_by_whose_they_are_and_their_state(s: Subject) {
    s.locate(sighting("1", "+15550000005", "ims"), at(0)).await;
    let mut later = routed(4, "gw");
    Arc::make_mut(&mut later.message).deliver_after = Some(at(500));
    let unpaid = charging(routed(7, "gw"), 30, FailureAction::Allow);
    let drafts = vec![
        routed(1, "gw"),
        routed(2, "gw"),
        routed(3, "gw"),
        later,
        unrouted(5),
        unrouted(6),
        unpaid,
        dropped(8),
    ];
    s.accept(drafts).await;
    assert_eq!(
        s.report(1, failed_attempt(), at(1)).await.queued_for,
        Some(name("gw"))
    );
    let one = OfferAsk {
        limit: 1,
        ..ask(plain("gw"), at(1))
    };
    assert_eq!(s.store.lease(one, at(10)).await.unwrap().len(), 1);
    let is = |home, [due, waiting, leased]: [u64; 3]| {
        let mut depth = Depth::default();
        depth.add(Standing::Due, due);
        depth.add(Standing::Waiting, waiting);
        depth.add(Standing::Leased, leased);
        (home, depth)
    };
    let (gw, ims) = (Home::Frontend(name("gw")), Home::Frontend(name("ims")));
    let expected = [
        is(Home::Unrouted, [1, 0, 0]),
        is(Home::Charging, [0, 1, 0]),
        is(gw.clone(), [1, 2, 1]),
        is(ims, [1, 0, 0]),
    ];
    assert_eq!(s.store.depths(at(1)).await.unwrap(), expected.into());
    // The lease has run out.
    let later = s.store.depths(at(10)).await.unwrap();
    assert_eq!(later.get(&gw).unwrap().get(Standing::Leased), 0);
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
        store.accept(vec![routed(2, "gw")], at(0)).await.err(),
        store.offer(ask(plain("gw"), at(0))).await.err(),
        store.lease(ask(plain("gw"), at(0)), at(9)).await.err(),
        store.next_due(plain("gw"), at(0)).await.err(),
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
        store.depths(at(0)).await.err(),
    ];
    for (call, error) in closed.into_iter().enumerate() {
        assert_eq!(
            error,
            Some(Error::Closed),
            "call {call} in the order of the contract"
        );
    }
}

//! What a store that persists must still know after it was closed and opened again (D5).

use std::sync::Arc;

use zajil_core::lifecycle::Edit;
use zajil_core::port::RoutingChange;

use super::accept::full;
use super::build::{
    DAY, at, delivered, draft, dropped, failed_attempt, fallback, id, keyed, name, plain,
    registration, routed, scene, sighting, to_number, unrouted,
};
use super::routing::{rule_terms, terms};
use super::subject::ALL;
use super::{Home, Subject, differential, shelf};
use crate::contract::{Filter, Placed};
use crate::shelf::Kind;

async fn open(home: &Arc<dyn Home>) -> Subject {
    Subject::new(home.open().await)
}

/// Closes the store and lets go of it: only then may another be opened.
async fn close(s: Subject) {
    s.store.close().await.unwrap();
}

/// All that can be read, as text that shows every field; numbers are masked in it, but
/// [`full`] is compared as it is.
async fn everything(s: &Subject) -> String {
    let store = &s.store;
    let all = Filter {
        limit: ALL,
        ..Filter::default()
    };
    let mut logs = Vec::new();
    for number in 1..=9 {
        logs.push(store.events(id(number)).await.unwrap());
    }
    format!(
        "{:#?}\n{logs:#?}\n{:#?}\n{:#?}\n{:#?}\n{:#?}\n{:#?}\n{:#?}\n{:#?}\n{:#?}",
        store.messages(all).await.unwrap(),
        store.outbox(ALL).await.unwrap(),
        store.locations(ALL, 0).await.unwrap(),
        store.frontends().await.unwrap(),
        store.frontend_history(name("gw")).await.unwrap(),
        store.frontend_stats(at(120)).await.unwrap(),
        store.routing().await.unwrap(),
        store.figures().await.unwrap(),
        store.highest_id().await.unwrap(),
    )
}

async fn fill(s: &Subject) {
    s.accept(vec![
        draft(full(1)),
        routed(2, "gw"),
        unrouted(3),
        dropped(4),
    ])
    .await;
    s.accept(vec![
        keyed(routed(5, "gw"), 1, 1, at(DAY)),
        to_number(6, "+15550000777"),
    ])
    .await;
    s.accept(vec![routed(7, "gw"), routed(8, "gw")]).await;
    s.report(2, failed_attempt(), at(10)).await;
    s.report(5, delivered(), at(11)).await;
    let dest_smsc = Some(Some(name("other")));
    s.edit(
        3,
        Edit {
            dest_smsc,
            ..Edit::default()
        },
        at(12),
    )
    .await;
    assert!(s.store.remove(id(7), scene(at(13))).await.unwrap().is_ok());
    assert!(s.try_report(5, delivered(), at(14)).await.is_err());
    s.locate(sighting("001", "+15550000777", "ims"), at(15))
        .await;
    s.store.register(registration("gw"), at(0)).await.unwrap();
    s.store.expire_frontends(at(100)).await.unwrap();
    s.store.register(registration("gw"), at(110)).await.unwrap();
    s.store
        .change_routing(RoutingChange::AddRoute(terms("a")), None)
        .await
        .unwrap();
    s.store
        .change_routing(RoutingChange::AddRule(rule_terms("b")), None)
        .await
        .unwrap();
    let first = s.store.outbox(1).await.unwrap()[0].0;
    s.store.outbox_done(first).await.unwrap();
}

pub async fn d5_everything_survives_closing_and_opening(home: Arc<dyn Home>) {
    let s = open(&home).await;
    fill(&s).await;
    let before = everything(&s).await;
    close(s).await;
    let s = open(&home).await;
    assert_eq!(everything(&s).await, before);
    assert_eq!(s.get(1).await, full(1));
    assert_eq!(s.find(7).await, None);
    assert_eq!(s.offered(fallback("gw"), at(120)).await, [8, 1]);
    assert_eq!(s.offered(plain("gw"), at(10 + 120)).await, [8, 1, 2]);
    assert_eq!(s.offered(plain("other"), at(120)).await, [3]);
    assert_eq!(s.offered(plain("ims"), at(120)).await, [6]);
    let again = vec![keyed(unrouted(9), 1, 1, at(DAY))];
    assert_eq!(s.accept(again).await, [Placed::Repeated(id(5))]);
    close(s).await;
}

pub async fn d5_a_held_message_stays_held_over_a_restart(home: Arc<dyn Home>) {
    let s = open(&home).await;
    s.accept(vec![routed(1, "gw"), routed(2, "gw")]).await;
    assert_eq!(s.leased(plain("gw"), at(0), at(60)).await, [1, 2]);
    s.report(2, delivered(), at(1)).await;
    close(s).await;
    let s = open(&home).await;
    assert_eq!(s.offered(plain("gw"), at(59)).await, [0; 0]);
    assert_eq!(s.leased(plain("gw"), at(60), at(90)).await, [1]);
    close(s).await;
}

pub async fn d4_ids_go_on_where_they_were(home: Arc<dyn Home>) {
    let s = open(&home).await;
    s.accept(vec![dropped(50), unrouted(20)]).await;
    let (location, _) = s
        .locate(sighting("001", "+15550000001", "ims"), at(0))
        .await;
    assert!(s.store.forget_location(location.id, at(1)).await.unwrap());
    s.store
        .change_routing(RoutingChange::AddRoute(terms("a")), None)
        .await
        .unwrap();
    let nothing = RoutingChange::ImportRoutes {
        routes: Vec::new(),
        replace: true,
    };
    let (former, _) = s.store.change_routing(nothing, None).await.unwrap();
    let entry = s.store.outbox(1).await.unwrap()[0].0;
    s.drain().await;
    super::purge::everything(&s, at(10 * DAY)).await;
    close(s).await;
    let s = open(&home).await;
    assert_eq!(s.store.highest_id().await.unwrap(), Some(id(50)));
    let (again, _) = s
        .locate(sighting("001", "+15550000001", "ims"), at(2))
        .await;
    assert!(again.id > location.id);
    let (later, route) = s
        .store
        .change_routing(RoutingChange::AddRoute(terms("b")), None)
        .await
        .unwrap();
    assert_eq!(later, former + 1);
    assert!(route.unwrap() > 1);
    s.report(20, delivered(), at(3)).await;
    assert!(s.store.outbox(1).await.unwrap()[0].0 > entry);
    close(s).await;
}

pub async fn d15_random_operations_agree_over_restarts(home: Arc<dyn Home>) {
    differential::agree_over_restarts(home, 53, 1_000).await;
}

pub async fn the_shelf_survives_closing_and_opening(home: Arc<dyn Home>) {
    let s = open(&home).await;
    let kept = shelf::add(&s, Kind::Webhook, Some("a"), "1", at(0)).await;
    let gone = shelf::add(&s, Kind::Webhook, Some("b"), "2", at(1)).await;
    let remove = shelf::remove(&gone, None);
    s.store.change_shelf(vec![remove], at(2)).await.unwrap();
    close(s).await;
    let s = open(&home).await;
    assert_eq!(shelf::all(&s, Kind::Webhook).await, [kept]);
    assert_eq!(s.store.shelf_revision(Kind::Webhook).await.unwrap(), 3);
    let next = shelf::add(&s, Kind::Webhook, Some("b"), "3", at(3)).await;
    assert_eq!((next.id, next.revision), (gone.id + 1, 4));
    close(s).await;
}

//! Tables are changed while messages pass (S4.4, D13).

use std::sync::Arc;

use expect_test::expect;
use zajil_core::port::{Control as _, RoutingChange};
use zajil_core::route::{Action, RouteId};
use zajil_core::translate::RuleTerms;
use zajil_engine::{Error, Options};
use zajil_store::contract::Store as _;
use zajil_testkit::build;

use crate::moody::Moody;
use crate::scenario::{World, run};

#[tokio::test(start_paused = true)]
async fn d13_a_change_counts_for_the_next_submit_and_a_bad_one_changes_nothing() {
    let told = run(r"
        submit 111 44700 hello
        route 44 gw
        submit 111 44700 hello
        rule called ( x
        route 44 reply _
        submit 111 44700 hello")
    .await;
    expect![[r#"
        submit 111 44700 hello => m1 111>44700 pending dest None
        route 44 gw => route 1
        submit 111 44700 hello => m2 111>44700 pending dest Some(gw)
        rule called ( x => refused, invalid: called_match is no usable expression: regex parse error: ( ^ error: unclosed group
        route 44 reply _ => refused, invalid: auto_reply_message must not be empty
        submit 111 44700 hello => m3 111>44700 pending dest Some(gw)
        m1:
          +0s message_inserted
          +0s routing_failed no route matches
        m2:
          +0s message_inserted
          +0s message_routed route 1 to 'gw'
        m3:
          +0s message_inserted
          +0s message_routed route 1 to 'gw'
    "#]].assert_eq(&told);
}

#[tokio::test(start_paused = true)]
async fn d13_changes_made_on_another_node_arrive_within_a_second() {
    let store = Arc::new(Moody::default());
    let mut world = World::over(Arc::clone(&store), Options::default()).await;
    let terms = build::route("44", Action::Deliver(build::name("gw")));
    store
        .change_routing(RoutingChange::AddRoute(terms))
        .await
        .unwrap();
    assert!(world.engine.routing().routes.is_empty());
    world.let_tasks_work().await;
    assert_eq!(world.engine.routing().routes.len(), 1);
    let gone = world
        .engine
        .change_routing(RoutingChange::RemoveRoute(RouteId(7)))
        .await;
    assert_eq!(gone.unwrap_err().to_string(), "route 7 not found");
}

#[tokio::test(start_paused = true)]
async fn s4_4_configured_routes_fill_an_empty_table_only() {
    let store = Arc::new(Moody::default());
    let seeded = |prefix: &str| Options {
        seed_routes: vec![build::route(prefix, Action::Drop)],
        ..Options::default()
    };
    let first = World::over(Arc::clone(&store), seeded("1")).await;
    first.engine.stop().await;
    let second = World::over(Arc::clone(&store), seeded("2")).await;
    let routes = &second.engine.routing().routes;
    assert_eq!(routes.len(), 1);
    assert_eq!(routes[0].terms.called_prefix.as_deref(), Some("1"));
}

#[tokio::test(start_paused = true)]
async fn a_bad_configured_rule_stops_the_start() {
    let world = World::new(Options::default()).await;
    let parts = zajil_engine::Parts {
        store: world.store.clone(),
        clock: world.clock.clone(),
        dice: Arc::new(zajil_testkit::dice::FixedDice::new([])),
        telemetry: world.telemetry.clone(),
        lookup: None,
        charger: None,
    };
    let options = Options {
        seed_rules: vec![RuleTerms::default()],
        ..Options::default()
    };
    let error = zajil_engine::Engine::start(parts, options)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Seed { number: 1, .. }), "{error}");
}

//! Tables are changed while messages pass (S4.4, D13).

use std::sync::Arc;

use expect_test::expect;
use tokio::task::JoinSet;
use zajil_core::port::{Control as _, Intake as _, RoutingChange};
use zajil_core::route::{Action, RouteId, Terms};
use zajil_core::translate::RuleTerms;
use zajil_engine::{Engine, Error, Options};
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
        rule called ( x => refused, invalid: called_match is no usable expression: at character 1: unclosed group
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
        .change_routing(RoutingChange::AddRoute(terms), None)
        .await
        .unwrap();
    assert!(world.engine.routing().routes.is_empty());
    world.let_tasks_work().await;
    assert_eq!(world.engine.routing().routes.len(), 1);
    let gone = world
        .engine
        .change_routing(RoutingChange::RemoveRoute(RouteId(7)), None)
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

/// A table of which only the last route fits the numbers of the test; it is the one that changes.
fn large(count: u32) -> Vec<Terms> {
    let other = |n: u32| build::route(&format!("9{n}"), Action::Deliver(build::name("other")));
    let mut routes: Vec<Terms> = (0..count).map(other).collect();
    routes.push(build::route("44", Action::Deliver(build::name("gw0"))));
    routes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d13_edits_under_load_never_yield_a_wrong_or_missing_decision() {
    const EDITS: u32 = 60;
    let options = Options {
        seed_routes: large(3_000),
        ..Options::default()
    };
    let world = World::new(options).await;
    let engine = Arc::clone(&world.engine);
    let id = engine.routing().routes.last().unwrap().id;
    let chosen = async |engine: &Engine| {
        let accepted = engine.submit(build::submission("111", "44700", "x"));
        let dest = accepted.await.unwrap().message.dest_smsc.clone().unwrap();
        dest.as_str()
            .strip_prefix("gw")
            .unwrap()
            .parse::<u32>()
            .unwrap()
    };
    for edit in 1..=EDITS {
        let terms = build::route("44", Action::Deliver(build::name(&format!("gw{edit}"))));
        let change = RoutingChange::SetRoute(id, terms);
        let changing = async {
            let (routing, _) = engine.change_routing(change, None).await.unwrap();
            engine.in_force(routing.version).await.unwrap();
            assert_eq!(
                chosen(&engine).await,
                edit,
                "in force means for the next message"
            );
        };
        // The table is compiled beside these.
        let submitting = async {
            let mut last = edit - 1;
            for _ in 0..50 {
                let seen = chosen(&engine).await;
                assert!((last..=edit).contains(&seen), "{seen} after {last}");
                last = seen;
                tokio::task::yield_now().await;
            }
        };
        tokio::join!(changing, submitting);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d13_editors_that_wait_together_all_find_their_edit_in_force() {
    let options = Options {
        seed_routes: large(3_000),
        ..Options::default()
    };
    let world = World::new(options).await;
    let mut editors = JoinSet::new();
    for n in 0..40 {
        let engine = Arc::clone(&world.engine);
        editors.spawn(async move {
            let terms = build::route(&format!("55{n}00"), Action::Deliver(build::name("gw")));
            let change = RoutingChange::AddRoute(terms);
            let (routing, _) = engine.change_routing(change, None).await.unwrap();
            engine.in_force(routing.version).await.unwrap();
            let submit = engine.submit(build::submission("111", &format!("55{n}00"), "x"));
            assert!(
                submit.await.unwrap().message.dest_smsc.is_some(),
                "editor {n}"
            );
        });
    }
    editors.join_all().await;
    let stored = world.store.routing().await.unwrap();
    assert_eq!(*world.engine.routing(), stored);
}

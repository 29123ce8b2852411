//! What the metrics say of the engine's work (S12).

use zajil_core::charge::{FailureAction, Mode};
use zajil_core::status::FinalStatus;
use zajil_engine::{Charging, Options};

use crate::scenario::World;

/// The value of a series.
pub(crate) fn figure(world: &World, name: &str) -> String {
    let text = world.telemetry.metrics.render();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .unwrap();
    line.trim().to_owned()
}

fn check(world: &World, expected: &[(&str, &str)]) {
    for (name, value) in expected {
        assert_eq!(&figure(world, &format!("{name} ")), value, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn s12_replies_of_ours_are_not_received() {
    let mut world = World::new(Options::default()).await;
    world
        .play(
            "route 7 reply closed
            route 44 gw
            submit 44111 7000 at_once
            submit 44111 7000 keyed key=a
            submit 44111 7000 keyed key=a
            async 44111 7000 later
            +1s",
        )
        .await;
    check(
        &world,
        &[
            ("sms_c_message_received_count", "3"),
            ("sms_c_message_processing_stop_duration_count", "3"),
            ("zajil_auto_replies_total", "3"),
            ("sms_c_delivery_queued_count", "3"),
        ],
    );
}

#[tokio::test(start_paused = true)]
async fn s12_a_message_is_late_only_from_when_it_falls_due() {
    let mut world = World::new(Options::default()).await;
    let age = [("sms_c_queue_oldest_message_age_seconds", "0")];
    world
        .play("route 44 gw\n submit 111 441 scheduled after=3600\n +600s")
        .await;
    check(&world, &age);
    world.play("+3030s").await;
    check(&world, &[(age[0].0, "30")]);
    world.play("failed m1").await;
    world.play("+0s").await;
    check(&world, &age);
}

#[tokio::test(start_paused = true)]
async fn s12_the_queue_shows_by_frontend_and_state() {
    let mut world = World::new(Options::default()).await;
    world
        .play(
            "route 44 gw
            submit 111 442 held
            submit 111 443 scheduled after=3600
            offer gw lease=600
            submit 111 441 due
            submit 111 555 nobody's
            +0s
            +0s
            +0s",
        )
        .await;
    check(
        &world,
        &[
            ("zajil_queue_messages{frontend=\"gw\",state=\"due\"}", "1"),
            (
                "zajil_queue_messages{frontend=\"gw\",state=\"leased\"}",
                "1",
            ),
            (
                "zajil_queue_messages{frontend=\"gw\",state=\"waiting\"}",
                "1",
            ),
            (
                "zajil_queue_messages{frontend=\"(unrouted)\",state=\"due\"}",
                "1",
            ),
        ],
    );
}

#[tokio::test(start_paused = true)]
async fn d12_every_move_to_the_next_frontend_is_counted() {
    let mut world = World::new(Options::default()).await;
    world
        .play(
            "route 44 a then=b,c
            submit 111 441 one
            refused m1
            +61s
            refused m1",
        )
        .await;
    check(
        &world,
        &[
            ("zajil_fallbacks_total", "2"),
            ("sms_c_delivery_dead_letter_count", "0"),
        ],
    );
}

#[tokio::test(start_paused = true)]
async fn d14_refunds_are_counted_by_outcome_and_while_they_wait() {
    let charging = Charging {
        by_default: true,
        mode: Mode::Debit,
        on_failure: FailureAction::Allow,
        refund_on: vec![FinalStatus::Failed],
        ..Charging::default()
    };
    let options = Options {
        charging,
        ..Options::default()
    };
    let mut world = World::new(options).await;
    world
        .play(
            "route 44 gw
            charges granted granted granted
            submit 111 441 back
            submit 111 442 unknown
            submit 111 443 later
            charges granted unknown failed failed failed
            ended m1
            ended m2
            ended m3
            +1s
            +1s",
        )
        .await;
    let (done, unknown) = (
        "zajil_refunds_total{outcome=\"done\"}",
        "zajil_refunds_total{outcome=\"unknown\"}",
    );
    let waiting = "zajil_refunds_waiting";
    check(&world, &[(done, "1"), (unknown, "1"), (waiting, "1")]);
}

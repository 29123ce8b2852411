//! Frontends: they register, poll, deliver well or badly, and report late, twice or not at all.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use zajil_core::frontend::FrontendName;
use zajil_core::id::MessageId;
use zajil_core::lifecycle::Report;
use zajil_core::message::Message;
use zajil_core::offer::Asker;
use zajil_core::port::{Ask, Desk as _};
use zajil_core::retry::schedule::{ErrorClass, Schedules};
use zajil_core::status::FinalStatus;
use zajil_testkit::build;

use crate::history::What;
use crate::rng::Rng;
use crate::world::{Missing, World};

const PATIENCE: Duration = Duration::from_secs(10);
/// A registration lives 90 s (S3.4); some are missed.
const REGISTERS_EVERY: Duration = Duration::from_secs(20);

/// One poller of a frontend, until the run ends.
pub(crate) async fn poller(world: Arc<World>, rng: Rng, frontend: &'static str) {
    let name = build::name(frontend);
    let mut registered = None::<tokio::time::Instant>;
    loop {
        if registered.is_none_or(|at| at.elapsed() > REGISTERS_EVERY) {
            let registration = build::registration(frontend);
            let asked = world.ask(&rng, PATIENCE, |engine| engine.register(registration));
            if asked.await.is_ok() {
                registered = Some(tokio::time::Instant::now());
            }
        }
        let calm = world.stage.is_calm();
        let ask = draw(&rng, &name, calm);
        let held = ask.lease;
        let asked = world.ask(&rng, PATIENCE, |engine| engine.offer(ask));
        match asked.await {
            Ok((messages, _)) => {
                for message in messages {
                    deliver(&world, &rng, &name, (&message, held)).await;
                }
            }
            Err(Missing::Refused(_) | Missing::Lost) => sleep(rng.millis(20..500)).await,
        }
        let idle = if calm { 300..400 } else { 10..700 };
        sleep(rng.millis(idle)).await;
    }
}

fn draw(rng: &Rng, name: &FrontendName, calm: bool) -> Ask {
    Ask {
        asker: Asker {
            name: name.clone(),
            include_unrouted: calm || rng.percent(40),
        },
        limit: if calm {
            50
        } else {
            1 + u32::from(rng.percent(50)) * 5
        },
        lease: (calm || rng.percent(85)).then(|| rng.millis(1_000..8_000)),
        wait: rng.percent(60).then(|| rng.millis(500..4_000)),
    }
}

async fn deliver(
    world: &World,
    rng: &Rng,
    by: &FrontendName,
    (message, lease): (&Message, Option<Duration>),
) {
    if world.stage.is_calm() {
        let report = Report::Delivered {
            by: Some(by.clone()),
            at: None,
        };
        say(world, rng, message.id, report).await;
        return;
    }
    if rng.percent(5) {
        // Forgotten, or the frontend died with it.
        return;
    }
    let takes = match lease {
        Some(lease) if rng.percent(8) => lease + rng.millis(0..3_000),
        Some(_) | None => rng.millis(0..300),
    };
    sleep(takes).await;
    let report = outcome(rng, by);
    if rng.percent(5) {
        // The gateway behind it says so twice, by two ways.
        say(world, rng, message.id, report.clone()).await;
    }
    for _ in 0..3 {
        if say(world, rng, message.id, report.clone()).await || rng.percent(30) {
            return;
        }
    }
}

fn outcome(rng: &Rng, by: &FrontendName) -> Report {
    let reason = Some("no".to_owned());
    let by = rng.percent(80).then(|| by.clone());
    match rng.below(100) {
        0..60 => Report::Delivered { by, at: None },
        60..88 => Report::AttemptFailed {
            reason,
            retry_after: rng.percent(90).then(|| rng.millis(200..6_000)),
            by,
            class: rng.percent(30).then(|| {
                let class = rng.pick(&ErrorClass::ALL).copied();
                class.unwrap_or(ErrorClass::Temporary)
            }),
            schedules: Arc::new(Schedules::default()),
        },
        88..95 => Report::Refused { by, reason },
        _ => Report::Ended {
            how: FinalStatus::Failed,
            reason,
        },
    }
}

/// Reports to some node; `true` when that has answered.
async fn say(world: &World, rng: &Rng, id: MessageId, report: Report) -> bool {
    let asked = world.ask(rng, PATIENCE, |engine| engine.report(id, report));
    match asked.await {
        Ok((message, _)) => {
            if let Some(ending) = message.ending() {
                world.stage.add(What::Told(id, ending.how));
            }
            true
        }
        Err(Missing::Refused(refusal)) => !refusal.reason.is_retryable(),
        Err(Missing::Lost) => false,
    }
}

//! Clients that submit: now and later, once and again, under a key or not.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use zajil_core::outcome::Reason;
use zajil_core::port::{Accepted, Dedupe, Intake as _, Submission};
use zajil_testkit::build;

use super::{FRONTENDS, PREFIXES, number, submission};
use crate::history::{Door, LifeNumber, Token, What};
use crate::rng::Rng;
use crate::world::{Missing, World};

/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(8);
/// How often it repeats a submit under a key.
const REPEATS: u32 = 8;

/// Submits until the storm is over.
pub(crate) async fn client(world: Arc<World>, rng: Rng) {
    while !world.stage.is_calm() {
        sleep(rng.millis(0..800)).await;
        let token = world.stage.next_token();
        let submission = draw(&world, &rng, token);
        if submission.dedupe.is_some() {
            insist(&world, &rng, token, &submission).await;
        } else {
            let door = if rng.percent(30) {
                Door::Async
            } else {
                Door::Sync
            };
            let answer = ask(&world, &rng, door, submission).await;
            note(&world, token, door, &answer);
        }
    }
}

fn draw(world: &World, rng: &Rng, token: Token) -> Submission {
    let prefix = rng.pick(&PREFIXES).copied().unwrap_or("44");
    let now = world.stage.time.now();
    let mut submission = submission(token, &number(prefix, rng.below(3)));
    if rng.percent(15) {
        submission.deliver_after = Some(now.plus(rng.millis(500..15_000)));
    }
    if rng.percent(25) {
        submission.expires = Some(now.plus(rng.millis(2_000..40_000)));
    }
    if rng.percent(10) {
        submission.dest_smsc = rng.pick(&FRONTENDS).map(|name| build::name(name));
    }
    if rng.percent(35) {
        submission.dedupe = Some(Dedupe {
            key: digest(token),
            body: digest(token),
        });
    }
    submission
}

fn digest(token: Token) -> [u8; 32] {
    let mut digest = [0; 32];
    for (place, octet) in digest.iter_mut().zip(token.to_be_bytes()) {
        *place = octet;
    }
    digest
}

/// Repeats a submit until it has an answer; sometimes once more, to see the same answer.
async fn insist(world: &World, rng: &Rng, token: Token, submission: &Submission) {
    for _ in 0..REPEATS {
        // Async under a key is stored before it is answered.
        let answer = ask(world, rng, Door::Sync, submission.clone()).await;
        note(world, token, Door::Sync, &answer);
        let again = match &answer {
            Ok(_) => rng.percent(20),
            Err(Missing::Refused(refusal)) => refusal.reason.is_retryable(),
            Err(Missing::Lost) => true,
        };
        if !again {
            return;
        }
        sleep(rng.millis(50..2_000)).await;
    }
}

async fn ask(
    world: &World,
    rng: &Rng,
    door: Door,
    submission: Submission,
) -> Result<(Accepted, LifeNumber), Missing> {
    let patience = if rng.percent(10) {
        rng.millis(5..500)
    } else {
        PATIENCE
    };
    let asked = world.ask(rng, patience, move |engine| match door {
        Door::Sync => engine.submit(submission),
        Door::Async => engine.submit_async(submission),
    });
    asked.await
}

fn note(world: &World, token: Token, door: Door, answer: &Result<(Accepted, LifeNumber), Missing>) {
    match answer {
        Ok((accepted, life)) => {
            world.stage.learn(accepted.message.id);
            world.stage.add(What::Taken {
                token,
                id: accepted.message.id,
                door,
                life: *life,
            });
        }
        Err(Missing::Refused(refusal)) => {
            let reason: Reason = refusal.reason;
            world.stage.add(What::Refused { token, reason });
        }
        Err(Missing::Lost) => world.stage.add(What::Lost(token)),
    }
}

//! What a PATCH makes of a message (S3): counted anew, and alive when it is due.

use std::num::NonZeroU32;
use std::time::Duration;

use zajil_core::clock::Clock as _;
use zajil_core::lifecycle::Edit;
use zajil_core::message::{CharacterSet, Message};
use zajil_core::outcome::Refusal;
use zajil_core::port::Desk as _;
use zajil_engine::Options;
use zajil_store::contract::Store as _;

use crate::scenario::World;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn with_a_message() -> World {
    let mut world = World::new(Options::default()).await;
    world.play("route 44 gw\n submit 111 44700 hello").await;
    world
}

async fn set_body(world: &World, body: &str) -> Result<Message, Refusal> {
    let edit = Edit {
        body: Some((body.into(), NonZeroU32::MIN)),
        ..Edit::default()
    };
    world.engine.edit(world.id("m1"), edit).await
}

#[tokio::test(start_paused = true)]
async fn d9_a_new_text_is_counted_and_coded_anew() {
    let world = with_a_message().await;
    for (body, parts, scheme, set) in [
        ("ж".repeat(71), 2, 0x08, CharacterSet::Ucs2),
        ("a".repeat(161), 2, 0x00, CharacterSet::Gsm7),
        ("ж".to_owned(), 1, 0x08, CharacterSet::Ucs2),
        ("a".repeat(255 * 153), 255, 0x00, CharacterSet::Gsm7),
    ] {
        let answered = set_body(&world, &body).await.unwrap().content;
        let stored = world.store.message(world.id("m1")).await.unwrap().unwrap();
        assert_eq!(stored.content, answered);
        assert_eq!((&answered.body, answered.parts.get()), (&body, parts));
        let tp = &answered.tp;
        assert_eq!(
            (tp.data_coding_scheme, tp.character_set),
            (Some(scheme), Some(set))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn d9_a_new_text_of_too_many_parts_is_refused() {
    let world = with_a_message().await;
    let refusal = set_body(&world, &"a".repeat(255 * 153 + 1))
        .await
        .unwrap_err();
    assert_eq!(
        refusal.detail,
        "message_parts would be 256; a message has at most 255 parts"
    );
    let stored = world.store.message(world.id("m1")).await.unwrap().unwrap();
    assert_eq!(stored.content.body, "hello");
}

#[tokio::test(start_paused = true)]
async fn s9_1_a_message_put_off_past_its_end_lives_for_a_day_from_then_on() {
    let mut world = with_a_message().await;
    let due = world.clock.now().plus(2 * DAY);
    let edit = Edit {
        deliver_after: Some(Some(due)),
        ..Edit::default()
    };
    let edited = world.engine.edit(world.id("m1"), edit).await.unwrap();
    assert_eq!(edited.expires, due.plus(DAY));
    world.play("+172800s\n offer gw").await;
    let told = world.finish().await;
    assert!(told.contains("offer gw => [m1]"), "{told}");
}

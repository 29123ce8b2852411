//! Routing by location: a message without a frontend follows its subscriber (S3.3).

use std::sync::Arc;

use zajil_core::location::Sighting;

use super::Subject;
use super::build::{
    DAY, at, failed_attempt, fallback, name, plain, routed, sighting, to_number, unrouted,
};
use super::subject::ALL;
use crate::contract::Placed;

const NOBODY: [u64; 0] = [];
const HOME: &str = "+15550000001";

fn until(sighting: Sighting, second: i64) -> Sighting {
    Sighting {
        expires: Some(Some(at(second))),
        ..sighting
    }
}

pub async fn s3_3_a_location_routes_to_the_frontend_it_names(s: Subject) {
    s.locate(sighting("001", HOME, "ims"), at(0)).await;
    s.accept(vec![to_number(1, HOME), to_number(2, "+15550000002")])
        .await;
    assert_eq!(s.offered(plain("ims"), at(0)).await, [1]);
    assert_eq!(s.offered(plain("gw"), at(0)).await, NOBODY);
    assert_eq!(
        s.offered(fallback("gw"), at(0)).await,
        [2],
        "a location decides the first"
    );
    assert_eq!(
        s.get(1).await.dest_smsc,
        None,
        "the message itself stays undecided"
    );
}

pub async fn s3_3_a_location_that_comes_later_takes_waiting_messages(s: Subject) {
    s.accept(vec![
        to_number(1, HOME),
        to_number(2, HOME),
        to_number(3, "+15550000002"),
    ])
    .await;
    assert_eq!(s.offered(fallback("gw"), at(0)).await, [1, 2, 3]);
    s.locate(sighting("001", HOME, "ims"), at(10)).await;
    assert_eq!(s.offered(plain("ims"), at(10)).await, [1, 2]);
    assert_eq!(s.offered(fallback("gw"), at(10)).await, [3]);
}

pub async fn s3_3_numbers_are_compared_without_plus_and_separators(s: Subject) {
    s.accept(vec![
        to_number(1, "+15550000001"),
        to_number(2, "15550000001"),
    ])
    .await;
    s.locate(sighting("001", "1 (555) 000-0001", "ims"), at(1))
        .await;
    s.accept(vec![
        to_number(3, "+1-555-000-0001"),
        to_number(4, "+115550000001"),
    ])
    .await;
    assert_eq!(s.offered(plain("ims"), at(1)).await, [1, 2, 3]);
}

pub async fn s3_3_a_subscriber_that_moves_takes_its_messages_along(s: Subject) {
    s.locate(sighting("001", HOME, "ims"), at(0)).await;
    s.accept(vec![to_number(1, HOME)]).await;
    s.locate(sighting("001", HOME, "msc"), at(1)).await;
    assert_eq!(s.offered(plain("ims"), at(2)).await, NOBODY);
    assert_eq!(s.offered(plain("msc"), at(2)).await, [1]);
    s.accept(vec![to_number(2, HOME)]).await;
    assert_eq!(s.offered(plain("msc"), at(2)).await, [1, 2]);
}

pub async fn s3_3_a_detached_subscriber_is_reached_nowhere(s: Subject) {
    s.locate(sighting("001", HOME, "ims"), at(0)).await;
    s.accept(vec![to_number(1, HOME)]).await;
    let imsi = Some("001".into());
    let gone = Sighting {
        imsi: imsi.clone(),
        registered: Some(false),
        ..Sighting::default()
    };
    s.locate(gone, at(1)).await;
    let placed = s.accept(vec![to_number(2, HOME)]).await;
    assert_eq!(placed, [Placed::Stored(None)]);
    assert_eq!(s.offered(plain("ims"), at(2)).await, NOBODY);
    assert_eq!(s.offered(fallback("gw"), at(2)).await, [1, 2]);
    let back = Sighting {
        imsi,
        registered: Some(true),
        ..Sighting::default()
    };
    s.locate(back, at(3)).await;
    assert_eq!(s.offered(plain("ims"), at(3)).await, [1, 2]);
}

pub async fn s3_3_a_deleted_location_leaves_messages_unrouted(s: Subject) {
    let (location, _) = s.locate(sighting("001", HOME, "ims"), at(0)).await;
    s.accept(vec![to_number(1, HOME)]).await;
    assert!(s.store.forget_location(location.id, at(1)).await.unwrap());
    assert_eq!(s.offered(plain("ims"), at(1)).await, NOBODY);
    assert_eq!(s.offered(fallback("gw"), at(1)).await, [1]);
}

pub async fn s3_3_an_expired_location_routes_nothing(s: Subject) {
    s.locate(until(sighting("001", HOME, "ims"), 60), at(0))
        .await;
    s.accept(vec![to_number(1, HOME)]).await;
    assert_eq!(s.offered(plain("ims"), at(59)).await, [1]);
    assert_eq!(
        s.offered(plain("ims"), at(60)).await,
        NOBODY,
        "the clock decides, not the sweep"
    );
    assert_eq!(s.leased(plain("ims"), at(60), at(90)).await, NOBODY);
    assert_eq!(s.offered(fallback("gw"), at(60)).await, [1]);
    s.sweep_locations(at(61)).await;
    assert_eq!(s.offered(plain("ims"), at(61)).await, NOBODY);
    assert_eq!(s.leased(fallback("gw"), at(61), at(90)).await, [1]);
    let mut late = to_number(2, HOME);
    Arc::make_mut(&mut late.message).inserted_at = at(62);
    assert_eq!(s.accept(vec![late]).await, [Placed::Stored(None)]);
}

pub async fn s3_3_a_renewed_location_routes_again(s: Subject) {
    s.locate(until(sighting("001", HOME, "ims"), 60), at(0))
        .await;
    s.accept(vec![to_number(1, HOME)]).await;
    // Renewed in time, the first end has no meaning left.
    s.locate(until(sighting("001", HOME, "ims"), 120), at(50))
        .await;
    s.sweep_locations(at(70)).await;
    assert_eq!(s.offered(plain("ims"), at(70)).await, [1]);
    s.sweep_locations(at(130)).await;
    assert_eq!(s.offered(plain("ims"), at(130)).await, NOBODY);
    let forever = Sighting {
        expires: Some(None),
        ..sighting("001", HOME, "ims")
    };
    s.locate(forever, at(140)).await;
    s.sweep_locations(at(150)).await;
    assert_eq!(s.offered(plain("ims"), at(150)).await, [1]);
}

pub async fn s3_3_a_location_without_a_frontend_decides_nothing(s: Subject) {
    let nowhere = Sighting {
        location: None,
        ..sighting("001", HOME, "ims")
    };
    s.locate(nowhere, at(0)).await;
    s.accept(vec![to_number(1, HOME)]).await;
    assert_eq!(s.offered(fallback("gw"), at(0)).await, [1]);
    let nobody = Sighting {
        msisdn: None,
        ..sighting("002", HOME, "ims")
    };
    s.locate(nobody, at(1)).await;
    assert_eq!(s.offered(plain("ims"), at(1)).await, NOBODY);
}

pub async fn s3_3_an_explicit_route_beats_the_location(s: Subject) {
    let mut explicit = to_number(1, HOME);
    Arc::make_mut(&mut explicit.message).dest_smsc = Some(name("gw"));
    s.accept(vec![explicit]).await;
    s.locate(until(sighting("001", HOME, "ims"), 60), at(0))
        .await;
    assert_eq!(s.offered(plain("ims"), at(1)).await, NOBODY);
    assert_eq!(s.offered(plain("gw"), at(1)).await, [1]);
    s.sweep_locations(at(61)).await;
    assert_eq!(s.offered(plain("gw"), at(61)).await, [1]);
}

pub async fn s3_3_a_changed_number_moves_both_queues(s: Subject) {
    s.locate(sighting("001", HOME, "ims"), at(0)).await;
    s.accept(vec![to_number(1, HOME), to_number(2, "+15550000002")])
        .await;
    s.locate(sighting("001", "+15550000002", "ims"), at(1))
        .await;
    assert_eq!(s.offered(plain("ims"), at(1)).await, [2]);
    assert_eq!(s.offered(fallback("gw"), at(1)).await, [1]);
}

pub async fn s3_3_the_latest_of_two_live_locations_decides(s: Subject) {
    s.accept(vec![to_number(1, HOME)]).await;
    s.locate(sighting("001", HOME, "old"), at(1)).await;
    s.locate(sighting("002", HOME, "new"), at(2)).await;
    assert_eq!(s.offered(plain("new"), at(3)).await, [1]);
    assert_eq!(s.offered(plain("old"), at(3)).await, NOBODY);
    s.locate(sighting("001", HOME, "old"), at(4)).await;
    assert_eq!(s.offered(plain("old"), at(4)).await, [1]);
    let (location, _) = s.locate(sighting("001", HOME, "old"), at(5)).await;
    assert!(s.store.forget_location(location.id, at(6)).await.unwrap());
    assert_eq!(
        s.offered(plain("new"), at(6)).await,
        [1],
        "the one that is left"
    );
}

pub async fn s3_3_the_sweep_honours_its_limit_and_comes_to_rest(s: Subject) {
    for number in 1..=5_u64 {
        let msisdn = format!("+{}", 15_550_000_000 + number);
        let ends = if number == 5 { DAY } else { 60 };
        s.locate(
            until(sighting(&format!("00{number}"), &msisdn, "ims"), ends),
            at(0),
        )
        .await;
    }
    s.accept((1..=5).map(unrouted).collect()).await;
    assert_eq!(s.store.expire_locations(at(59), ALL).await.unwrap(), 0);
    assert_eq!(s.store.expire_locations(at(60), 3).await.unwrap(), 3);
    assert_eq!(s.store.expire_locations(at(60), 3).await.unwrap(), 1);
    assert_eq!(s.store.expire_locations(at(60), 3).await.unwrap(), 0);
    assert_eq!(s.offered(fallback("gw"), at(60)).await, [1, 2, 3, 4]);
    assert_eq!(s.offered(plain("ims"), at(60)).await, [5]);
}

pub async fn s3_3_a_held_message_that_moves_stays_held(s: Subject) {
    s.locate(sighting("001", HOME, "ims"), at(0)).await;
    s.accept(vec![to_number(1, HOME), routed(2, "gw")]).await;
    assert_eq!(s.leased(plain("ims"), at(1), at(60)).await, [1]);
    s.locate(sighting("001", HOME, "msc"), at(2)).await;
    assert_eq!(s.offered(plain("msc"), at(59)).await, NOBODY);
    assert_eq!(s.offered(plain("msc"), at(60)).await, [1]);
    s.report(1, failed_attempt(), at(61)).await;
    assert_eq!(s.offered(plain("msc"), at(61 + 120)).await, [1]);
}

pub async fn d10_a_location_names_the_queues_that_must_hear_of_it(s: Subject) {
    let queues = async |sighting, second| {
        let done = s.store.locate(None, sighting, at(second)).await.unwrap();
        let queues = done.queues.into_iter();
        queues
            .map(|queue| queue.map_or_else(String::new, |name| name.to_string()))
            .collect::<Vec<_>>()
    };
    assert_eq!(queues(sighting("001", HOME, "ims"), 0).await, [""; 0]);
    s.accept(vec![to_number(1, HOME), to_number(2, "+15550000002")])
        .await;
    assert_eq!(queues(sighting("001", HOME, "msc"), 1).await, ["msc"]);
    assert_eq!(queues(sighting("001", HOME, "msc"), 2).await, [""; 0]);
    // The number it had is nobody's now; that of the second message is its new one.
    let moved = sighting("001", "+15550000002", "msc");
    assert_eq!(queues(moved, 3).await, ["", "msc"]);
    // One that was decided otherwise waits to be tried again: it is due at once.
    let mut explicit = to_number(3, "+15550000002");
    Arc::make_mut(&mut explicit.message).dest_smsc = Some(name("gw"));
    s.accept(vec![explicit]).await;
    s.report(3, failed_attempt(), at(4)).await;
    let back = sighting("001", "+15550000002", "msc");
    assert_eq!(queues(back, 5).await, ["gw"]);
}

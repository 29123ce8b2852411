//! Location records (S3.3).

use zajil_core::location::{Location, Sighting};

use super::Subject;
use super::build::{at, name, sighting};
use super::subject::ALL;
use crate::contract::Error;

const NUMBER: &str = "+15550000001";

pub async fn s3_3_an_imsi_has_one_record(s: Subject) {
    let all = Sighting {
        ran_location: Some("cell \"12\"".into()),
        imei: Some("490154203237518".into()),
        ims_capable: Some(true),
        csfb: Some(true),
        registered: Some(true),
        expires: Some(Some(at(500))),
        user_agent: Some("UA/1".into()),
        ..sighting("001", NUMBER, "ims")
    };
    let (first, new) = s.locate(all.clone(), at(0)).await;
    assert!(new);
    assert_eq!(first, Location::first(first.id, "001".into(), all, at(0)));
    assert_eq!(
        s.store.location(first.id).await.unwrap(),
        Some(first.clone())
    );
    let partial = Sighting {
        imsi: Some("001".into()),
        location: Some(name("msc")),
        expires: Some(None),
        ..Sighting::default()
    };
    let (second, new) = s.locate(partial.clone(), at(9)).await;
    assert!(!new);
    let mut expected = first;
    expected.update(partial, at(9));
    assert_eq!(second, expected, "what a sighting does not say stays");
    assert_eq!(s.store.location(second.id).await.unwrap(), Some(second));
    assert_eq!(s.store.locations(ALL, 0).await.unwrap().len(), 1);
}

pub async fn s3_3_a_record_is_read_and_changed_by_id(s: Subject) {
    let (location, _) = s.locate(sighting("001", NUMBER, "ims"), at(0)).await;
    let (other, _) = s
        .locate(sighting("002", "+15550000002", "ims"), at(0))
        .await;
    let change = Sighting {
        user_agent: Some("UA/2".into()),
        ..Sighting::default()
    };
    let done = s.store.locate(Some(location.id), change, at(5)).await;
    let done = done.unwrap();
    assert!(!done.new);
    let changed = done.location;
    let expected = Location {
        user_agent: Some("UA/2".into()),
        updated_at: at(5),
        ..location
    };
    assert_eq!(changed, expected);
    assert_eq!(s.store.location(changed.id).await.unwrap(), Some(expected));
    assert_eq!(s.store.location(other.id).await.unwrap(), Some(other));
}

pub async fn s3_3_an_unknown_id_and_a_missing_imsi_are_refused(s: Subject) {
    let unknown = s
        .store
        .locate(Some(7), sighting("001", NUMBER, "ims"), at(0))
        .await;
    assert_eq!(unknown, Err(Error::NotFound));
    let nobody = Sighting {
        imsi: None,
        ..sighting("001", NUMBER, "ims")
    };
    let nobody = s.store.locate(None, nobody, at(0)).await;
    assert!(matches!(nobody, Err(Error::Conflict(_))), "{nobody:?}");
    assert_eq!(s.store.location(7).await.unwrap(), None);
    assert_eq!(s.store.location(0).await.unwrap(), None);
    assert_eq!(s.store.location(u64::MAX).await.unwrap(), None);
    assert!(!s.store.forget_location(7, at(0)).await.unwrap());
    assert_eq!(s.store.locations(ALL, 0).await.unwrap(), []);
}

pub async fn s3_3_records_are_listed_by_id(s: Subject) {
    let mut expected = Vec::new();
    for n in [5, 3, 4, 1] {
        let imsi = format!("00{n}");
        expected.push(
            s.locate(sighting(&imsi, &format!("+1555000000{n}"), "ims"), at(n))
                .await
                .0,
        );
    }
    assert_eq!(s.store.locations(ALL, 0).await.unwrap(), expected);
    assert_eq!(s.store.locations(2, 1).await.unwrap(), expected[1..3]);
    assert_eq!(s.store.locations(2, 3).await.unwrap(), expected[3..]);
    assert_eq!(s.store.locations(2, 4).await.unwrap(), []);
}

pub async fn d8_a_number_is_found_without_its_plus(s: Subject) {
    let (plus, _) = s.locate(sighting("001", NUMBER, "ims"), at(0)).await;
    let (bare, _) = s
        .locate(sighting("002", "4477 0090-0123", "ims"), at(0))
        .await;
    let of = |number: &str| s.store.location_of(number.into());
    for number in ["+15550000001", "15550000001", "+1 (555) 000-0001"] {
        assert_eq!(of(number).await.unwrap(), Some(plus.clone()), "{number}");
    }
    assert_eq!(of("+447700900123").await.unwrap(), Some(bare));
    assert_eq!(of("5550000001").await.unwrap(), None, "compared whole");
    assert_eq!(of("").await.unwrap(), None);
}

pub async fn s3_3_the_latest_update_of_a_number_wins(s: Subject) {
    let (first, _) = s.locate(sighting("001", NUMBER, "ims"), at(0)).await;
    let (second, _) = s.locate(sighting("002", "15550000001", "msc"), at(1)).await;
    let of = || s.store.location_of(NUMBER.into());
    assert_eq!(of().await.unwrap(), Some(second.clone()));
    let again = s.store.locate(Some(first.id), Sighting::default(), at(2));
    let first = again.await.unwrap().location;
    assert_eq!(of().await.unwrap(), Some(first.clone()));
    s.locate(sighting("001", "+15550000009", "ims"), at(3))
        .await;
    assert_eq!(
        of().await.unwrap(),
        Some(second.clone()),
        "the first has another number now"
    );
    assert!(s.store.forget_location(second.id, at(4)).await.unwrap());
    assert_eq!(of().await.unwrap(), None);
}

pub async fn s3_3_ids_rise_and_are_not_used_again(s: Subject) {
    let mut ids = Vec::new();
    for n in 1..=3 {
        let (location, _) = s
            .locate(sighting(&format!("00{n}"), NUMBER, "ims"), at(n))
            .await;
        ids.push(location.id);
    }
    assert_eq!(ids[0], 1);
    assert!(ids.is_sorted_by(|a, b| a < b));
    assert!(s.store.forget_location(ids[2], at(5)).await.unwrap());
    assert!(!s.store.forget_location(ids[2], at(5)).await.unwrap());
    let (again, new) = s.locate(sighting("003", NUMBER, "ims"), at(6)).await;
    assert!(new && again.id > ids[2]);
    assert_eq!(again.inserted_at, at(6));
}

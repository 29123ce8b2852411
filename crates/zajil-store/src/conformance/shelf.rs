//! The shelf: records by id, name and page; changes that happen together.

use zajil_core::clock::Timestamp;

use super::Subject;
use super::build::at;
use super::subject::{ALL, all_at_once};
use crate::contract::Error;
use crate::shelf::{BODY_LIMIT, Change, Kind, NAME_LIMIT, Page, Record, Start};

fn adding(kind: Kind, name: Option<&str>, body: &str) -> Change {
    Change::Add {
        kind,
        name: name.map(str::to_owned),
        body: body.to_owned(),
    }
}

fn setting(record: &Record, base: Option<u64>, body: &str) -> Change {
    Change::Set {
        kind: record.kind,
        id: record.id,
        base,
        body: body.to_owned(),
    }
}

pub(super) fn remove(record: &Record, base: Option<u64>) -> Change {
    Change::Remove {
        kind: record.kind,
        id: record.id,
        base,
    }
}

pub(super) async fn add(
    s: &Subject,
    kind: Kind,
    name: Option<&str>,
    body: &str,
    now: Timestamp,
) -> Record {
    let changes = vec![adding(kind, name, body)];
    let mut added = s.store.change_shelf(changes, now).await.unwrap();
    assert_eq!(added.len(), 1);
    added.remove(0)
}

async fn page(s: &Subject, kind: Kind, from: Start, offset: u32, limit: u32) -> Vec<Record> {
    let page = Page {
        kind,
        from,
        offset,
        limit,
    };
    s.store.shelf(page).await.unwrap()
}

pub(super) async fn all(s: &Subject, kind: Kind) -> Vec<Record> {
    page(s, kind, Start::After(0), 0, ALL).await
}

async fn refused(s: &Subject, changes: Vec<Change>) -> Error {
    s.store.change_shelf(changes, at(99)).await.unwrap_err()
}

pub async fn a_record_comes_back_as_it_was_written(s: Subject) {
    let body = "{\"text\": \"‏زاجل 🕊 \\\" '\"}";
    let record = add(&s, Kind::ApiKey, Some("Na'me \"1\" ✓"), body, at(5)).await;
    let expected = Record {
        kind: Kind::ApiKey,
        id: 1,
        name: Some("Na'me \"1\" ✓".into()),
        revision: 1,
        added_at: at(5),
        written_at: at(5),
        body: body.into(),
    };
    assert_eq!(record, expected);
    let changed = s
        .store
        .change_shelf(vec![setting(&record, Some(1), "")], at(6));
    let expected = Record {
        revision: 2,
        written_at: at(6),
        body: String::new(),
        ..expected
    };
    assert_eq!(changed.await.unwrap(), std::slice::from_ref(&expected));
    let by_id = s.store.shelf_record(Kind::ApiKey, 1).await.unwrap();
    assert_eq!(by_id.as_ref(), Some(&expected));
    let by_name = s
        .store
        .shelf_named(Kind::ApiKey, "Na'me \"1\" ✓".into())
        .await
        .unwrap();
    assert_eq!(by_name, by_id);
}

pub async fn ids_and_revisions_rise_within_their_kind(s: Subject) {
    for kind in Kind::ALL {
        assert_eq!(s.store.shelf_revision(kind).await.unwrap(), 0);
        let first = add(&s, kind, None, "a", at(0)).await;
        let second = add(&s, kind, None, "b", at(0)).await;
        assert_eq!((first.id, first.revision), (1, 1), "{kind}");
        assert_eq!((second.id, second.revision), (2, 2), "{kind}");
        let gone = s.store.change_shelf(vec![remove(&second, Some(2))], at(1));
        assert_eq!(gone.await.unwrap(), [second], "as it was");
        assert_eq!(s.store.shelf_revision(kind).await.unwrap(), 3);
        // An id is not used again.
        let third = add(&s, kind, None, "c", at(2)).await;
        assert_eq!((third.id, third.revision), (3, 4), "{kind}");
        assert_eq!(all(&s, kind).await, [first, third]);
    }
}

pub async fn a_name_is_one_records_at_a_time(s: Subject) {
    let first = add(&s, Kind::SmppAccount, Some("esme"), "1", at(0)).await;
    let error = refused(&s, vec![adding(Kind::SmppAccount, Some("esme"), "2")]).await;
    assert!(matches!(error, Error::Conflict(_)), "{error:?}");
    // Names are compared as they are, and within their kind.
    add(&s, Kind::SmppAccount, Some("ESME"), "3", at(0)).await;
    add(&s, Kind::SmppCarrier, Some("esme"), "4", at(0)).await;
    add(&s, Kind::SmppAccount, None, "5", at(0)).await;
    add(&s, Kind::SmppAccount, None, "6", at(0)).await;
    s.store
        .change_shelf(vec![remove(&first, None)], at(1))
        .await
        .unwrap();
    let again = add(&s, Kind::SmppAccount, Some("esme"), "7", at(2)).await;
    let named = s.store.shelf_named(Kind::SmppAccount, "esme".into());
    assert_eq!(named.await.unwrap(), Some(again));
}

pub async fn a_record_that_is_not_there_is_not_found(s: Subject) {
    let record = add(&s, Kind::Mms, Some("a"), "1", at(0)).await;
    let other = Record {
        kind: Kind::Ss7Event,
        ..record.clone()
    };
    assert_eq!(
        refused(&s, vec![setting(&other, None, "")]).await,
        Error::NotFound
    );
    assert_eq!(
        refused(&s, vec![remove(&other, None)]).await,
        Error::NotFound
    );
    assert_eq!(s.store.shelf_record(Kind::Mms, 2).await.unwrap(), None);
    assert_eq!(s.store.shelf_record(Kind::Ss7Event, 1).await.unwrap(), None);
    let named = s.store.shelf_named(Kind::Ss7Event, "a".into());
    assert_eq!(named.await.unwrap(), None);
    // A refused change is no change.
    assert_eq!(s.store.shelf_revision(Kind::Ss7Event).await.unwrap(), 0);
    assert_eq!(s.store.shelf_revision(Kind::Mms).await.unwrap(), 1);
}

pub async fn a_change_from_an_older_revision_is_refused(s: Subject) {
    let record = add(&s, Kind::Webhook, None, "1", at(0)).await;
    // The revision of another record of the kind matters to nobody.
    add(&s, Kind::Webhook, None, "other", at(0)).await;
    let newer = s
        .store
        .change_shelf(vec![setting(&record, Some(1), "2")], at(1))
        .await
        .unwrap()
        .remove(0);
    assert_eq!(newer.revision, 3);
    for change in [setting(&record, Some(1), "3"), remove(&record, Some(1))] {
        let error = refused(&s, vec![change]).await;
        assert!(matches!(error, Error::Conflict(_)), "{error:?}");
    }
    let stored = s.store.shelf_record(Kind::Webhook, record.id).await;
    assert_eq!(stored.unwrap(), Some(newer));
}

pub async fn changes_happen_together_or_not_at_all(s: Subject) {
    let key = add(&s, Kind::ApiKey, Some("k"), "1", at(0)).await;
    let error = refused(
        &s,
        vec![
            setting(&key, Some(1), "2"),
            adding(Kind::Audit, None, "k was changed"),
            adding(Kind::ApiKey, Some("k"), "taken"),
        ],
    )
    .await;
    assert!(matches!(error, Error::Conflict(_)), "{error:?}");
    assert_eq!(all(&s, Kind::ApiKey).await, std::slice::from_ref(&key));
    assert_eq!(all(&s, Kind::Audit).await, []);
    assert_eq!(s.store.shelf_revision(Kind::Audit).await.unwrap(), 0);
    let changes = vec![
        remove(&key, Some(1)),
        adding(Kind::Audit, None, "k is gone"),
    ];
    let changed = s.store.change_shelf(changes, at(1)).await.unwrap();
    assert_eq!(changed.len(), 2);
    assert_eq!(changed[0], key);
    assert_eq!(all(&s, Kind::Audit).await, [changed[1].clone()]);
    // Ids of what did not happen may be used.
    assert_eq!(changed[1].id, 1);
    assert_eq!(s.store.change_shelf(Vec::new(), at(2)).await.unwrap(), []);
}

pub async fn a_later_change_sees_an_earlier_one(s: Subject) {
    let first = add(&s, Kind::Mms, Some("a"), "1", at(0)).await;
    let changes = vec![
        setting(&first, Some(1), "2"),
        setting(&first, Some(2), "3"),
        remove(&first, Some(3)),
        adding(Kind::Mms, Some("a"), "4"),
    ];
    let changed = s.store.change_shelf(changes, at(1)).await.unwrap();
    let bodies: Vec<&str> = changed.iter().map(|record| record.body.as_str()).collect();
    assert_eq!(bodies, ["2", "3", "3", "4"]);
    assert_eq!(all(&s, Kind::Mms).await, [changed[3].clone()]);
    assert_eq!(changed[3].id, 2);
}

pub async fn pages_lead_through_all_records_both_ways(s: Subject) {
    for n in 1..=7 {
        add(&s, Kind::Ss7Event, None, &n.to_string(), at(n)).await;
        add(&s, Kind::Mms, None, "another kind", at(n)).await;
    }
    let ids = |records: Vec<Record>| records.iter().map(|r| r.id).collect::<Vec<_>>();
    let kind = Kind::Ss7Event;
    for (from, offset, limit, expected) in [
        (Start::After(0), 0, 3, vec![1, 2, 3]),
        (Start::After(3), 0, 3, vec![4, 5, 6]),
        (Start::After(6), 0, 3, vec![7]),
        (Start::After(0), 5, 9, vec![6, 7]),
        (Start::Newest, 0, 3, vec![7, 6, 5]),
        (Start::Newest, 2, 3, vec![5, 4, 3]),
        (Start::Before(5), 0, 3, vec![4, 3, 2]),
        (Start::Before(2), 0, 3, vec![1]),
        (Start::Before(1), 0, 3, vec![]),
        (Start::After(0), 0, 0, vec![]),
    ] {
        let found = ids(page(&s, kind, from, offset, limit).await);
        assert_eq!(found, expected, "{from:?} +{offset} {limit}");
    }
}

pub async fn the_oldest_records_are_purged(s: Subject) {
    let mut records = Vec::new();
    for n in 0..5 {
        records.push(add(&s, Kind::Audit, None, "", at(n)).await);
    }
    add(&s, Kind::Webhook, None, "", at(0)).await;
    let changed = s
        .store
        .change_shelf(vec![setting(&records[1], None, "young again")], at(10))
        .await
        .unwrap();
    let purge = |limit| s.store.purge_shelf(Kind::Audit, at(4), limit);
    assert_eq!(purge(2).await.unwrap(), 2);
    assert_eq!(s.store.shelf_revision(Kind::Audit).await.unwrap(), 7);
    assert_eq!(purge(2).await.unwrap(), 1);
    assert_eq!(purge(2).await.unwrap(), 0);
    assert_eq!(s.store.shelf_revision(Kind::Audit).await.unwrap(), 8);
    let left = [changed[0].clone(), records[4].clone()];
    assert_eq!(all(&s, Kind::Audit).await, left);
    assert_eq!(all(&s, Kind::Webhook).await.len(), 1);
}

pub async fn of_many_changes_from_one_revision_one_wins(s: Subject) {
    let record = add(&s, Kind::SmppCarrier, Some("up"), "0", at(0)).await;
    let tries = (1..=16).map(|n| {
        let change = setting(&record, Some(1), &n.to_string());
        s.store.change_shelf(vec![change], at(n))
    });
    let outcomes = all_at_once(tries).await;
    let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(won, 1);
    assert_eq!(s.store.shelf_revision(Kind::SmppCarrier).await.unwrap(), 2);
}

pub async fn a_record_beyond_its_limits_is_refused(s: Subject) {
    let kind = Kind::Mms;
    let (long_name, long_body) = ("n".repeat(NAME_LIMIT + 1), "b".repeat(BODY_LIMIT + 1));
    for change in [
        adding(kind, Some(""), ""),
        adding(kind, Some(&long_name), ""),
        adding(kind, Some("a\0"), ""),
        adding(kind, None, &long_body),
        adding(kind, None, "a\0b"),
    ] {
        let changes = vec![adding(kind, None, "fine"), change];
        let error = refused(&s, changes).await;
        assert!(matches!(error, Error::Conflict(_)), "{error:?}");
    }
    assert_eq!(all(&s, kind).await, []);
    let (name, body) = ("n".repeat(NAME_LIMIT), "b".repeat(BODY_LIMIT));
    let largest = add(&s, kind, Some(&name), &body, at(0)).await;
    let stored = s.store.shelf_record(kind, 1).await.unwrap();
    assert_eq!(stored, Some(largest));
}

//! Turns that nobody needs any more, in front of those that count.

use std::sync::Arc;

use tempfile::TempDir;
use zajil_core::charge::FailureAction;
use zajil_core::lifecycle::Edit;
use zajil_core::message::Life;
use zajil_core::status::{FinalStatus, Status};
use zajil_store::Store;
use zajil_store::contract::Draft;
use zajil_store_embedded::inspect;

use crate::line::{ask, deliver, open};
use crate::make::{at, draft, id, scene};

fn until(mut draft: Draft, secs: i64) -> Draft {
    Arc::make_mut(&mut draft.message).expires = at(secs);
    draft
}

fn lasting(secs: i64) -> Edit {
    Edit {
        expires: Some(at(secs)),
        ..Edit::default()
    }
}

#[tokio::test]
async fn one_sweep_finds_what_is_due_behind_any_number_that_have_ended() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let many = 40_000;
    for first in (1..=many).step_by(5_000) {
        let drafts = (first..first + 5_000).map(|n| until(draft(n, "gw", 0), 60));
        store.accept(drafts.collect(), at(0)).await.unwrap();
    }
    store
        .accept(vec![until(draft(many + 1, "gw", 0), 61)], at(0))
        .await
        .unwrap();
    for first in (1..=many).step_by(5_000) {
        deliver(&store, first..first + 5_000, 1).await;
    }
    let swept = store.sweep(scene(61), 500).await.unwrap();
    let ids: Vec<_> = swept.iter().map(|told| told.message.id).collect();
    assert_eq!(ids, [id(many + 1)]);
}

#[tokio::test]
async fn turns_that_moved_keep_nothing_from_a_sweep_with_a_small_limit() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let drafts = (1..=3_000).map(|n| until(draft(n, "gw", 0), 60));
    store.accept(drafts.collect(), at(0)).await.unwrap();
    for n in 1..=3_000 {
        // Sooner, then later: each turn is written by itself.
        for secs in [50, 90] {
            let edit = store.edit(id(n), lasting(secs), scene(1)).await.unwrap();
            edit.unwrap();
        }
    }
    deliver(&store, 1..=2_990, 2).await;
    assert!(store.sweep(scene(89), 4).await.unwrap().is_empty());
    let mut told = 0;
    for expected in [4, 4, 2, 0] {
        let swept = store.sweep(scene(90), 4).await.unwrap();
        assert_eq!(swept.len(), expected);
        told += swept.len();
    }
    assert_eq!(told, 10);
}

#[tokio::test]
async fn a_turn_that_comes_back_is_told() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let drafts = vec![until(draft(1, "gw", 0), 60)];
    store.accept(drafts, at(0)).await.unwrap();
    for secs in [600, 60] {
        let edit = store.edit(id(1), lasting(secs), scene(1)).await.unwrap();
        edit.unwrap();
    }
    assert!(store.sweep(scene(59), 10).await.unwrap().is_empty());
    assert_eq!(store.sweep(scene(60), 10).await.unwrap().len(), 1);
    assert!(store.sweep(scene(700), 10).await.unwrap().is_empty());
}

/// D14: the answer of the charging system is lost, and the life is over in the same millisecond.
#[tokio::test]
async fn d14_two_turns_of_one_moment_are_both_told() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let mut draft = until(draft(1, "gw", 0), 60);
    Arc::make_mut(&mut draft.message).life = Life::Charging {
        until: at(60),
        on_failure: FailureAction::Allow,
    };
    store.accept(vec![draft], at(0)).await.unwrap();
    while !store.sweep(scene(60), 10).await.unwrap().is_empty() {}
    let message = store.message(id(1)).await.unwrap().unwrap();
    assert_eq!(message.status(), Status::Final(FinalStatus::Expired));
}

#[tokio::test]
async fn what_was_inserted_long_before_it_is_stored_has_its_place() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    // Stored together: one came an hour before the others, whose like came in between.
    store
        .accept((1..=300).map(|n| draft(n, "gw", 0)).collect(), at(0))
        .await
        .unwrap();
    let late = [draft(1_000, "gw", -3_600), draft(1_001, "gw", 5)];
    store.accept(late.into(), at(5)).await.unwrap();
    deliver(&store, [1_001], 6).await;
    let leased = store.lease(ask(1_000, 7), at(60)).await.unwrap();
    let ids: Vec<_> = leased.iter().map(|message| message.id.get()).collect();
    assert_eq!(
        ids,
        std::iter::once(1_000).chain(1..=300).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_file_of_the_form_before_runs_is_inspected() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let drafts = (1..=3).map(|n| draft(n, "gw", 0));
    store.accept(drafts.collect(), at(0)).await.unwrap();
    store.lease(ask(2, 1), at(60)).await.unwrap();
    drop(store);
    let file = directory.path().join(inspect::DATABASE);
    let inspected = inspect::inspect(&inspect::read_only(&file).unwrap()).unwrap();
    assert_eq!((inspected.form, inspected.pending), (11, 3));
    let db = rusqlite::Connection::open(&file).unwrap();
    db.execute_batch("DROP TABLE run; DROP TABLE turn; PRAGMA user_version = 10")
        .unwrap();
    drop(db);
    let inspected = inspect::inspect(&inspect::read_only(&file).unwrap()).unwrap();
    assert_eq!(
        (inspected.form, inspected.pending),
        (10, 2),
        "those with a row"
    );
}

//! Moving from one data directory to another: the cases of the suite that need two homes.

use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;
use zajil_store::Store;
use zajil_store::conformance::moved::{self, MovableHome};
use zajil_store::conformance::{Boxed, Home};
use zajil_store::transfer::Port;
use zajil_store_embedded::{EmbeddedPort, EmbeddedStore, OpenError, Options};

#[derive(Debug)]
struct Directory(TempDir);

fn directory() -> Arc<dyn MovableHome> {
    Arc::new(Directory(TempDir::new().unwrap()))
}

impl Home for Directory {
    fn open(&self) -> Boxed<'_, Arc<dyn Store>> {
        let store = EmbeddedStore::open(self.0.path(), &Options::default()).unwrap();
        Box::pin(std::future::ready(Arc::new(store) as Arc<dyn Store>))
    }
}

impl MovableHome for Directory {
    fn port(&self) -> Boxed<'_, Box<dyn Port>> {
        let port = EmbeddedPort::target(self.0.path()).unwrap();
        Box::pin(std::future::ready(Box::new(port) as Box<dyn Port>))
    }
}

#[tokio::test]
async fn d15_a_history_goes_on_over_moves() {
    moved::a_history_goes_on_over_moves(vec![directory(), directory()]).await;
}

#[tokio::test]
async fn d15_what_is_held_or_told_is_neither_lost_nor_doubled() {
    let (from, to) = (directory(), directory());
    moved::what_is_held_or_told_is_neither_lost_nor_doubled(from, to).await;
}

#[tokio::test]
async fn d15_a_move_that_stops_goes_on() {
    moved::a_move_that_stops_goes_on(directory(), directory()).await;
}

#[tokio::test]
async fn d15_only_an_empty_store_is_filled() {
    moved::only_an_empty_store_is_filled(directory(), directory()).await;
}

#[tokio::test]
async fn d15_what_was_altered_is_found() {
    moved::what_was_altered_is_found(directory(), directory()).await;
}

#[tokio::test]
async fn d15_only_one_side_starts_over_kills() {
    moved::only_one_side_starts(directory(), directory()).await;
}

fn refused(path: &Path) -> OpenError {
    EmbeddedPort::existing(path).unwrap_err()
}

#[tokio::test]
async fn d15_a_directory_is_moved_when_nobody_has_it_and_it_has_this_form() {
    let directory = TempDir::new().unwrap();
    let missing = refused(&directory.path().join("nowhere"));
    assert!(matches!(missing, OpenError::Sqlite(_)), "{missing:?}");
    assert!(!directory.path().join("nowhere").exists());
    let store = EmbeddedStore::open(directory.path(), &Options::default()).unwrap();
    let held = refused(directory.path());
    assert!(matches!(held, OpenError::InUse(_)), "{held:?}");
    store.close().await.unwrap();
    drop(store);
    let file = directory.path().join("queue.db");
    let db = rusqlite::Connection::open(file).unwrap();
    db.pragma_update(None, "user_version", 7).unwrap();
    drop(db);
    let older = refused(directory.path());
    assert!(
        matches!(older, OpenError::Older { found: 7, .. }),
        "{older:?}"
    );
    // Nor does filling it bring it forward.
    let older = EmbeddedPort::target(directory.path()).unwrap_err();
    assert!(
        matches!(older, OpenError::Older { found: 7, .. }),
        "{older:?}"
    );
    let file = directory.path().join("queue.db");
    let db = rusqlite::Connection::open(file).unwrap();
    let form = db.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
    assert_eq!(form, Ok(7));
}

#[tokio::test]
async fn d15_a_database_that_was_only_begun_is_filled() {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("queue.db"), "").unwrap();
    assert!(!EmbeddedPort::is_made(directory.path()).unwrap());
    assert_eq!(EmbeddedPort::mark_of(directory.path()).unwrap(), None);
    drop(EmbeddedPort::target(directory.path()).unwrap());
    assert!(EmbeddedPort::is_made(directory.path()).unwrap());
}

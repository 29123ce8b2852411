//! What the writer refuses, and that it gives room back.

use std::sync::mpsc;

use super::*;

fn writer() -> Writer {
    let db = Connection::open_in_memory().unwrap();
    db.execute_batch(
        "CREATE TABLE finished (seq INTEGER PRIMARY KEY, id INTEGER, at INTEGER);
         CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER);",
    )
    .unwrap();
    let beside = Beside {
        db: Connection::open_in_memory().unwrap(),
        file: Arc::new(tempfile::tempfile().unwrap()),
    };
    Writer::start(db, beside, Arc::default(), None).unwrap()
}

#[tokio::test]
async fn what_waits_is_bounded_in_octets_and_gives_its_room_back() {
    let writer = writer();
    let (go, wait) = mpsc::channel::<()>();
    let (began, has_begun) = oneshot::channel::<()>();
    let mut began = Some(began);
    let stalled = writer.run_heavy(MOST_HELD, move |_| {
        began.take().map(|began| began.send(()));
        wait.recv().ok();
        Ok(())
    });
    let meanwhile = async {
        has_begun.await.unwrap();
        let refused = writer.run_heavy(1, |_| Ok(())).await;
        assert_eq!(refused, Err(Error::Busy));
        go.send(()).unwrap();
    };
    let (done, ()) = tokio::join!(stalled, meanwhile);
    done.unwrap();
    writer.run_heavy(MOST_HELD, |_| Ok(())).await.unwrap();
}

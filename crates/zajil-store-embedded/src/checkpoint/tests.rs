//! The log is moved beside a busy writer and begins anew, whoever reads meanwhile.

use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::open::{fresh, settle};

fn open(path: &Path) -> Connection {
    let db = Connection::open(path).unwrap();
    fresh(&db).unwrap();
    settle(&db, 2_000).unwrap();
    db
}

/// A file with a writer that fills pages, and what sees to its log.
struct Busy {
    db: Connection,
    checkpoints: Checkpoints,
    rows: i64,
    _file: Arc<File>,
    folder: TempDir,
}

impl Busy {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("busy.db");
        let mut db = open(&path);
        let table = "CREATE TABLE page (number INTEGER PRIMARY KEY, text BLOB)";
        db.execute_batch(table).unwrap();
        let file = Arc::new(File::open(&path).unwrap());
        let beside = Beside {
            db: open(&path),
            file: Arc::clone(&file),
        };
        let checkpoints = Checkpoints::start(&mut db, beside).unwrap();
        Self {
            db,
            checkpoints,
            rows: 0,
            _file: file,
            folder,
        }
    }

    fn beside(&self) -> Connection {
        open(&self.folder.path().join("busy.db"))
    }

    /// Commits a hundred rows of a page each; how many frames the log has then.
    fn commit(&mut self) -> i64 {
        self.commit_of(100)
    }

    fn commit_of(&mut self, rows: u32) -> i64 {
        self.db.execute_batch("BEGIN IMMEDIATE").unwrap();
        for _ in 0..rows {
            let row = "INSERT INTO page VALUES (?, randomblob(8100))";
            self.db.execute(row, [self.rows]).unwrap();
            self.rows += 1;
        }
        self.db.execute_batch("COMMIT").unwrap();
        self.checkpoints.after_commit(&self.db);
        self.checkpoints.frames.load(Ordering::Relaxed)
    }

    /// Commits until the log is shorter than before.
    fn until_anew(&mut self) {
        let mut before = 0;
        loop {
            let frames = self.commit();
            if frames < before {
                return;
            }
            assert!(frames < 4 * MOST, "the log never begins anew");
            before = frames;
        }
    }
}

#[test]
fn the_log_of_a_writer_that_never_rests_begins_anew_and_loses_nothing() {
    let mut busy = Busy::new();
    for _ in 0..3 {
        busy.until_anew();
    }
    let written = busy.rows;
    let beside = busy.beside();
    drop(busy.checkpoints);
    let count = "SELECT count(*), max(number) + 1, sum(length(text)) FROM page";
    let found = beside.query_row(count, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    assert_eq!(found, Ok((written, written, 8_100 * written)));
    let sound: String = beside
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(sound, "ok");
}

#[test]
fn commits_of_more_than_the_writer_moves_at_once_do_not_let_the_log_grow_for_ever() {
    let mut busy = Busy::new();
    for _ in 0..40 {
        let frames = busy.commit_of(1_500);
        assert!(frames < 2 * MOST, "{frames} frames");
    }
}

#[test]
fn a_reader_keeps_the_log_from_beginning_anew_only_for_as_long_as_it_reads() {
    let mut busy = Busy::new();
    busy.commit();
    let reader = busy.beside();
    reader.execute_batch("BEGIN").unwrap();
    let count = || reader.query_row("SELECT count(*) FROM page", [], |row| row.get::<_, i64>(0));
    assert_eq!(count(), Ok(100));
    let mut before = 0;
    while before < 3 * START {
        let frames = busy.commit();
        assert!(
            frames > before,
            "the log began anew under a reader, at {before}"
        );
        before = frames;
    }
    assert_eq!(count(), Ok(100));
    reader.execute_batch("COMMIT").unwrap();
    busy.until_anew();
    assert_eq!(count(), Ok(busy.rows));
}

fn moved(of: i64, are: i64) -> rusqlite::Result<Pass> {
    Ok(Pass::Moved { of, are })
}

#[test]
fn much_is_moved_beside_the_writer_and_the_rest_by_it() {
    let mut mark = Mark::new();
    assert_eq!(mark.judge(START - 1), Move::Nothing);
    assert_eq!(mark.judge(START + 5), Move::Beside);
    // So much came meanwhile that once more is better.
    mark.take(&moved(START + 5, START + 5));
    assert_eq!(mark.judge(START + 2 * REST), Move::Beside);
    mark.take(&moved(START + 2 * REST, START + 2 * REST));
    assert_eq!(mark.judge(START + 2 * REST + 500), Move::Here);
    mark.take(&moved(START + 2 * REST + 500, START + 2 * REST + 500));
    // A commit that writes nothing.
    assert_eq!(mark.judge(START + 2 * REST + 500), Move::Nothing);
    // A reader came in between: the writer tries again with the next commit.
    assert_eq!(mark.judge(START + 2 * REST + 520), Move::Here);
    // The log began anew.
    assert_eq!(mark.judge(30), Move::Nothing);
    assert_eq!(mark.judge(START), Move::Beside);
}

#[test]
fn what_a_reader_keeps_in_the_log_is_not_tried_with_every_commit_nor_waited_for() {
    let mut mark = Mark::new();
    assert_eq!(mark.judge(START), Move::Beside);
    assert!(mark.waits(MOST), "whoever moves it may be slow");
    mark.take(&moved(START, 17));
    assert!(!mark.waits(MOST), "a reader has the time it wants");
    assert_eq!(mark.judge(START + REST - 1), Move::Nothing);
    assert_eq!(mark.judge(START + REST), Move::Beside);
    mark.take(&moved(START + REST, 17));
    mark.take(&moved(START + REST, START));
    assert!(mark.waits(MOST), "a short read is no reason");
    mark.take(&moved(START + REST, 17));
    // The longer it is, the dearer is a try.
    assert_eq!(mark.judge(100 * START), Move::Beside);
    mark.take(&moved(100 * START, 17));
    assert_eq!(mark.judge(110 * START), Move::Nothing);
    assert_eq!(mark.judge(113 * START), Move::Beside);
    // The reader has gone.
    mark.take(&moved(113 * START, 113 * START));
    assert_eq!(mark.judge(113 * START + 10), Move::Here);
    mark.take(&moved(113 * START + 10, 113 * START));
    assert_eq!(mark.judge(113 * START + 20), Move::Nothing);
    assert_eq!(mark.judge(115 * START), Move::Beside);
}

#[test]
fn after_a_failure_the_next_attempt_comes_a_good_deal_of_log_later() {
    for frames in [START, 2 * MOST] {
        let mut mark = Mark::new();
        assert_eq!(mark.judge(frames), Move::Beside);
        mark.take(&moved(frames, frames));
        assert_eq!(mark.judge(frames + 10), Move::Here);
        mark.take(&Err(rusqlite::Error::QueryReturnedNoRows));
        assert_eq!(mark.judge(frames + 9 + REST), Move::Nothing);
        assert_eq!(mark.judge(frames + 10 + REST), Move::Beside);
        mark.take(&Ok(Pass::Busy));
        assert_eq!(mark.judge(frames + 11 + REST), Move::Nothing);
    }
}

#[test]
fn without_its_thread_the_writer_moves_the_log_itself() {
    let mut busy = Busy::new();
    busy.checkpoints.ask = None;
    busy.until_anew();
    busy.until_anew();
}

//! Rotation by day and by size, what is kept, and what is never touched (D24, S14.3).

use std::sync::atomic::{AtomicI64, Ordering};

use super::*;

/// A clock that stands where it is put.
#[derive(Debug, Default)]
struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(self.0.load(Ordering::Relaxed))
    }
}

const NOON: i64 = 1_769_860_800; // 2026-01-31T12:00:00Z
const HOUR: i64 = 3_600;

struct Place {
    directory: tempfile::TempDir,
    clock: Arc<Hand>,
}

impl Place {
    fn new() -> Self {
        let clock = Arc::new(Hand::default());
        clock.0.store(NOON, Ordering::Relaxed);
        Self {
            directory: tempfile::tempdir().unwrap(),
            clock,
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("zajil.log")
    }

    fn open(&self, when: When) -> Shared {
        let keep = 30 * DAY;
        Shared::open(&self.path(), Rotation { when, keep }, self.clock.clone()).unwrap()
    }

    fn pass(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds, Ordering::Relaxed);
    }

    /// Every file with what it holds.
    fn files(&self) -> Vec<String> {
        let mut files: Vec<(String, String)> = std::fs::read_dir(self.directory.path())
            .unwrap()
            .map(|entry| {
                let path = entry.unwrap().path();
                let text = std::fs::read_to_string(&path).unwrap().replace('\n', " ");
                let name = path.file_name().unwrap().to_str().unwrap();
                (name.to_owned(), text.trim().to_owned())
            })
            .collect();
        files.sort();
        let shown = files
            .into_iter()
            .map(|(name, text)| format!("{name}: {text}"));
        shown.collect()
    }
}

#[test]
fn s14_3_a_day_has_its_file_and_old_ones_go_after_their_time() {
    let place = Place::new();
    for other in [
        "zajil.log.old",
        "zajil.log.20200101",
        "other.log.20200101T000000Z",
    ] {
        std::fs::write(place.directory.path().join(other), "kept").unwrap();
    }
    let mut log = place.open(When::Daily);
    log.write_all(b"one\n").unwrap();
    place.pass(11 * HOUR);
    log.write_all(b"two\n").unwrap();
    place.pass(2 * HOUR);
    log.write_all(b"three\n").unwrap();
    let kept = [
        "other.log.20200101T000000Z: kept",
        "zajil.log.20200101: kept",
    ];
    let mut expected = kept.map(str::to_owned).to_vec();
    expected.insert(1, "zajil.log: three".to_owned());
    expected.push("zajil.log.20260201T010000Z: one two".to_owned());
    expected.push("zajil.log.old: kept".to_owned());
    assert_eq!(place.files(), expected);
    place.pass(31 * 24 * HOUR);
    log.write_all(b"four\n").unwrap();
    assert!(
        !place.files().concat().contains("one two"),
        "{:?}",
        place.files()
    );
    assert_eq!(place.files().len(), 5, "nothing else went");
}

#[test]
fn s14_3_a_file_does_not_grow_beyond_its_size_and_nothing_is_written_over() {
    let place = Place::new();
    let mut log = place.open(When::Size(10));
    for line in [
        "aaaa\n",
        "bbbb\n",
        "cccc\n",
        "a line of more than ten\n",
        "dddd\n",
    ] {
        log.write_all(line.as_bytes()).unwrap();
    }
    let expected = [
        "zajil.log: dddd",
        "zajil.log.20260131T120000Z: aaaa bbbb",
        "zajil.log.20260131T120000Z-1: cccc",
        "zajil.log.20260131T120000Z-2: a line of more than ten",
    ];
    assert_eq!(place.files(), expected);
    drop(log);
    let mut log = place.open(When::Size(10));
    log.write_all(b"eeee\n").unwrap();
    log.write_all(b"ffff\n").unwrap();
    assert_eq!(place.files().len(), 5, "a restart counts what is there");
}

#[test]
fn d24_a_link_and_a_device_stay_what_they_are() {
    let place = Place::new();
    let real = place.directory.path().join("real");
    std::os::unix::fs::symlink(&real, place.path()).unwrap();
    let mut log = place.open(When::Size(1));
    log.write_all(b"one\n").unwrap();
    log.write_all(b"two\n").unwrap();
    assert!(place.path().is_symlink());
    assert_eq!(std::fs::read_to_string(&real).unwrap(), "one\ntwo\n");
    let rotation = Rotation {
        when: When::Size(1),
        keep: DAY,
    };
    let mut null = Shared::open(Path::new("/dev/null"), rotation, place.clock.clone()).unwrap();
    null.write_all(b"one\n").unwrap();
    null.write_all(b"two\n").unwrap();
    null.reopen().unwrap();
    assert!(!Path::new("/dev/null").metadata().unwrap().is_file());
}

#[test]
fn s14_3_what_something_else_put_aside_is_left_and_begun_anew() {
    let place = Place::new();
    let mut log = place.open(When::Never);
    log.write_all(b"one\n").unwrap();
    std::fs::rename(place.path(), place.directory.path().join("aside")).unwrap();
    log.write_all(b"two\n").unwrap();
    log.reopen().unwrap();
    log.write_all(b"three\n").unwrap();
    assert_eq!(place.files(), ["aside: one two", "zajil.log: three"]);
}

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

/// What packed files hold, by their names.
fn packed(place: &Place) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(place.directory.path()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if let Some(name) = name.strip_suffix(".gz") {
            let mut text = String::new();
            let file = std::fs::File::open(&path).unwrap();
            let mut plain = flate2::read::GzDecoder::new(file);
            std::io::Read::read_to_string(&mut plain, &mut text).unwrap();
            found.push(format!("{name}: {}", text.replace('\n', " ").trim()));
        }
    }
    found.sort();
    found
}

fn names(place: &Place) -> Vec<String> {
    let name = |entry: io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
    let entries = std::fs::read_dir(place.directory.path()).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| name(entry).into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// As after a death, when nothing holds a file.
fn pack_all(place: &Place) {
    pack::pack_all(&place.path(), &|| None);
}

#[test]
fn s14_3_what_is_put_aside_is_packed_in_the_background_and_goes_after_its_time() {
    let place = Place::new();
    let mut log = place.open(When::Size(10));
    log.pack_aside().unwrap();
    let deadline = std::time::Duration::from_secs(60);
    let until = |what: &str, done: &dyn Fn() -> bool| {
        let watch = crate::Stopwatch::start();
        while !done() {
            assert!(watch.elapsed() < deadline, "{what}: {:?}", names(&place));
            std::thread::park_timeout(std::time::Duration::from_millis(1));
        }
    };
    for line in ["aaaa\n", "bbbb\n", "cccc\n"] {
        log.write_all(line.as_bytes()).unwrap();
    }
    until("packed", &|| {
        names(&place) == ["zajil.log", "zajil.log.20260131T120000Z.gz"]
    });
    assert_eq!(packed(&place), ["zajil.log.20260131T120000Z: aaaa bbbb"]);
    // Within the same second: the packed name is taken.
    log.write_all(b"a line of more than ten\n").unwrap();
    until("packed again", &|| {
        packed(&place).len() == 2 && names(&place).len() == 3
    });
    assert_eq!(
        packed(&place),
        [
            "zajil.log.20260131T120000Z-1: cccc",
            "zajil.log.20260131T120000Z: aaaa bbbb"
        ]
    );
    place.pass(31 * 24 * HOUR);
    log.write_all(b"dddd\n").unwrap();
    until("the old ones are gone", &|| {
        names(&place) == ["zajil.log", "zajil.log.20260303T120000Z.gz"]
    });
}

#[test]
fn s14_3_a_death_while_packing_loses_no_line() {
    let aside = "zajil.log.20260131T120000Z";
    for (left, text) in [
        // It died while it wrote: half a file.
        (".gz.part", "half"),
        // It died before the plain file was removed.
        (".gz", "a packed file"),
    ] {
        let place = Place::new();
        let at = |name: &str| place.directory.path().join(name);
        std::fs::write(at("zajil.log"), "now\n").unwrap();
        std::fs::write(at(aside), "one\ntwo\n").unwrap();
        std::fs::write(at(&format!("{aside}{left}")), text).unwrap();
        pack_all(&place);
        assert_eq!(packed(&place), [format!("{aside}: one two")]);
        assert_eq!(
            names(&place),
            ["zajil.log".to_owned(), format!("{aside}.gz")]
        );
    }
}

#[test]
fn s14_3_only_what_we_put_aside_is_packed_and_nothing_that_is_written_to() {
    let place = Place::new();
    let at = |name: &str| place.directory.path().join(name);
    let others = ["zajil.log", "zajil.log.1", "other.log.20200101T000000Z"];
    for name in others {
        std::fs::write(at(name), "kept").unwrap();
    }
    std::os::unix::fs::symlink(at("zajil.log.1"), at("zajil.log.20200101T000000Z")).unwrap();
    let aside = at("zajil.log.20260131T120000Z");
    std::fs::write(&aside, "a line\n").unwrap();
    let open = std::fs::metadata(&aside).unwrap();
    let before = names(&place);
    pack::pack_all(&place.path(), &|| Some((open.dev(), open.ino())));
    assert_eq!(names(&place), before);
    pack_all(&place);
    assert_eq!(packed(&place), ["zajil.log.20260131T120000Z: a line"]);
}

#[test]
fn s10_4_who_may_not_read_the_log_may_not_read_it_packed() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    let aside = place.directory.path().join("zajil.log.20260131T120000Z");
    std::fs::write(&aside, "a line\n").unwrap();
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(&aside, private).unwrap();
    pack_all(&place);
    let packed = std::fs::metadata(pack::with_suffix(&aside, ".gz")).unwrap();
    assert_eq!(packed.permissions().mode() & 0o777, 0o600);
}

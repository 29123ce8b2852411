//! The databases: who has them open, which form they have, whether they are sound.

use std::path::Path;

use zajil_core::civil;
use zajil_core::clock::Clock as _;
use zajil_engine::system::SystemClock;
use zajil_store_embedded::inspect;

use super::check::Check;

const NAME: &str = "store";
/// A clock may have been set back a little without harm: ids go on from the highest one.
const CLOCK_SLACK: std::time::Duration = std::time::Duration::from_secs(60);

/// Whether a server has the data open; nothing when that cannot be told.
pub(super) fn held(directory: &Path) -> bool {
    inspect::in_use(directory).unwrap_or(false)
}

/// The queue's database.
pub(super) fn checks(directory: &Path) -> Vec<Check> {
    let file = directory.join(inspect::DATABASE);
    if !file.exists() {
        return vec![Check::ok(NAME, "there is none yet; zajil serve makes it")];
    }
    let opened = inspect::read_only(&file).and_then(|db| Ok((inspect::inspect(&db)?, db)));
    let (found, db) =
        match opened {
            Ok(opened) => opened,
            Err(error) => {
                let chain = zajil_telemetry::chain(&error);
                return vec![Check::fail(NAME, format!("{}: {chain}", file.display())).remedy(
                "run this as the user of the server; with a newer form, install that version; \
                 else restore a backup",
            )];
            }
        };
    let held = held(directory);
    let mut checks = Vec::new();
    let contents = format!(
        "form {} of {}, {} pending, {} finished, {} in the outbox",
        found.form, found.known, found.pending, found.finished, found.outbox
    );
    if held {
        let by = super::limits::holder(directory);
        let by = by.map_or(String::new(), |process| format!(" by process {process}"));
        checks.push(Check::ok(NAME, format!("open{by}; {contents}")));
    } else {
        checks.push(match inspect::quick_check(&db) {
            Ok(wrong) if wrong.is_empty() => {
                Check::ok(NAME, format!("not open, sound (quick_check); {contents}"))
            }
            Ok(wrong) => Check::fail(NAME, format!("damaged: {}", wrong.join("; ")))
                .remedy("keep the files as they are and restore the last backup elsewhere"),
            Err(error) => Check::fail(NAME, format!("cannot be read: {error}"))
                .remedy("see the disk; restore the last backup elsewhere"),
        });
    }
    checks.extend(newest(found.highest));
    checks
}

/// A message from the future says that the clock was set back.
fn newest(highest: Option<zajil_core::id::MessageId>) -> Option<Check> {
    let issued = highest?.issued_at();
    let now = SystemClock.now();
    if issued <= now.plus(CLOCK_SLACK) {
        return None;
    }
    let at = civil::to_the_second(issued);
    let sentence = format!("the newest message is of {at}, and now it is earlier than that");
    Some(Check::warn("clock and store", sentence).remedy(
        "mend the clock; ids stay unique, but expiry and retries wait until it has caught up",
    ))
}

/// The file of the CDRs.
pub(super) fn cdr(path: &Path) -> Vec<Check> {
    const NAME: &str = "CDR file";
    if !path.exists() {
        return vec![Check::ok(NAME, "there is none yet; zajil serve makes it")];
    }
    let rows = inspect::read_only(path).and_then(|db| {
        let sql = "SELECT coalesce(max(id), 0) FROM cdrs";
        Ok(db.query_row(sql, [], |row| row.get::<_, i64>(0))?)
    });
    vec![match rows {
        Ok(rows) => Check::ok(NAME, format!("{} has {rows} rows", path.display())),
        Err(error) => {
            let sentence = format!("{}: {}", path.display(), zajil_telemetry::chain(&error));
            Check::fail(NAME, sentence)
                .remedy("CDRs wait in the outbox meanwhile; mend cdr.sqlite_path or the file")
        }
    }]
}

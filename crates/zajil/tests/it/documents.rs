//! The documents say what is true: the walk-through of the README runs, every reason has its page.

use std::path::{Path, PathBuf};
use std::process::Command;

use zajil_core::outcome::Reason;

use crate::server::Server;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The blocks that begin with "```sh walkthrough", as one script.
fn walkthrough(readme: &str) -> String {
    let blocks = readme.split("```sh walkthrough\n").skip(1);
    blocks.filter_map(|rest| rest.split("```").next()).collect()
}

#[test]
fn the_walk_through_of_the_readme_works_as_printed() {
    if std::env::var_os("SLOW_TESTS").is_none() {
        println!("SKIPPED: set SLOW_TESTS=1 to run it");
        return;
    }
    let readme = read(&root().join("README.md"));
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let address = "http://127.0.0.1:8080";
    let script = walkthrough(&readme);
    assert_eq!(script.matches(address).count(), 1, "one place to set");
    let script = format!("set -eu\n{}", script.replace(address, &server.base));
    let run = Command::new("sh").args(["-c", &script]).output().unwrap();
    let shown = String::from_utf8(run.stdout).unwrap();
    assert!(
        run.status.success(),
        "{shown}\n{}",
        String::from_utf8_lossy(&run.stderr)
    );
    for part in [
        "\"destination_msisdn\":\"+15551234567\"",
        "\"dest_smsc\":\"gateway_1\"",
        "\"delivery_attempts\":1",
        "number_translated",
        "failed: absent subscriber; again in 1 s",
        "delivery_attempt_2",
        "message_delivered",
    ] {
        assert!(shown.contains(part), "{part} in:\n{shown}");
    }
    assert_eq!(server.stop(), Some(0));
    let db = rusqlite::Connection::open(data.path().join("cdr.db")).unwrap();
    let query = "SELECT status, delivery_attempts FROM cdrs";
    let row = db.query_row(query, [], |row| Ok((row.get(0)?, row.get(1)?)));
    assert_eq!(row, Ok(("delivered".to_owned(), 2)));
}

#[test]
fn every_reason_has_its_page_and_every_page_its_reason() {
    let folder = root().join("docs/errors");
    let index = read(&folder.join("README.md"));
    for reason in Reason::ALL {
        let code = reason.code();
        let page = read(&folder.join(format!("{code}.md")));
        assert!(page.starts_with(&format!("# `{code}`: ")), "{code}");
        let says_yes = page.contains("## Does repeating help?\n\nYes");
        assert_eq!(says_yes, reason.is_retryable(), "{code}: repeating");
        assert!(index.contains(&format!("({code}.md)")), "{code}: index");
    }
    let pages = std::fs::read_dir(&folder).unwrap().count();
    assert_eq!(pages, Reason::ALL.len() + 1, "the pages and their index");
}

#[test]
fn links_between_the_documents_lead_somewhere() {
    for name in [
        "README.md",
        "ARCHITECTURE.md",
        "STYLE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "docs/errors/README.md",
        "docs/ops/alerts.md",
        "docs/ops/backup.md",
        "docs/ops/logs.md",
        "docs/ops/security.md",
        "docs/ops/troubleshooting.md",
    ] {
        let path = root().join(name);
        for rest in read(&path).split("](").skip(1) {
            let target = rest.split(')').next().unwrap();
            if target.starts_with("https://") {
                continue;
            }
            let target = target.split('#').next().unwrap();
            let found = path.parent().unwrap().join(target).exists();
            assert!(found, "{name} links to {target}");
        }
    }
}

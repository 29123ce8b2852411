//! The tables are those of the codec and of the sources.

use std::collections::BTreeSet;
use std::path::Path;

use expect_test::expect_file;

use super::*;

#[test]
fn the_page_is_the_committed_one() {
    expect_file!["../../../../docs/smpp-pics.md"].assert_eq(&page());
}

#[test]
fn every_request_of_the_standards_is_in_the_table_once() {
    let all: BTreeSet<CommandId> = CommandId::DEFINED
        .iter()
        .copied()
        .filter(|id| !id.is_response() || *id == CommandId::GENERIC_NACK)
        .collect();
    let listed: BTreeSet<CommandId> = REQUESTS.iter().map(|(id, ..)| *id).collect();
    assert_eq!(listed, all);
    assert_eq!(REQUESTS.len(), all.len());
}

/// What stands after `prefix` in the sources below `folder`, tests and this table left out.
fn used(folder: &Path, prefix: &str, into: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if ["tests.rs", "pics.rs", "sim", "sim.rs", "client"].contains(&name) {
            continue;
        }
        if path.is_dir() {
            used(&path, prefix, into);
            continue;
        }
        let source = std::fs::read_to_string(&path).unwrap();
        let source = source.split("#[cfg(test)]").next().unwrap();
        for found in source.split(prefix).skip(1) {
            let letters = |c: &char| c.is_ascii_uppercase() || *c == '_';
            into.insert(found.chars().take_while(letters).collect());
        }
    }
}

fn sources(prefix: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    used(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        prefix,
        &mut all,
    );
    all.remove("");
    all
}

#[test]
fn every_parameter_that_the_sources_use_is_in_the_table_and_no_other() {
    let listed: BTreeSet<String> = PARAMETERS
        .iter()
        .map(|(tag, _)| tag.name().unwrap().to_uppercase())
        .collect();
    assert_eq!(listed, sources("Tag::"));
}

/// `ESME_RX_…` are what applications answer: we only read them.
#[test]
fn every_status_that_the_sources_send_is_in_the_table_and_no_other() {
    let of_applications = ["RX_T_APPN", "RX_P_APPN", "RX_R_APPN"];
    let sent: BTreeSet<String> = sources("Status::")
        .into_iter()
        .filter(|name| !of_applications.contains(&name.as_str()))
        .collect();
    let listed: BTreeSet<String> = SENT
        .iter()
        .filter_map(|status| status.name())
        .map(|name| name.trim_start_matches("ESME_").to_owned())
        .collect();
    assert_eq!(listed, sent);
}

//! The tables are those of the codec and of the sources.

use std::collections::BTreeSet;
use std::path::Path;

use bytes::Bytes;
use expect_test::expect_file;
use smpp_codec::Pdu;
use smpp_codec::pdu::Tolerance;

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

/// What stands after `prefix` in a source, or in those below a folder; tests, this table and
/// `others` left out.
fn used((path, others): (&Path, &[&str]), prefix: &str, into: &mut BTreeSet<String>) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if !["tests.rs", "pics.rs", "sim", "sim.rs"].contains(&name) && !others.contains(&name)
            {
                used((&path, others), prefix, into);
            }
        }
    } else {
        let source = std::fs::read_to_string(path).unwrap();
        let source = source.split("#[cfg(test)]").next().unwrap();
        for found in source.split(prefix).skip(1) {
            let letters = |c: &char| c.is_ascii_uppercase() || *c == '_';
            into.insert(found.chars().take_while(letters).collect());
        }
    }
}

fn sources(places: &[&str], others: &[&str], prefix: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for place in places {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(place);
        used((&path, others), prefix, &mut all);
    }
    all.remove("");
    all
}

/// The names of statuses, as the sources write them.
fn names(list: &[Status]) -> BTreeSet<String> {
    let known = list.iter().filter_map(|status| status.name());
    known
        .map(|name| name.trim_start_matches("ESME_").to_owned())
        .collect()
}

#[test]
fn every_parameter_that_the_sources_use_is_in_the_table_and_no_other() {
    let listed: BTreeSet<String> = PARAMETERS
        .iter()
        .map(|(tag, _)| tag.name().unwrap().to_uppercase())
        .collect();
    assert_eq!(listed, sources(&["src"], &[], "Tag::"));
}

/// `ESME_RX_…` are what applications answer: we only read them.
#[test]
fn every_status_that_the_sources_send_is_in_the_table_and_no_other() {
    let of_applications = ["RX_T_APPN", "RX_P_APPN", "RX_R_APPN"];
    let sent: BTreeSet<String> = sources(&["src"], &["client"], "Status::")
        .into_iter()
        .filter(|name| !of_applications.contains(&name.as_str()))
        // One capital is the variant of another type, such as `FinalStatus`.
        .filter(|name| name.len() > 1)
        .collect();
    assert_eq!(names(SENT), sent);
}

/// What the client answers with stands where it hears, and where links answer for either side; a
/// link says of a PDU that cannot be read what the codec says of it.
#[test]
fn every_status_that_the_client_sends_is_in_the_table_and_no_other() {
    let mut sent = sources(
        &["src/client/hear.rs", "src/link.rs", "src/link"],
        &[],
        "Status::",
    );
    // What a link says for the message centre while it takes leave.
    assert!(sent.remove("RTHROTTLED"));
    let cut = Bytes::from_static(b"\0\0\0\x12\0\0\0\x05\0\0\0\0\0\0\0\x05ab");
    let refused = Pdu::decode(&cut, Tolerance::Lenient).unwrap_err();
    sent.extend(names(&[refused.status()]));
    assert_eq!(names(SENT_AS_CLIENT), sent);
}

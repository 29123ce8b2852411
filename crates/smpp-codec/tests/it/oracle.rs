//! Generated PDUs, read by us and by tshark. Slow: runs with `SLOW_TESTS=1`.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::{describe, generate, vectors};

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Whether to go on: slow tests are asked for and tshark starts. Says why not.
fn is_wanted(test: &str) -> bool {
    #[expect(
        clippy::disallowed_methods,
        reason = "the tests have no configuration of their own"
    )]
    let slow = std::env::var("SLOW_TESTS").is_ok_and(|value| value == "1");
    let starts = |program: &str| {
        let mut command = Command::new(program);
        command
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let wanted = slow && starts("tshark") && starts("text2pcap");
    if !wanted {
        println!("SKIPPED {test}: needs SLOW_TESTS=1, tshark and text2pcap");
    }
    wanted
}

/// What tshark calls a field, and where ours is.
const FIELDS: [(&str, &str); 24] = [
    ("smpp.sequence_number", "/seq"),
    ("smpp.system_id", "/system_id"),
    ("smpp.password", "/password"),
    ("smpp.system_type", "/system_type"),
    ("smpp.address_range", "/address_range"),
    ("smpp.service_type", "/service_type"),
    ("smpp.source_addr", "/source/2"),
    ("smpp.destination_addr", "/dest/2"),
    ("smpp.esme_addr", "/esme/2"),
    ("smpp.protocol_id", "/protocol_id"),
    ("smpp.priority_flag", "/priority_flag"),
    ("smpp.replace_if_present_flag", "/replace_if_present_flag"),
    ("smpp.data_coding", "/data_coding"),
    ("smpp.sm_default_msg_id", "/sm_default_msg_id"),
    ("smpp.sm_length", "length"),
    ("smpp.message_id", "/message_id"),
    ("smpp.message_state", "/message_state"),
    ("smpp.error_code", "/error_code"),
    ("smpp.sar_msg_ref_num", "tlv 020c"),
    ("smpp.sar_total_segments", "tlv 020e"),
    ("smpp.sar_segment_seqnum", "tlv 020f"),
    ("smpp.user_message_reference", "tlv 0204"),
    ("smpp.source_port", "tlv 020a"),
    ("smpp.destination_port", "tlv 020b"),
];

/// Our value as tshark prints it; none where it prints nothing.
fn expected(ours: &Value, place: &str) -> Option<String> {
    if place == "length" {
        let text = ours.get("short_message")?.as_str()?;
        return Some((text.len() / 2).to_string());
    }
    if let Some(tag) = place.strip_prefix("tlv ") {
        let hex = ours["tlvs"].get(tag)?.as_str()?;
        return Some(u32::from_str_radix(hex, 16).ok()?.to_string());
    }
    match ours.pointer(place)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// As a number where it is one, in hexadecimal or not.
fn canonical(text: &str) -> String {
    let hex = text.strip_prefix("0x");
    let number = hex.and_then(|digits| u32::from_str_radix(digits, 16).ok());
    number.map_or_else(|| text.to_owned(), |number| number.to_string())
}

/// What tshark says of each PDU: complaints, and then the fields of [`FIELDS`].
fn ask(name: &str, lines: &str) -> Vec<(String, Vec<String>)> {
    let (text, capture) = (file(&format!("{name}.txt")), file(&format!("{name}.pcap")));
    fs::write(&text, lines).unwrap();
    let pattern = "^(?<dir>[<>]) (?<data>[0-9a-f]+)$";
    let packed = Command::new("text2pcap")
        .args(["-q", "-r", pattern, "-T", "40000,2775"])
        .args([&text, &capture])
        .output()
        .unwrap();
    assert!(packed.status.success(), "{packed:?}");
    let mut tshark = Command::new("tshark");
    tshark
        .args(["-T", "fields", "-E", "aggregator=;", "-r"])
        .arg(&capture)
        .args([
            "-e",
            "smpp.command_id",
            "-e",
            "_ws.malformed",
            "-e",
            "_ws.expert.message",
        ]);
    for (field, _) in FIELDS {
        tshark.args(["-e", field]);
    }
    let output = tshark.output().unwrap();
    let rows = String::from_utf8_lossy(&output.stdout).into_owned();
    let row = |row: &str| {
        let mut cells = row.split('\t').map(str::to_owned);
        let id = cells.next().unwrap_or_default();
        let mut complaints: String = cells.by_ref().take(2).collect();
        if id.is_empty() {
            complaints.push_str("not taken for SMPP");
        }
        (complaints, cells.collect())
    };
    rows.lines().map(row).collect()
}

#[test]
fn generated_pdus_mean_the_same_to_tshark() {
    if !is_wanted("generated_pdus_mean_the_same_to_tshark") {
        return;
    }
    let pdus = generate::the_same(3_000);
    let mut lines = String::new();
    for (header, pdu) in &pdus {
        let octets = generate::encode(*header, pdu);
        writeln!(lines, "> {}", describe::hex(&octets)).unwrap();
    }
    let rows = ask("smpp", &lines);
    assert_eq!(rows.len(), pdus.len());
    let mut differences = String::new();
    let mut compared = 0;
    for ((header, pdu), (complaints, theirs)) in pdus.iter().zip(&rows) {
        let ours = describe::pdu(*header, pdu);
        if !complaints.is_empty() {
            writeln!(differences, "{complaints}: {ours}").unwrap();
        }
        for ((name, place), theirs) in FIELDS.iter().zip(theirs) {
            let Some(expected) = expected(&ours, place) else {
                continue;
            };
            compared += 1;
            // An empty string has no octets that tshark could show.
            let nothing = theirs.contains("MISSING") || theirs == "(Default)";
            let theirs = if nothing { "" } else { theirs };
            if canonical(theirs) != expected {
                writeln!(differences, "{name}: ours {expected:?}, theirs {theirs:?}").unwrap();
            }
        }
    }
    let some: Vec<&str> = differences.lines().take(20).collect();
    assert!(some.is_empty(), "{}", some.join("\n"));
    assert!(compared > 5 * pdus.len(), "{compared}");
    println!("tshark agrees about {} PDUs, {compared} fields", pdus.len());
}

/// No broken vector is clean there, and no good one is malformed. One has a text where a header is
/// announced; we leave that to whoever wants the header.
#[test]
fn the_vectors_are_what_tshark_takes_them_for() {
    if !is_wanted("the_vectors_are_what_tshark_takes_them_for") {
        return;
    }
    let vectors = vectors::vectors();
    let hex = vectors.iter().map(|vector| vector["hex"].as_str().unwrap());
    let lines: Vec<String> = hex.map(|hex| format!("> {hex}\n")).collect();
    let rows = ask("smpp-vectors", &lines.concat());
    assert_eq!(rows.len(), vectors.len());
    for (vector, (complaints, _)) in vectors.iter().zip(&rows) {
        let broken = complaints.contains("alformed");
        let id = vector["id"].as_str().unwrap();
        let known = ["submit_sm_resp-nonull", "submit_sm-payload-tlv"];
        assert_eq!(broken, known.contains(&id), "{vector} {complaints}");
    }
}

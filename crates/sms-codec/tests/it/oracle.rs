//! Generated TPDUs, read by us, by tshark and by pycrate. Slow: runs with `SLOW_TESTS=1`.
//! `cargo xtask test` brings both programs; without it the tests use what they find.
//!
//! Not compared, because the other decoder is known to be wrong or silent:
//! * tshark 4.0: national tables, enhanced validity in format 001, the sign of a time zone;
//! * pycrate 0.8: command data, automatic deletion groups, `*#abc` as digits.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use bytes::Bytes;
use serde_json::Value;
use sms_codec::describe;
use sms_codec::tpdu::{Direction, Tpdu};

use crate::generate::{self, Decoder, Dice};

fn generated(count: usize, decoder: Decoder) -> Vec<(Direction, Bytes)> {
    let mut dice = Dice(0x5A4A_494C);
    let tpdus = (0..count).map(|index| generate::tpdu(&mut dice, index, decoder));
    tpdus
        .map(|tpdu| (tpdu.direction(), tpdu.encode()))
        .collect()
}

/// One TPDU a line: who sends, and the octets.
fn lines(tpdus: &[(Direction, Bytes)]) -> String {
    let mut lines = String::new();
    for (direction, octets) in tpdus {
        lines.push(if *direction == Direction::MsToSc {
            '<'
        } else {
            '>'
        });
        lines.push(' ');
        octets
            .iter()
            .for_each(|octet| write!(lines, "{octet:02x}").unwrap());
        lines.push('\n');
    }
    lines
}

fn ours(direction: Direction, octets: &Bytes) -> Value {
    let tpdu = Tpdu::decode(direction, octets).unwrap();
    assert_eq!(tpdu.encode(), octets);
    serde_json::from_str(&describe::tpdu(&tpdu).to_string()).unwrap()
}

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn variable(name: &str) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the tests have no configuration of their own"
    )]
    std::env::var(name).ok()
}

/// Whether to go on: slow tests are asked for and `program` starts. Says why not.
fn is_wanted(test: &str, program: &str, argument: &[&str]) -> bool {
    if variable("SLOW_TESTS").as_deref() != Some("1") {
        println!("SKIPPED {test}: set SLOW_TESTS=1 to run it");
        return false;
    }
    let starts = Command::new(program)
        .args(argument)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !starts {
        let brought = variable("PYCRATE_PYTHON").is_some();
        assert!(
            !brought,
            "{program} {argument:?} must run: it was installed for this"
        );
        println!("SKIPPED {test}: {program} {argument:?} does not run here");
    }
    starts
}

/// What tshark calls a field and what we call it.
const FIELDS: [(&str, &str); 38] = [
    ("tp-mms", "/tp_mms"),
    ("tp-lp", "/tp_lp"),
    ("tp-sri", "/tp_sri"),
    ("tp-srr", "/tp_srr"),
    ("tp-srq", "/tp_srq"),
    ("tp-rp", "/tp_rp"),
    ("tp-rd", "/tp_rd"),
    ("tp-vpf", "/tp_vpf"),
    ("tp-udhi", "/tp_udhi"),
    ("tp-mr", "/mr"),
    ("tp-oa", "/oa/value"),
    ("tp-da", "/da/value"),
    ("tp-ra", "/ra/value"),
    ("dis_field_addr.num_type", "ton"),
    ("dis_field_addr.num_plan", "npi"),
    ("tp-pid", "/pid"),
    ("tp-dcs", "/dcs"),
    ("tp-fcs", "/fcs"),
    ("tp.parameter_indicator", "/pi"),
    ("tp.command_type", "/ct"),
    ("tp.message_number", "/mn"),
    ("tp.command_data_length", "/cdl"),
    ("tp.user_data_length", "/udl"),
    ("scts.year", "time 2 4"),
    ("scts.month", "time 5 7"),
    ("scts.day", "time 8 10"),
    ("scts.hour", "time 11 13"),
    ("scts.minutes", "time 14 16"),
    ("scts.seconds", "time 17 19"),
    ("scts.timezone", "zone"),
    ("udh.mm.msg_id", "/concat/ref"),
    ("udh.mm.msg_parts", "/concat/total"),
    ("udh.mm.msg_part", "/concat/seq"),
    ("destination_port", "/ports/dst"),
    ("originator_port", "/ports/src"),
    ("msg_count", "/mwi_udh/count"),
    ("sms_text", "/text"),
    ("sms_body", "/data"),
];

/// Our value of a field as tshark prints it.
fn expected(ours: &Value, name: &str) -> String {
    let addresses = ["oa", "da", "ra"].iter().filter_map(|key| ours.get(key));
    let times = ["vp", "scts", "dt"].iter().filter_map(|key| ours.get(key));
    let times = times.filter(|time| time["local"].is_string());
    let number = |text: &str| text.parse::<u32>().unwrap().to_string();
    let words: Vec<&str> = name.split(' ').collect();
    let values: Vec<String> = match words.as_slice() {
        ["ton" | "npi"] => addresses.map(|address| address[name].to_string()).collect(),
        ["time", from, to] => {
            let range = from.parse().unwrap()..to.parse().unwrap();
            let part =
                |time: &Value| number(time["local"].as_str().unwrap().get(range.clone()).unwrap());
            times.map(part).collect()
        }
        ["zone"] => times
            .map(|time| time["tz_quarters"].as_i64().unwrap().abs().to_string())
            .collect(),
        ["/tp_lp"] if ours.get("tp_mms").is_some() => {
            vec![ours.get("tp_lp").map_or("0".into(), Value::to_string)]
        }
        ["/tp_udhi"] => vec![ours.get("tp_udhi").map_or("0".into(), Value::to_string)],
        ["/fcs" | "/pi"] => {
            let value = ours.pointer(name).and_then(Value::as_str);
            value
                .map(|value| format!("0x{value}"))
                .into_iter()
                .collect()
        }
        _ => match ours.pointer(name) {
            Some(Value::String(text)) => vec![text.clone()],
            Some(value) => vec![value.to_string()],
            None => Vec::new(),
        },
    };
    values.join(",")
}

#[test]
fn generated_tpdus_mean_the_same_to_tshark() {
    let test = "generated_tpdus_mean_the_same_to_tshark";
    if !is_wanted(test, "tshark", &["--version"]) || !is_wanted(test, "text2pcap", &["--version"]) {
        return;
    }
    let tpdus = generated(10_000, Decoder::Tshark);
    let (text, capture) = (file("tshark.txt"), file("tshark.pcapng"));
    fs::write(&text, lines(&tpdus)).unwrap();
    let pattern = "^(?<dir>[<>]) (?<data>[0-9a-f]+)$";
    let packed = Command::new("text2pcap")
        .args(["-q", "-r", pattern, "-P", "gsm_sms"])
        .args([&text, &capture])
        .output()
        .unwrap();
    assert!(packed.status.success(), "{packed:?}");
    let mut tshark = Command::new("tshark");
    tshark
        .arg("-r")
        .arg(&capture)
        .args(["-T", "fields", "-o", "gsm_sms.reassemble:FALSE"]);
    tshark.args([
        "-e",
        "_ws.malformed",
        "-e",
        "gsm_sms.unexpected_data_length",
    ]);
    for (field, _) in FIELDS {
        tshark.arg("-e").arg(format!("gsm_sms.{field}"));
    }
    let output = tshark.output().unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<&str> = output.lines().collect();
    assert_eq!(rows.len(), tpdus.len());
    let mut differences = Vec::new();
    for ((direction, octets), row) in tpdus.iter().zip(rows) {
        let ours = ours(*direction, octets);
        let theirs: Vec<&str> = row.split('\t').collect();
        let mut names = vec![("malformed", String::new()), ("unexpected", String::new())];
        names.extend(FIELDS.map(|(field, name)| (field, expected(&ours, name))));
        for ((field, ours), theirs) in names.iter().zip(theirs) {
            // An empty body has no octets that tshark could show.
            let theirs = if theirs == "<MISSING>" { "" } else { theirs };
            if ours != theirs {
                let line = lines(&[(*direction, octets.clone())]);
                differences.push(format!("{field}: ours {ours:?}, theirs {theirs:?}, {line}"));
            }
        }
    }
    assert!(
        differences.is_empty(),
        "{} differences\n{}",
        differences.len(),
        differences.concat()
    );
    println!("tshark agrees about {} TPDUs", tpdus.len());
}

#[test]
fn generated_tpdus_mean_the_same_to_pycrate() {
    let test = "generated_tpdus_mean_the_same_to_pycrate";
    let python = variable("PYCRATE_PYTHON").unwrap_or_else(|| "python3".into());
    if !is_wanted(test, &python, &["-c", "import pycrate_mobile"]) {
        return;
    }
    let tpdus = generated(2_000, Decoder::Pycrate);
    let text = file("pycrate.txt");
    fs::write(&text, lines(&tpdus)).unwrap();
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/oracle/pycrate_decode.py"
    );
    let output = Command::new(python)
        .arg(script)
        .stdin(File::open(&text).unwrap())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let output = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<&str> = output.lines().collect();
    assert_eq!(rows.len(), tpdus.len());
    let mut differences = String::new();
    let mut compared = 0;
    for ((direction, octets), row) in tpdus.iter().zip(rows) {
        let ours = ours(*direction, octets);
        let theirs: Value = serde_json::from_str(row).unwrap();
        for (name, theirs) in theirs.as_object().unwrap() {
            compared += 1;
            let ours = ours.pointer(name).unwrap_or(&Value::Null);
            if ours != theirs {
                writeln!(
                    differences,
                    "{name}: ours {ours}, theirs {theirs}, {octets:02x?}"
                )
                .unwrap();
            }
        }
    }
    assert!(compared > 8 * tpdus.len(), "{compared}");
    assert!(differences.is_empty(), "{differences}");
    println!(
        "pycrate agrees about {} TPDUs, {compared} fields",
        tpdus.len()
    );
}

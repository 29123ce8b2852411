//! PDUs on the command line: `zajil pdu decode`, `encode` and `segments`.

use serde_json::{Value, json};

use crate::command_line::{text, zajil};

fn vectors(layer: &str) -> Vec<Value> {
    let all = include_str!("../../../sms-codec/tests/vectors.json");
    let all: Vec<Value> = serde_json::from_str(all).unwrap();
    all.into_iter()
        .filter(|vector| vector["layer"] == layer)
        .collect()
}

/// What a command prints; it must succeed.
fn printed(arguments: &[&str]) -> String {
    let output = zajil(&[&["pdu"], arguments].concat());
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        text(&output.stderr)
    );
    text(&output.stdout)
}

/// The exit code and complaint of a command that fails.
fn refused(arguments: &[&str]) -> (Option<i32>, String) {
    let output = zajil(&[&["pdu"], arguments].concat());
    (output.status.code(), text(&output.stderr))
}

#[test]
fn decode_prints_what_the_vectors_say() {
    for vector in vectors("tpdu") {
        let direction = if vector["dir"] == "MS->SC" {
            "ms-sc"
        } else {
            "sc-ms"
        };
        for octets in [&vector["hex"], &vector["hex_with_sca"]] {
            let Some(octets) = octets.as_str() else {
                continue;
            };
            let shown = printed(&["decode", "--direction", direction, octets, "--json"]);
            let shown: Value = serde_json::from_str(&shown).unwrap();
            assert_eq!(shown, vector["expect"], "{}", vector["id"]);
        }
    }
    for vector in vectors("rp") {
        let octets = vector["hex"].as_str().unwrap();
        let shown = printed(&["decode", "--layer", "rp", octets, "--json"]);
        let shown: Value = serde_json::from_str(&shown).unwrap();
        for (name, value) in vector["expect"].as_object().unwrap() {
            assert_eq!(&shown[name], value, "{} {name}", vector["id"]);
        }
    }
}

#[test]
fn decode_is_readable_without_json() {
    let shown = printed(&["decode", "07914400000000F0 01000B811000000000F000040141"]);
    for line in ["service centre  44000000000", "da.value        01000000000"] {
        assert!(shown.contains(line), "{line} in:\n{shown}");
    }
    let live = "00020007913386094000f01001840a816000000000000004d4f29c0e";
    let shown = printed(&["decode", "--layer", "rp", live]);
    assert!(shown.contains("tpdu.text      Test"), "{shown}");
}

#[test]
fn decode_says_where_it_fails() {
    let (code, why) = refused(&["decode", "01000b9143"]);
    assert_eq!(code, Some(1));
    assert_eq!(why, "zajil: TP-DA at octet 4 ends 5 octets too early\n");
    let (_, why) = refused(&["decode", "07914400000000f001000b9143"]);
    assert_eq!(why, "zajil: TP-DA at octet 12 ends 5 octets too early\n");
    let (code, why) = refused(&["decode", "01000"]);
    assert_eq!(code, Some(2));
    assert!(why.contains("octet 2 has only one digit"), "{why}");
    let (code, why) = refused(&["decode", "01zz"]);
    assert_eq!(code, Some(2));
    assert!(why.contains("'z' is not a hexadecimal digit"), "{why}");
    let memory = ["decode", "--layer", "rp", "04220116", "--direction"];
    assert!(
        zajil(&[&["pdu"], &memory[..], &["ms-sc"]].concat())
            .status
            .success()
    );
    let (code, why) = refused(&[&memory[..], &["sc-ms"]].concat());
    assert_eq!(code, Some(1));
    assert!(why.contains("RP-ERROR MS->n"), "{why}");
}

#[test]
fn encode_prints_a_line_a_part() {
    let hola = printed(&["encode", "--to", "+34616585119", "--text", "hola"]);
    assert_eq!(hola, "01000b914316565811f9000004e8373b0c\n");
    let enhanced = printed(&[
        "encode",
        "--to",
        "+31612345678",
        "--text",
        "hi",
        "--validity",
        "60",
        "--reference",
        "1",
    ]);
    assert_eq!(enhanced, "09010b911316325476f80000023c000000000002e834\n");
    let long = "0123456789".repeat(17);
    let lines = printed(&[
        "encode",
        "--to",
        "7726",
        "--text",
        &long,
        "--class",
        "0",
        "--report",
        "--validity",
        "86400",
        "--reference",
        "255",
    ]);
    let decoded: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(&printed(&["decode", "--json", line])).unwrap())
        .collect();
    assert_eq!(decoded.len(), 2);
    for (index, (part, reference)) in decoded.iter().zip([255, 0]).enumerate() {
        assert_eq!(part["mr"], reference);
        assert_eq!(part["message_class"], 0);
        assert_eq!(part["tp_srr"], 1);
        assert_eq!(part["da"]["value"], "7726");
        assert_eq!(part["vp"]["seconds"], 86_400);
        let concat = json!({ "ref": 255, "ref_bits": 8, "total": 2, "seq": index + 1 });
        assert_eq!(part["concat"], concat);
    }
    let texts: String = decoded
        .iter()
        .filter_map(|part| part["text"].as_str())
        .collect();
    assert_eq!(texts, long);
    for wrong in [["--to", "+49x"], ["--to", ""], ["--validity", "0"]] {
        let mut arguments = vec!["encode", "--text", "hi"];
        if wrong[0] != "--to" {
            arguments.extend(["--to", "155"]);
        }
        arguments.extend(wrong);
        let (code, why) = refused(&arguments);
        assert_eq!(code, Some(1), "{why}");
        assert!(why.contains(wrong[0]), "{why}");
    }
    let (code, _) = refused(&["encode", "--to", "155", "--text", "hi", "--class", "4"]);
    assert_eq!(code, Some(2));
}

#[test]
fn segments_shows_where_a_text_is_cut() {
    let text = format!("{}€nd\n", "x".repeat(152));
    let shown = printed(&["segments", &format!("{text}{}", "y".repeat(5))]);
    let expect = format!(
        "alphabet gsm7, units 162, parts 2\n\n\
         part  units  text\n1     152    {}\n2     10     \"€nd\\nyyyyy\"\n",
        "x".repeat(152)
    );
    assert_eq!(shown, expect);
    let shown = printed(&["segments", "--json", "Привет"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let expect = json!({
        "alphabet": "ucs2", "units": 6, "capacity": 70, "parts": 1,
        "segments": [{ "units": 6, "text": "Привет" }],
    });
    assert_eq!(shown, expect);
}

#[test]
fn decode_reads_packed_septets() {
    for vector in vectors("gsm7") {
        let expect = &vector["expect"];
        let table = |name: &str| expect[name].as_str().unwrap().split('(').next().unwrap();
        let national = match (table("locking"), table("single")) {
            ("default", "default") => "none".to_owned(),
            ("default", single) => format!("single:{single}"),
            (locking, "default") => format!("locking:{locking}"),
            (both, _) => format!("both:{both}"),
        };
        let count = vector["septets"].to_string();
        let shown = printed(&[
            "decode",
            "--layer",
            "gsm7",
            vector["hex"].as_str().unwrap(),
            "--septets",
            &count,
            "--national",
            &national,
            "--json",
        ]);
        let shown: Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(&shown, expect, "{}", vector["id"]);
    }
    let gsm7 = ["decode", "--layer", "gsm7"];
    let shown = printed(&[&gsm7[..], &["e8329bfd4697d9ec37"]].concat());
    assert!(shown.contains("text     hellohello"), "{shown}");
    assert!(shown.contains("septets  10"), "{shown}");
    // The body of vector dlv-concat16-2: the octets would hold an eighth septet.
    let world = [&gsm7[..], &["a0fb5bce268700"]].concat();
    assert!(printed(&world).contains("text      world!@"));
    let counted = printed(&[&world[..], &["--septets", "7"]].concat());
    assert!(counted.contains("text      world!\n"), "{counted}");
}

#[test]
fn decode_skips_fill_bits() {
    // What follows the 6 octets of the header in vector sub-concat8-2of3.
    let shown = printed(&[
        "decode",
        "--layer",
        "gsm7",
        "--fill",
        "1",
        "40e6349b0da2a3cba0badb",
    ]);
    assert!(shown.contains("text      fill the un\n"), "{shown}");
    let refusals = [
        (vec!["--layer", "gsm7", "41", "--fill", "7"], 2, "0..=6"),
        (
            vec!["--layer", "gsm7", "41", "--septets", "2"],
            1,
            "ends 1 octets too early",
        ),
        (
            vec!["--layer", "gsm7", "41", "--national", "auto"],
            1,
            "do not say which",
        ),
        (vec!["01000b9143", "--fill", "1"], 1, "are for --layer gsm7"),
    ];
    for (arguments, expect, rule) in refusals {
        let (code, why) = refused(&[&["decode"], &arguments[..]].concat());
        assert_eq!(code, Some(expect), "{why}");
        assert!(why.contains(rule), "{why}");
    }
}

/// The parts that `encode` makes of a text, decoded again.
fn encoded(text: &str, arguments: &[&str]) -> Vec<Value> {
    let lines = printed(&[&["encode", "--to", "155", "--text", text], arguments].concat());
    let decode = |line: &str| printed(&["decode", "--json", line]);
    let decoded = lines.lines().map(decode);
    decoded
        .map(|tree| serde_json::from_str(&tree).unwrap())
        .collect()
}

#[test]
fn encode_ties_parts_with_16_bits_on_demand() {
    let long = "0123456789".repeat(17);
    let wide = ["--reference-bits", "16", "--reference", "4660"];
    let parts = encoded(&long, &wide);
    assert_eq!(parts.len(), 2);
    for (index, part) in parts.iter().enumerate() {
        let concat = json!({ "ref": 4660, "ref_bits": 16, "total": 2, "seq": index + 1 });
        assert_eq!(part["concat"], concat);
        assert_eq!(part["mr"], 0x34 + index);
    }
    assert_eq!(encoded(&"x".repeat(153 * 3), &[]).len(), 3);
    assert_eq!(encoded(&"x".repeat(153 * 3), &wide).len(), 4, "152 fit");
    let narrow = [
        "encode",
        "--to",
        "155",
        "--text",
        "hi",
        "--reference",
        "256",
    ];
    let (code, why) = refused(&narrow);
    assert_eq!(code, Some(1));
    assert!(why.contains("--reference must be at most 255"), "{why}");
}

#[test]
fn encode_writes_national_tables_as_the_vectors_do() {
    for (id, national) in [
        ("dlv-nl-turkish-locking", "locking:turkish"),
        ("dlv-nl-spanish-single", "single:spanish"),
    ] {
        let vector = vectors("tpdu")
            .into_iter()
            .find(|vector| vector["id"] == id);
        let vector = vector.unwrap();
        let text = vector["expect"]["text"].as_str().unwrap();
        let line = printed(&[
            "encode",
            "--to",
            "155",
            "--text",
            text,
            "--national",
            national,
        ]);
        // A DELIVER from this originator has 19 octets before the length of its user data.
        let user_data = vector["hex"].as_str().unwrap().get(38..).unwrap();
        assert!(line.trim_end().ends_with(user_data), "{line} {user_data}");
    }
}

#[test]
fn encode_takes_tables_only_where_they_help() {
    let turkish = "ışık ".repeat(16);
    assert_eq!(encoded(&turkish, &[]).len(), 2, "UCS-2");
    let auto = encoded(&turkish, &["--national", "auto"]);
    assert_eq!(auto.len(), 1);
    assert_eq!(auto[0]["text"], turkish);
    assert_eq!(auto[0]["single_shift"], 1);
    let shown = printed(&["segments", "--national", "auto", &turkish]);
    assert!(
        shown.starts_with("alphabet gsm7, single_shift turkish, units 128,"),
        "{shown}"
    );
    for (national, text, rule) in [
        ("single:turkish", "Привет", "'П' at byte 0"),
        (
            "single:klingon",
            "hi",
            "the language must be one of turkish, spanish,",
        ),
        ("both:spanish", "hi", "spanish has no locking shift table"),
        ("turkish", "hi", "must be none, auto, or a language after"),
    ] {
        let arguments = [
            "encode",
            "--to",
            "155",
            "--text",
            text,
            "--national",
            national,
        ];
        let (_, why) = refused(&arguments);
        assert!(why.contains(rule), "{why}");
    }
}

//! Tidy on bad inputs: each rule finds what it is for, and no more.

use expect_test::{Expect, expect};
use serde_json::json;

use super::*;

fn show(findings: &[Finding]) -> String {
    findings
        .iter()
        .map(|finding| format!("{finding}\n"))
        .collect()
}

fn check_file(path: &str, text: &str, expected: &Expect) {
    expected.assert_eq(&show(&files::check(path, text)));
}

fn check_layers(package: &str, dependencies: &serde_json::Value, expected: &Expect) {
    let package = json!({
        "name": package,
        "manifest_path": format!("crates/{package}/Cargo.toml"),
        "dependencies": dependencies,
    });
    let package: Package = serde_json::from_value(package).unwrap();
    expected.assert_eq(&show(&layers::check(&package, "Cargo.toml")));
}

#[test]
fn a_codec_knows_nothing_of_ours_and_does_no_input_or_output() {
    check_layers(
        "smpp-codec",
        &json!([
            { "name": "bytes", "kind": null },
            { "name": "tokio", "kind": null },
            { "name": "sms-codec", "kind": null, "path": "p" },
        ]),
        &expect![[r#"
            Cargo.toml: smpp-codec must do without tokio (Layer)
            Cargo.toml: smpp-codec may import nothing of ours, but imports sms-codec (Layer)
        "#]],
    );
}

#[test]
fn siblings_never_import_siblings() {
    check_layers(
        "zajil-api",
        &json!([
            { "name": "zajil-store", "kind": null, "path": "p" },
            { "name": "zajil-engine", "kind": "build", "path": "p" },
            { "name": "zajil-testkit", "kind": "dev", "path": "p" },
        ]),
        &expect![[r#"
            Cargo.toml: zajil-api may import only sms-codec, zajil-core, zajil-store, zajil-telemetry, but imports zajil-engine (Layer)
        "#]],
    );
    check_layers(
        "zajil-store-embedded",
        &json!([
            { "name": "rusqlite", "kind": null },
            { "name": "zajil-store-postgres", "kind": null, "path": "p" },
        ]),
        &expect![[r#"
            Cargo.toml: zajil-store-embedded may import only zajil-core, zajil-database, zajil-store, zajil-telemetry, but imports zajil-store-postgres (Layer)
        "#]],
    );
}

#[test]
fn the_binary_imports_everything_but_the_tools() {
    check_layers(
        "zajil",
        &json!([
            { "name": "zajil-api", "kind": null, "path": "p" },
            { "name": "anyhow", "kind": null },
            { "name": "zajil-sim", "kind": null, "path": "p" },
            { "name": "loadgen", "kind": null, "path": "p" },
        ]),
        &expect![[r#"
            Cargo.toml: zajil is shipped and may not import the tool zajil-sim (Layer)
            Cargo.toml: zajil is shipped and may not import the tool loadgen (Layer)
        "#]],
    );
    check_layers(
        "xtask",
        &json!([{ "name": "zajil-core", "kind": null, "path": "p" }]),
        &expect![""],
    );
}

#[test]
fn a_package_without_a_layer_is_asked_for_one() {
    check_layers(
        "zajil-extras",
        &json!([]),
        &expect![[r#"
            Cargo.toml: zajil-extras has no line in tidy's table of layers (Layer)
        "#]],
    );
}

#[test]
fn a_file_says_what_it_is_for_in_its_first_line() {
    check_file("crates/a/src/route.rs", "//! Routes.\n", &expect![""]);
    check_file(
        "crates/a/src/route.rs",
        "use std::fmt;\n",
        &expect![[r#"
            crates/a/src/route.rs:1: the first line does not say what the file is for (//!) (Purpose)
        "#]],
    );
}

#[test]
fn production_lines_are_counted_up_to_the_inline_tests() {
    let production = format!("//! Long.\n{}", "fn f() {}\n".repeat(599));
    let tests = format!(
        "#[cfg(test)]\nmod tests {{\n{}}}\n",
        "fn t() {}\n".repeat(300)
    );
    check_file(
        "crates/a/src/long.rs",
        &format!("{production}{tests}"),
        &expect![""],
    );
    check_file(
        "crates/a/src/long.rs",
        &format!("{production}fn g() {{}}\n{tests}"),
        &expect![[r#"
            crates/a/src/long.rs: 601 production lines; 600 is the most (FileLength)
        "#]],
    );
    let many = format!("{production}{production}");
    check_file("crates/a/src/long/tests.rs", &many, &expect![""]);
    check_file("crates/a/tests/it/long.rs", &many, &expect![""]);
}

#[test]
fn lines_end_at_column_100_except_in_snapshots() {
    let line = |columns: usize| format!("//{}\n", "é".repeat(columns - 2));
    let snapshot = format!("expect![[r#\"\n{}\"#]]\n", line(300));
    let text = format!("//! Wide.\n{}{snapshot}{}", line(100), line(101));
    check_file(
        "crates/a/src/wide.rs",
        &text,
        &expect![[r#"
            crates/a/src/wide.rs:6: 101 columns; 100 is the most (Columns)
        "#]],
    );
}

#[test]
fn nothing_unfinished_is_left_behind() {
    let marks = [
        ("FIX", "ME: later"),
        ("XX", "X"),
        ("to", "do!()"),
        ("unimple", "mented!()"),
    ];
    for (start, end) in marks {
        let findings = files::check("src/a.rs", &format!("//! A.\n// {start}{end}\n"));
        assert!(
            matches!(
                &*findings,
                [Finding {
                    rule: Rule::Unfinished,
                    line: 2,
                    ..
                }]
            ),
            "{start}"
        );
    }
    let ignored = format!("//! A.\n#[{}nore = \"slow\"]\n", "ig");
    assert_eq!(files::check("src/a.rs", &ignored).len(), 1);
    let number = format!("//! A.\n// +1{0}{0}, {0}_FAMILY\n", "XX".to_owned() + "X");
    check_file("src/a.rs", &number, &expect![""]);
}

#[test]
fn tests_wait_for_conditions() {
    let call = concat!("    thread::sl", "eep(PAUSE);\n");
    let text = format!("//! A.\n{call}#[cfg(test)]\nmod tests {{\n{call}}}\n");
    check_file(
        "src/a.rs",
        &text,
        &expect![[r#"
            src/a.rs:5: a test waits for a condition with a deadline, never for a time (Sleep)
        "#]],
    );
    assert_eq!(
        files::check("src/a/tests.rs", &format!("//! A.\n{call}")).len(),
        1
    );
    check_file(
        "tests/it/a.rs",
        "//! A.\nfn asleep() { oversleep(1); }\n",
        &expect![""],
    );
}

#[test]
fn empty_names_are_refused() {
    check_file(
        "crates/a/src/common/mod.rs",
        "//! Things.\n",
        &expect![[r#"
            crates/a/src/common/mod.rs: 'common' does not say what is inside (FileName)
            crates/a/src/common/mod.rs: 'mod' does not say what is inside (FileName)
        "#]],
    );
    check_file(
        "crates/a/src/utility.rs",
        "//! Electricity.\n",
        &expect![""],
    );
}

#[test]
fn paths_of_one_machine_are_refused_in_every_text() {
    let texts = [
        (concat!("see /wo", "rk/notes"), 1),
        (concat!("\"/ho", "me/me/x\" and /ro", "ot/y"), 2),
        (concat!("https://a.b/ro", "ot/ and $DIR/ho", "me/"), 0),
    ];
    for (text, expected) in texts {
        let findings = files::check("README.md", text);
        assert_eq!(findings.len(), expected, "{text}");
        assert!(
            findings
                .iter()
                .all(|finding| finding.rule == Rule::MachinePath)
        );
    }
}

#[test]
fn an_exception_excuses_its_own_file_and_rule_only() {
    let finding = |rule, path: &str| Finding {
        rule,
        path: path.to_owned(),
        line: 7,
        text: "is bad".to_owned(),
    };
    let found = vec![
        finding(Rule::Sleep, "a.rs"),
        finding(Rule::Columns, "a.rs"),
        finding(Rule::Sleep, "b.rs"),
    ];
    let exceptions = [
        Exception {
            rule: Rule::Sleep,
            path: "a.rs",
            reason: "the kernel gives no event",
        },
        Exception {
            rule: Rule::FileLength,
            path: "a.rs",
            reason: "a table",
        },
    ];
    expect![[r#"
        a.rs:7: is bad (Columns)
        b.rs:7: is bad (Sleep)
        a.rs: no longer needs its exception from FileLength (a table); take it out of tidy's table (Exception)
    "#]]
    .assert_eq(&show(&excuse(found, &exceptions)));
}

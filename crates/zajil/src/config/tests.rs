//! What each mistake in a file or variable is answered with.

use super::*;

fn load_text(text: &str) -> Result<Config, Invalid> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("zajil.toml");
    std::fs::write(&path, text).unwrap();
    let loaded = load(Some(&path), &[], &Overrides::default());
    loaded.map_err(|Invalid(lines)| {
        let shown = path.display().to_string();
        Invalid(
            lines
                .iter()
                .map(|line| line.replace(&shown, "zajil.toml"))
                .collect(),
        )
    })
}

fn wrong(text: &str) -> String {
    load_text(text).unwrap_err().to_string()
}

#[test]
fn d2_no_file_means_defaults() {
    let config = load(None, &[], &Overrides::default()).unwrap();
    assert_eq!(config.api.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.metrics.unwrap().to_string(), "127.0.0.1:9568");
    assert_eq!(config.store.directory, PathBuf::from("zajil-data"));
    assert_eq!(config.cdr.path, PathBuf::from("zajil-data/cdr.db"));
    assert_eq!(
        config.messages.dead_letter_time,
        Duration::from_secs(86_400)
    );
}

#[test]
fn d2_unknown_keys_name_line_and_nearest_key() {
    assert_eq!(
        wrong("[api]\nport = 1\n\n[messages]\nevent_ttl_day = 3\n"),
        "zajil.toml:5: unknown key 'event_ttl_day'; did you mean 'event_ttl_days'?"
    );
    assert_eq!(
        wrong("[qqqqqqqqqqqqq]\n"),
        "zajil.toml:1: unknown key 'qqqqqqqqqqqqq'"
    );
    assert!(wrong("[api]\nport = \"x\"\n").starts_with("zajil.toml:2: "));
}

#[test]
fn every_broken_rule_is_named_at_once() {
    let text = "[api]\nlisten_ip = 'home'\nenable_tls = true\n[node]\nnumber = 32\n\
                [messages]\nnumber_check = 'strict'\nevent_ttl_days = 0\n[log]\nformat = 'xml'\n";
    let lines = wrong(text);
    for rule in [
        "api.listen_ip must be an IP address",
        "api.enable_tls cannot be true",
        "node.number must be from 0 to 31",
        "messages.number_check must be off, digits or e164",
        "messages.event_ttl_days must be from 1 to 3660, not 0",
        "log.format must be text or json",
    ] {
        assert!(lines.contains(rule), "{rule} in:\n{lines}");
    }
}

#[test]
fn s11_1_the_environment_wins_over_the_file_and_the_command_line_over_both() {
    let variables = [
        ("API_PORT".to_owned(), "9001".to_owned()),
        ("API_LISTEN_IP".to_owned(), "0.0.0.0".to_owned()),
        ("NODE_NAME".to_owned(), "smsc1".to_owned()),
        ("DB_HOSTNAME".to_owned(), "db".to_owned()),
    ];
    let config = load(None, &variables, &Overrides::default()).unwrap();
    assert_eq!(config.api.listen.to_string(), "0.0.0.0:9001");
    assert_eq!(config.node.name.as_str(), "smsc1");
    assert_eq!(
        config.notes,
        ["the variable DB_HOSTNAME has no effect in this version"]
    );
    let overrides = Overrides {
        listen: "127.0.0.1:1".parse().ok(),
        ..Overrides::default()
    };
    let config = load(None, &variables, &overrides).unwrap();
    assert_eq!(config.api.listen.to_string(), "127.0.0.1:1");
    let bad = [("API_PORT".to_owned(), "https".to_owned())];
    let error = load(None, &bad, &Overrides::default()).unwrap_err();
    assert_eq!(error.0, ["API_PORT must be a port number, not 'https'"]);
}

#[test]
fn s4_4_routes_and_rules_of_the_file_are_checked_as_the_api_does() {
    let config = load_text("[[sms_routes]]\ncalled_prefix = '+1'\ndest_smsc = 'gw'\n").unwrap();
    assert_eq!(config.routes.len(), 1);
    let lines = wrong("[[sms_routes]]\ndest_smsc = 'gw'\npriority = 900\n");
    assert!(
        lines.contains("sms_routes[0]") && lines.contains("priority"),
        "{lines}"
    );
    let lines = wrong("[[translation_rules]]\ncalled_match = '('\ncalled_replace = ''\n");
    assert!(
        lines.contains("translation_rules[0]") && lines.contains("called_match"),
        "{lines}"
    );
}

#[test]
fn the_example_is_valid_also_with_every_line_switched_on() {
    load_text(&example()).unwrap();
    let switched_on: String = example()
        .lines()
        .filter_map(|line| {
            line.strip_prefix("# ")
                .filter(|l| !l.contains(['<']))
                .or(Some(line))
        })
        .filter(|line| line.starts_with('[') || line.contains(" = "))
        .map(|line| format!("{line}\n"))
        .collect();
    load_text(&switched_on).unwrap();
}

#[test]
fn the_manual_is_fresh() {
    let committed = include_str!("../../../../docs/config.md");
    assert!(
        committed == reference(),
        "run `cargo xtask gen` and commit docs/config.md"
    );
}

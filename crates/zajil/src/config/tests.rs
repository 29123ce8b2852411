//! What each mistake in a file or variable is answered with.

use zajil_api::Mode;

use super::*;

mod oidc;
mod records;
mod shared;

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
    // What is known elsewhere is not meant here, unless nothing here is like it.
    for (text, told) in [
        (
            "[api]\nlisten = '[::]:1'\n",
            "zajil.toml:2: unknown key 'listen'; it belongs to [metrics] and [smpp], not here",
        ),
        (
            "sampling = 1\n",
            "zajil.toml:1: unknown key 'sampling'; it belongs to [traces], not here",
        ),
        (
            "[smpp]\nlisten_i = '::'\n",
            "zajil.toml:2: unknown key 'listen_i'; did you mean 'listen'?",
        ),
        (
            "[traces]\nlisten_i = '::'\n",
            "zajil.toml:2: unknown key 'listen_i'; did you mean 'listen_ip' of [api]?",
        ),
        (
            "[ap]\n",
            "zajil.toml:1: unknown key 'ap'; did you mean 'api'?",
        ),
    ] {
        assert_eq!(wrong(text), told, "{text}");
    }
}

#[test]
fn every_broken_rule_is_named_at_once() {
    let text = "[api]\nlisten_ip = 'home'\nenable_tls = true\n[node]\nnumber = 32\n\
                [messages]\nnumber_check = 'strict'\nevent_ttl_days = 0\n[log]\nformat = 'xml'\n";
    let lines = wrong(text);
    for rule in [
        "zajil.toml:2: api.listen_ip must be an IP address",
        "zajil.toml:3: api.enable_tls needs both api.tls_cert_path and api.tls_key_path",
        "zajil.toml:5: node.number must be from 0 to 31",
        "zajil.toml:7: messages.number_check must be off, digits or e164",
        "zajil.toml:8: messages.event_ttl_days must be from 1 to 3660, not 0",
        "zajil.toml:10: log.format must be text or json",
    ] {
        assert!(lines.contains(rule), "{rule} in:\n{lines}");
    }
    for (text, rule) in [
        (
            "[api]\nport = 70000",
            "invalid value: integer `70000`, expected u16",
        ),
        (
            "[api]\nmax_body_kib = 0",
            "api.max_body_kib must be from 1 to 65536, not 0",
        ),
        (
            "[api]\nmax_connections = 0",
            "api.max_connections must be from 1 to 1000000, not 0",
        ),
        (
            "[api]\ntrusted_proxies = ['lb']",
            "api.trusted_proxies must be a list of IP addresses or networks as 10.0.0.0/8",
        ),
        (
            "[node]\nsmsc_node_name = ''",
            "node.smsc_node_name must have 1 to 255 characters",
        ),
        (
            "[store]\ncache_mib = 1",
            "store.cache_mib must be from 4 to 65536, not 1",
        ),
        (
            "[cdr]\nbatch_insert_batch_size = 0",
            "cdr.batch_insert_batch_size must be from 1 to 10000, not 0",
        ),
        (
            "[messages]\nintake_capacity = 0",
            "messages.intake_capacity must be from 1 to 1000000, not 0",
        ),
        (
            "[metrics]\nlisten = 'x'",
            "metrics.listen must be an address with a port, as 127.0.0.1:9568",
        ),
        (
            "[cdr]\nbatch_insert_flush_interval_ms = 0",
            "cdr.batch_insert_flush_interval_ms must be from 1 to 60000, not 0",
        ),
        (
            "[log]\nlevel = 'zajil=loud'",
            "log.level cannot be read: error parsing level filter: expected one of \
             \"off\", \"error\", \"warn\", \"info\", \"debug\", \"trace\", or a number 0-5",
        ),
        ("\n[api", "unclosed table, expected `]`"),
    ] {
        let rule = format!("zajil.toml:2: {rule}");
        assert_eq!(wrong(text), rule);
    }
}

#[test]
fn s11_1_a_variable_that_breaks_a_rule_is_named_itself() {
    for (name, value, rule) in [
        (
            "API_LISTEN_IP",
            "home",
            "API_LISTEN_IP: api.listen_ip must be an IP address",
        ),
        (
            "API_ENABLE_TLS",
            "maybe",
            "API_ENABLE_TLS must be true or false, not 'maybe'",
        ),
        (
            "NODE_NAME",
            "",
            "NODE_NAME: node.smsc_node_name must have 1 to 255 characters",
        ),
        (
            "API_ENABLE_TLS",
            "true",
            "API_ENABLE_TLS: api.enable_tls needs both api.tls_cert_path and api.tls_key_path",
        ),
    ] {
        let variables = [(name.to_owned(), value.to_owned())];
        let error = load(None, &variables, &Overrides::default()).unwrap_err();
        assert_eq!(error.0, [rule]);
    }
}

#[test]
fn s11_1_the_environment_wins_over_the_file_and_the_command_line_over_both() {
    let variables = [
        ("API_PORT".to_owned(), "9001".to_owned()),
        ("API_LISTEN_IP".to_owned(), "127.0.0.2".to_owned()),
        ("NODE_NAME".to_owned(), "smsc1".to_owned()),
        ("WEB_PORT".to_owned(), "80".to_owned()),
    ];
    let config = load(None, &variables, &Overrides::default()).unwrap();
    assert_eq!(config.api.listen.to_string(), "127.0.0.2:9001");
    assert_eq!(config.node.name.as_str(), "smsc1");
    assert_eq!(
        config.notes,
        ["the variable WEB_PORT has no effect in this version"]
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
        lines.starts_with("zajil.toml:3: sms_routes[0] priority"),
        "{lines}"
    );
    let lines = wrong("[api]\n[[sms_routes]]\ndrop = true\n[[sms_routes]]\nweight = 1\n");
    assert!(
        lines.starts_with("zajil.toml:4: sms_routes[1] dest_smsc"),
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
fn s7_charging_that_makes_no_sense_is_refused_or_noted() {
    let with = |lines: &str| format!("[charging]\nocs_url = 'http://ocs/'\n{lines}\n");
    for (lines, rule) in [
        (
            "refund_on = ['failed']",
            "zajil.toml:3: charging.refund_on must be empty unless charging_mode is debit: \
             nothing is taken that could go back",
        ),
        (
            "refund_on = ['expired']\ncharging_mode = 'debit'\nocs_request_type = '*postpaid'",
            "zajil.toml:3: charging.refund_on must be empty unless ocs_request_type is *prepaid: \
             with *postpaid no balance is debited that could be given back",
        ),
        (
            "ocs_max_concurrent = 0",
            "zajil.toml:3: charging.ocs_max_concurrent must be from 1 to 10000, not 0",
        ),
    ] {
        assert_eq!(wrong(&with(lines)), rule);
    }
    assert_eq!(
        wrong("[charging]\nrefund_on = ['failed']\ncharging_mode = 'debit'\n"),
        "zajil.toml:2: charging.refund_on needs ocs_url: nothing is debited without it"
    );
    for (lines, note) in [
        ("refund_on = ['failed']\ncharging_mode = 'debit'", None),
        ("ocs_request_type = '*pseudoprepaid'", None),
        (
            "charging_mode = 'debit'\nocs_request_type = '*rated'",
            Some("is *rated: although charging_mode is debit, no balance is debited"),
        ),
        (
            "ocs_request_type = '*none'",
            Some("is *none: every message is granted and no account is looked at"),
        ),
    ] {
        let notes = load_text(&with(lines)).unwrap().notes;
        assert_eq!(notes.len(), usize::from(note.is_some()), "{notes:?}");
        assert!(
            notes.iter().zip(note).all(|(n, note)| n.ends_with(note)),
            "{notes:?}"
        );
    }
}

#[test]
fn s7_1_a_charged_route_without_a_charging_system_is_noted() {
    let route = "[[sms_routes]]\ncharged = 'yes'\ndest_smsc = 'gw'\n";
    let notes = load_text(route).unwrap().notes;
    let note = "zajil.toml:2: sms_routes[0] charged is \"yes\", but there is no charging.ocs_url: \
                nobody is charged";
    assert!(notes.len() == 1 && notes[0].ends_with(note), "{notes:?}");
    let charged = format!("[charging]\nocs_url = 'http://127.0.0.1:2080/jsonrpc'\n{route}");
    assert_eq!(load_text(&charged).unwrap().notes, [""; 0]);
}

#[test]
fn s7_turns_are_taken_as_the_operator_says_and_calls_bounded() {
    let load = |lines: &str| {
        let config = load_text(&format!("[charging]\nocs_url = 'http://ocs/'\n{lines}\n"));
        config.unwrap().ocs.unwrap()
    };
    let defaults = load("");
    assert_eq!(
        (defaults.one_per_account, defaults.most_at_once),
        (None, 256)
    );
    let set = load("ocs_one_per_account = true\nocs_max_concurrent = 1000");
    assert_eq!((set.one_per_account, set.most_at_once), (Some(true), 1_000));
}

#[test]
fn s6_3_s7_look_up_and_charge_end_before_the_client_is_answered() {
    let with = |lookup: u32, charge: u32| {
        format!(
            "[enum]\nenum_domains = ['e164.arpa']\nenum_dns_servers = ['127.0.0.1:53']\n\
             enum_timeout = {lookup}\n[charging]\nocs_url = 'http://ocs/'\n\
             ocs_timeout = {charge}\n"
        )
    };
    load_text(&with(14_000, 15_999)).unwrap();
    assert_eq!(
        wrong(&with(14_000, 16_000)),
        "zajil.toml:7: charging.ocs_timeout is too long: ocs_timeout and enum_timeout together \
         (30000 ms) must stay below 30000 ms, the time in which the REST API answers"
    );
    assert!(wrong(&with(29_000, 2_000)).starts_with("zajil.toml:4: enum.enum_timeout is too"));
    assert!(wrong("[charging]\nocs_url = 'http://ocs/'\nocs_timeout = 40000\n").contains("30000"));
    load_text("[charging]\nocs_timeout = 40000\n").unwrap();
}

#[test]
fn the_manual_is_fresh() {
    let committed = include_str!("../../../../docs/config.md");
    assert!(
        committed == reference(),
        "run `cargo xtask gen` and commit docs/config.md"
    );
}

#[test]
fn s3_8_access_is_asked_for_where_others_can_reach_the_door() {
    let of = |text: &str, listen: Option<&str>| {
        let overrides = Overrides {
            listen: listen.map(|address| address.parse().unwrap()),
            ..Overrides::default()
        };
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("zajil.toml");
        std::fs::write(&file, text).unwrap();
        load(Some(&file), &[], &overrides).unwrap()
    };
    let local = of("", None);
    assert_eq!(local.api.mode(), Mode::Open);
    assert_eq!((local.api.limits(), local.api.most_of_one()), (None, None));
    for public in [
        of("[api]\nlisten_ip = '0.0.0.0'", None),
        of("", Some("192.0.2.1:80")),
        of("", Some("[::]:80")),
    ] {
        assert_eq!(public.api.mode(), Mode::Required);
        assert!(public.api.limits().is_some());
        assert_eq!(public.api.most_of_one(), Some(1_000));
        assert!(public.notes[0].contains("plain HTTP"), "{:?}", public.notes);
    }
    let mapped = of("", Some("[::ffff:127.0.0.1]:80"));
    assert_eq!(mapped.api.mode(), Mode::Open);
    // A proxy passes on what comes from outside.
    let proxied = of("[api]\ntrusted_proxies = ['127.0.0.1']", None);
    assert_eq!(proxied.api.mode(), Mode::Required);
    assert!(proxied.api.limits().is_some());
    assert_eq!(proxied.notes, Vec::<String>::new(), "the proxy speaks TLS");
    let proxied = of(
        "[api]\ntrusted_proxies = ['127.0.0.1']\naccess = 'open'",
        None,
    );
    assert_eq!(proxied.api.mode(), Mode::Open);
    assert!(
        proxied.notes[0].contains("trusted_proxies"),
        "{:?}",
        proxied.notes
    );
    let open = of(
        "[api]\nlisten_ip = '::'\naccess = 'open'\nmax_connections_per_ip = 0\n\
         [rate_limits]\nenabled = false",
        None,
    );
    assert_eq!(open.api.mode(), Mode::Open);
    assert_eq!((open.api.limits(), open.api.most_of_one()), (None, None));
    assert!(open.notes[0].contains("everything"), "{:?}", open.notes);
    let closed = of("[api]\naccess = 'required'", None);
    assert_eq!(closed.api.mode(), Mode::Required);
}

#[test]
fn s11_tls_moves_the_default_port() {
    let tls = "[api]\ntls_cert_path = 'c'\ntls_key_path = 'k'";
    assert_eq!(load_text(tls).unwrap().api.listen.port(), 8443);
    assert_eq!(
        load_text(&format!("{tls}\nport = 1"))
            .unwrap()
            .api
            .listen
            .port(),
        1
    );
    let off = load_text(&format!("{tls}\nenable_tls = false")).unwrap();
    assert!(off.api.tls.is_none());
    assert!(off.notes[0].contains("api.tls_key_path has no effect"));
    for (text, rule) in [
        ("tls_cert_path = 'c'", "api.tls_cert_path needs both"),
        (
            "tls_cert_path = 'c'\ntls_key_path = 'k'\ntls_client_auth = 'optional'",
            "api.tls_client_auth needs api.tls_client_ca_path",
        ),
        (
            "access = 'closed'",
            "api.access must be auto, open or required",
        ),
        (
            "allowed_networks = ['10.0.0.1/8']",
            "api.allowed_networks must be a list",
        ),
    ] {
        let wrong = wrong(&format!("[api]\n{text}"));
        assert!(wrong.contains(rule), "{wrong}");
    }
}

#[test]
fn s14_4_traces_are_off_and_refused_where_they_cannot_be() {
    let config = load(None, &[], &Overrides::default()).unwrap();
    assert_eq!(config.traces, None);
    let lines = wrong("[traces]\nendpoint = 'https://collector/'\nsampling = 1.5\n");
    assert!(
        lines.contains("zajil.toml:2: traces.endpoint must begin with http://"),
        "{lines}"
    );
    assert!(
        lines.contains("zajil.toml:3: traces.sampling must be from 0 to 1"),
        "{lines}"
    );
    let loaded = load_text("[traces]\nendpoint = 'http://127.0.0.1:4318/v1/traces'\n");
    match zajil_telemetry::trace::BUILT {
        true => assert!(
            loaded
                .unwrap()
                .traces
                .is_some_and(|traces| traces.sampling == 0.01)
        ),
        false => assert!(loaded.unwrap_err().to_string().contains("--features otel")),
    }
}

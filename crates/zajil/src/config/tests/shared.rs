//! The store that nodes share (S11.2).

use super::records::with;

fn rules(text: &str) -> Vec<String> {
    let wrong = with(text, &[]).unwrap_err().0.into_iter();
    let rule = |line: String| line.split_once("zajil.toml:").unwrap().1.to_owned();
    wrong.map(rule).collect()
}

#[test]
fn s11_2_the_store_is_shared_when_it_has_a_url() {
    assert!(with("", &[]).unwrap().store.shared.is_none());
    let text = "[node]\ncluster_nodes = ['a', 'b']\n[store]\nurl = 'postgres://u:p@h1,h2/sms'\n";
    let shared = with(text, &[]).unwrap().store.shared.unwrap();
    assert_eq!(shared.server.to_string(), "postgres://h1:5432,h2:5432/sms");
    assert_eq!(shared.expected, ["a", "b"]);
    assert_eq!((shared.schema.as_str(), shared.writers), ("zajil", 2));
    assert_eq!(shared.server.connect_timeout.as_millis(), 1_000);
    // The variables of the CDR database are about CDRs.
    let variables = [
        ("STORE_URL", "postgres://u:p@other/sms"),
        ("DB_USERNAME", "c"),
        ("DB_HOSTNAME", "cdrs"),
        ("DB_PORT", "5432"),
        ("DB_NAME", "cdrs"),
    ];
    let config = with(text, &variables).unwrap();
    let shown = config.store.shared.unwrap().server.to_string();
    assert_eq!(shown, "postgres://other:5432/sms");
    assert_eq!(
        config.cdr.server.unwrap().to_string(),
        "postgres://cdrs:5432/cdrs"
    );
}

#[test]
fn s11_2_what_cannot_be_shared_is_refused_with_its_rule() {
    let with_url = |url: &str| rules(&format!("[store]\nurl = '{url}'\n"));
    assert_eq!(
        with_url("mysql://u:p@h/sms"),
        ["2: store.url must begin with postgres://"]
    );
    assert_eq!(
        with_url("postgres://h/sms"),
        ["2: store.url must name a user"]
    );
    let text = "[store]\nurl = 'postgres://u:p@h/sms'\nschema = 'Zajil'\npool_size = 2\n";
    assert_eq!(
        rules(text),
        [
            "4: store.pool_size must be from 7 to 1000, not 2",
            "3: store.schema must have 1 to 40 characters of a-z, 0-9 and _",
        ]
    );
    let alone = with("[node]\ncluster_nodes = ['a']\n", &[]).unwrap();
    assert_eq!(alone.notes.len(), 1, "{:?}", alone.notes);
}

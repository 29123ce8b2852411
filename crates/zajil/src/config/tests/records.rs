//! Where CDRs go, by file and by variables (S11).

use zajil_cdr::Server;
use zajil_cdr::server::{Encryption, Engine};

use super::*;

pub(super) fn with(text: &str, variables: &[(&str, &str)]) -> Result<Config, Invalid> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("zajil.toml");
    std::fs::write(&path, text).unwrap();
    let variables: Vec<Variable> = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    load(Some(&path), &variables, &Overrides::default())
}

fn server(text: &str, variables: &[(&str, &str)]) -> Server {
    with(text, variables).unwrap().cdr.server.unwrap()
}

#[test]
fn s11_1_the_database_is_named_by_url_or_variables() {
    assert!(with("", &[]).unwrap().cdr.server.is_none());
    let text = "[cdr]\ncdr_url = 'mysql://u:p@db/cdr'\ncdr_pool_size = 30\ncdr_tls = 'require'\n";
    let by_url = server(text, &[]);
    assert_eq!(by_url.to_string(), "mysql://db:3306/cdr");
    assert_eq!(
        (by_url.pool_size, by_url.encryption),
        (30, Encryption::Require)
    );
    let variables = [
        ("DB_USERNAME", "omni"),
        ("DB_PASSWORD", "geheim"),
        ("DB_HOSTNAME", "db1,db2"),
        ("DB_PORT", "5432"),
        ("DB_NAME", "cdrs"),
        ("DB_POOL_SIZE", "20"),
    ];
    let by_variables = server("", &variables);
    assert_eq!(
        by_variables.to_string(),
        "postgres://db1:5432,db2:5432/cdrs"
    );
    assert_eq!(
        (by_variables.user.as_str(), by_variables.pool_size),
        ("omni", 20)
    );
    let over = server(text, &[("DB_PASSWORD", "geheim"), ("DB_PORT", "3307")]);
    assert_eq!(over.to_string(), "mysql://db:3307/cdr");
    assert_eq!(
        (over.user.as_str(), over.password.0.as_str()),
        ("u", "geheim")
    );
    let mut variables = variables;
    variables[2].1 = "db1";
    let said = server("[cdr]\ncdr_database = 'mysql'\n", &variables);
    assert_eq!((said.engine, said.hosts[0].port), (Engine::MySql, 5_432));
}

#[test]
fn s11_1_sqlite_wins_over_variables_and_says_so() {
    let text = "[cdr]\ncdr_database = 'sqlite'\n";
    let config = with(text, &[("DB_HOSTNAME", "db")]).unwrap();
    assert!(config.cdr.server.is_none());
    assert_eq!(
        config.notes,
        ["the variable DB_HOSTNAME has no effect: cdr.cdr_database is sqlite"]
    );
}

#[test]
fn s11_1_what_is_wrong_about_the_database_is_named_without_its_password() {
    for (text, rule) in [
        (
            "cdr_url = 'db'",
            "cdr.cdr_url must begin with postgres:// or mysql://",
        ),
        (
            "cdr_url = 'mysql://u:geheim@db'",
            "cdr.cdr_url must name a database",
        ),
        (
            "cdr_database = 'oracle'",
            "cdr.cdr_database must be sqlite, postgres or mysql",
        ),
        ("cdr_database = 'mysql'", "cdr.cdr_url must name a host"),
        (
            "cdr_database = 'mysql'\ncdr_url = 'postgres://u:geheim@db/x'",
            "cdr.cdr_url is one of another kind than cdr_database",
        ),
        (
            "cdr_database = 'sqlite'\ncdr_url = 'postgres://u:geheim@db/x'",
            "cdr.cdr_url needs a cdr_database that is postgres or mysql",
        ),
        (
            "cdr_url = 'mysql://u:geheim@db/x'\ncdr_tls = 'yes'",
            "cdr.cdr_tls must be one of prefer, require, verify-full, disable",
        ),
        (
            "cdr_url = 'mysql://u:geheim@db/x'\ncdr_tls = 'verify-full'\ncdr_ca_file = '/none'",
            "cdr.cdr_ca_file cannot be read",
        ),
        (
            "cdr_url = 'mysql://u:geheim@db/x'\ncdr_pool_size = 0",
            "cdr.cdr_pool_size must be from 1 to 1000, not 0",
        ),
    ] {
        let error = with(&format!("[cdr]\n{text}\n"), &[])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(rule) && !error.contains("geheim"),
            "{rule} in: {error}"
        );
    }
    let error = with("", &[("DB_HOSTNAME", "db")]).unwrap_err().to_string();
    assert!(
        error.contains("cdr.cdr_database must be postgres or mysql"),
        "{error}"
    );
    let wrong = [
        ("DB_HOSTNAME", "db"),
        ("DB_PORT", "x"),
        ("DB_POOL_SIZE", "many"),
    ];
    let error = with("", &wrong).unwrap_err();
    let expected = [
        "DB_PORT must be a port number, not 'x'",
        "DB_POOL_SIZE must be a number, not 'many'",
    ];
    assert_eq!(error.0, expected);
    let wrong = [("DB_HOSTNAME", "db"), ("DB_PORT", "3306"), ("DB_NAME", "x")];
    let error = with("", &wrong).unwrap_err();
    assert_eq!(error.0, ["DB_HOSTNAME: cdr.cdr_url must name a user"]);
}

#[test]
fn s10_4_the_password_is_never_shown() {
    let config = with("[cdr]\ncdr_url = 'postgres://u:geheim@db/x'\n", &[]).unwrap();
    let shown = format!("{config:?}");
    assert!(
        shown.contains("****") && !shown.contains("geheim"),
        "{shown}"
    );
}

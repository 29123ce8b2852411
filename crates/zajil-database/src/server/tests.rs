//! What URLs say, and what is said of wrong ones.

use super::*;

#[test]
fn a_url_says_where_and_who() {
    let server = Server::parse(
        "postgres://zajil:p%40ss%3Aword@db1,[::1]:6000,db3:7000/cdr%20s\
         ?sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem",
    )
    .unwrap();
    assert_eq!(server.user, "zajil");
    assert_eq!(server.password.0, "p@ss:word");
    assert_eq!(
        server.to_string(),
        "postgres://db1:5432,::1:6000,db3:7000/cdr s"
    );
    assert_eq!(server.encryption, Encryption::VerifyFull);
    assert_eq!(server.ca_file, Some(PathBuf::from("/etc/ca.pem")));
    let server = Server::parse("mysql://u@%2Frun%2Fmysqld%2Fmysqld.sock/cdr").unwrap();
    assert_eq!(
        (server.hosts[0].name.as_str(), server.hosts[0].port),
        ("/run/mysqld/mysqld.sock", 3_306)
    );
}

#[test]
fn what_is_wrong_is_said_without_the_url() {
    for (url, why) in [
        ("db.example", "must begin with postgres:// or mysql://"),
        (
            "oracle://u:geheim@db/x",
            "must begin with postgres:// or mysql://",
        ),
        (
            "mysql://u:geheim@db:x/y",
            "has a port that is no number from 1 to 65535",
        ),
        (
            "mysql://u:geheim@db:0/y",
            "has a port that is no number from 1 to 65535",
        ),
        (
            "mysql://u:%ff@db/y",
            "has percent signs that stand for no text",
        ),
        ("mysql://u:geheim@[::1/y", "has a bracket without its other"),
        (
            "mysql://u:geheim@db/y?sslmode=perhaps",
            "has an sslmode that is none of prefer, require, verify-full, disable",
        ),
        (
            "mysql://u:geheim@db/y?charset=latin1",
            "may not have the option \"charset\"",
        ),
    ] {
        assert_eq!(Server::parse(url).unwrap_err(), why, "{url}");
    }
    for (url, why) in [
        ("mysql://u:geheim@/y", "must name a host"),
        ("mysql://db/y", "must name a user"),
        ("mysql://u:geheim@db", "must name a database"),
        (
            "mysql://u:geheim@db,db2/y",
            "may name several hosts for PostgreSQL only",
        ),
    ] {
        assert_eq!(
            Server::parse(url).unwrap().check().unwrap_err(),
            why,
            "{url}"
        );
    }
}

#[test]
fn s10_4_the_password_is_never_shown() {
    let server = Server::parse("postgres://zajil:geheim@db/cdr").unwrap();
    let shown = format!("{server:?} {server}");
    assert!(
        shown.contains("****") && !shown.contains("geheim"),
        "{shown}"
    );
}

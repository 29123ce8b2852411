//! A server that others can reach: TLS, client certificates, keys, and the command line against it
//! (S3.8).

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use zajil_telemetry::Stopwatch;
use zajil_testkit::authority::Authority;

use crate::command_line::{text, zajil};
use crate::server::Server;

/// How long a change may take to be seen; the machine may be slow.
const WITHIN: Duration = Duration::from_secs(60);

/// The settings of an API that is served with the certificate `server` of an authority.
pub(crate) fn settings(authority: &Authority, more: &str) -> String {
    let path = |name: &str| authority.path(name).display().to_string();
    format!(
        "[api]\naccess = 'required'\ntls_cert_path = '{}'\ntls_key_path = '{}'\n{more}\n",
        path("server.pem"),
        path("server.key")
    )
}

/// A key made before the server starts.
fn first_key(data: &Path, more: &[&str]) -> String {
    std::fs::create_dir_all(data).unwrap();
    let data = data.to_str().unwrap();
    let mut words = vec!["key", "create", "--data", data, "--name", "first"];
    words.extend(more);
    let made = zajil(&words);
    assert!(made.status.success(), "{}", text(&made.stderr));
    text(&made.stdout).trim().to_owned()
}

/// Runs the command line against a server.
fn ask(server: &Server, words: &[&str], more: &[&str]) -> Output {
    let mut all = words.to_vec();
    let base = server.base.replace("127.0.0.1", "localhost");
    all.extend(["--server", &base]);
    all.extend(more);
    zajil(&all)
}

#[test]
fn s3_8_the_command_line_works_against_tls_and_keys() {
    let authority = Authority::new();
    authority.issue("server", "localhost");
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    let key = first_key(&data, &["--scope", "admin"]);
    let server = Server::configured(&data, &settings(&authority, ""));
    assert!(server.base.starts_with("https://"), "{}", server.base);
    let ca = authority.path("ca.pem");
    let ca = ca.to_str().unwrap();

    let sent = ask(
        &server,
        &["message", "send", "+15550001", "x"],
        &["--ca", ca, "--api-key", &key],
    );
    assert!(sent.status.success(), "{}", text(&sent.stderr));
    let without = ask(&server, &["message", "list"], &["--ca", ca]);
    assert_eq!(without.status.code(), Some(1));
    assert!(
        text(&without.stderr).contains("this needs a key"),
        "{}",
        text(&without.stderr)
    );
    let stranger = ask(&server, &["message", "list"], &["--api-key", &key]);
    assert_eq!(
        stranger.status.code(),
        Some(3),
        "an authority that nobody trusts"
    );

    assert_eq!(server.stop(), Some(0));
}

#[test]
fn s3_8_keys_are_made_and_revoked_from_the_command_line() {
    let authority = Authority::new();
    authority.issue("server", "localhost");
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    let key = first_key(&data, &["--scope", "admin"]);
    let server = Server::configured(&data, &settings(&authority, ""));
    let ca = authority.path("ca.pem");
    let ca = ca.to_str().unwrap();
    let made = ask(
        &server,
        &["key", "create", "--name", "billing", "--scope", "read"],
        &["--ca", ca, "--api-key", &key],
    );
    let read = text(&made.stdout).trim().to_owned();
    let listed = ask(
        &server,
        &["message", "list"],
        &["--ca", ca, "--api-key", &read],
    );
    assert!(listed.status.success(), "{}", text(&listed.stderr));
    let denied = ask(&server, &["key", "list"], &["--ca", ca, "--api-key", &read]);
    assert!(
        text(&denied.stderr).contains("the scope admin"),
        "{}",
        text(&denied.stderr)
    );
    let id = read.split('_').nth(1).unwrap();
    let revoked = ask(
        &server,
        &["key", "revoke", id],
        &["--ca", ca, "--api-key", &key],
    );
    assert!(revoked.status.success(), "{}", text(&revoked.stderr));
    let gone = ask(
        &server,
        &["message", "list"],
        &["--ca", ca, "--api-key", &read],
    );
    assert!(
        text(&gone.stderr).contains("not valid"),
        "{}",
        text(&gone.stderr)
    );
    let audit = ask(&server, &["audit"], &["--ca", ca, "--api-key", &key]);
    let audit = text(&audit.stdout);
    assert!(
        audit.contains("create") && audit.contains("remove"),
        "{audit}"
    );
    assert!(audit.contains("(first)"), "{audit}");

    // Keys of a running server are made through it.
    let shown = data.to_str().unwrap();
    let words = [
        "key", "create", "--data", shown, "--name", "x", "--scope", "read",
    ];
    let busy = zajil(&words);
    assert_eq!(busy.status.code(), Some(1), "{}", text(&busy.stdout));
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn s3_8_a_certificate_is_exchanged_while_the_server_runs() {
    let authority = Authority::new();
    authority.issue("server", "localhost");
    let place = tempfile::tempdir().unwrap();
    let server = Server::configured(&place.path().join("data"), &settings(&authority, ""));
    let other = Authority::new();
    let trusts = |authority: &Authority| {
        let ca = authority.path("ca.pem");
        let asked = ask(
            &server,
            &["message", "list"],
            &["--ca", ca.to_str().unwrap()],
        );
        // 1: it answered (401); 3: no agreement.
        asked.status.code() == Some(1)
    };
    assert!(trusts(&authority));
    std::fs::write(authority.path("server.key"), "nonsense").unwrap();
    server.signal("-HUP");
    let failures = "zajil_tls_certificate_failures_total";
    wait_for(&server, failures, |count| count >= 1.0);
    assert!(trusts(&authority), "a bad file leaves the old certificate");

    other.issue("server", "localhost");
    for name in ["server.key", "server.pem"] {
        std::fs::copy(other.path(name), authority.path(name)).unwrap();
    }
    server.signal("-HUP");
    let watch = Stopwatch::start();
    while !trusts(&other) {
        assert!(watch.elapsed() < WITHIN, "the new certificate is not used");
    }
    wait_for(&server, "zajil_tls_certificate_days_left", |days| {
        days > 100.0
    });
    assert_eq!(server.stop(), Some(0));
}

fn wait_for(server: &Server, series: &str, holds: impl Fn(f64) -> bool) {
    let watch = Stopwatch::start();
    loop {
        let scraped = ureq::get(&server.metrics).call().unwrap();
        let page = scraped.into_body().read_to_string().unwrap();
        let value = page
            .lines()
            .find_map(|line| line.strip_prefix(series)?.trim().parse().ok());
        if value.is_some_and(&holds) {
            return;
        }
        assert!(watch.elapsed() < WITHIN, "{series}: {value:?}");
    }
}

#[test]
fn s3_8_a_client_certificate_is_who_its_key_says() {
    let authority = Authority::new();
    authority.issue("server", "localhost");
    authority.issue("hss", "hss.example");
    authority.issue("unknown", "unknown.example");
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    first_key(&data, &["--scope", "read", "--certificate", "hss.example"]);
    let more = format!(
        "tls_client_ca_path = '{}'",
        authority.path("ca.pem").display()
    );
    let server = Server::configured(&data, &settings(&authority, &more));
    let list = |name: &str| {
        let paths = [
            "ca.pem".to_owned(),
            format!("{name}.pem"),
            format!("{name}.key"),
        ];
        let paths = paths.map(|name| authority.path(&name).to_str().unwrap().to_owned());
        let [ca, cert, key] = &paths;
        let mut more = vec!["--ca", ca];
        if !name.is_empty() {
            more.extend(["--client-cert", cert, "--client-key", key]);
        }
        let asked = ask(&server, &["message", "list"], &more);
        (asked.status.code(), text(&asked.stderr))
    };
    assert_eq!(list("hss").0, Some(0));
    let unknown = list("unknown");
    assert!(unknown.1.contains("this needs a key"), "{unknown:?}");
    assert_eq!(list("").0, Some(3), "no connection without");
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn s3_8_http_2_is_spoken_and_old_tls_is_not() {
    if std::env::var_os("SLOW_TESTS").is_none() {
        println!("SKIPPED: set SLOW_TESTS=1 to run it");
        return;
    }
    let authority = Authority::new();
    authority.issue("server", "localhost");
    let place = tempfile::tempdir().unwrap();
    let server = Server::configured(&place.path().join("data"), &settings(&authority, ""));
    let curl = |more: &[&str]| {
        let url = format!(
            "{}/api/status",
            server.base.replace("127.0.0.1", "localhost")
        );
        let ca = authority.path("ca.pem");
        let run = Command::new("curl")
            .args([
                "-sS",
                "-o",
                "/dev/null",
                "-w",
                "%{http_version} %{http_code}",
            ])
            .args(["--cacert", ca.to_str().unwrap()])
            .args(more)
            .arg(url)
            .output()
            .unwrap();
        (run.status.code(), text(&run.stdout))
    };
    assert_eq!(curl(&["--http2"]), (Some(0), "2 200".to_owned()));
    assert_eq!(curl(&["--http1.1"]), (Some(0), "1.1 200".to_owned()));
    assert_eq!(curl(&["--tlsv1.3"]).0, Some(0));
    for old in [
        ["--tls-max", "1.1", "--ciphers", "DEFAULT:@SECLEVEL=0"],
        [
            "--tls-max",
            "1.2",
            "--ciphers",
            "AES128-SHA:AES256-GCM-SHA384",
        ],
        ["--tls-max", "1.2", "--ciphers", "ECDHE-ECDSA-AES128-SHA256"],
    ] {
        let (code, shown) = curl(&old);
        assert_eq!(code, Some(35), "{old:?}: {shown}");
    }
    assert_eq!(server.stop(), Some(0));
}

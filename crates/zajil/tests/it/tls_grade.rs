//! Both TLS listeners of the real binary, graded by the scanner sslyze (S3.8). Slow: runs with
//! `SLOW_TESTS=1`, for some seconds. `cargo xtask test` brings the scanner.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use zajil_testkit::port::Port;

use crate::brought::program;
use crate::command_line::text;
use crate::server::Server;

/// What the scanner looks for.
const SCANS: [&str; 14] = [
    "--sslv2",
    "--sslv3",
    "--tlsv1",
    "--tlsv1_1",
    "--tlsv1_2",
    "--tlsv1_3",
    "--compression",
    "--reneg",
    "--heartbleed",
    "--openssl_ccs",
    "--robot",
    "--ems",
    "--early_data",
    "--fallback",
];

/// Protocols that nobody may speak to us.
const OLD: [&str; 4] = ["ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1"];

/// What each scan has to find: the scan, the field, and its value.
fn wanted() -> [(&'static str, &'static str, Value); 10] {
    [
        ("tls_compression", "supports_compression", json!(false)),
        ("tls_1_3_early_data", "supports_early_data", json!(false)),
        (
            "session_renegotiation",
            "supports_secure_renegotiation",
            json!(true),
        ),
        (
            "session_renegotiation",
            "is_vulnerable_to_client_renegotiation_dos",
            json!(false),
        ),
        ("heartbleed", "is_vulnerable_to_heartbleed", json!(false)),
        (
            "openssl_ccs_injection",
            "is_vulnerable_to_ccs_injection",
            json!(false),
        ),
        (
            "robot",
            "robot_result",
            json!("NOT_VULNERABLE_RSA_NOT_SUPPORTED"),
        ),
        (
            "tls_extended_master_secret",
            "supports_ems_extension",
            json!(true),
        ),
        ("tls_fallback_scsv", "supports_fallback_scsv", json!(true)),
        (
            "tls_1_3_cipher_suites",
            "is_tls_version_supported",
            json!(true),
        ),
    ]
}

/// What is wrong with a server, in the scanner's words; a scan that told nothing is wrong too.
fn weaknesses(scan: &Value) -> Vec<String> {
    let result = |name: &str| &scan["scan_result"][name]["result"];
    let mut found = Vec::new();
    for (name, field, want) in wanted() {
        let told = &result(name)[field];
        if *told != want {
            found.push(format!("{name}.{field} is {told}"));
        }
    }
    for version in OLD {
        let told = &result(&format!("{version}_cipher_suites"))["is_tls_version_supported"];
        if *told != json!(false) {
            found.push(format!("{version} is {told}"));
        }
    }
    for (version, forward_secret) in [("tls_1_2", "TLS_ECDHE_"), ("tls_1_3", "TLS_")] {
        let all = result(&format!("{version}_cipher_suites"));
        let Some(accepted) = all["accepted_cipher_suites"].as_array() else {
            found.push(format!("{version} was not scanned"));
            continue;
        };
        let names = accepted
            .iter()
            .filter_map(|suite| suite["cipher_suite"]["name"].as_str());
        for name in names {
            let authenticated = name.contains("_GCM_") || name.contains("_CHACHA20_POLY1305_");
            if !authenticated || !name.starts_with(forward_secret) {
                found.push(name.to_owned());
            }
        }
        if accepted.is_empty() {
            found.push(format!("{version} has no suite"));
        }
    }
    found
}

/// Writes `name.pem` and `name.key`, signed by itself.
fn certificate(place: &Path, name: &str, algorithm: &[&str]) -> (String, String) {
    let path = |end: &str| place.join(format!("{name}.{end}")).display().to_string();
    let (shown, key) = (path("pem"), path("key"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-nodes", "-days", "30"])
        .args(["-subj", "/CN=localhost", "-keyout", &key, "-out", &shown])
        .args(algorithm)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", text(&made.stderr));
    (shown, key)
}

/// A server that ought to fail: without it nobody knows that the scanner and we can tell.
struct Weak {
    child: Child,
    port: u16,
}

impl Weak {
    fn start((certificate, key): &(String, String)) -> Self {
        let mut child = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-www", "-tls1_2"])
            .args(["-cert", certificate, "-key", key])
            .args(["-cipher", "AES128-SHA:ECDHE-RSA-AES128-SHA:@SECLEVEL=0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut lines = lines.map_while(Result::ok);
        let ready = lines.find_map(|line| {
            let address = line.strip_prefix("ACCEPT ")?;
            address.rsplit_once(':')?.1.trim().parse().ok()
        });
        let port = ready.expect("a line that says where it listens");
        // Its end of the pipe stays open as long as it writes.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, port }
    }
}

impl Drop for Weak {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn s3_8_a_scanner_finds_no_weakness_in_our_tls() {
    let Some(program) = program("SSLYZE_PYTHON", "sslyze") else {
        return;
    };
    let place = tempfile::tempdir().unwrap();
    // Only an RSA key could be used for the old key exchange.
    let rsa = certificate(place.path(), "rsa", &["-newkey", "rsa:2048"]);
    let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
    let elliptic = certificate(place.path(), "elliptic", &curve);
    let held = Port::any();
    let smpp = held.number();
    let settings = format!(
        "[api]\naccess = 'required'\ntls_cert_path = '{}'\ntls_key_path = '{}'\n\
         [smpp]\ntls_listen = '127.0.0.1:{smpp}'\ntls_cert_path = '{}'\ntls_key_path = '{}'\n",
        rsa.0, rsa.1, elliptic.0, elliptic.1
    );
    let server = Server::configured(&place.path().join("data"), &settings);
    let weak = Weak::start(&rsa);
    let api = server.base.replace("https://127.0.0.1", "localhost");
    let report = place.path().join("report.json");
    let run = Command::new(program)
        .args(["--mozilla_config", "disable", "--json_out"])
        .arg(&report)
        .args(SCANS)
        .args([api, format!("localhost:{smpp}")])
        .arg(format!("localhost:{}", weak.port))
        .output()
        .unwrap();
    let told = text(&run.stdout) + &text(&run.stderr);
    assert!(run.status.success(), "{told}");
    let report: Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    let found = |port: u16| {
        let scans = report["server_scan_results"].as_array().unwrap();
        let of = |scan: &&Value| scan["server_location"]["port"] == port;
        weaknesses(scans.iter().find(of).expect(&told))
    };
    let port = server.base.rsplit_once(':').unwrap().1.parse().unwrap();
    assert_eq!(found(port), Vec::<String>::new(), "the API: {told}");
    assert_eq!(found(smpp), Vec::<String>::new(), "SMPP: {told}");
    let seen = found(weak.port);
    for suite in [
        "TLS_RSA_WITH_AES_128_CBC_SHA",
        "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    ] {
        assert!(seen.iter().any(|weakness| weakness == suite), "{seen:?}");
    }
    assert_eq!(server.stop(), Some(0));
}

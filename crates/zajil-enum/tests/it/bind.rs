//! A real name server, BIND, on loopback addresses of the test's own.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use tempfile::TempDir;

/// A running `named`; stopped when dropped.
pub(crate) struct Bind {
    child: Child,
    pub(crate) address: SocketAddr,
    _folder: TempDir,
}

/// Whether tests that start servers run.
pub(crate) fn runs() -> bool {
    let runs = std::env::var_os("SLOW_TESTS").is_some();
    if !runs {
        println!("SKIPPED: set SLOW_TESTS=1 to run it");
    }
    runs
}

/// A port that is free on three loopback addresses: servers find each other by it.
pub(crate) fn port() -> u16 {
    loop {
        let port = UdpSocket::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let free = |host: u8| {
            let address = SocketAddr::from(([127, 0, 0, host], port));
            UdpSocket::bind(address).is_ok() && TcpListener::bind(address).is_ok()
        };
        if (1..=3).all(free) {
            return port;
        }
    }
}

impl Bind {
    /// Serves zones (`name`, records); without a text, a zone that cannot be loaded.
    pub(crate) fn zones(host: u8, port: u16, zones: &[(&str, Option<&str>)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut configuration = String::new();
        for (name, records) in zones {
            if let Some(records) = records {
                let head = format!(
                    "$TTL 300\n$ORIGIN {name}.\n@ SOA ns hostmaster 1 60 60 60 30\n@ NS ns\n\
                     ns A 127.0.0.{host}\n"
                );
                std::fs::write(folder.path().join(name), head + records + "\n").unwrap();
            }
            configuration += &format!("zone \"{name}\" {{ type primary; file \"{name}\"; }};\n");
        }
        Self::start(
            folder,
            host,
            port,
            &format!("recursion no; }};\n{configuration}"),
        )
    }

    /// Recurses, and knows where one zone is.
    pub(crate) fn recursive(host: u8, port: u16, zone: &str, at: u8) -> Self {
        let rest = format!(
            "recursion yes; }};\nzone \"{zone}\" {{ type static-stub; \
             server-addresses {{ 127.0.0.{at}; }}; }};\n"
        );
        Self::start(tempfile::tempdir().unwrap(), host, port, &rest)
    }

    fn start(folder: TempDir, host: u8, port: u16, rest: &str) -> Self {
        let path = folder.path().display();
        let configuration = format!(
            "controls {{ }};\noptions {{ directory \"{path}\"; port {port}; \
             listen-on {{ 127.0.0.{host}; }}; listen-on-v6 {{ none; }}; pid-file none; \
             session-keyfile none; lock-file none; dnssec-validation no; empty-zones-enable no; \
             notify no; allow-query {{ any; }}; max-udp-size 512; \
             managed-keys-directory \"{path}\"; {rest}"
        );
        let file = folder.path().join("named.conf");
        std::fs::write(&file, configuration).unwrap();
        let mut child = Command::new(program())
            .args(["-g", "-4", "-n", "1", "-c"])
            .arg(&file)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (tell, told) = mpsc::sync_channel(1_000);
        // Reads to the end, so that the server never waits for a reader.
        std::thread::spawn(move || {
            lines
                .map_while(Result::ok)
                .for_each(|l| drop(tell.try_send(l)))
        });
        let mut log = String::new();
        loop {
            let line = told
                .recv_timeout(Duration::from_secs(20))
                .unwrap_or_else(|_| panic!("named does not run:\n{log}"));
            if line.trim_end().ends_with(" running") {
                break;
            }
            log += &(line + "\n");
        }
        let address = SocketAddr::from(([127, 0, 0, host], port));
        Self {
            child,
            address,
            _folder: folder,
        }
    }
}

impl Drop for Bind {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Where a user's search path does not lead on every system.
fn program() -> &'static str {
    let there = "/usr/sbin/named";
    if std::path::Path::new(there).is_file() {
        there
    } else {
        "named"
    }
}

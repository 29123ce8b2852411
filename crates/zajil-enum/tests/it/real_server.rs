//! Real name servers on loopback addresses: Knot serves zones, BIND recurses.
//!
//! A delegation names no port, so the servers of a test share one and differ in address. Knot
//! listens on any address of the loopback network, BIND only on that of its interface.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use tempfile::TempDir;

/// A running server; stopped when dropped.
pub(crate) struct RealServer {
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

impl RealServer {
    /// Serves zones (`name`, records) on `127.0.0.host`; without records, one that does not load.
    pub(crate) fn zones(host: u8, port: u16, zones: &[(&str, Option<&str>)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display();
        let mut configuration = format!(
            "server:\n    rundir: {path}\n    listen: 127.0.0.{host}@{port}\n    \
             udp-workers: 1\n    tcp-workers: 1\n    background-workers: 1\n\
             database:\n    storage: {path}\n\
             log:\n  - target: stderr\n    any: info\n\
             zone:\n"
        );
        for (name, records) in zones {
            if let Some(records) = records {
                let head = format!(
                    "$TTL 300\n$ORIGIN {name}.\n@ SOA ns hostmaster 1 60 60 60 30\n@ NS ns\n\
                     ns A 127.0.0.{host}\n"
                );
                std::fs::write(folder.path().join(name), head + records + "\n").unwrap();
            }
            writeln!(
                configuration,
                "  - domain: {name}\n    storage: {path}\n    file: {name}\n    \
                 zonefile-load: whole\n    journal-content: none"
            )
            .unwrap();
        }
        let file = folder.path().join("knot.conf");
        std::fs::write(&file, configuration).unwrap();
        let arguments = ["-c", file.to_str().unwrap()];
        let address = SocketAddr::from(([127, 0, 0, host], port));
        Self::start("knotd", &arguments, (folder, address), |line| {
            line.contains("server started")
        })
    }

    /// Recurses on `127.0.0.1`, and knows where one zone is.
    pub(crate) fn recursive(port: u16, zone: &str, at: u8) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display();
        let configuration = format!(
            "controls {{ }};\noptions {{ directory \"{path}\"; port {port}; \
             listen-on {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; pid-file none; \
             session-keyfile none; lock-file none; dnssec-validation no; empty-zones-enable no; \
             managed-keys-directory \"{path}\"; recursion yes; }};\n\
             zone \"{zone}\" {{ type static-stub; server-addresses {{ 127.0.0.{at}; }}; }};\n"
        );
        let file = folder.path().join("named.conf");
        std::fs::write(&file, configuration).unwrap();
        let arguments = ["-g", "-4", "-n", "1", "-c", file.to_str().unwrap()];
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        Self::start("named", &arguments, (folder, address), |line| {
            line.ends_with(" running")
        })
    }

    fn start(
        program: &str,
        arguments: &[&str],
        (folder, address): (TempDir, SocketAddr),
        is_ready: fn(&str) -> bool,
    ) -> Self {
        let mut child = Command::new(path_of(program))
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (tell, told) = mpsc::sync_channel(1_000);
        // Reads to the end, so that the server never waits for a reader.
        std::thread::spawn(move || {
            lines
                .map_while(Result::ok)
                .for_each(|line| drop(tell.try_send(line)));
        });
        let server = Self {
            child,
            address,
            _folder: folder,
        };
        let mut log = String::new();
        loop {
            let line = told
                .recv_timeout(Duration::from_secs(20))
                .unwrap_or_else(|_| panic!("{program} does not run:\n{log}"));
            if is_ready(line.trim_end()) {
                return server;
            }
            log += &(line + "\n");
        }
    }
}

impl Drop for RealServer {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Debian puts servers where a user's search path does not lead on every system.
fn path_of(program: &str) -> PathBuf {
    let there = Path::new("/usr/sbin").join(program);
    if there.is_file() {
        there
    } else {
        program.into()
    }
}

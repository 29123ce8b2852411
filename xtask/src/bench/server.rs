//! A server process under test: started on a free port, asked until it is ready, stopped.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::Bench;
use super::load::on_core;
use crate::step;

const READY_WITHIN: Duration = Duration::from_secs(120);
const STOPPED_WITHIN: Duration = Duration::from_secs(60);
const BETWEEN_LOOKS: Duration = Duration::from_millis(2);

#[derive(Debug)]
pub(super) struct Server {
    process: Child,
    address: SocketAddr,
    /// Where applications bind; our own servers only.
    smpp: SocketAddr,
    /// Likewise.
    metrics: SocketAddr,
    /// From starting the process to its first 200 on `/readyz`.
    pub(super) ready_after: Duration,
}

impl Server {
    pub(super) fn null(bench: &Bench) -> Result<Self> {
        let address = free_address()?;
        let mut command = Command::new(&bench.loadgen);
        command.args(["null", "--listen", &address.to_string()]);
        let log = bench.folder.join("null.log");
        Self::start(command, (address, address), &log, is_ready)
    }

    /// The null SMPP server; asked to, it sends receipts, as a carrier does.
    pub(super) fn null_smpp(bench: &Bench, arguments: &[&str]) -> Result<Self> {
        let address = free_address()?;
        let mut command = Command::new(&bench.loadgen);
        command.args(["null-smpp", "--listen", &address.to_string()]);
        command.args(arguments);
        let log = bench.folder.join("null-smpp.log");
        let connects = |address| TcpStream::connect(address).is_ok();
        Self::start(command, (address, address), &log, connects)
    }

    /// The command line of the real server stands here and nowhere else.
    pub(super) fn zajil(bench: &Bench, binary: &Path, data: &Path) -> Result<Self> {
        Self::configured(bench, binary, data, "")
    }

    /// With this configuration.
    pub(super) fn configured(
        bench: &Bench,
        binary: &Path,
        data: &Path,
        settings: &str,
    ) -> Result<Self> {
        Self::run_by(Command::new(binary), bench, data, settings)
    }

    /// On this core and no other, with this configuration.
    pub(super) fn pinned(
        bench: &Bench,
        binary: &Path,
        data: &Path,
        (core, settings): (&str, &str),
    ) -> Result<Self> {
        Self::run_by(on_core(core, binary), bench, data, settings)
    }

    /// On a machine whose clock is ahead by `offset`, as faketime writes it.
    pub(super) fn later(
        bench: &Bench,
        binary: &Path,
        data: &Path,
        settings: &str,
        offset: &str,
    ) -> Result<Self> {
        let mut command = Command::new(binary);
        command.env("LD_PRELOAD", faketime()?);
        command.env("FAKETIME", offset);
        command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        Self::run_by(command, bench, data, settings)
    }

    fn run_by(mut command: Command, bench: &Bench, data: &Path, settings: &str) -> Result<Self> {
        let file = data.with_extension("toml");
        fs::write(&file, settings).with_context(|| format!("cannot write {}", file.display()))?;
        let address = free_address()?;
        let metrics = free_address()?;
        let smpp = free_address()?;
        command.arg("serve").arg("--config").arg(&file);
        command.arg("--data").arg(data);
        command.args(["--listen", &address.to_string()]);
        command.args(["--metrics-listen", &metrics.to_string()]);
        command.args(["--smpp-listen", &smpp.to_string()]);
        let log = bench.folder.join("zajil.log");
        let mut server = Self::start(command, (address, smpp), &log, is_ready)?;
        server.metrics = metrics;
        Ok(server)
    }

    fn start(
        mut command: Command,
        (address, smpp): (SocketAddr, SocketAddr),
        log: &Path,
        is_ready: fn(SocketAddr) -> bool,
    ) -> Result<Self> {
        let output =
            File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        let start = step::now();
        let process = command.spawn();
        let process = process.with_context(|| format!("cannot start {command:?}"))?;
        let mut server = Self {
            process,
            address,
            smpp,
            metrics: address,
            ready_after: Duration::ZERO,
        };
        if let Err(error) = server.wait_until_ready(start, is_ready) {
            let said = fs::read_to_string(log).unwrap_or_default();
            return Err(error.context(format!("{command:?} said:\n{said}")));
        }
        server.ready_after = start.elapsed();
        Ok(server)
    }

    fn wait_until_ready(&mut self, start: Instant, is_ready: fn(SocketAddr) -> bool) -> Result<()> {
        while !is_ready(self.address) {
            if let Some(status) = self.process.try_wait()? {
                bail!("the server ended before it was ready: {status}");
            }
            ensure!(
                start.elapsed() < READY_WITHIN,
                "not ready within {READY_WITHIN:?}"
            );
            thread::sleep(BETWEEN_LOOKS);
        }
        Ok(())
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where applications bind.
    pub(super) const fn smpp(&self) -> SocketAddr {
        self.smpp
    }

    /// Posts JSON to the API, and wants it done.
    pub(super) fn post(&self, path: &str, body: &str) -> Result<()> {
        let rest = format!(
            "content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = exchange(self.address, &format!("POST {path}"), &rest)?;
        let done = ["HTTP/1.1 200 ", "HTTP/1.1 201 "];
        ensure!(
            done.iter().any(|head| answer.starts_with(head)),
            "{path}: {answer}"
        );
        Ok(())
    }

    /// What a metric without labels says.
    pub(super) fn gauge(&self, name: &str) -> Result<f64> {
        let page = exchange(self.metrics, "GET /metrics", "\r\n")?;
        let mut lines = page.lines();
        let figure = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let figure = figure.with_context(|| format!("there is no metric {name}"))?;
        Ok(figure.trim().parse()?)
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Memory that is really held, in MiB.
    pub(super) fn resident_mib(&self) -> Result<u64> {
        let path = format!("/proc/{}/status", self.pid());
        let status = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        resident_mib(&status).with_context(|| format!("{path} names no VmRSS"))
    }

    /// Asks the server to end, as a service manager does, and waits until it has.
    pub(super) fn stop(mut self) -> Result<()> {
        let pid = self.pid().to_string();
        let asked = Command::new("sh")
            .args(["-c", "kill -TERM \"$0\"", &pid])
            .status()?;
        ensure!(asked.success(), "cannot send SIGTERM to {pid}");
        let start = step::now();
        while self.process.try_wait()?.is_none() {
            ensure!(
                start.elapsed() < STOPPED_WITHIN,
                "still running {STOPPED_WITHIN:?} after SIGTERM"
            );
            thread::sleep(BETWEEN_LOOKS);
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails when it has ended already, which is just as well.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// The library that tells programs another time.
fn faketime() -> Result<PathBuf> {
    let folders = fs::read_dir("/usr/lib")?.flatten();
    let mut libraries = folders.map(|folder| folder.path().join("faketime/libfaketime.so.1"));
    let library = libraries.find(|library| library.is_file());
    library.context("the package faketime holds no libfaketime.so.1")
}

fn resident_mib(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes / 1024)
}

/// Free now; the kernel hands the next caller another one.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn is_ready(address: SocketAddr) -> bool {
    exchange(address, "GET /readyz", "\r\n").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200 "))
}

/// One request, from its first line to the end of the answer. `rest` follows the common headers.
fn exchange(address: SocketAddr, what: &str, rest: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(
        stream,
        "{what} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{rest}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_the_process_entry() {
        assert_eq!(
            resident_mib("Name:\tx\nVmRSS:\t  204800 kB\nVmData:\t1 kB\n"),
            Some(200)
        );
        assert_eq!(resident_mib("Name:\tx\n"), None);
    }

    #[test]
    fn nobody_is_ready_on_a_free_port() {
        assert!(!is_ready(free_address().expect("a port is free")));
    }
}

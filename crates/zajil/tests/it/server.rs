//! A server process under test, and a client for it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use zajil_testkit::network::Machine;

/// The library that tells programs another time; it comes with the package faketime.
fn faketime() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").unwrap().flatten();
    let mut libraries = folders.map(|folder| folder.path().join("faketime/libfaketime.so.1"));
    libraries.find(|library| library.is_file()).unwrap()
}

/// A running `zajil serve`.
pub(crate) struct Server {
    child: Child,
    pub(crate) base: String,
    pub(crate) metrics: String,
    /// Address and port of SMPP.
    pub(crate) smpp: String,
}

impl Server {
    /// Starts the server on free ports and waits for its ready line.
    pub(crate) fn start(data: &Path) -> Self {
        Self::with_arguments(data, &[])
    }

    /// With these settings, written beside the data directory.
    pub(crate) fn configured(data: &Path, settings: &str) -> Self {
        Self::with_clock_off(data, settings, 0)
    }

    /// Likewise, on a machine whose clock is wrong by so many seconds.
    pub(crate) fn with_clock_off(data: &Path, settings: &str, seconds: i64) -> Self {
        std::fs::create_dir_all(data).unwrap();
        let file = data.join("zajil.toml");
        std::fs::write(&file, settings).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_zajil"));
        if seconds != 0 {
            command.env("LD_PRELOAD", faketime());
            command.env("FAKETIME", format!("{seconds:+}"));
            // What nobody sets goes on as it did.
            command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        }
        Self::spawn(command, data, &["--config", file.to_str().unwrap()])
    }

    /// Another program, of a former version.
    pub(crate) fn of_program(program: &Path, data: &Path, settings: &str) -> Self {
        std::fs::create_dir_all(data).unwrap();
        let file = data.join("zajil.toml");
        std::fs::write(&file, settings).unwrap();
        let arguments = ["--config", file.to_str().unwrap()];
        Self::spawn(Command::new(program), data, &arguments)
    }

    /// Where its settings say.
    pub(crate) fn at_its_address(data: &Path, settings: &str) -> Self {
        std::fs::create_dir_all(data).unwrap();
        let file = data.join("zajil.toml");
        std::fs::write(&file, settings).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_zajil"));
        command.args(["serve", "--config"]).arg(&file);
        Self::await_ready(command.arg("--data").arg(data))
    }

    /// On another machine, which we reach it at.
    pub(crate) fn elsewhere(machine: &Machine, data: &Path, settings: &str) -> Self {
        std::fs::create_dir_all(data).unwrap();
        let file = data.join("zajil.toml");
        std::fs::write(&file, settings).unwrap();
        let command = machine.run(env!("CARGO_BIN_EXE_zajil"));
        let arguments = ["--config", file.to_str().unwrap()];
        Self::spawn_at(&machine.address(), command, (data, &arguments))
    }

    fn with_arguments(data: &Path, arguments: &[&str]) -> Self {
        let command = Command::new(env!("CARGO_BIN_EXE_zajil"));
        Self::spawn(command, data, arguments)
    }

    fn spawn(command: Command, data: &Path, arguments: &[&str]) -> Self {
        Self::spawn_at("127.0.0.1", command, (data, arguments))
    }

    fn spawn_at(host: &str, mut command: Command, (data, arguments): (&Path, &[&str])) -> Self {
        let listen = format!("{host}:0");
        command
            .arg("serve")
            .args(arguments)
            .args(["--listen", &listen, "--metrics-listen", &listen])
            .args(["--smpp-listen", &listen])
            .arg("--data")
            .arg(data);
        Self::await_ready(&mut command)
    }

    fn await_ready(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let mut urls = line
            .split_whitespace()
            .filter(|word| word.starts_with("http://") || word.starts_with("https://"));
        let (Some(base), Some(metrics)) = (urls.next(), urls.next()) else {
            panic!("no ready line, but: {line:?}");
        };
        let (base, metrics) = (base.to_owned(), metrics.to_owned());
        let mut words = line.split_whitespace().skip_while(|word| *word != "smpp");
        let smpp = words.nth(1).unwrap().to_owned();
        Self {
            child,
            base,
            metrics,
            smpp,
        }
    }

    /// A client of this server.
    pub(crate) fn client(&self) -> Client {
        Client::new(&self.base)
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it as a power cut would, as far as the process can tell.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends a signal by its number.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([name, &self.child.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
    }

    /// Asks it to stop, and answers its exit code.
    pub(crate) fn stop(mut self) -> Option<i32> {
        self.signal("-TERM");
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already gone unless a test failed.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A client that keeps its connections.
#[derive(Clone)]
pub(crate) struct Client {
    base: String,
    agent: ureq::Agent,
}

impl Client {
    pub(crate) fn new(base: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(30)))
            .build();
        Self {
            base: base.to_owned(),
            agent: config.into(),
        }
    }

    /// Status and body; none when the connection broke.
    pub(crate) fn try_call(
        &self,
        (method, path): (&str, &str),
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Option<(u16, Value)> {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let text = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let mut response = self.agent.run(request.body(text).unwrap()).ok()?;
        let text = response.body_mut().read_to_string().ok()?;
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Some((response.status().as_u16(), body))
    }

    pub(crate) fn call(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        self.try_call((method, path), &[], body).unwrap()
    }
}

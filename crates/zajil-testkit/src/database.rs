//! Real database servers in temporary folders, for the tests that need one.
//!
//! They come from Debian's packages postgresql and mariadb-server and run as an ordinary user:
//! neither serves root. Every server is asked by its own command line client, as operators do.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a server that cannot start must fail the test"
)]

use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::port::Port;

mod certificates;
mod deployment;
mod standby;

pub use certificates::NAME;
pub use deployment::Deployment;

/// Whose server it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// The newest PostgreSQL that is installed.
    Postgres,
    /// MariaDB.
    MySql,
}

/// How a server may be spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// In plain text only.
    Plain,
    /// Over TLS only.
    Tls,
}

impl Engine {
    /// Whom Debian made for it.
    fn user(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::MySql => "mysql",
        }
    }
}

/// A server for one test, on a port of its own. It ends with it.
#[derive(Debug)]
pub struct DatabaseServer {
    engine: Engine,
    protection: Protection,
    folder: TempDir,
    port: Port,
    /// Where else than on 127.0.0.1 it listens.
    also: Vec<String>,
    /// `name=value` of PostgreSQL's configuration, after ours.
    settings: Vec<String>,
    child: Option<Child>,
}

/// Of the user `zajil`: it has what an URL must escape.
const PASSWORD: &str = "geheim:@/";

impl DatabaseServer {
    /// A new server that answers.
    ///
    /// # Panics
    /// When it does not: packages are missing, or its log says why.
    pub async fn open(engine: Engine) -> Self {
        Self::open_as(engine, Protection::Plain).await
    }

    /// Likewise, protected as it is said.
    ///
    /// # Panics
    /// As [`DatabaseServer::open`].
    pub async fn open_as(engine: Engine, protection: Protection) -> Self {
        Self::open_with(engine, protection, &[]).await
    }

    /// Likewise; PostgreSQL with these settings (`name=value`) besides those of every test.
    ///
    /// # Panics
    /// As [`DatabaseServer::open`].
    pub async fn open_with(engine: Engine, protection: Protection, settings: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.path(), open).unwrap();
        let port = Port::any();
        let mut server = Self {
            engine,
            protection,
            folder,
            port,
            also: Vec::new(),
            settings: settings.iter().map(|&setting| setting.to_owned()).collect(),
            child: None,
        };
        server.install();
        server.start().await;
        server
    }

    /// Where the user `zajil`, who may do everything, finds its database.
    #[must_use]
    pub fn url(&self) -> String {
        let (scheme, database) = match self.engine {
            Engine::Postgres => ("postgres", "postgres"),
            Engine::MySql => ("mysql", "cdr"),
        };
        let port = self.port();
        format!("{scheme}://zajil:geheim%3A%40%2F@127.0.0.1:{port}/{database}")
    }

    /// Starts it anew, so that it listens on this address of ours too; answers where the user
    /// `zajil` finds it from there.
    ///
    /// # Panics
    /// When it does not start; it has to be PostgreSQL.
    pub async fn also_on(&mut self, address: &str) -> String {
        assert_eq!(self.engine, Engine::Postgres);
        let hba = std::fs::File::options()
            .append(true)
            .open(self.path("data/pg_hba.conf"));
        let line = b"host all all 198.18.0.0/15 scram-sha-256\n";
        hba.unwrap().write_all(line).unwrap();
        self.also.push(address.to_owned());
        self.stop().await;
        self.start().await;
        self.url().replace("127.0.0.1", address)
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// The same, for whoever takes its place.
    #[must_use]
    pub fn place(&self) -> Port {
        self.port.clone()
    }

    /// The certificate of the authority that has signed the server's, when that has one.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.path("ca.pem")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Makes the folder of an empty server.
    fn install(&self) {
        let data = self.path("data");
        std::fs::create_dir(&data).unwrap();
        // Servers that start clean up after others in a folder that they share.
        std::fs::create_dir(self.path("tmp")).unwrap();
        std::fs::write(self.path("password"), PASSWORD).unwrap();
        let first = format!(
            "CREATE DATABASE IF NOT EXISTS cdr CHARACTER SET utf8mb4;\n\
             CREATE USER IF NOT EXISTS zajil@'%' IDENTIFIED BY '{PASSWORD}';\n\
             GRANT ALL ON *.* TO zajil@'%' WITH GRANT OPTION;\n"
        );
        std::fs::write(self.path("first.sql"), first).unwrap();
        let mut owned = vec![data, self.path("tmp")];
        if self.protection == Protection::Tls {
            certificates::make(self.folder.path());
            owned.push(self.path("server.key"));
        }
        if let Some((uid, gid)) = self.owner() {
            for path in owned {
                chown(path, Some(uid), Some(gid)).unwrap();
            }
        }
        let mut command = match self.engine {
            Engine::Postgres => {
                let mut command = self.as_owner(&postgres("initdb"));
                command.args([
                    "-U",
                    "zajil",
                    "-A",
                    "scram-sha-256",
                    "-E",
                    "UTF8",
                    "--locale=C",
                ]);
                command.args(["--no-sync", "-D", &self.text("data")]);
                command.arg(format!("--pwfile={}", self.text("password")));
                command
            }
            Engine::MySql => {
                let mut command = self.as_owner(Path::new("/usr/bin/mariadb-install-db"));
                command.args(["--no-defaults", "--auth-root-authentication-method=normal"]);
                command.arg(format!("--datadir={}", self.text("data")));
                command.arg(format!("--tmpdir={}", self.text("tmp")));
                command
            }
        };
        let done = command.output().unwrap();
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        if self.protection == Protection::Tls && self.engine == Engine::Postgres {
            let only = "hostssl all all 127.0.0.1/32 scram-sha-256\n";
            std::fs::write(self.path("data/pg_hba.conf"), only).unwrap();
        }
    }

    /// Starts the server, which has been stopped or killed, and waits until it answers.
    ///
    /// # Panics
    /// When it does not.
    pub async fn start(&mut self) {
        assert!(self.child.is_none());
        let mut tick = tokio::time::interval(Duration::from_millis(50));
        for _ in 0..600 {
            tick.tick().await;
            let alive = match &mut self.child {
                Some(child) => child.try_wait().unwrap().is_none(),
                None => false,
            };
            if !alive {
                // The one before may not have left its port or its memory yet.
                self.child = Some(self.command().spawn().unwrap());
            } else if self.answers() {
                return;
            }
        }
        panic!(
            "{}",
            std::fs::read_to_string(self.path("log")).unwrap_or_default()
        );
    }

    /// Whether it answers, and not another server at its port.
    fn answers(&self) -> bool {
        let whose = match self.engine {
            Engine::Postgres => "SHOW data_directory",
            Engine::MySql => "SELECT @@datadir",
        };
        let told = self.ask(whose).ok();
        let told = told.and_then(|told| std::fs::canonicalize(told.trim()).ok());
        told.is_some_and(|told| told == std::fs::canonicalize(self.path("data")).unwrap())
    }

    fn command(&self) -> Command {
        let mut command = match self.engine {
            Engine::Postgres => {
                let mut command = self.as_owner(&postgres("postgres"));
                command.args(["-D", &self.text("data"), "-p", &self.port().to_string()]);
                let mut addresses = vec!["127.0.0.1"];
                addresses.extend(self.also.iter().map(String::as_str));
                command.args([
                    "-h",
                    &addresses.join(","),
                    "-k",
                    "",
                    "-F",
                    "-c",
                    "shared_buffers=16MB",
                ]);
                for setting in &self.settings {
                    command.args(["-c", setting]);
                }
                command
            }
            Engine::MySql => {
                let mut command = self.as_owner(Path::new("/usr/sbin/mariadbd"));
                command.args([
                    "--no-defaults",
                    "--bind-address=127.0.0.1",
                    "--skip-name-resolve",
                ]);
                command.args(["--innodb-buffer-pool-size=16M", "--innodb-log-file-size=8M"]);
                command.arg(format!("--port={}", self.port()));
                command.arg(format!("--datadir={}", self.text("data")));
                command.arg(format!("--tmpdir={}", self.text("tmp")));
                command.arg(format!("--socket={}", self.text("data/socket")));
                command.arg(format!("--init-file={}", self.text("first.sql")));
                command
            }
        };
        if self.protection == Protection::Tls {
            let (certificate, key) = (self.text("server.pem"), self.text("server.key"));
            command.args(match self.engine {
                Engine::Postgres => vec![
                    "-cssl=on".to_owned(),
                    format!("-cssl_cert_file={certificate}"),
                    format!("-cssl_key_file={key}"),
                ],
                Engine::MySql => vec![
                    "--require-secure-transport=ON".to_owned(),
                    format!("--ssl-cert={certificate}"),
                    format!("--ssl-key={key}"),
                ],
            });
        }
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.path("log"));
        let log = log.unwrap();
        command.stdout(log.try_clone().unwrap()).stderr(log);
        command.current_dir(self.folder.path());
        command
    }

    /// A polite end, within a deadline.
    ///
    /// # Panics
    /// When it does not end, or runs no more.
    pub async fn stop(&mut self) {
        // PostgreSQL: do not wait for clients.
        self.signal("-INT", false);
        if self.engine == Engine::MySql {
            self.signal("-TERM", false);
        }
        let mut child = self.child.take().unwrap();
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        for _ in 0..1_000 {
            tick.tick().await;
            if child.try_wait().unwrap().is_some() {
                return;
            }
        }
        panic!("the server does not stop");
    }

    /// No time for anything.
    ///
    /// # Panics
    /// When it runs no more.
    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// A signal for the server, and with `children` for the processes that it has made.
    ///
    /// # Panics
    /// When it cannot be sent.
    pub fn signal(&self, signal: &str, children: bool) {
        let send = |pid: u32| {
            let mut kill = Command::new("kill");
            kill.args([signal, &pid.to_string()]);
            kill.status().unwrap().success()
        };
        let pid = self.child.as_ref().unwrap().id();
        // Before the signal, which may end what they are children of.
        let made = match children {
            true => children_of(pid),
            false => Vec::new(),
        };
        assert!(send(pid));
        for child in made {
            // It may have ended meanwhile by itself.
            assert!(send(child) || !Path::new(&format!("/proc/{child}")).exists());
        }
    }

    /// What the server's own client answers: a line for each row, `|` between values.
    ///
    /// # Errors
    /// What the client says is wrong.
    ///
    /// # Panics
    /// When there is no client.
    pub fn ask(&self, sql: &str) -> Result<String, String> {
        let mut command = match self.engine {
            Engine::Postgres => {
                let mut command = Command::new(postgres("psql"));
                command.args([
                    "-X",
                    "-q",
                    "-A",
                    "-t",
                    "-v",
                    "ON_ERROR_STOP=1",
                    "-P",
                    "null=NULL",
                ]);
                command.args(["-h", "127.0.0.1", "-U", "zajil", "postgres"]);
                command.args(["-p", &self.port().to_string()]);
                command
                    .env("PGPASSWORD", PASSWORD)
                    .env("PGTZ", "Asia/Tokyo");
                command
            }
            Engine::MySql => {
                let mut command = Command::new("/usr/bin/mariadb");
                command.args([
                    "--no-defaults",
                    "-N",
                    "-B",
                    "--raw",
                    "-h",
                    "127.0.0.1",
                    "-u",
                ]);
                command.args(["zajil", "--default-character-set=utf8mb4", "cdr"]);
                command.args(["-P", &self.port().to_string()]);
                if self.protection == Protection::Tls {
                    command.arg("--ssl");
                }
                command.env("MYSQL_PWD", PASSWORD);
                command
            }
        };
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        // A client that could not connect does not read.
        drop(input.write_all(sql.as_bytes()));
        drop(input);
        let (mut out, mut wrong) = (String::new(), String::new());
        child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut out)
            .unwrap();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut wrong)
            .unwrap();
        match child.wait().unwrap().success() {
            true => Ok(out.replace('\t', "|")),
            false => Err(wrong),
        }
    }

    /// Likewise, when it has to work.
    ///
    /// # Panics
    /// When it does not.
    pub fn sql(&self, sql: &str) -> String {
        self.ask(sql)
            .unwrap_or_else(|wrong| panic!("{:?}: {wrong}\n{sql}", self.engine))
    }

    /// Who the server runs as, where we are root.
    fn owner(&self) -> Option<(u32, u32)> {
        ids_of(self.engine.user())
    }

    fn as_owner(&self, program: &Path) -> Command {
        run_as(self.engine.user(), program)
    }
}

impl Drop for DatabaseServer {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // PostgreSQL ends at once, and takes along its shared memory, of which a machine has
            // so many pieces and no more. One that is stopped, and MariaDB, do not hear it.
            let quits = self.engine == Engine::Postgres
                && Command::new("kill")
                    .args(["-QUIT", &child.id().to_string()])
                    .status()
                    .is_ok_and(|sent| sent.success());
            for _ in 0..if quits { 100 } else { 0 } {
                if !matches!(child.try_wait(), Ok(None)) {
                    return;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// The numbers of a user and its group, where we are root and may become it.
fn ids_of(name: &str) -> Option<(u32, u32)> {
    if Path::new("/proc/self").metadata().unwrap().uid() != 0 {
        return None;
    }
    let id = |flag| {
        let told = Command::new("id").args([flag, name]).output().unwrap();
        String::from_utf8_lossy(&told.stdout)
            .trim()
            .parse::<u32>()
            .unwrap()
    };
    Some((id("-u"), id("-g")))
}

/// A program as this user, where we are root.
fn run_as(user: &str, program: &Path) -> Command {
    let Some((uid, gid)) = ids_of(user) else {
        return Command::new(program);
    };
    let mut command = Command::new("setpriv");
    command.args([
        "--clear-groups",
        &format!("--reuid={uid}"),
        &format!("--regid={gid}"),
    ]);
    command.arg(program);
    command
}

/// Debian keeps each version of PostgreSQL in a folder of its own; the newest one serves.
fn postgres(program: &str) -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib/postgresql").unwrap();
    let versions = folders.map(|entry| entry.unwrap().file_name());
    let newest = versions
        .filter_map(|name| name.to_str()?.parse::<u32>().ok())
        .max()
        .unwrap();
    PathBuf::from(format!("/usr/lib/postgresql/{newest}/bin/{program}"))
}

fn children_of(parent: u32) -> Vec<u32> {
    let path = format!("/proc/{parent}/task/{parent}/children");
    let text = std::fs::read_to_string(path).unwrap();
    text.split_whitespace()
        .map(|pid| pid.parse().unwrap())
        .collect()
}

#[cfg(test)]
mod tests;

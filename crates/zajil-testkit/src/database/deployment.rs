//! The reference deployment (`deploy/cluster`) on this machine: etcd, PostgreSQL under Patroni,
//! HAProxy. Its own files serve, with the addresses 10.0.0.x moved to loopback.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::{certificates, children_of, ids_of, postgres, run_as};

/// How many there are of each kind.
const MEMBERS: u8 = 3;

/// The deployment. Its processes end with it.
#[derive(Debug)]
pub struct Deployment {
    folder: TempDir,
    /// What stands for `10.0.0.`.
    net: String,
    children: BTreeMap<String, Child>,
}

impl Deployment {
    /// Everything but the nodes, which come later: three members of etcd, and three of PostgreSQL
    /// that follow each other synchronously, with the database and the user of the nodes.
    ///
    /// # Panics
    /// When it does not come up; the logs are in the message.
    pub async fn open() -> Self {
        let process = std::process::id();
        let mut deployment = Self {
            folder: tempfile::tempdir().unwrap(),
            net: format!("127.{}.{}.", 1 + ((process >> 8) & 63), process & 255),
            children: BTreeMap::new(),
        };
        deployment.prepare();
        for number in 1..=MEMBERS {
            let name = format!("etcd-{number}");
            let file = deployment.write("etcd.yml", &name, number);
            let mut command = Command::new("etcd");
            command.arg("--config-file").arg(file);
            deployment.spawn(&name, command);
        }
        for number in 1..=MEMBERS {
            deployment.start_member(number);
        }
        deployment.until_level().await;
        let (leader, _) = deployment.leader().unwrap();
        for sql in [
            "CREATE ROLE zajil LOGIN PASSWORD 'change-me'",
            "CREATE DATABASE zajil OWNER zajil",
        ] {
            deployment.ask(leader, "postgres", sql).unwrap();
        }
        deployment
    }

    /// A folder for each, which belongs to whoever uses it, and certificates for their addresses.
    fn prepare(&self) {
        let addresses: Vec<String> = (1..=MEMBERS)
            .map(|number| format!("IP:{}2{number}", self.net))
            .collect();
        certificates::make_for(self.folder.path(), &addresses.join(","));
        let open = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        open(self.folder.path(), 0o755);
        let mut owned = vec![self.path("server.key")];
        for number in 1..=MEMBERS {
            let (data, sockets) = (format!("db-{number}"), format!("run-{number}"));
            for name in [data, sockets] {
                std::fs::create_dir(self.path(&name)).unwrap();
                open(&self.path(&name), 0o700);
                owned.push(self.path(&name));
            }
        }
        open(&self.path("server.key"), 0o600);
        if let Some((uid, gid)) = ids_of("postgres") {
            for path in owned {
                chown(path, Some(uid), Some(gid)).unwrap();
            }
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where a member's database is. Patroni may move it away, so its folder is its own.
    fn data(&self, number: u8) -> PathBuf {
        self.path(&format!("db-{number}")).join("data")
    }

    /// A file of `deploy/cluster` for the member of this number, as an operator would adapt it.
    fn adapted(&self, file: &str, number: u8) -> String {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/cluster");
        let text = std::fs::read_to_string(source.join(file)).unwrap();
        let of_member = [
            ("10.0.0.11", format!("10.0.0.1{number}")),
            ("10.0.0.21", format!("10.0.0.2{number}")),
            ("10.0.0.31", format!("10.0.0.3{number}")),
            ("smsc-1", format!("smsc-{number}")),
            ("db-1", format!("db-{number}")),
            ("etcd-1", format!("etcd-{number}")),
        ];
        // A line with a comma names all of them.
        let own = |line: &str| {
            let changes = of_member.iter().filter(|_| !line.contains(','));
            changes.fold(line.to_owned(), |line, (from, to)| line.replace(from, to))
        };
        let text: Vec<String> = text.lines().map(|line| own(line) + "\n").collect();
        let folder = self.folder.path().display();
        let bin = postgres("");
        text.concat()
            // Whoever connects on loopback comes from 127.0.0.1.
            .replace("10.0.0.0/24", "127.0.0.0/8")
            .replace("10.0.0.", &self.net)
            .replace("/etc/zajil/", &format!("{folder}/"))
            .replace("/var/lib/etcd/zajil", &format!("{folder}/etcd-{number}"))
            .replace(
                "/var/lib/postgresql/zajil",
                &self.data(number).display().to_string(),
            )
            .replace("/var/run/postgresql", &format!("{folder}/run-{number}"))
            .replace("/usr/lib/postgresql/15/bin", bin.to_str().unwrap())
    }

    fn write(&self, file: &str, name: &str, number: u8) -> PathBuf {
        let path = self.path(&format!("{name}.conf"));
        std::fs::write(&path, self.adapted(file, number)).unwrap();
        path
    }

    /// The settings of a node, and its folder.
    #[must_use]
    pub fn node(&self, number: u8) -> (String, PathBuf) {
        let settings = self.adapted("zajil.toml", number);
        (settings, self.path(&format!("smsc-{number}")))
    }

    /// Starts HAProxy; answers where it takes HTTP.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn balance(&mut self) -> String {
        let file = self.write("haproxy.cfg", "haproxy", 1);
        let mut command = Command::new("/usr/sbin/haproxy");
        command.args(["-db", "-f"]).arg(file);
        self.spawn("haproxy", command);
        format!("http://{}1:8080", self.net)
    }

    fn spawn(&mut self, name: &str, mut command: Command) {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.path(&format!("{name}.log")));
        let log = log.unwrap();
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap());
        command.stderr(log).current_dir(self.folder.path());
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let before = self.children.insert(name.to_owned(), child);
        assert!(before.is_none(), "{name} runs already");
    }

    /// Starts the Patroni of a member, which starts its PostgreSQL.
    ///
    /// # Panics
    /// When it cannot be started, or runs already.
    pub fn start_member(&mut self, number: u8) {
        let name = format!("db-{number}");
        let file = self.write("patroni.yml", &name, number);
        let mut command = run_as("postgres", Path::new("patroni"));
        // As for a service of that user.
        command.arg(file).env("HOME", self.path(&name));
        self.spawn(&name, command);
    }

    /// No time for anything: Patroni and PostgreSQL of a member, as when its machine dies.
    ///
    /// # Panics
    /// When it does not run.
    pub fn kill_member(&mut self, number: u8) {
        let name = format!("db-{number}");
        let mut patroni = self.children.remove(&name).unwrap();
        let pid = std::fs::read_to_string(self.data(number).join("postmaster.pid")).unwrap();
        let pid: u32 = pid.lines().next().unwrap().parse().unwrap();
        let mut all = children_of(pid);
        all.insert(0, pid);
        patroni.kill().unwrap();
        let pids = all.iter().map(u32::to_string);
        drop(Command::new("kill").arg("-9").args(pids).status());
        patroni.wait().unwrap();
    }

    /// What a member's database answers.
    ///
    /// # Errors
    /// What is wrong.
    ///
    /// # Panics
    /// When there is no psql.
    pub fn ask(&self, member: u8, database: &str, sql: &str) -> Result<String, String> {
        let mut command = Command::new(postgres("psql"));
        command.args([
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            // Each database belongs to the user of its name.
            "-U",
            database,
        ]);
        command.args(["-h", &format!("{}2{member}", self.net), "-c", sql, database]);
        command.env("PGPASSWORD", "change-me");
        command
            .env("PGSSLMODE", "require")
            .env("PGCONNECT_TIMEOUT", "2");
        let done = command.stdin(Stdio::null()).output().unwrap();
        match done.status.success() {
            true => Ok(String::from_utf8_lossy(&done.stdout).into_owned()),
            false => Err(String::from_utf8_lossy(&done.stderr).into_owned()),
        }
    }

    /// Where the Patronis answer: `/sync` says 200 at a member that may be promoted.
    #[must_use]
    pub fn patronis(&self) -> Vec<String> {
        let members = 1..=MEMBERS;
        let address = |member| format!("http://{}2{member}:8008", self.net);
        members.map(address).collect()
    }

    /// Who takes writes, and how many follow; none while nobody does.
    #[must_use]
    pub fn leader(&self) -> Option<(u8, u8)> {
        const SQL: &str = "SELECT count(*) FILTER (WHERE state = 'streaming'), \
             count(*) FILTER (WHERE sync_state = 'sync') FROM pg_stat_replication \
             WHERE NOT pg_is_in_recovery() HAVING NOT pg_is_in_recovery()";
        (1..=MEMBERS).find_map(|member| {
            let told = self.ask(member, "postgres", SQL).ok()?;
            let (following, synchronous) = told.trim().split_once('|')?;
            let following = following.parse().ok()?;
            Some((member, if synchronous == "0" { 0 } else { following }))
        })
    }

    /// Until somebody leads and all others follow, one of them synchronously; answers who leads.
    ///
    /// # Panics
    /// When that takes more than two minutes.
    pub async fn until_level(&mut self) -> u8 {
        let mut tick = tokio::time::interval(Duration::from_millis(300));
        for _ in 0..400 {
            tick.tick().await;
            if let Some((leader, following)) = self.leader()
                && following == MEMBERS - 1
            {
                return leader;
            }
        }
        panic!("{}", self.logs());
    }

    /// The ends of what they have said.
    fn logs(&self) -> String {
        let mut told = String::new();
        for name in self.children.keys() {
            let log = std::fs::read_to_string(self.path(&format!("{name}.log")));
            let log = log.unwrap_or_default();
            let lines: Vec<&str> = log.lines().rev().take(15).collect();
            let lines: Vec<&str> = lines.into_iter().rev().collect();
            writeln!(told, "== {name}\n{}", lines.join("\n")).unwrap();
        }
        told
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        for number in 1..=MEMBERS {
            if self.children.contains_key(&format!("db-{number}")) {
                let file = self.data(number).join("postmaster.pid");
                let pid = std::fs::read_to_string(file).unwrap_or_default();
                let patroni = self.children.get_mut(&format!("db-{number}"));
                drop(patroni.map(Child::kill));
                if let Some(pid) = pid.lines().next() {
                    // At once, but its children end with it.
                    drop(Command::new("kill").args(["-QUIT", pid]).status());
                }
            }
        }
        for child in self.children.values_mut() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

//! A second PostgreSQL that follows a first one, and takes its place.

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::time::Duration;

use crate::port::Port;

use super::{DatabaseServer, Engine, PASSWORD, Protection, postgres};

impl DatabaseServer {
    /// A copy of this server that follows it. From now on this one answers a commit only when that
    /// one has it as well (`synchronous_standby_names`), and they are known to be level once this
    /// returns. On `port`, or one of its own.
    ///
    /// # Panics
    /// When it cannot be made, as [`DatabaseServer::open`].
    pub async fn standby(&self, port: Option<Port>) -> Self {
        assert_eq!(
            self.engine,
            Engine::Postgres,
            "only PostgreSQL has standbys"
        );
        let folder = tempfile::tempdir().unwrap();
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.path(), open).unwrap();
        let mut standby = Self {
            engine: self.engine,
            protection: Protection::Plain,
            folder,
            port: port.unwrap_or_else(Port::any),
            also: Vec::new(),
            settings: Vec::new(),
            child: None,
        };
        let data = standby.path("data");
        std::fs::create_dir(&data).unwrap();
        std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o700)).unwrap();
        if let Some((uid, gid)) = standby.owner() {
            chown(&data, Some(uid), Some(gid)).unwrap();
        }
        let source = format!(
            "host=127.0.0.1 port={} user=zajil password='{PASSWORD}' application_name=standby",
            self.port()
        );
        let mut command = standby.as_owner(&postgres("pg_basebackup"));
        command.args(["--no-sync", "-R", "-X", "stream", "-c", "fast", "-D"]);
        command.arg(&data).args(["-d", &source]);
        let done = command.output().unwrap();
        let told = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{told}");
        standby.start().await;
        self.sql("ALTER SYSTEM SET synchronous_standby_names = 'standby'");
        self.sql("SELECT pg_reload_conf()");
        let level = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        let mut tick = tokio::time::interval(Duration::from_millis(50));
        for _ in 0..600 {
            tick.tick().await;
            if self.sql(level).trim() == "1" {
                return standby;
            }
        }
        panic!("the standby does not follow");
    }

    /// Makes a standby the one that takes writes; returns once it does.
    ///
    /// # Panics
    /// When it does not.
    pub async fn promote(&self) {
        // It does not wait for the end: the snapshot that it would wait with may be in the way of
        // what is still to be replayed.
        assert_eq!(self.sql("SELECT pg_promote(false)").trim(), "t");
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        for _ in 0..3_000 {
            tick.tick().await;
            let follows = self.ask("SELECT pg_is_in_recovery()");
            if follows.is_ok_and(|told| told.trim() == "f") {
                return;
            }
        }
        panic!("the standby still follows");
    }
}

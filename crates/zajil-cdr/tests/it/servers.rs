//! The databases of the tests: an SQLite file, and servers from the testkit.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use zajil_cdr::server::Server;
use zajil_cdr::{Database, SqliteSink};
use zajil_telemetry::Telemetry;
use zajil_testkit::database::{self, DatabaseServer};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Sqlite,
    Postgres,
    MySql,
}

/// A database for one test. The server, if there is one, ends with it.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) kind: Kind,
    pub(super) telemetry: Arc<Telemetry>,
    folder: TempDir,
    machine: Option<DatabaseServer>,
}

impl Site {
    /// A running database; none unless slow tests are asked for, which start servers.
    pub(super) async fn open(kind: Kind) -> Option<Self> {
        if kind != Kind::Sqlite && std::env::var_os("SLOW_TESTS").is_none() {
            return None;
        }
        let machine = match kind {
            Kind::Sqlite => None,
            Kind::Postgres => Some(DatabaseServer::open(database::Engine::Postgres).await),
            Kind::MySql => Some(DatabaseServer::open(database::Engine::MySql).await),
        };
        Some(Self {
            kind,
            telemetry: Arc::new(Telemetry::new().unwrap()),
            folder: tempfile::tempdir().unwrap(),
            machine,
        })
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn machine(&mut self) -> &mut DatabaseServer {
        self.machine.as_mut().unwrap()
    }

    pub(super) fn server(&self) -> Server {
        let mut server = Server::parse(&self.machine.as_ref().unwrap().url()).unwrap();
        server.connect_timeout = Duration::from_secs(2);
        server.statement_timeout = Duration::from_secs(10);
        server
    }

    pub(super) fn sink(&self) -> Arc<dyn Database> {
        match self.kind {
            Kind::Sqlite => Arc::new(SqliteSink::open(&self.path("cdr.db")).unwrap()),
            _ => self.sink_at(&self.server()),
        }
    }

    pub(super) fn sink_at(&self, server: &Server) -> Arc<dyn Database> {
        zajil_cdr::database::open(server, Arc::clone(&self.telemetry)).unwrap()
    }

    pub(super) async fn start(&mut self) {
        self.machine().start().await;
    }

    pub(super) async fn stop(&mut self) {
        self.machine().stop().await;
    }

    pub(super) fn kill(&mut self) {
        self.machine().kill();
    }

    pub(super) fn signal(&self, signal: &str, children: bool) {
        self.machine.as_ref().unwrap().signal(signal, children);
    }

    pub(super) fn ask(&self, sql: &str) -> Result<String, String> {
        match &self.machine {
            None => ask_sqlite(&self.path("cdr.db"), sql),
            Some(machine) => machine.ask(sql),
        }
    }

    /// Likewise, when it has to work.
    pub(super) fn sql(&self, sql: &str) -> String {
        self.ask(sql)
            .unwrap_or_else(|wrong| panic!("{:?}: {wrong}\n{sql}", self.kind))
    }
}

fn ask_sqlite(path: &Path, sql: &str) -> Result<String, String> {
    use rusqlite::fallible_iterator::FallibleIterator as _;
    use rusqlite::types::Value;
    let run = || -> rusqlite::Result<String> {
        let db = rusqlite::Connection::open(path)?;
        let mut text = String::new();
        let mut batch = rusqlite::Batch::new(&db, sql);
        while let Some(mut statement) = batch.next()? {
            let columns = statement.column_count();
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let values = (0..columns).map(|column| {
                    Ok(match row.get(column)? {
                        Value::Null => "NULL".to_owned(),
                        Value::Integer(number) => number.to_string(),
                        Value::Real(number) => number.to_string(),
                        Value::Text(text) => text,
                        Value::Blob(_) => "blob".to_owned(),
                    })
                });
                let values: rusqlite::Result<Vec<String>> = values.collect();
                text += &format!("{}\n", values?.join("|"));
            }
        }
        Ok(text)
    };
    run().map_err(|error| error.to_string())
}

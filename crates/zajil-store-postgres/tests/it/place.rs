//! A database server, and stores in schemas of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use zajil_database::Server;
use zajil_store::Store;
use zajil_store::conformance::{Boxed, Home};
use zajil_store_postgres::{Options, PostgresStore};
use zajil_testkit::database::{DatabaseServer, Engine};

/// A schema; what is in it ends with its server.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) server: Server,
    pub(crate) name: String,
    /// So many new messages share rows.
    pub(crate) least_run: u32,
}

/// A server that answers, and a way to it; none in a quick run of the suite.
pub(crate) async fn database() -> Option<(DatabaseServer, Server)> {
    if !zajil_testkit::slow::asked_for() {
        return None;
    }
    let database = DatabaseServer::open(Engine::Postgres).await;
    let mut server = Server::parse(&database.url()).unwrap();
    server.pool_size = 5;
    server.connect_timeout = Duration::from_secs(60);
    server.statement_timeout = Duration::from_secs(60);
    Some((database, server))
}

impl Schema {
    /// An empty one.
    pub(crate) fn new(server: &Server) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self {
            server: server.clone(),
            name: format!("z{number}"),
            least_run: Options::default().least_run,
        }
    }

    /// An empty one, where every new message that can be stands in a run.
    pub(crate) fn of_runs(server: &Server) -> Self {
        Self {
            least_run: 1,
            ..Self::new(server)
        }
    }

    /// An empty one, where no message does.
    pub(crate) fn without_runs(server: &Server) -> Self {
        Self {
            least_run: 0,
            ..Self::new(server)
        }
    }

    /// Another process that shares it, as far as the database can tell.
    pub(crate) async fn node(&self) -> PostgresStore {
        self.node_by(&self.server).await
    }

    /// One that reaches the database in another way.
    pub(crate) async fn node_by(&self, server: &Server) -> PostgresStore {
        self.node_with(server, Options::default().writers).await
    }

    /// One with so many writers.
    pub(crate) async fn node_with(&self, server: &Server, writers: u32) -> PostgresStore {
        let options = Options {
            schema: self.name.clone(),
            writers,
            least_run: self.least_run,
            // The machine that tests run on may be slow.
            answer_within: Duration::from_secs(60),
            ..Options::default()
        };
        PostgresStore::open(server, options).await.unwrap()
    }
}

impl Home for Schema {
    fn open(&self) -> Boxed<'_, Arc<dyn Store>> {
        Box::pin(async { Arc::new(self.node().await) as Arc<dyn Store> })
    }
}

//! PgBouncer before the database.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use zajil_core::frontend::FrontendName;
use zajil_core::lifecycle::Report;
use zajil_core::offer::Asker;
use zajil_database::Server;
use zajil_store::Store as _;
use zajil_store::cluster::{Cluster as _, Hint};
use zajil_store::contract::OfferAsk;
use zajil_store_postgres::{Options, PostgresStore};
use zajil_testkit::port::Port;

use crate::make::{at, draft, id, scene};
use crate::nodes::called;
use crate::place::{Schema, database};

/// A pooler for one test; ends with it.
struct Pooler {
    child: Child,
    port: Port,
    folder: TempDir,
}

impl Pooler {
    /// Gives it another mode without closing a connection, as an operator does.
    fn reload(&self, mode: &str) {
        let path = self.folder.path().join("pgbouncer.ini");
        let settings = std::fs::read_to_string(&path).unwrap();
        let lines = settings.lines().map(|line| match line {
            line if line.starts_with("pool_mode") => format!("pool_mode = {mode}\n"),
            line => format!("{line}\n"),
        });
        let settings: String = lines.collect();
        std::fs::write(&path, settings).unwrap();
        let pid = self.child.id().to_string();
        let told = Command::new("kill").args(["-HUP", &pid]).status();
        assert!(told.unwrap().success());
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn program() -> PathBuf {
    let places = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"];
    let found = places.iter().map(Path::new).find(|place| place.exists());
    found.expect("Debian's package pgbouncer").to_owned()
}

/// Starts one, and lets the way to the server go through it.
async fn before(server: &mut Server, mode: &str) -> Pooler {
    let pooler = start(server, mode, Port::any()).await;
    server.hosts[0].port = pooler.port.number();
    pooler
}

/// Starts one at a port, before a server.
async fn start(server: &Server, mode: &str, port: Port) -> Pooler {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let open = |path: &Path| {
        let all = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(path, all).unwrap();
    };
    let (database, host) = (&server.database, &server.hosts[0]);
    let settings = format!(
        "[databases]\n{database} = host={} port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
         listen_port = {}\nunix_socket_dir =\nauth_type = trust\nauth_file = {}\n\
         pool_mode = {mode}\ndefault_pool_size = 50\n",
        host.name,
        host.port,
        port.number(),
        path("users").display(),
    );
    std::fs::write(path("pgbouncer.ini"), settings).unwrap();
    let user = format!("\"{}\" \"{}\"\n", server.user, server.password.0);
    std::fs::write(path("users"), user).unwrap();
    for place in [folder.path(), &path("pgbouncer.ini"), &path("users")] {
        open(place);
    }
    let mut command = Command::new(program());
    // It refuses to run as root.
    command
        .args(["-q", "-u", "postgres"])
        .arg(path("pgbouncer.ini"));
    let log = std::fs::File::create(path("log")).unwrap();
    command
        .stdin(Stdio::null())
        .stderr(log.try_clone().unwrap())
        .stdout(log);
    let pooler = Pooler {
        child: command.spawn().unwrap(),
        port,
        folder,
    };
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    for _ in 0..1_000 {
        tick.tick().await;
        if std::net::TcpStream::connect(("127.0.0.1", pooler.port.number())).is_ok() {
            return pooler;
        }
    }
    panic!("PgBouncer does not listen");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s11_2_a_pooler_that_hands_connections_on_is_refused_and_says_why() {
    let Some((database, server)) = database().await else {
        return;
    };
    for mode in ["transaction", "statement"] {
        let mut server = server.clone();
        let _pooler = before(&mut server, mode).await;
        let refused = PostgresStore::open(&server, Options::default()).await;
        let told = zajil_telemetry::chain(&refused.unwrap_err());
        assert!(told.contains("pool_mode = session"), "{mode}: {told}");
    }
    // Nothing was made or locked.
    let made = "SELECT count(*) FROM pg_namespace WHERE nspname = 'zajil'";
    assert_eq!(database.sql(made).trim(), "0");
    let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'";
    assert_eq!(database.sql(locks).trim(), "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s11_2_behind_a_pooler_whose_connections_last_two_nodes_work() {
    let Some((_database, mut server)) = database().await else {
        return;
    };
    let _pooler = before(&mut server, "session").await;
    let schema = Schema::new(&server);
    let (one, other) = (schema.node().await, schema.node().await);
    assert_eq!(one.join(called("one")).await.unwrap().get(), 0);
    assert_eq!(other.join(called("other")).await.unwrap().get(), 1);
    let gw = FrontendName::parse("gw").unwrap();
    let hint = async { while other.hint().await.unwrap() != Hint::Queue(Some(gw.clone())) {} };
    let accept = async { one.accept(vec![draft(1, "gw", 0)], at(0)).await.unwrap() };
    let both = async { tokio::join!(hint, accept) };
    let heard = tokio::time::timeout(Duration::from_secs(60), both).await;
    assert!(heard.is_ok(), "no hint came through");
    let ask = OfferAsk {
        asker: Asker {
            name: gw.clone(),
            include_unrouted: false,
        },
        limit: 1,
        now: at(5),
    };
    assert_eq!(other.lease(ask, at(60)).await.unwrap()[0].id, id(1));
    let delivered = Report::Delivered { by: None, at: None };
    let reported = one.report(vec![(id(1), delivered)], scene(6)).await;
    assert!(reported.unwrap()[0].is_ok());
    one.close().await.unwrap();
    assert_eq!(other.members().await.unwrap().len(), 1);
}

/// As when somebody changes what a name in the way to the database leads to.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s11_2_a_pooler_that_comes_while_a_node_works_is_noticed_and_named_until_it_has_gone() {
    let Some((_database, straight)) = database().await else {
        return;
    };
    let mut server = straight.clone();
    let lasting = before(&mut server, "session").await;
    let port = lasting.port.clone();
    let schema = Schema::new(&server);
    let store = schema.node().await;
    store.accept(vec![draft(1, "gw", 0)], at(0)).await.unwrap();
    drop(lasting);
    let pooler = start(&straight, "transaction", port.clone()).await;
    let mut number = 1;
    let mut tick = tokio::time::interval(Duration::from_millis(50));
    let mut until = async |good: bool| {
        for _ in 0..1_200 {
            tick.tick().await;
            number += 1;
            let stored = store.accept(vec![draft(number, "gw", 0)], at(0)).await;
            drop(store.message(id(1)).await);
            match stored {
                Ok(_) if good => return,
                Err(error) if !good && error.to_string().contains("pool_mode = session") => return,
                _ => {}
            }
        }
        panic!("not so within a minute: {good}");
    };
    until(false).await;
    // It stays so.
    for number in 1_000_000..1_000_010 {
        let refused = store.accept(vec![draft(number, "gw", 0)], at(0)).await;
        refused.unwrap_err();
    }
    drop(pooler);
    let _lasting = start(&straight, "session", port).await;
    until(true).await;
    assert!(store.message(id(1)).await.unwrap().is_some());
}

/// That closes no connection: the first one that is given to somebody else knows no statement, and
/// the next one is served by what serves another.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s11_2_a_pooler_that_is_told_to_hand_connections_on_is_noticed_by_a_busy_node() {
    let Some((_database, mut server)) = database().await else {
        return;
    };
    let pooler = before(&mut server, "session").await;
    let schema = Schema::new(&server);
    let store = schema.node().await;
    store.accept(vec![draft(1, "gw", 0)], at(0)).await.unwrap();
    pooler.reload("transaction");
    let begun = tokio::time::Instant::now();
    let mut number = 1;
    let told = loop {
        number += 1;
        drop(store.message(id(1)).await);
        let stored = store.accept(vec![draft(number, "gw", 0)], at(0)).await;
        match stored {
            Err(error) if error.to_string().contains("pool_mode = session") => break error,
            _ => assert!(begun.elapsed() < Duration::from_secs(60), "{stored:?}"),
        }
    };
    println!("{told} after {:?}, {number} submits", begun.elapsed());
}

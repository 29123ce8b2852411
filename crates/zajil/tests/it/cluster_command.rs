//! `zajil cluster` against real nodes, and what a name service says of them (S11.2).

use std::net::SocketAddr;
use std::path::Path;

use hickory_resolver::proto::rr::rdata::A;
use hickory_resolver::proto::rr::{RData, RecordType};
use serde_json::{Value, json};
use zajil_testkit::database::{DatabaseServer, Engine};

use crate::command_line::{text, zajil};
use crate::history::until;
use crate::name_server::name_server;
use crate::server::Server;

/// Says of every name that it is here and at one other place.
fn here_and_there() -> SocketAddr {
    let places = [A::new(127, 0, 0, 1), A::new(198, 18, 0, 9)];
    name_server(move |_, asked| match asked {
        RecordType::A => Some(places.map(RData::A).to_vec()),
        _ => Some(Vec::new()),
    })
}

fn node(data: &Path, database: &DatabaseServer, name: &str, servers: SocketAddr) -> Server {
    let url = database.url();
    let settings = format!(
        "[node]\nsmsc_node_name = \"{name}\"\ncluster_nodes = [\"n-1\", \"n-2\"]\n\
         dns_cluster_query = \"nodes.example\"\ndns_cluster_servers = [\"{servers}\"]\n\
         [store]\nurl = \"{url}\"\n[cdr]\ncdr_url = \"{url}\"\n"
    );
    Server::configured(&data.join(name), &settings)
}

/// What the command prints, and how it ends.
fn cluster(server: &Server, words: &[&str]) -> (i32, String, String) {
    let all = [&["cluster"], words, &["--server", &server.base]].concat();
    let done = zajil(&all);
    let code = done.status.code().unwrap();
    (code, text(&done.stdout), text(&done.stderr))
}

/// The line about a node.
fn line(shown: &str, name: &str) -> String {
    let found = shown
        .lines()
        .find(|line| line.split_whitespace().next() == Some(name));
    found
        .unwrap_or_else(|| panic!("{name} is not in {shown}"))
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_2_the_command_shows_who_is_there_and_takes_a_node_out() {
    if std::env::var_os("SLOW_TESTS").is_none() {
        println!("SKIPPED: set SLOW_TESTS=1 to run it");
        return;
    }
    let database = DatabaseServer::open(Engine::Postgres).await;
    let data = tempfile::tempdir().unwrap();
    let dns = here_and_there();
    let one = node(data.path(), &database, "n-1", dns);
    let (code, shown, _) = cluster(&one, &["status"]);
    assert_eq!(code, 0, "{shown}");
    assert!(line(&shown, "n-1").contains("up"), "{shown}");
    assert!(shown.contains("missing: n-2\n"), "{shown}");
    assert!(shown.contains("missing: 198.18.0.9\n"), "{shown}");
    let two = node(data.path(), &database, "n-2", dns);
    let (_, shown, _) = cluster(&one, &["status"]);
    assert!(line(&shown, "n-2").contains("up"), "{shown}");
    assert!(!shown.contains("missing: n-2"), "{shown}");

    let (status, told) = one.client().call("GET", "/api/cluster", &Value::Null);
    assert_eq!(status, 200, "{told}");
    let peers = told["data"]["peers"].as_array().unwrap();
    let at = |address: &str| {
        let mut peers = peers.iter();
        peers
            .find(|peer| peer["addresses"] == json!([address]))
            .unwrap()
    };
    assert_eq!(at("127.0.0.1")["node"], json!("n-1"));
    assert_eq!(at("198.18.0.9")["node"], Value::Null);
    assert_eq!(told["data"]["peers_error"], Value::Null);

    // Told to one node about the other.
    let (code, shown, _) = cluster(&one, &["drain", "n-2"]);
    assert_eq!(code, 0, "{shown}");
    assert!(line(&shown, "n-2").contains("draining"), "{shown}");
    let ready = || two.client().call("GET", "/readyz", &Value::Null).0;
    until("n-2 is drained", || ready() == 503);
    let (code, shown, _) = cluster(&two, &["resume", "n-2"]);
    assert_eq!(code, 0, "{shown}");
    until("n-2 is ready", || ready() == 200);
    let (code, _, why) = cluster(&one, &["drain", "n-9"]);
    assert_ne!(code, 0);
    assert!(why.contains("node n-9 not found"), "{why}");

    two.kill();
    until("n-2 is seen to be gone", || {
        let (_, shown, _) = cluster(&one, &["status"]);
        line(&shown, "n-2").contains("absent") && shown.contains("missing: n-2\n")
    });
    assert_eq!(one.stop(), Some(0));
}

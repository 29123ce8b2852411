//! Nodes that share a PostgreSQL: any may die, the database may go away, nothing is lost.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use zajil_testkit::database::{DatabaseServer, Engine};

use crate::command_line::{text, zajil};
use crate::history::{Load, finish, until};
use crate::server::{Client, Server};

fn skipped() -> bool {
    let skipped = std::env::var_os("SLOW_TESTS").is_none();
    if skipped {
        println!("SKIPPED: set SLOW_TESTS=1 to run it");
    }
    skipped
}

/// A node of the cluster, with a directory of its own.
fn node(data: &Path, database: &DatabaseServer, name: &str) -> Server {
    node_with_clock_off(data, database, (name, 0))
}

/// One on a machine whose clock is wrong by so many seconds.
fn node_with_clock_off(
    data: &Path,
    database: &DatabaseServer,
    (name, seconds): (&str, i64),
) -> Server {
    let settings = settings(database, name);
    Server::with_clock_off(&data.join(name), &settings, seconds)
}

fn settings(database: &DatabaseServer, name: &str) -> String {
    let url = database.url();
    format!(
        "[node]\nsmsc_node_name = \"{name}\"\n[store]\nurl = \"{url}\"\n\
         [cdr]\ncdr_url = \"{url}\"\n"
    )
}

fn submit(client: &Client, text: &str) -> (u16, Value) {
    let body = json!({
        "destination_msisdn": "+15550001111", "message_body": text, "source_smsc": "test",
    });
    client.call("POST", "/api/messages", &body)
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_2_nodes_see_each_other_and_what_each_has_done() {
    if skipped() {
        return;
    }
    let database = DatabaseServer::open(Engine::Postgres).await;
    let data = tempfile::tempdir().unwrap();
    let servers = ["a", "b"].map(|name| node(data.path(), &database, name));
    let [a, b] = servers.each_ref().map(Server::client);

    let (status, cluster) = a.call("GET", "/api/cluster", &Value::Null);
    assert_eq!(status, 200, "{cluster}");
    let nodes = cluster["data"]["nodes"].as_array().unwrap();
    let shown: Vec<_> = nodes
        .iter()
        .map(|node| {
            (
                node["name"].as_str(),
                node["status"].as_str(),
                &node["number"],
            )
        })
        .collect();
    let (up, zero, one) = (Some("up"), json!(0), json!(1));
    assert_eq!(shown, [(Some("a"), up, &zero), (Some("b"), up, &one)]);

    // A poller at one node hears of a submit at the other long before its wait is over.
    let poller = b.clone();
    let waiting = std::thread::spawn(move || {
        let path = "/api/messages/queue?smsc=gw&wait=50&lease=60";
        let headers = [("include-unrouted", "true")];
        poller
            .try_call(("GET", path), &headers, &Value::Null)
            .unwrap()
    });
    let (status, sent) = submit(&a, "wake up");
    assert_eq!(status, 201, "{sent}");
    let (status, got) = waiting.join().unwrap();
    assert_eq!((status, &got["data"][0]["id"]), (200, &sent["data"]["id"]));

    // A route that is made at one node routes at the other.
    let route = json!({ "called_prefix": "+1555", "dest_smsc": "gw", "priority": 1 });
    let (status, made) = a.call("POST", "/api/routes", &route);
    assert_eq!(status, 201, "{made}");
    until("the route is known", || {
        submit(&b, "routed").1["data"]["dest_smsc"] == json!("gw")
    });

    // What an operator says to one node about another reaches it.
    let (status, told) = a.call("POST", "/api/cluster/b/drain", &Value::Null);
    assert_eq!(status, 200, "{told}");
    until("b says that it is drained", || {
        b.call("GET", "/readyz", &Value::Null).0 == 503
    });
    assert_eq!(submit(&b, "refused").0, 503);
    assert_eq!(submit(&a, "taken").0, 201);
    a.call("POST", "/api/cluster/b/resume", &Value::Null);
    until("b takes submits again", || {
        submit(&b, "taken again").0 == 201
    });
    for server in servers {
        assert_eq!(server.stop(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn d15_while_the_database_is_away_nodes_say_so_and_afterwards_go_on() {
    if skipped() {
        return;
    }
    let mut database = DatabaseServer::open(Engine::Postgres).await;
    let data = tempfile::tempdir().unwrap();
    let server = node(data.path(), &database, "a");
    let client = server.client();
    let (status, first) = submit(&client, "before");
    assert_eq!(status, 201);
    for silent in [false, true] {
        if silent {
            // It holds its connections and answers nothing, as behind a cut cable.
            database.signal("-STOP", true);
        } else {
            database.kill();
        }
        for _ in 0..3 {
            let (status, refused) = submit(&client, "meanwhile");
            assert_eq!(status, 503, "{refused}");
        }
        assert_eq!(client.call("GET", "/readyz", &Value::Null).0, 503);
        if silent {
            database.signal("-CONT", true);
        } else {
            database.start().await;
        }
        until("submits are taken again", || {
            submit(&client, "after").0 == 201
        });
    }
    let path = format!("/api/messages/{}", first["data"]["id"]);
    assert_eq!(client.call("GET", &path, &Value::Null).0, 200);
    assert_eq!(server.stop(), Some(0));
}

/// How many times each node dies, and how often each of six clients begins a round of 20 messages:
/// 1,000 a second in the long form (`DEATHS`), as fast as they are answered in the short one.
fn plan() -> (u32, Option<Duration>) {
    let pace = Duration::from_millis(120);
    let deaths = std::env::var_os("DEATHS");
    deaths.map_or((3, None), |deaths| {
        let deaths = deaths.to_str().unwrap();
        (deaths.parse().unwrap(), Some(pace))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn d5_d11_three_nodes_that_die_at_random_lose_nothing_and_double_nothing() {
    if skipped() {
        return;
    }
    let database = DatabaseServer::open(Engine::Postgres).await;
    let data = tempfile::tempdir().unwrap();
    // ADR 14: a wrong clock of a machine does no harm. One is 5 minutes ahead, one behind.
    let names = [("a", 0), ("b", 300), ("c", -300)];
    let node = |name| node_with_clock_off(data.path(), &database, name);
    let mut servers = names.map(|name| Some(node(name)));
    let bases = servers.iter().flatten().map(|server| server.base.clone());
    let (deaths, pace) = plan();
    let load = Load::new(bases.collect(), pace);
    let clients = load.start(6);
    let mut chance = u64::from(std::process::id());
    println!("seed {chance}");
    let mut left = [deaths; 3];
    while left.iter().any(|deaths| *deaths > 0) {
        chance = chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let victim = usize::try_from((chance >> 20) % 3).unwrap();
        if left[victim] == 0 {
            continue;
        }
        left[victim] -= 1;
        std::thread::park_timeout(Duration::from_millis(300 + (chance >> 33) % 700));
        servers[victim].take().unwrap().kill();
        let server = node(names[victim]);
        load.bases.lock().unwrap()[victim].clone_from(&server.base);
        servers[victim] = Some(server);
    }
    let history = load.end(clients);
    let clients: Vec<_> = servers.iter().flatten().map(Server::client).collect();
    let sql = |text: &str| database.sql(text);
    history.check(&clients, sql);
    finish(&clients, sql);
    for server in servers.into_iter().flatten() {
        assert_eq!(server.stop(), Some(0));
    }
}

/// `FORMER_ZAJIL` names the program of a former version; without it there is none to replace.
#[tokio::test(flavor = "multi_thread")]
async fn adr15_nodes_of_a_former_version_are_replaced_one_by_one_under_load() {
    let Some(former) = std::env::var_os("FORMER_ZAJIL") else {
        println!("SKIPPED: set FORMER_ZAJIL to the program of a former version to run it");
        return;
    };
    let database = DatabaseServer::open(Engine::Postgres).await;
    let data = tempfile::tempdir().unwrap();
    let names = ["a", "b", "c"];
    let mut servers = names.map(|name| {
        let settings = settings(&database, name);
        Server::of_program(Path::new(&former), &data.path().join(name), &settings)
    });
    let form = || database.sql("SELECT version FROM zajil.form");
    let before = form();
    let bases = servers.iter().map(|server| server.base.clone());
    let load = Load::new(bases.collect(), None);
    let clients = load.start(3);
    let works = || {
        let (_, accepted) = load.progress();
        until("the cluster goes on", || load.progress().1 > accepted + 300);
    };
    works();
    for (place, name) in names.into_iter().enumerate() {
        let next = node(data.path(), &database, &format!("{name}-next"));
        load.bases.lock().unwrap()[place].clone_from(&next.base);
        let stopped = std::mem::replace(&mut servers[place], next).stop();
        assert_eq!(stopped, Some(0), "{name}");
        works();
    }
    println!("tables of form {}, then {}", before.trim(), form().trim());
    let history = load.end(clients);
    let clients: Vec<_> = servers.iter().map(Server::client).collect();
    let sql = |text: &str| database.sql(text);
    history.check(&clients, sql);
    finish(&clients, sql);
    for server in servers {
        assert_eq!(server.stop(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_8_the_first_key_of_a_cluster_is_made_in_its_database_while_nodes_run() {
    if skipped() {
        return;
    }
    let database = DatabaseServer::open(Engine::Postgres).await;
    let data = tempfile::tempdir().unwrap();
    let nodes = ["a", "b"].map(|name| {
        let settings = format!(
            "[node]\nsmsc_node_name = \"{name}\"\n[store]\nurl = \"{}\"\n\
             [api]\naccess = \"required\"\n",
            database.url()
        );
        Server::configured(&data.path().join(name), &settings)
    });
    let asks = |server: &Server, key: &str| {
        let header = format!("Bearer {key}");
        let headers = [("authorization", header.as_str())];
        let call = ("GET", "/api/keys");
        let answer = server.client().try_call(call, &headers, &Value::Null);
        answer.unwrap()
    };
    for server in &nodes {
        assert_eq!(asks(server, "zjl_none").0, 401);
    }
    let file = data.path().join("a").join("zajil.toml");
    let make = |scope: &str| {
        let config = ["--config", file.to_str().unwrap()];
        let mut words = vec!["key", "create", "--name", "ops", "--scope", scope];
        words.extend(config);
        zajil(&words)
    };
    let refused = make("everything");
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("scopes"), "{refused:?}");
    let made = make("admin");
    assert!(made.status.success(), "{}", text(&made.stderr));
    let key = text(&made.stdout).trim().to_owned();
    for server in &nodes {
        until("the key opens", || asks(server, &key).0 == 200);
        let (_, listed) = asks(server, &key);
        let names: Vec<_> = listed["data"].as_array().unwrap().iter().collect();
        assert_eq!(names.len(), 1, "{listed}");
        assert_eq!(names[0]["name"], json!("ops"));
    }
    for server in nodes {
        assert_eq!(server.stop(), Some(0));
    }
}

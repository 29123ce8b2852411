//! The reference deployment (`deploy/cluster`): a leader under Patroni dies again and again.

use std::time::Duration;

use serde_json::Value;
use zajil_telemetry::Stopwatch;
use zajil_testkit::database::Deployment;

use crate::history::{Load, finish, until};
use crate::server::{Client, Server};

/// A node promises to take submits again so soon after somebody leads the database.
const BACK: Duration = Duration::from_secs(10);

/// How often the leader dies; none: not now, it takes minutes.
fn kills() -> Option<u32> {
    let kills = std::env::var_os("PATRONI_KILLS");
    if kills.is_none() {
        println!("SKIPPED: set PATRONI_KILLS=5 to run it");
    }
    kills.map(|kills| kills.to_str().unwrap().parse().unwrap())
}

#[test]
fn s11_2_the_load_balancers_example_is_understood_by_it() {
    if std::env::var_os("SLOW_TESTS").is_none() {
        println!("SKIPPED: set SLOW_TESTS=1 to run it");
        return;
    }
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../deploy/cluster/haproxy.cfg"
    );
    let mut command = std::process::Command::new("/usr/sbin/haproxy");
    let done = command.args(["-c", "-f", file]).output().unwrap();
    let told = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{told}");
    assert!(!told.contains("WARNING"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn d5_patronis_leader_dies_under_load_and_nothing_acknowledged_is_lost() {
    let Some(kills) = kills() else {
        return;
    };
    let mut deployment = Deployment::open().await;
    let servers = [1, 2].map(|number| {
        let (settings, data) = deployment.node(number);
        // Loopback has nobody to keep out.
        let settings = settings.replace("[api]\n", "[api]\naccess = \"open\"\n");
        Server::at_its_address(&data, &settings)
    });
    let base = deployment.balance();
    until("the load balancer has found the nodes", || {
        let ready = Client::new(&base).try_call(("GET", "/readyz"), &[], &Value::Null);
        ready.is_some_and(|(status, _)| status == 200)
    });
    let load = Load::new(vec![base], None);
    let clients = load.start(4);
    for kill in 1..=kills {
        let leader = deployment.until_level().await;
        // Patroni promotes only whom it has noted as synchronous, or nobody.
        until("a standby may be promoted", || {
            deployment.patronis().iter().any(|patroni| {
                let told = Client::new(patroni).try_call(("GET", "/sync"), &[], &Value::Null);
                told.is_some_and(|(status, _)| status == 200)
            })
        });
        let (_, before) = load.progress();
        until("the load goes on", || load.progress().1 > before + 200);
        deployment.kill_member(leader);
        let killed = Stopwatch::start();
        until("somebody else leads", || {
            deployment.leader().is_some_and(|(next, _)| next != leader)
        });
        let (elected, led) = (killed.elapsed(), load.watch.elapsed());
        until("submits are taken", || load.progress().0 > led);
        let back = load.progress().0.saturating_sub(led);
        println!("kill {kill}: a new leader after {elected:.1?}, submits {back:.1?} later");
        assert!(
            back < BACK,
            "service is back only {back:?} after the leader"
        );
        deployment.start_member(leader);
    }
    let leader = deployment.until_level().await;
    let history = load.end(clients);
    let nodes: Vec<_> = servers.iter().map(Server::client).collect();
    let sql = |text: &str| deployment.ask(leader, "zajil", text).unwrap();
    history.check(&nodes, sql);
    finish(&nodes, sql);
    for server in servers {
        assert_eq!(server.stop(), Some(0));
    }
}

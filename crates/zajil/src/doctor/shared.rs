//! The store that nodes share: whether it answers, and who is there.

use zajil_store::cluster::{Cluster as _, Discovery as _, Peer};
use zajil_store_postgres::{Options, PostgresStore};

use super::check::Check;
use crate::config::Shared;

const NAME: &str = "store";

/// Asks the database, as the server would. Makes the tables when they are not there.
pub(super) fn checks(shared: &Shared) -> Vec<Check> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(ask(shared)),
        Err(error) => vec![Check::fail(NAME, format!("no runtime: {error}"))],
    }
}

async fn ask(shared: &Shared) -> Vec<Check> {
    let options = Options {
        schema: shared.schema.clone(),
        ..Options::default()
    };
    let store = match PostgresStore::open(&shared.server, options).await {
        Ok(store) => store,
        Err(error) => {
            let chain = zajil_telemetry::chain(&error);
            return vec![Check::fail(NAME, chain).remedy(
                "see whether a host of store.url takes writes, and whether its user may create \
                 the schema; clients are answered 503 meanwhile",
            )];
        }
    };
    let (time, members) = (store.time().await, store.members().await);
    let (Ok(now), Ok(members)) = (time, members) else {
        let told = format!("{} answers and then does not", shared.server);
        return vec![Check::fail(NAME, told).remedy("see the database's log")];
    };
    let there = |name: &str| {
        let mut members = members.iter();
        members.any(|member| member.name == name && member.is_present(now))
    };
    let present = members.iter().filter(|member| member.is_present(now));
    let told = format!(
        "{} answers; {} nodes are there",
        shared.server,
        present.count()
    );
    let mut checks = vec![Check::ok(NAME, told)];
    let missing: Vec<&str> = shared
        .expected
        .iter()
        .map(String::as_str)
        .filter(|name| !there(name))
        .collect();
    if !missing.is_empty() {
        let told = format!("not there: {}", missing.join(", "));
        checks.push(
            Check::warn("cluster", told).remedy("start them, or take them out of cluster_nodes"),
        );
    }
    if let Some(dns) = &shared.discovery {
        checks.push(match dns.peers().await {
            Err(why) => Check::warn("cluster", why)
                .remedy("see node.dns_cluster_query and node.dns_cluster_servers"),
            Ok(peers) => {
                let present: Vec<_> = members.iter().filter(|it| it.is_present(now)).collect();
                let away = peers
                    .iter()
                    .filter(|peer| !present.iter().any(|it| peer.is(it)));
                let away: Vec<String> = away.map(Peer::shown).collect();
                if away.is_empty() {
                    Check::ok("cluster", format!("{dns:?} names {} nodes", peers.len()))
                } else {
                    Check::warn(
                        "cluster",
                        format!("{dns:?} names, and not there: {}", away.join(", ")),
                    )
                    .remedy("start them, or take them out of the zone")
                }
            }
        });
    }
    checks
}

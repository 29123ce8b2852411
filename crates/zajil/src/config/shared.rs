//! The store that nodes share, by its URL (S11.2). The `DB_` variables are about CDRs.

use std::time::Duration;

use zajil_database::Server;
use zajil_database::server::Engine;

use super::Shared;
use super::file::{NodeSection, StoreSection};
use super::outside::name_servers;
use super::resolve::Check;
use crate::discovery::Dns;

const MILLI: Duration = Duration::from_millis(1);

/// None when this node keeps its messages itself, or something is wrong.
pub(super) fn store(
    section: &StoreSection,
    node: &NodeSection,
    check: &mut Check<'_>,
) -> Option<Shared> {
    let url = section.url.as_deref().filter(|url| !url.is_empty());
    let Some(url) = url else {
        let named = !node.cluster_nodes.is_empty() || node.dns_cluster_query.is_some();
        if named {
            let told = "has no effect without store.url: nodes share a store or nothing";
            check.note("node.cluster_nodes", told);
        }
        return None;
    };
    let parsed = Server::parse(url).and_then(|server| {
        server.check()?;
        Ok(server)
    });
    let mut server = match parsed {
        Ok(server) if server.engine == Engine::Postgres => server,
        Ok(_) => {
            check.rule("store.url", "must begin with postgres://");
            return None;
        }
        Err(why) => {
            check.rule("store.url", why);
            return None;
        }
    };
    let number = |value: Option<u32>, default: u32| u64::from(value.unwrap_or(default));
    let pool = number(section.pool_size, 10);
    server.pool_size = check.number("store.pool_size", pool, (7, 1_000));
    let writers = check.number("store.writers", number(section.writers, 2), (1, 16));
    let time = |value: Option<u64>, default| value.unwrap_or(default);
    let connect = time(section.connect_timeout_ms, 1_000);
    server.connect_timeout = check.time("store.connect_timeout_ms", connect, 60_000, MILLI);
    let statement = time(section.statement_timeout_ms, 5_000);
    server.statement_timeout = check.time("store.statement_timeout_ms", statement, 60_000, MILLI);
    if let Err(why) = server.check_certificates() {
        check.rule("store.url", format!("names an sslrootcert that {why}"));
    }
    let schema = section.schema.clone().unwrap_or_else(|| "zajil".to_owned());
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if schema.is_empty() || schema.len() > 40 || !schema.chars().all(word) {
        let rule = "must have 1 to 40 characters of a-z, 0-9 and _";
        check.rule("store.schema", rule);
    }
    let discovery = discovery(node, check);
    Some(Shared {
        server,
        schema,
        writers,
        expected: node.cluster_nodes.clone(),
        discovery,
    })
}

fn discovery(node: &NodeSection, check: &mut Check<'_>) -> Option<Dns> {
    let servers = name_servers(&node.dns_cluster_servers, "node.dns_cluster_servers", check);
    let query = node.dns_cluster_query.as_deref();
    let query = query.filter(|query| !query.is_empty())?;
    match Dns::new(query, &servers) {
        Ok(dns) => Some(dns),
        Err(why) => {
            check.rule("node.dns_cluster_query", why);
            None
        }
    }
}

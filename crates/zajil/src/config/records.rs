//! Where call detail records go: an SQLite file, or a database server by URL and `DB_` variables.

use std::path::{Path, PathBuf};
use std::time::Duration;

use zajil_cdr::server::{Encryption, Engine, Host, Server};

use super::Cdr;
use super::file::CdrSection;
use super::resolve::Check;

const MILLI: Duration = Duration::from_millis(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) fn cdr(section: CdrSection, directory: &Path, check: &mut Check<'_>) -> Cdr {
    let size = u64::from(section.batch_insert_batch_size.unwrap_or(100));
    let interval = section.batch_insert_flush_interval_ms.unwrap_or(100);
    Cdr {
        enabled: section.cdr_enabled.unwrap_or(true),
        keep_bodies: !section.delete_message_body_after_delivery.unwrap_or(false),
        show_bodies: !section.hide_message_body_in_export.unwrap_or(false),
        retention: match section.cdr_retention_days.unwrap_or(0) {
            0 => None,
            days => Some(check.time("cdr.cdr_retention_days", days, 36_525, DAY)),
        },
        batch_size: check.number("cdr.batch_insert_batch_size", size, (1, 10_000)),
        flush_interval: check.time(
            "cdr.batch_insert_flush_interval_ms",
            interval,
            60_000,
            MILLI,
        ),
        server: server(&section, check),
        path: section
            .sqlite_path
            .map_or_else(|| directory.join("cdr.db"), PathBuf::from),
    }
}

/// None when it is an SQLite file, or something is wrong.
fn server(section: &CdrSection, check: &mut Check<'_>) -> Option<Server> {
    let parsed = match section.cdr_url.as_deref().map(Server::parse) {
        None => None,
        Some(Ok(server)) => Some(server),
        Some(Err(why)) => {
            check.rule("cdr.cdr_url", why);
            return None;
        }
    };
    let engine = engine(section, parsed.as_ref(), check)?;
    let mut server = parsed.unwrap_or_else(|| Server::new(engine));
    variables(section, &mut server);
    let pool = u64::from(section.cdr_pool_size.unwrap_or(server.pool_size));
    server.pool_size = check.number("cdr.cdr_pool_size", pool, (1, 1_000));
    server.connect_timeout = check.time(
        "cdr.cdr_connect_timeout_ms",
        section.cdr_connect_timeout_ms.unwrap_or(5_000),
        60_000,
        MILLI,
    );
    server.statement_timeout = check.time(
        "cdr.cdr_statement_timeout_ms",
        section.cdr_statement_timeout_ms.unwrap_or(30_000),
        600_000,
        MILLI,
    );
    if let Some(word) = &section.cdr_tls {
        let known = Encryption::ALL
            .into_iter()
            .find(|mode| mode.as_str() == word);
        match known {
            Some(mode) => server.encryption = mode,
            None => check.rule(
                "cdr.cdr_tls",
                format!(
                    "must be one of {}",
                    Encryption::ALL.map(Encryption::as_str).join(", ")
                ),
            ),
        }
    }
    if let Some(path) = &section.cdr_ca_file {
        server.ca_file = Some(PathBuf::from(path));
    }
    if let Err(why) = server.check() {
        check.rule("cdr.cdr_url", why);
    }
    if let Err(why) = server.check_certificates() {
        check.rule("cdr.cdr_ca_file", why);
    }
    Some(server)
}

/// What kind of server it is, if it is one.
fn engine(section: &CdrSection, url: Option<&Server>, check: &mut Check<'_>) -> Option<Engine> {
    let said = match section.cdr_database.as_deref() {
        None => None,
        Some("sqlite") => {
            if url.is_some() {
                check.rule(
                    "cdr.cdr_url",
                    "needs a cdr_database that is postgres or mysql",
                );
            }
            return None;
        }
        Some("postgres") => Some(Engine::Postgres),
        Some("mysql") => Some(Engine::MySql),
        Some(_) => {
            check.rule("cdr.cdr_database", "must be sqlite, postgres or mysql");
            return None;
        }
    };
    let variables = &section.variables;
    match (said, url) {
        (Some(said), Some(url)) if said != url.engine => {
            check.rule("cdr.cdr_url", "is one of another kind than cdr_database");
            None
        }
        (_, Some(url)) => Some(url.engine),
        (Some(said), None) => Some(said),
        (None, None) if variables.host.is_none() && variables.name.is_none() => None,
        (None, None) => {
            let kinds = [Engine::Postgres, Engine::MySql];
            let by_port = kinds
                .into_iter()
                .find(|kind| variables.port == Some(kind.port()));
            if by_port.is_none() {
                check.rule(
                    "cdr.cdr_database",
                    "must be postgres or mysql: DB_HOSTNAME or DB_NAME is set, and DB_PORT is \
                     neither 5432 nor 3306",
                );
            }
            by_port
        }
    }
}

/// The variables win over the URL, each over its own part.
fn variables(section: &CdrSection, server: &mut Server) {
    let variables = &section.variables;
    if let Some(names) = &variables.host {
        let port = server
            .hosts
            .first()
            .map_or(server.engine.port(), |host| host.port);
        let host = |name: &str| Host {
            name: name.trim().to_owned(),
            port,
        };
        server.hosts = names.split(',').map(host).collect();
    }
    if let Some(port) = variables.port {
        server.hosts.iter_mut().for_each(|host| host.port = port);
    }
    if let Some(user) = &variables.user {
        server.user.clone_from(user);
    }
    if let Some(password) = &variables.password {
        server.password.0.clone_from(password);
    }
    if let Some(name) = &variables.name {
        server.database.clone_from(name);
    }
}

//! What stands outside, asked from here: the charging system, the name servers, certificates.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use zajil_core::port::Charger as _;
use zajil_enum::Resolver;
use zajil_telemetry::Telemetry;

use super::check::{Check, in_time};
use crate::config::{Config, Oidc};
use crate::issuer;
use crate::records::Records;

/// Every check that a configuration asks for.
pub(super) fn checks(config: Config) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Some(options) = config.ocs {
        if let Some(path) = &options.ca_file {
            checks.push(readable("certificates", path));
        }
        let within = options.timeout + Duration::from_secs(2);
        checks.extend(in_time("charging", within, move || {
            vec![asked("charging", "the charging system answers", || async {
                let client = zajil_ocs::Client::new(options, telemetry()?);
                client.map_err(|error| error.to_string())?.health().await
            })]
        }));
    }
    if let Some(server) = config.cdr.server.clone().filter(|_| config.cdr.enabled) {
        let within = server.connect_timeout + Duration::from_secs(2);
        checks.extend(in_time("CDR database", within, move || {
            vec![asked("CDR database", "the server answers", || async {
                let mut cdr = config.cdr;
                cdr.server = Some(server);
                let records = Records::open(&cdr, &telemetry()?);
                let records = records.map_err(|error| format!("{error:#}"))?;
                match records.search {
                    Some(database) => database.health().await,
                    None => Ok(()),
                }
            })]
        }));
    }
    if let Some(oidc) = config.oidc {
        checks.extend(in_time("token issuer", Duration::from_secs(7), move || {
            vec![key_set(&oidc)]
        }));
    }
    if let Some(options) = config.number_lookup {
        let within = options.timeout + Duration::from_secs(2);
        checks.extend(in_time("enum", within, move || {
            vec![asked("enum", "the name servers answer", || async {
                let resolver = Resolver::new(options, telemetry()?);
                resolver.map_err(|error| error.to_string())?.health().await
            })]
        }));
    }
    checks
}

fn key_set(oidc: &Oidc) -> Check {
    const NAME: &str = "token issuer";
    match issuer::look(oidc) {
        Ok(1) => Check::ok(NAME, "its key set has a key that can be used"),
        Ok(keys) => Check::ok(
            NAME,
            format!("its key set has {keys} keys that can be used"),
        ),
        Err(error) => Check::fail(NAME, format!("{error:#}"))
            .remedy("oidc.jwks_url or oidc.jwks_file, oidc.ca_file, the network, or the issuer"),
    }
}

fn telemetry() -> Result<Arc<Telemetry>, String> {
    Telemetry::new()
        .map(Arc::new)
        .map_err(|error| error.to_string())
}

/// Runs one question to its end.
fn asked<F>(name: &'static str, well: &str, question: impl FnOnce() -> F) -> Check
where
    F: Future<Output = Result<(), String>>,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let answer = match runtime {
        Ok(runtime) => runtime.block_on(question()),
        Err(error) => Err(error.to_string()),
    };
    match answer {
        Ok(()) => Check::ok(name, well),
        Err(why) => Check::fail(name, why)
            .remedy("the address in the configuration, the network, or the other side"),
    }
}

fn readable(name: &'static str, path: &std::path::Path) -> Check {
    match std::fs::File::open(path) {
        Ok(_) => Check::ok(name, format!("{} can be read", path.display())),
        Err(error) => Check::fail(name, format!("{}: {error}", path.display()))
            .remedy("give the user of the server the right to read it"),
    }
}

//! The environment variables of S11, laid over the file.

use super::Invalid;
use super::file::File;
use super::place::Places;

/// A variable that is set, with its value.
pub(crate) type Variable = (String, String);

/// Variables of parts that this version does not have: accepted, said once, without effect.
const WITHOUT_EFFECT: &[&str] = &["WEB_PORT", "WEB_HOSTNAME", "WEB_ENABLE_TLS"];

/// Applies the variables; answers what the operator should know.
pub(super) fn apply(
    file: &mut File,
    places: &mut Places,
    variables: &[Variable],
) -> Result<Vec<String>, Invalid> {
    let mut notes = Vec::new();
    let mut wrong = Vec::new();
    for (name, value) in variables {
        match name.as_str() {
            "API_PORT" => match value.parse() {
                Ok(port) => file.api.port = Some(port),
                Err(_) => wrong.push(format!("{name} must be a port number, not '{value}'")),
            },
            "API_LISTEN_IP" => {
                file.api.listen_ip = Some(value.clone());
                places.set_by("api.listen_ip", "API_LISTEN_IP");
            }
            "API_ENABLE_TLS" => {
                places.set_by("api.enable_tls", "API_ENABLE_TLS");
                match value.as_str() {
                    "true" | "1" => file.api.enable_tls = Some(true),
                    "false" | "0" => file.api.enable_tls = Some(false),
                    _ => wrong.push(format!("{name} must be true or false, not '{value}'")),
                }
            }
            "NODE_NAME" => {
                file.node.smsc_node_name = Some(value.clone());
                places.set_by("node.smsc_node_name", "NODE_NAME");
            }
            "STORE_URL" => {
                file.store.url = Some(value.clone());
                places.set_by("store.url", "STORE_URL");
            }
            "OCS_URL" => {
                file.charging.ocs_url = Some(value.clone());
                places.set_by("charging.ocs_url", "OCS_URL");
            }
            "OCS_TENANT" => {
                file.charging.ocs_tenant = Some(value.clone());
                places.set_by("charging.ocs_tenant", "OCS_TENANT");
            }
            "OCS_ACCOUNT" => {
                file.charging.ocs_account = Some(value.clone());
                places.set_by("charging.ocs_account", "OCS_ACCOUNT");
            }
            name if name.starts_with("DB_") => match file.cdr.cdr_database.as_deref() {
                Some("sqlite") => notes.push(format!(
                    "the variable {name} has no effect: cdr.cdr_database is sqlite"
                )),
                _ => wrong.extend(database(file, places, name, value)),
            },
            other if WITHOUT_EFFECT.contains(&other) => {
                notes.push(format!(
                    "the variable {other} has no effect in this version"
                ));
            }
            _ => {}
        }
    }
    if wrong.is_empty() {
        Ok(notes)
    } else {
        Err(Invalid(wrong))
    }
}

/// The CDR database. Answers what is wrong, without the value: it may be the password.
fn database(file: &mut File, places: &mut Places, name: &str, value: &str) -> Option<String> {
    let variables = &mut file.cdr.variables;
    let text = Some(value.to_owned());
    match name {
        "DB_USERNAME" => variables.user = text,
        "DB_PASSWORD" => variables.password = text,
        "DB_NAME" => variables.name = text,
        "DB_HOSTNAME" => {
            variables.host = text;
            places.set_by("cdr.cdr_url", "DB_HOSTNAME");
        }
        "DB_PORT" => match value.parse() {
            Ok(port) if port > 0 => variables.port = Some(port),
            _ => return Some(format!("{name} must be a port number, not '{value}'")),
        },
        "DB_POOL_SIZE" => match value.parse() {
            Ok(size) => {
                file.cdr.cdr_pool_size = Some(size);
                places.set_by("cdr.cdr_pool_size", "DB_POOL_SIZE");
            }
            Err(_) => return Some(format!("{name} must be a number, not '{value}'")),
        },
        _ => {}
    }
    None
}

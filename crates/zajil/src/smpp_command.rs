//! `zajil smpp …`: accounts of applications that bind over SMPP, carriers that we bind to.

mod carrier;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::client::{Remote, cell, encoded, list, present, rows};

const PATH: &str = "/api/smpp/accounts";
const COLUMNS: [&str; 6] = [
    "system_id",
    "enabled",
    "bind_types",
    "max_binds",
    "messages_per_second",
    "expires",
];

#[derive(Debug, Subcommand)]
pub(crate) enum SmppCommand {
    /// Look at accounts and edit them.
    #[command(subcommand)]
    Account(Box<AccountCommand>),
    /// Look at carriers that we bind to, and edit them.
    #[command(subcommand)]
    Carrier(carrier::CarrierCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// List accounts.
    List,
    /// Show one.
    Show {
        /// Its name.
        system_id: String,
    },
    /// Add an account. The password is read from the standard input.
    Add {
        /// Its name, at most 15 characters.
        system_id: String,
        #[command(flatten)]
        terms: Terms,
    },
    /// Change an account; what is not named stays.
    Set {
        /// Its name.
        system_id: String,
        /// Read a new password from the standard input.
        #[arg(long)]
        password: bool,
        #[command(flatten)]
        terms: Terms,
    },
    /// Remove an account.
    Remove {
        /// Its name.
        system_id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Terms {
    /// Whether it may bind.
    #[arg(long)]
    enabled: Option<bool>,
    /// Until when (RFC 3339).
    #[arg(long)]
    expires: Option<String>,
    /// transmitter, receiver, transceiver; several with commas.
    #[arg(long, value_delimiter = ',')]
    bind_types: Option<Vec<String>>,
    /// How many sessions at a time.
    #[arg(long)]
    max_binds: Option<u32>,
    /// From where: addresses and networks, with commas.
    #[arg(long, value_delimiter = ',')]
    allowed_ips: Option<Vec<String>>,
    /// Whether it has to come over TLS.
    #[arg(long)]
    require_tls: Option<bool>,
    /// The senders that it may name, with commas.
    #[arg(long, value_delimiter = ',')]
    senders: Option<Vec<String>>,
    /// The sender of all its messages.
    #[arg(long)]
    forced_sender: Option<String>,
    /// How many messages it may submit in a second.
    #[arg(long)]
    messages_per_second: Option<u32>,
    /// How many requests may be under way to it.
    #[arg(long)]
    window: Option<u32>,
    /// What data_coding 0 means: gsm7, latin1, utf8 or ascii.
    #[arg(long)]
    default_alphabet: Option<String>,
    /// How long texts go to it: udh, sar or payload.
    #[arg(long)]
    long_text: Option<String>,
    /// Whether a submit that is sent again with the same reference is answered with the first id.
    #[arg(long)]
    idempotent: Option<bool>,
    /// Whether its messages are found by their addresses, to be taken back or replaced.
    #[arg(long)]
    by_address: Option<bool>,
    /// How responses to submits write ids: decimal, hex or hex_upper.
    #[arg(long)]
    response_ids: Option<String>,
    /// How the texts of receipts write them: decimal, hex or hex_upper.
    #[arg(long)]
    receipt_ids: Option<String>,
    /// Where it is called when messages wait and it is not bound: host:port.
    #[arg(long)]
    outbind: Option<String>,
    /// Read the password that it is called with from the standard input, after that of the account;
    /// at most 8 characters.
    #[arg(long)]
    outbind_password: bool,
    /// Who its certificate must be for, where it needs TLS: the host, if this is not given.
    #[arg(long)]
    outbind_tls_server_name: Option<String>,
    /// The authorities (PEM) of its certificate, where it needs TLS.
    #[arg(long)]
    outbind_tls_ca_path: Option<String>,
}

impl Terms {
    fn body(self, system_id: Option<&str>, own: Option<&str>) -> anyhow::Result<Value> {
        let outbind_password = self.outbind_password.then(password).transpose()?;
        Ok(present(json!({
            "system_id": system_id,
            "password": own,
            "enabled": self.enabled,
            "expires": self.expires,
            "bind_types": self.bind_types,
            "max_binds": self.max_binds,
            "allowed_ips": self.allowed_ips,
            "require_tls": self.require_tls,
            "senders": self.senders,
            "forced_sender": self.forced_sender,
            "messages_per_second": self.messages_per_second,
            "window": self.window,
            "default_alphabet": self.default_alphabet,
            "long_text": self.long_text,
            "idempotent": self.idempotent,
            "by_address": self.by_address,
            "response_ids": self.response_ids,
            "receipt_ids": self.receipt_ids,
            "outbind": self.outbind,
            "outbind_password": outbind_password,
            "outbind_tls_server_name": self.outbind_tls_server_name,
            "outbind_tls_ca_path": self.outbind_tls_ca_path,
        })))
    }
}

/// Runs `zajil smpp …`.
pub(crate) fn run(server: &Remote, command: SmppCommand) -> anyhow::Result<ExitCode> {
    match command {
        SmppCommand::Account(command) => account(server, *command),
        SmppCommand::Carrier(command) => carrier::run(server, command),
    }
}

fn account(server: &Remote, command: AccountCommand) -> anyhow::Result<ExitCode> {
    let path = |system_id: &str| format!("{PATH}/{}", encoded(system_id));
    match command {
        AccountCommand::List => server.show(("GET", PATH), None, |data| {
            let mut items = list(data).to_vec();
            for item in &mut items {
                let kinds = list(&item["bind_types"]).iter().map(cell);
                item["bind_types"] = kinds.collect::<Vec<_>>().join(",").into();
            }
            rows(&items, &COLUMNS)
        }),
        AccountCommand::Show { system_id } => {
            let pretty = |data: &Value| format!("{data:#}\n");
            server.show(("GET", &path(&system_id)), None, pretty)
        }
        AccountCommand::Add { system_id, terms } => {
            let password = password()?;
            let body = terms.body(Some(&system_id), Some(&password))?;
            let told = |_: &Value| format!("'{system_id}' may bind\n");
            server.show(("POST", PATH), Some(&body), told)
        }
        AccountCommand::Set {
            system_id,
            password: asked,
            terms,
        } => {
            let password = if asked { Some(password()?) } else { None };
            let body = terms.body(None, password.as_deref())?;
            let told = |_: &Value| format!("'{system_id}' is changed\n");
            server.show(("PATCH", &path(&system_id)), Some(&body), told)
        }
        AccountCommand::Remove { system_id } => {
            let told = |_: &Value| format!("'{system_id}' is removed\n");
            server.show(("DELETE", &path(&system_id)), None, told)
        }
    }
}

/// One line: a password on the command line would stand in every list of processes.
fn password() -> anyhow::Result<String> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    let password = line.trim_end_matches(['\r', '\n']).to_owned();
    anyhow::ensure!(!password.is_empty(), "no password on the standard input");
    Ok(password)
}

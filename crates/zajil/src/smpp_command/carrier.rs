//! `zajil smpp carrier …`: message centres that we bind to.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::password;
use crate::client::{Remote, cell, encoded, list, present, rows};

const PATH: &str = "/api/smpp/carriers";
const COLUMNS: [&str; 10] = [
    "name",
    "enabled",
    "hosts",
    "tls",
    "system_id",
    "bind",
    "binds",
    "messages_per_second",
    "sessions",
    "last_error",
];

const UNMATCHED: [&str; 6] = [
    "received_at",
    "carrier",
    "receipted_message_id",
    "destination",
    "state",
    "error",
];

#[derive(Debug, Subcommand)]
pub(crate) enum CarrierCommand {
    /// List carriers.
    List,
    /// Show one.
    Show {
        /// Its name.
        name: String,
    },
    /// Add a carrier. The password is read from the standard input.
    Add {
        /// The name of the frontend that it is: messages are routed to it.
        name: String,
        #[command(flatten)]
        terms: Box<Terms>,
    },
    /// Change a carrier; what is not named stays.
    Set {
        /// Its name.
        name: String,
        /// Read a new password from the standard input.
        #[arg(long)]
        password: bool,
        #[command(flatten)]
        terms: Box<Terms>,
    },
    /// List receipts that match no message, the newest first.
    Unmatched,
    /// Remove a carrier.
    Remove {
        /// Its name.
        name: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Terms {
    /// Whether it is bound to.
    #[arg(long)]
    enabled: Option<bool>,
    /// host:port, tried in order; several with commas.
    #[arg(long, value_delimiter = ',')]
    hosts: Option<Vec<String>>,
    /// Whether TLS is spoken to it.
    #[arg(long)]
    tls: Option<bool>,
    /// Who its certificate must be for; without it the host.
    #[arg(long)]
    tls_server_name: Option<String>,
    /// The authorities that sign its certificate (PEM, a file of the nodes); without it those of
    /// the system.
    #[arg(long)]
    tls_ca_path: Option<String>,
    /// Our certificate (PEM, a file of the nodes) for carriers that ask for one.
    #[arg(long)]
    tls_cert_path: Option<String>,
    /// The key of that certificate.
    #[arg(long)]
    tls_key_path: Option<String>,
    /// Who we are to it.
    #[arg(long)]
    system_id: Option<String>,
    /// What kind of system we are.
    #[arg(long)]
    system_type: Option<String>,
    /// 3.3, 3.4 or 5.0.
    #[arg(long)]
    interface_version: Option<String>,
    /// transceiver, pair, transmitter or receiver.
    #[arg(long)]
    bind: Option<String>,
    /// How many binds at a time.
    #[arg(long)]
    binds: Option<u32>,
    /// The addresses that we serve.
    #[arg(long)]
    address_range: Option<String>,
    /// Type of number of the address range.
    #[arg(long)]
    address_range_ton: Option<u8>,
    /// Numbering plan of the address range.
    #[arg(long)]
    address_range_npi: Option<u8>,
    /// The sender of all messages to it.
    #[arg(long)]
    forced_sender: Option<String>,
    /// Type of number of senders.
    #[arg(long)]
    source_ton: Option<u8>,
    /// Numbering plan of senders.
    #[arg(long)]
    source_npi: Option<u8>,
    /// Type of number of destinations.
    #[arg(long)]
    destination_ton: Option<u8>,
    /// Numbering plan of destinations.
    #[arg(long)]
    destination_npi: Option<u8>,
    /// Its default alphabet: gsm7, latin1, utf8 or ascii.
    #[arg(long)]
    default_alphabet: Option<String>,
    /// data_coding of a text in that alphabet.
    #[arg(long)]
    text_data_coding: Option<u8>,
    /// How long texts go to it: udh, sar or payload.
    #[arg(long)]
    long_text: Option<String>,
    /// Whether it is told until when messages are worth delivering.
    #[arg(long)]
    send_validity: Option<bool>,
    /// How many requests may be under way in a session.
    #[arg(long)]
    window: Option<u32>,
    /// How many parts of messages it gets in a second.
    #[arg(long)]
    messages_per_second: Option<u32>,
    /// It is asked whether it is there after so much silence.
    #[arg(long)]
    enquire_link_seconds: Option<u32>,
    /// It has so long for a response.
    #[arg(long)]
    response_seconds: Option<u32>,
    /// A message counts as delivered at its response, or at its receipt.
    #[arg(long)]
    delivered_at: Option<String>,
    /// How its receipts write the ids of its responses: auto, same, hex_then_decimal or
    /// decimal_then_hex.
    #[arg(long)]
    receipt_ids: Option<String>,
    /// A receipt is waited for so long.
    #[arg(long)]
    receipt_timeout_seconds: Option<u32>,
    /// What becomes of a message then: fail, deliver or again.
    #[arg(long)]
    without_receipt: Option<String>,
    /// What errors mean, as JSON: {"0x45":"temporary","receipt:11":"absent"}.
    #[arg(long)]
    errors: Option<String>,
}

impl Terms {
    fn body(self, name: Option<&str>, password: Option<&str>) -> Value {
        present(json!({
            "name": name,
            "password": password,
            "enabled": self.enabled,
            "hosts": self.hosts,
            "tls": self.tls,
            "tls_server_name": self.tls_server_name,
            "tls_ca_path": self.tls_ca_path,
            "tls_cert_path": self.tls_cert_path,
            "tls_key_path": self.tls_key_path,
            "system_id": self.system_id,
            "system_type": self.system_type,
            "interface_version": self.interface_version,
            "bind": self.bind,
            "binds": self.binds,
            "address_range": self.address_range,
            "address_range_ton": self.address_range_ton,
            "address_range_npi": self.address_range_npi,
            "forced_sender": self.forced_sender,
            "source_ton": self.source_ton,
            "source_npi": self.source_npi,
            "destination_ton": self.destination_ton,
            "destination_npi": self.destination_npi,
            "default_alphabet": self.default_alphabet,
            "text_data_coding": self.text_data_coding,
            "long_text": self.long_text,
            "send_validity": self.send_validity,
            "window": self.window,
            "messages_per_second": self.messages_per_second,
            "enquire_link_seconds": self.enquire_link_seconds,
            "response_seconds": self.response_seconds,
            "delivered_at": self.delivered_at,
            "receipt_ids": self.receipt_ids,
            "receipt_timeout_seconds": self.receipt_timeout_seconds,
            "without_receipt": self.without_receipt,
            "errors": self.errors,
        }))
    }
}

/// Runs `zajil smpp carrier …`.
pub(super) fn run(server: &Remote, command: CarrierCommand) -> anyhow::Result<ExitCode> {
    let path = |name: &str| format!("{PATH}/{}", encoded(name));
    match command {
        CarrierCommand::List => server.show(("GET", PATH), None, |data| {
            let mut items = list(data).to_vec();
            for item in &mut items {
                let hosts = list(&item["hosts"]).iter().map(cell);
                item["hosts"] = hosts.collect::<Vec<_>>().join(",").into();
                for of_state in ["sessions", "last_error"] {
                    item[of_state] = item["state"][of_state].take();
                }
            }
            rows(&items, &COLUMNS)
        }),
        CarrierCommand::Show { name } => {
            let pretty = |data: &Value| format!("{data:#}\n");
            server.show(("GET", &path(&name)), None, pretty)
        }
        CarrierCommand::Add { name, terms } => {
            let password = password()?;
            let body = terms.body(Some(&name), Some(&password));
            let told = |_: &Value| format!("'{name}' is bound to\n");
            server.show(("POST", PATH), Some(&body), told)
        }
        CarrierCommand::Set {
            name,
            password: asked,
            terms,
        } => {
            let password = if asked { Some(password()?) } else { None };
            let body = terms.body(None, password.as_deref());
            let told = |_: &Value| format!("'{name}' is changed\n");
            server.show(("PATCH", &path(&name)), Some(&body), told)
        }
        CarrierCommand::Unmatched => server.show(("GET", "/api/smpp/unmatched"), None, |data| {
            rows(list(data), &UNMATCHED)
        }),
        CarrierCommand::Remove { name } => {
            let told = |_: &Value| format!("'{name}' is removed\n");
            server.show(("DELETE", &path(&name)), None, told)
        }
    }
}

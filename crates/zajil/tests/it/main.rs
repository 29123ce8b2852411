//! The real binary, as a process: its loop with clients, its crashes, a full disk, its signals.
#![cfg(test)]

mod alerts;
mod backup;
mod balanced;
mod brought;
mod carriers;
mod cdr_outage;
mod cdr_report;
mod cdr_servers;
mod charging;
mod cluster;
mod cluster_command;
mod command_line;
mod crash;
mod doctor;
mod documents;
mod drive_smpp;
mod esmes;
mod full_disk;
mod history;
mod hostile;
mod injected;
mod logs;
mod migrate;
mod name_server;
mod observed;
mod oidc;
mod partition;
mod patroni;
mod pdu;
mod protected;
mod receipts;
mod reference_client;
mod schemathesis;
mod server;
mod smpp;
mod smpp_crash;
mod smpp_tls;
mod stream;
mod tls_grade;
#[cfg(feature = "otel")]
mod traces;
mod webhooks;

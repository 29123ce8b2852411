//! The real binary, as a process: its loop with clients, its crashes, a full disk, its signals.
#![cfg(test)]

mod alerts;
mod charging;
mod command_line;
mod crash;
mod documents;
mod full_disk;
mod observed;
mod pdu;
mod reference_client;
mod server;

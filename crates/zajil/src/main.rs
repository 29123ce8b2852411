//! `zajil`: the one binary, server and command line.

use std::process::ExitCode;

use clap::Parser as _;

mod access;
mod backup;
mod cli;
mod client;
mod config;
mod demo;
mod discovery;
mod docs;
mod doctor;
mod export;
mod home;
mod issuer;
mod keys;
mod listen;
mod migrate;
mod operate;
mod outside;
#[cfg(feature = "parquet")]
mod parquet_file;
mod pdu;
mod records;
mod report;
mod restore;
mod route_command;
mod serve;
mod simulation;
mod smpp;
mod smpp_command;
mod smpp_sim;
mod table;
mod tail;
mod timed;
mod tls;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match cli::run(cli::Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            let chain: Vec<String> = error.chain().map(ToString::to_string).collect();
            cli::complain(&chain.join(": "));
            ExitCode::from(cli::FAILED)
        }
    }
}

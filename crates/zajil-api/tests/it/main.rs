//! Every row of S3 by request and answer, with the real engine behind the door.
#![cfg(test)]

mod access;
mod app;
mod audit;
mod batch;
mod bearer;
mod cdrs;
mod contract;
mod description;
mod diagnose;
mod errors;
mod frontends;
mod furnished;
mod hostile;
mod joined;
mod listings;
mod locations;
mod messages;
mod messages_raw;
mod operations;
mod reports;
mod rows_messages;
mod rows_records;
mod scheduled;
mod shelf;
mod simulator;
mod stream;
mod system;
mod tables;
mod webhooks;

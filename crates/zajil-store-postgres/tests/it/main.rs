//! The shared store against a real PostgreSQL.
#![cfg(test)]

mod answers;
mod beside;
mod conformance;
mod day;
mod endings;
mod failover;
mod front;
mod held;
#[path = "../../../zajil-store-embedded/tests/it/make.rs"]
mod make;
mod moved;
mod nodes;
mod place;
mod pooler;
mod rolling;
mod runs;
mod stuck;
mod turns;

//! The shared store against a real PostgreSQL.
#![cfg(test)]

mod conformance;
mod place;

//! ENUM: asks name servers about numbers and remembers what they said (S6).
//!
//! The rules (names, records, URIs) are in [`zajil_core::enum_query`]. Here is what they need from
//! outside: servers asked in turn, answers and misses cached, one query for many callers, and a
//! breaker, so that a dead server costs a few messages their time limit and not all of them.

mod breaker;
mod cache;
mod flight;
mod options;
mod resolver;
mod search;
mod servers;

pub use options::{Error, Options};
pub use resolver::Resolver;

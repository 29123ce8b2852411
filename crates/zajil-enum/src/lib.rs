//! ENUM: asks name servers about numbers and remembers what they said (S6).
//!
//! The rules (names, records, URIs) are in [`zajil_core::enum_query`]. Here is what they need from
//! outside: servers asked in turn, answers and misses cached, one query for many callers, and a
//! breaker for each domain, so that a dead one costs a few messages their time limit and not all.

mod breaker;
mod cache;
mod flight;
mod options;
mod resolver;
mod search;
mod servers;
mod zone;

pub use options::{Error, Options};
pub use resolver::Resolver;

//! Everything that is tested from outside: vectors, properties, corpus, other decoders.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod check;
mod corpus;
mod properties;
mod vectors;

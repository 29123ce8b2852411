//! Look-ups at name servers: a small one in the test's process, and real ones.
#![cfg(test)]

mod answers;
mod failures;
mod fake;
mod real;
mod real_server;

//! Look-ups at name servers: a small one in the test's process, and real ones.
#![cfg(test)]

mod answers;
mod bind;
mod failures;
mod fake;
mod real;

//! Look-ups at name servers.
#![cfg(test)]

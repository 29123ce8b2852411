//! Charging against a stand-in: every line of what CGRateS is known to answer (S7, D14).
#![cfg(test)]

mod accounts;
mod breaker;
mod connections;
mod facts;
mod fixture;
mod refunds;
mod requests;
mod tls;

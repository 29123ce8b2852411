//! Online charging: asks CGRateS over JSON-RPC whether a message is paid for (S7, D14).
//!
//! [`Client`] is the whole of it: one HTTP POST a call, over connections that are kept, within one
//! time limit, behind a breaker. What the charging system says becomes a verdict of
//! [`zajil_core::charge`]; where money may have moved unseen, the verdict says so and nothing is
//! ever sent twice. It speaks the dialect of CGRateS 0.11 and understands the answers of 0.10.
//!
//! Why the connections are our own, above hyper's connection type, and not a ready-made HTTP
//! client: a debit may be repeated only when not one octet of it was sent, and ready-made clients
//! repeat by their own judgement and do not tell. It is also the leanest choice, since hyper is in
//! the tree already. TLS is always built in (rustls): an `https` URL that works on one build and
//! not on another would be found out on the day of the change.

mod account;
mod answer;
mod breaker;
mod client;
mod connection;
mod endpoint;
mod options;
mod request;
mod template;
mod wire;

pub use client::Client;
pub use options::{Breaker, Error, Options, Refund, RequestType};

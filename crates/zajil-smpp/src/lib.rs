//! SMPP: the message centre that applications bind to, and links for either side.
//!
//! * [`link`]: one connection, from its first octet to its last: framing, windows both ways,
//!   timers, garbage, leave-taking. A [`link::Handler`] says what a side does with the requests of
//!   its peer; a [`link::Handle`] sends requests of our own and waits for their responses.
//! * [`server`]: binds, submits and deliveries of applications; [`accounts`]: who they are.
//! * [`client`]: binds to carriers, submits what is routed to them, takes what they deliver.
//! * [`duplex`]: connections in the clear or over TLS.
//! * [`text`], [`number`], [`status`]: what the two worlds call the same things.
//! * [`pics`]: what of the protocol is there.
//! * [`sim`]: a carrier that is not there, for tests and demos.
//! * [`tap`]: what sees the octets of a link; the live trace is one.

pub mod accounts;
mod backoff;
pub mod client;
mod dial;
pub mod duplex;
mod frontend;
pub mod link;
pub mod number;
pub mod pics;
mod pump;
pub mod server;
pub mod sim;
pub mod status;
mod submit;
pub mod tap;
pub mod text;
mod tls;
mod trace;

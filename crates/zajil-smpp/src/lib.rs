//! SMPP sessions over a connection, for either side.
//!
//! * [`link`]: one connection, from its first octet to its last: framing, windows both ways,
//!   timers, garbage, leave-taking.
//! * [`tap`]: what sees the octets of a link.
//!
//! A [`link::Handler`] says what a side does with the requests of its peer; a [`link::Handle`]
//! sends requests of our own and waits for their responses.

pub mod link;
pub mod tap;

//! What sees the octets of a link: the live wire trace.

use std::fmt;

use smpp_codec::Header;

/// Which way a PDU goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Way {
    /// From the peer.
    In,
    /// To the peer.
    Out,
}

/// Sees every PDU of a link, whole and in order, before it is acted on or sent.
pub trait Tap: Send + Sync + fmt::Debug {
    /// Whether somebody looks: without, a link does not even ask for the octets. Asked for each
    /// PDU, so it must cost nothing, and the answer may change at any time.
    fn is_open(&self) -> bool;

    /// One PDU. `body` is what follows the header, which may be no body of any operation.
    fn pdu(&self, way: Way, header: &Header, body: &[u8]);
}

/// Nobody looks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Closed;

impl Tap for Closed {
    fn is_open(&self) -> bool {
        false
    }

    fn pdu(&self, _: Way, _: &Header, _: &[u8]) {}
}

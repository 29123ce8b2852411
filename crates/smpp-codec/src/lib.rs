//! SMPP as its texts write it (3.3, 3.4, 5.0): octets in, values out, and back.
//!
//! * [`frame`]: where a PDU ends; its [`header`] with [`command`] and [`status`] is kept even when
//!   the body cannot be read, so that it can be answered.
//! * [`pdu`]: every operation, of [`text`], [`address`], [`tlv`] and [`flags`].
//! * [`time`]: absolute and relative times; [`receipt`]: the text of a delivery receipt.
//! * [`session`]: which PDU is allowed in which state.
//!
//! Nothing here reads a clock, does I/O or panics. What is not known is kept as it came.

pub mod address;
mod civil;
pub mod command;
pub mod error;
pub mod flags;
pub mod frame;
pub mod header;
pub mod pdu;
mod reader;
pub mod receipt;
pub mod session;
pub mod state;
pub mod status;
pub mod text;
pub mod time;
pub mod tlv;
pub mod visit;

pub use command::CommandId;
pub use error::Fault;
pub use header::Header;
pub use pdu::Pdu;
pub use status::Status;

//! Short messages as the 3GPP texts write them: octets in, values out, and back.
//!
//! * [`gsm7`], [`ucs2`], [`latin1`]: alphabets (TS 23.038); [`segment`]: text into parts.
//!
//! Nothing here reads a clock, does I/O or panics. Values that a newer standard may define are
//! kept, so that what is decoded can be encoded to the same octets.

pub mod error;
pub mod gsm7;
pub mod latin1;
pub mod segment;
pub mod ucs2;

pub use error::Error;

//! Short messages as the 3GPP texts write them: octets in, values out, and back.
//!
//! * [`gsm7`], [`ucs2`], [`latin1`]: alphabets (TS 23.038); [`segment`]: text into parts,
//!   [`join`]: parts into text.
//! * [`tpdu`]: the six TPDUs (TS 23.040) of [`address`], [`pid`], [`dcs`], [`validity`], [`time`],
//!   [`user_data`] with its [`udh`], and [`status`].
//! * [`rp`]: the relay layer that carries them (TS 24.011).
//! * [`describe`]: all of it as named fields, for people and for comparison.
//!
//! Nothing here reads a clock, does I/O or panics. Values that a newer standard may define are
//! kept, so that what is decoded can be encoded to the same octets.

pub mod address;
mod cursor;
pub mod dcs;
pub mod describe;
pub mod error;
pub mod gsm7;
pub mod join;
pub mod latin1;
pub mod pid;
pub mod rp;
pub mod segment;
pub mod status;
pub mod time;
pub mod tpdu;
pub mod ucs2;
pub mod udh;
pub mod user_data;
pub mod validity;

pub use error::Error;

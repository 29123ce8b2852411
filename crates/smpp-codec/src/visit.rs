//! The fields of a body by name, for people, traces and comparison.

use crate::address::{Address, Destinations, Unsuccesses};
use crate::text::Text;
use crate::tlv::Tlv;

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// One octet, or a status.
    Number(u32),
    /// A string.
    Text(&'a Text),
    /// Octets of any kind.
    Octets(&'a [u8]),
    /// An address.
    Address(&'a Address),
    /// Where a `submit_multi` goes.
    Destinations(&'a Destinations),
    /// Where it did not arrive.
    Unsuccesses(&'a Unsuccesses),
    /// An optional parameter.
    Tlv(&'a Tlv),
}

/// Takes fields one by one, by the name of the standard.
pub type Visitor<'v, 'a> = &'v mut dyn FnMut(&'static str, Value<'a>);

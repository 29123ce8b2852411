//! Who sends and who receives: type of number, numbering plan and address (SMPP 5.0, 4.7.1, 4.7.2).

use crate::text::Text;

/// An SME's address. TON and NPI are octets as on the wire: peers use values of their own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Address {
    /// Type of number.
    pub ton: u8,
    /// Numbering plan indicator.
    pub npi: u8,
    /// Digits, or the letters of an alphanumeric sender.
    pub value: Text,
}

/// Type of number: not known.
pub const TON_UNKNOWN: u8 = 0;
/// Type of number: with country code.
pub const TON_INTERNATIONAL: u8 = 1;
/// Type of number: without country code.
pub const TON_NATIONAL: u8 = 2;
/// Type of number: a short code of the network.
pub const TON_NETWORK: u8 = 3;
/// Type of number: letters.
pub const TON_ALPHANUMERIC: u8 = 5;
/// Numbering plan: not known.
pub const NPI_UNKNOWN: u8 = 0;
/// Numbering plan: telephone numbers (E.164).
pub const NPI_E164: u8 = 1;

/// Where a `submit_multi` goes (SMPP 5.0, 4.2.3).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Destination {
    /// `dest_flag` 1: one SME.
    Sme(Address),
    /// `dest_flag` 2: a distribution list by name.
    List(Text),
}

/// The destinations of a `submit_multi`, at most 255, with their number in front on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Destinations(Vec<Destination>);

impl Destinations {
    /// `None` when there are more than 255.
    #[must_use]
    pub fn new(all: Vec<Destination>) -> Option<Self> {
        u8::try_from(all.len()).is_ok().then_some(Self(all))
    }

    pub(crate) const fn checked(all: Vec<Destination>) -> Self {
        Self(all)
    }

    /// In order.
    #[must_use]
    pub fn all(&self) -> &[Destination] {
        &self.0
    }
}

/// One destination that a `submit_multi` did not reach.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Unsuccessful {
    /// Which.
    pub address: Address,
    /// Why not.
    pub status: crate::Status,
}

/// The destinations that were not reached, at most 255, with their number in front on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Unsuccesses(Vec<Unsuccessful>);

impl Unsuccesses {
    /// `None` when there are more than 255.
    #[must_use]
    pub fn new(all: Vec<Unsuccessful>) -> Option<Self> {
        u8::try_from(all.len()).is_ok().then_some(Self(all))
    }

    pub(crate) const fn checked(all: Vec<Unsuccessful>) -> Self {
        Self(all)
    }

    /// In order.
    #[must_use]
    pub fn all(&self) -> &[Unsuccessful] {
        &self.0
    }
}

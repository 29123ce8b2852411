//! Strings that end with a zero octet, and messages with their length in front (SMPP 5.0, 3.1).

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

/// A C-octet string without its zero octet. The standard wants ASCII; what a peer sends is kept.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Text(Bytes);

impl Text {
    /// Nothing: on the wire one zero octet.
    pub const EMPTY: Self = Self(Bytes::new());

    /// `None` when there is a zero octet in it.
    #[must_use]
    pub fn new(octets: impl Into<Bytes>) -> Option<Self> {
        let octets = octets.into();
        (!octets.contains(&0)).then_some(Self(octets))
    }

    /// What stands before the first zero octet.
    #[must_use]
    pub fn until_zero(octets: impl Into<Bytes>) -> Self {
        let mut octets = octets.into();
        let length = octets.iter().position(|octet| *octet == 0);
        octets.truncate(length.unwrap_or(octets.len()));
        Self(octets)
    }

    pub(crate) const fn checked(octets: Bytes) -> Self {
        Self(octets)
    }

    /// The octets, without the zero octet.
    #[must_use]
    pub const fn octets(&self) -> &Bytes {
        &self.0
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As characters: UTF-8, which ASCII is, else one character an octet (Latin-1).
    #[must_use]
    pub fn to_str(&self) -> Cow<'_, str> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => Cow::Owned(self.0.iter().map(|octet| char::from(*octet)).collect()),
        }
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}", self.to_str())
    }
}

/// `short_message` of at most 255 octets, with `sm_length` in front on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct ShortMessage(Bytes);

impl ShortMessage {
    /// The most octets that `sm_length` can say. 3.4 allows 254.
    pub const MOST: usize = 255;

    /// `None` when it is longer than [`Self::MOST`].
    #[must_use]
    pub fn new(octets: impl Into<Bytes>) -> Option<Self> {
        let octets = octets.into();
        (octets.len() <= Self::MOST).then_some(Self(octets))
    }

    pub(crate) const fn checked(octets: Bytes) -> Self {
        Self(octets)
    }

    /// The octets.
    #[must_use]
    pub const fn octets(&self) -> &Bytes {
        &self.0
    }

    pub(crate) fn length(&self) -> u8 {
        u8::try_from(self.0.len()).unwrap_or(u8::MAX)
    }
}

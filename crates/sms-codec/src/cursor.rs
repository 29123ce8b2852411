//! Reading fields one after the other, with the octet offset and the field named in each error.

use bytes::Bytes;

use crate::Error;

/// A position in octets that are being decoded.
#[derive(Debug)]
pub(crate) struct Cursor<'o> {
    octets: &'o Bytes,
    at: usize,
}

impl<'o> Cursor<'o> {
    pub(crate) const fn new(octets: &'o Bytes) -> Self {
        Self { octets, at: 0 }
    }

    pub(crate) const fn offset(&self) -> usize {
        self.at
    }

    pub(crate) fn rest(&self) -> &'o [u8] {
        self.octets.get(self.at..).unwrap_or_default()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.at >= self.octets.len()
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.octets.get(self.at).copied()
    }

    pub(crate) fn octet(&mut self, field: &'static str) -> Result<u8, Error> {
        let octet = self.peek().ok_or(Error::Truncated {
            field,
            offset: self.at,
            missing: 1,
        })?;
        self.at += 1;
        Ok(octet)
    }

    pub(crate) fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], Error> {
        let rest = self.rest();
        let missing = N.saturating_sub(rest.len());
        let array = rest.first_chunk().ok_or(Error::Truncated {
            field,
            offset: self.at,
            missing,
        })?;
        self.at += N;
        Ok(*array)
    }

    /// The next `count` octets without copying them.
    pub(crate) fn slice(&mut self, field: &'static str, count: usize) -> Result<&'o [u8], Error> {
        let rest = self.rest();
        let missing = count.saturating_sub(rest.len());
        let slice = rest.get(..count).ok_or(Error::Truncated {
            field,
            offset: self.at,
            missing,
        })?;
        self.at += count;
        Ok(slice)
    }

    /// The next `count` octets, shared with the input.
    pub(crate) fn bytes(&mut self, field: &'static str, count: usize) -> Result<Bytes, Error> {
        let from = self.at;
        self.slice(field, count)?;
        Ok(self.octets.slice(from..self.at))
    }

    /// Everything that is left, shared with the input.
    pub(crate) fn take_rest(&mut self) -> Bytes {
        let from = self.at.min(self.octets.len());
        self.at = self.octets.len();
        self.octets.slice(from..)
    }

    /// Nothing may be left.
    pub(crate) fn finish(&self) -> Result<(), Error> {
        match self.rest().len() {
            0 => Ok(()),
            count => Err(Error::Trailing {
                offset: self.at,
                count,
            }),
        }
    }
}

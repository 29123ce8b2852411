//! Reading fields one after the other.

use bytes::Bytes;

use crate::Status;
use crate::error::{Fault, Problem};

/// How strictly lengths of the standard are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tolerance {
    /// A string longer than the standard allows is a fault.
    Strict,
    /// Strings may be longer: many peers have passwords of 14 characters.
    Lenient,
}

/// What is known of a field before it is read.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) name: &'static str,
    /// The most octets, the zero octet of a string included.
    pub(crate) most: usize,
    /// Says that the value is wrong.
    pub(crate) status: Status,
}

/// A position in a body.
#[derive(Debug)]
pub(crate) struct Reader<'o> {
    octets: &'o Bytes,
    at: usize,
    tolerance: Tolerance,
}

impl<'o> Reader<'o> {
    pub(crate) const fn new(octets: &'o Bytes, tolerance: Tolerance) -> Self {
        Self {
            octets,
            at: 0,
            tolerance,
        }
    }

    pub(crate) fn rest(&self) -> &'o [u8] {
        self.octets.get(self.at..).unwrap_or_default()
    }

    pub(crate) fn octet(&mut self, rule: &Rule) -> Result<u8, Fault> {
        let [octet] = self.array(rule)?;
        Ok(octet)
    }

    pub(crate) fn array<const N: usize>(&mut self, rule: &Rule) -> Result<[u8; N], Fault> {
        let Some(array) = self.rest().first_chunk() else {
            return Err(self.cut_off(rule));
        };
        self.at += N;
        Ok(*array)
    }

    /// The next octets, shared with the body.
    pub(crate) fn take(&mut self, count: usize, rule: &Rule) -> Result<Bytes, Fault> {
        if self.rest().len() < count {
            return Err(self.cut_off(rule));
        }
        let from = self.at;
        self.at += count;
        Ok(match count {
            0 => Bytes::new(),
            _ => self.octets.slice(from..self.at),
        })
    }

    /// The octets up to the next zero octet, which is passed over.
    pub(crate) fn until_zero(&mut self, rule: &Rule) -> Result<Bytes, Fault> {
        let Some(length) = self.rest().iter().position(|octet| *octet == 0) else {
            let status = Status::RINVMSGLEN;
            return Err(self.fault(rule, Problem::Unterminated, status));
        };
        if length >= rule.most && self.tolerance == Tolerance::Strict {
            let limit = rule.most;
            return Err(self.fault(rule, Problem::TooLong { limit }, rule.status));
        }
        let text = self.take(length, rule)?;
        self.at += 1;
        Ok(text)
    }

    pub(crate) const fn fault(&self, rule: &Rule, problem: Problem, status: Status) -> Fault {
        Fault {
            field: rule.name,
            offset: self.at,
            problem,
            status,
        }
    }

    const fn cut_off(&self, rule: &Rule) -> Fault {
        self.fault(rule, Problem::Truncated, Status::RINVMSGLEN)
    }
}

//! The six transfer protocol data units in both directions (3GPP TS 23.040 9.2.2).

mod command;
mod deliver;
mod report;
mod status_report;
mod submit;
#[cfg(test)]
mod tests;

use bytes::Bytes;

use crate::Error;
use crate::address::Address;
use crate::cursor::Cursor;

pub use command::{Command, CommandData, CommandKind};
pub use deliver::Deliver;
pub use report::{DeliverReport, Parameters, ReportKind, SubmitReport};
pub use status_report::StatusReport;
pub use submit::Submit;

/// The most octets that any TPDU takes.
const CAPACITY: usize = 176;

/// Who sends. The message type indicator means different things either way
/// (3GPP TS 23.040 9.2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the mobile station to the service centre.
    MsToSc,
    /// From the service centre to the mobile station.
    ScToMs,
}

/// A transfer protocol data unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tpdu {
    /// SMS-SUBMIT, MS to SC.
    Submit(Submit),
    /// SMS-COMMAND, MS to SC.
    Command(Command),
    /// SMS-DELIVER-REPORT, MS to SC.
    DeliverReport(DeliverReport),
    /// SMS-DELIVER, SC to MS.
    Deliver(Deliver),
    /// SMS-STATUS-REPORT, SC to MS.
    StatusReport(StatusReport),
    /// SMS-SUBMIT-REPORT, SC to MS.
    SubmitReport(SubmitReport),
}

impl Tpdu {
    /// Reads a TPDU without service centre address.
    ///
    /// Reports come in two forms, for acknowledgement and for error. They are told apart by
    /// their second octet: a failure cause has bit 7 set, a parameter indicator should not.
    /// [`Tpdu::decode_report`] is for callers who know.
    ///
    /// # Errors
    /// What is wrong, with the offset and the name of the field.
    pub fn decode(direction: Direction, octets: &Bytes) -> Result<Self, Error> {
        let kind = match octets.get(1) {
            Some(octet) if octet & 0x80 != 0 => ReportKind::Error,
            _ => ReportKind::Acknowledgement,
        };
        Self::read(direction, kind, octets)
    }

    /// Reads the TPDU that an acknowledgement or an error of the relay layer carries
    /// (3GPP TS 23.040 9.2.2.1a, 9.2.2.2a).
    ///
    /// # Errors
    /// What is wrong, with the offset and the name of the field.
    pub fn decode_report(
        direction: Direction,
        kind: ReportKind,
        octets: &Bytes,
    ) -> Result<Self, Error> {
        let tpdu = Self::read(direction, kind, octets)?;
        match tpdu {
            Self::DeliverReport(_) | Self::SubmitReport(_) => Ok(tpdu),
            _ => {
                let value = octets.first().copied().unwrap_or_default();
                Err(Error::Value {
                    field: "TP-MTI",
                    offset: 0,
                    value,
                })
            }
        }
    }

    /// Reads a TPDU after a service centre address, as modems write them: the length in octets,
    /// the type and the digits, or one zero octet.
    ///
    /// # Errors
    /// What is wrong, with the offset and the name of the field.
    pub fn decode_with_service_centre(
        direction: Direction,
        octets: &Bytes,
    ) -> Result<(Option<Address>, Self), Error> {
        let mut cursor = Cursor::new(octets);
        let service_centre = Address::read_rp(&mut cursor, "service centre address")?;
        let before = cursor.offset();
        let tpdu = Self::decode(direction, &octets.slice(before..));
        tpdu.map(|tpdu| (service_centre, tpdu))
            .map_err(|error| error.moved(before))
    }

    /// Reads a TPDU that may or may not follow a service centre address.
    ///
    /// If both readings are possible, a message, command or status report is preferred to a
    /// mere report, and then the reading without address.
    ///
    /// # Errors
    /// What is wrong without address, if both readings fail.
    pub fn decode_either(
        direction: Direction,
        octets: &Bytes,
    ) -> Result<(Option<Address>, Self), Error> {
        let bare = Self::decode(direction, octets);
        if bare.as_ref().is_ok_and(|tpdu| !tpdu.is_report()) {
            return bare.map(|tpdu| (None, tpdu));
        }
        match Self::decode_with_service_centre(direction, octets) {
            Ok((service_centre, tpdu)) if bare.is_err() || !tpdu.is_report() => {
                Ok((service_centre, tpdu))
            }
            _ => bare.map(|tpdu| (None, tpdu)),
        }
    }

    const fn is_report(&self) -> bool {
        matches!(self, Self::DeliverReport(_) | Self::SubmitReport(_))
    }

    fn read(direction: Direction, kind: ReportKind, octets: &Bytes) -> Result<Self, Error> {
        let mut cursor = Cursor::new(octets);
        let first = cursor.octet("TP-MTI")?;
        let tpdu = match (direction, first & 0x03) {
            (Direction::MsToSc, 0) => {
                Self::DeliverReport(DeliverReport::read(&mut cursor, first, kind)?)
            }
            (Direction::MsToSc, 1) => Self::Submit(Submit::read(&mut cursor, first)?),
            (Direction::MsToSc, 2) => Self::Command(Command::read(&mut cursor, first)?),
            (Direction::ScToMs, 0) => Self::Deliver(Deliver::read(&mut cursor, first)?),
            (Direction::ScToMs, 1) => {
                Self::SubmitReport(SubmitReport::read(&mut cursor, first, kind)?)
            }
            (Direction::ScToMs, 2) => Self::StatusReport(StatusReport::read(&mut cursor, first)?),
            _ => {
                return Err(Error::Value {
                    field: "TP-MTI",
                    offset: 0,
                    value: first,
                });
            }
        };
        cursor.finish()?;
        Ok(tpdu)
    }

    /// The octets of the TPDU.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(CAPACITY);
        self.encode_to(&mut out);
        out.into()
    }

    /// Appends the octets of the TPDU to `out`.
    pub fn encode_to(&self, out: &mut Vec<u8>) {
        match self {
            Self::Submit(submit) => submit.write(out),
            Self::Command(command) => command.write(out),
            Self::DeliverReport(report) => report.write(out),
            Self::Deliver(deliver) => deliver.write(out),
            Self::StatusReport(report) => report.write(out),
            Self::SubmitReport(report) => report.write(out),
        }
    }

    /// The octets of the TPDU after a service centre address, as modems read them.
    #[must_use]
    pub fn encode_with_service_centre(&self, service_centre: Option<&Address>) -> Bytes {
        let mut out = Vec::with_capacity(CAPACITY);
        Address::write_rp(service_centre, &mut out);
        self.encode_to(&mut out);
        out.into()
    }

    /// Who sends such a TPDU.
    #[must_use]
    pub const fn direction(&self) -> Direction {
        match self {
            Self::Submit(_) | Self::Command(_) | Self::DeliverReport(_) => Direction::MsToSc,
            Self::Deliver(_) | Self::StatusReport(_) | Self::SubmitReport(_) => Direction::ScToMs,
        }
    }

    /// The name of the TPDU in the standard.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Submit(_) => "SMS-SUBMIT",
            Self::Command(_) => "SMS-COMMAND",
            Self::DeliverReport(_) => "SMS-DELIVER-REPORT",
            Self::Deliver(_) => "SMS-DELIVER",
            Self::StatusReport(_) => "SMS-STATUS-REPORT",
            Self::SubmitReport(_) => "SMS-SUBMIT-REPORT",
        }
    }
}

/// `bit` if `flag` is set.
const fn bit(flag: bool, bit: u8) -> u8 {
    if flag { bit } else { 0 }
}

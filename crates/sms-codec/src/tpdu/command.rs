//! SMS-COMMAND: a mobile asks about or changes an earlier message (3GPP TS 23.040 9.2.2.4).

use bytes::Bytes;

use super::bit;
use crate::Error;
use crate::address::Address;
use crate::cursor::Cursor;
use crate::pid::Pid;

/// Bits of the first octet that the standard leaves open.
const RESERVED: u8 = 0x9C;

/// The most octets of command data.
const MAX_DATA: usize = 157;

/// An SMS-COMMAND (3GPP TS 23.040 9.2.2.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// TP-SRR: a status report is wanted.
    pub status_report_request: bool,
    /// Open bits of the first octet, kept as received.
    pub reserved: u8,
    /// TP-MR of the command itself.
    pub reference: u8,
    /// TP-PID.
    pub pid: Pid,
    /// TP-CT.
    pub kind: CommandKind,
    /// TP-MN: the reference of the message that the command is about.
    pub message_number: u8,
    /// TP-DA of that message.
    pub destination: Address,
    /// TP-CDL and TP-CD.
    pub data: CommandData,
}

/// What a command asks for (3GPP TS 23.040 9.2.3.19).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CommandKind {
    /// 00: what became of the message.
    Enquiry,
    /// 01: no status report after all.
    CancelStatusReport,
    /// 02: delete the message.
    Delete,
    /// 03: a status report after all.
    EnableStatusReport,
    /// Reserved, or E0 to FF: specific to the service centre.
    Other(u8),
}

impl CommandKind {
    /// The kind of a TP-Command-Type octet.
    #[must_use]
    pub const fn from_code(code: u8) -> Self {
        match code {
            0 => Self::Enquiry,
            1 => Self::CancelStatusReport,
            2 => Self::Delete,
            3 => Self::EnableStatusReport,
            other => Self::Other(other),
        }
    }

    /// The TP-Command-Type octet.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Enquiry => 0,
            Self::CancelStatusReport => 1,
            Self::Delete => 2,
            Self::EnableStatusReport => 3,
            Self::Other(code) => code,
        }
    }
}

/// TP-Command-Data of at most 157 octets, perhaps with a header (3GPP TS 23.040 9.2.3.21).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandData {
    has_header: bool,
    octets: Bytes,
}

impl CommandData {
    /// Command data without a header.
    ///
    /// # Errors
    /// [`Error::TooLong`] for more than 157 octets.
    pub fn new(octets: Bytes) -> Result<Self, Error> {
        match octets.len() {
            0..=MAX_DATA => Ok(Self {
                has_header: false,
                octets,
            }),
            length => Err(Error::TooLong {
                field: "TP-CD",
                length,
                limit: MAX_DATA,
            }),
        }
    }

    /// TP-User-Data-Header-Indicator: whether the data begins with a header.
    #[must_use]
    pub const fn has_header(&self) -> bool {
        self.has_header
    }

    /// The octets.
    #[must_use]
    pub const fn octets(&self) -> &Bytes {
        &self.octets
    }
}

impl Command {
    pub(super) fn read(cursor: &mut Cursor<'_>, first: u8) -> Result<Self, Error> {
        let reference = cursor.octet("TP-MR")?;
        let pid = Pid(cursor.octet("TP-PID")?);
        let kind = CommandKind::from_code(cursor.octet("TP-CT")?);
        let message_number = cursor.octet("TP-MN")?;
        let destination = Address::read(cursor, "TP-DA")?;
        let offset = cursor.offset();
        let length = usize::from(cursor.octet("TP-CDL")?);
        if length > MAX_DATA {
            return Err(Error::Length {
                field: "TP-CDL",
                offset,
                length,
            });
        }
        let octets = cursor.bytes("TP-CD", length)?;
        Ok(Self {
            status_report_request: first & 0x20 != 0,
            reserved: first & RESERVED,
            reference,
            pid,
            kind,
            message_number,
            destination,
            data: CommandData {
                has_header: first & 0x40 != 0,
                octets,
            },
        })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let first = 0x02
            | bit(self.status_report_request, 0x20)
            | bit(self.data.has_header, 0x40)
            | self.reserved & RESERVED;
        out.extend([
            first,
            self.reference,
            self.pid.0,
            self.kind.code(),
            self.message_number,
        ]);
        self.destination.write(out);
        out.push(u8::try_from(self.data.octets.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(&self.data.octets);
    }
}

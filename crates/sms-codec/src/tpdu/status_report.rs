//! SMS-STATUS-REPORT: what became of a message or command (3GPP TS 23.040 9.2.2.3).

use super::bit;
use super::report::Parameters;
use crate::Error;
use crate::address::Address;
use crate::cursor::Cursor;
use crate::status::Status;
use crate::time::Timestamp;

/// Bits of the first octet that the standard leaves open.
const RESERVED: u8 = 0x90;

/// An SMS-STATUS-REPORT (3GPP TS 23.040 9.2.2.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusReport {
    /// More messages wait; TP-MMS says so by a zero.
    pub more_messages: bool,
    /// TP-LP: must not be forwarded or cause another message.
    pub loop_prevention: bool,
    /// TP-SRQ: the report is about an SMS-COMMAND, not an SMS-SUBMIT.
    pub about_command: bool,
    /// Open bits of the first octet, kept as received.
    pub reserved: u8,
    /// TP-MR of the message or command.
    pub reference: u8,
    /// TP-RA: where the message went.
    pub recipient: Address,
    /// TP-SCTS of the message.
    pub timestamp: Timestamp,
    /// TP-DT: when the status was reached.
    pub discharge_time: Timestamp,
    /// TP-ST.
    pub status: Status,
    /// Optional fields; `None` if there is not even an indicator.
    pub parameters: Option<Parameters>,
}

impl StatusReport {
    pub(super) fn read(cursor: &mut Cursor<'_>, first: u8) -> Result<Self, Error> {
        let reference = cursor.octet("TP-MR")?;
        let recipient = Address::read(cursor, "TP-RA")?;
        let timestamp = Timestamp(cursor.array("TP-SCTS")?);
        let discharge_time = Timestamp(cursor.array("TP-DT")?);
        let status = Status(cursor.octet("TP-ST")?);
        let mut reserved = first & RESERVED;
        let parameters = if cursor.is_empty() {
            // An indicated header without user data is kept like an open bit.
            reserved |= first & 0x40;
            None
        } else {
            let indicator = Parameters::read_indicator(cursor)?;
            Some(Parameters::read(cursor, first, indicator)?)
        };
        Ok(Self {
            more_messages: first & 0x04 == 0,
            loop_prevention: first & 0x08 != 0,
            about_command: first & 0x20 != 0,
            reserved,
            reference,
            recipient,
            timestamp,
            discharge_time,
            status,
            parameters,
        })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let header = match &self.parameters {
            Some(parameters) => parameters.header_bit(),
            None => self.reserved & 0x40,
        };
        let first = 0x02
            | bit(!self.more_messages, 0x04)
            | bit(self.loop_prevention, 0x08)
            | bit(self.about_command, 0x20)
            | self.reserved & RESERVED
            | header;
        out.extend([first, self.reference]);
        self.recipient.write(out);
        out.extend(self.timestamp.0);
        out.extend(self.discharge_time.0);
        out.push(self.status.0);
        if let Some(parameters) = &self.parameters {
            parameters.write_indicator(out);
            parameters.write(out);
        }
    }
}

//! SMS-DELIVER: the service centre gives a mobile a message (3GPP TS 23.040 9.2.2.1).

use super::bit;
use crate::Error;
use crate::address::Address;
use crate::cursor::Cursor;
use crate::dcs::Dcs;
use crate::pid::Pid;
use crate::time::Timestamp;
use crate::user_data::{HeaderIndicator, UserData};

/// Bits of the first octet that the standard leaves open.
const RESERVED: u8 = 0x10;

/// An SMS-DELIVER (3GPP TS 23.040 9.2.2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deliver {
    /// More messages wait; TP-MMS says so by a zero.
    pub more_messages: bool,
    /// TP-LP: must not be forwarded or cause another message.
    pub loop_prevention: bool,
    /// TP-SRI: the originator gets a status report.
    pub status_report_indication: bool,
    /// TP-RP: the reply path is set.
    pub reply_path: bool,
    /// Open bits of the first octet, kept as received.
    pub reserved: u8,
    /// TP-OA.
    pub originator: Address,
    /// TP-PID.
    pub pid: Pid,
    /// TP-SCTS.
    pub timestamp: Timestamp,
    /// TP-DCS, TP-UDHI, TP-UDL and TP-UD.
    pub user_data: UserData,
}

impl Deliver {
    /// A plain message: the last one that waits, nothing else indicated.
    #[must_use]
    pub const fn new(originator: Address, timestamp: Timestamp, user_data: UserData) -> Self {
        Self {
            more_messages: false,
            loop_prevention: false,
            status_report_indication: false,
            reply_path: false,
            reserved: 0,
            originator,
            pid: Pid::PLAIN,
            timestamp,
            user_data,
        }
    }

    pub(super) fn read(cursor: &mut Cursor<'_>, first: u8) -> Result<Self, Error> {
        let originator = Address::read(cursor, "TP-OA")?;
        let pid = Pid(cursor.octet("TP-PID")?);
        let dcs = Dcs(cursor.octet("TP-DCS")?);
        let timestamp = Timestamp(cursor.array("TP-SCTS")?);
        let user_data = UserData::read(cursor, dcs, HeaderIndicator::of(first))?;
        Ok(Self {
            more_messages: first & 0x04 == 0,
            loop_prevention: first & 0x08 != 0,
            status_report_indication: first & 0x20 != 0,
            reply_path: first & 0x80 != 0,
            reserved: first & RESERVED,
            originator,
            pid,
            timestamp,
            user_data,
        })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let first = bit(!self.more_messages, 0x04)
            | bit(self.loop_prevention, 0x08)
            | self.reserved & RESERVED
            | bit(self.status_report_indication, 0x20)
            | bit(self.user_data.has_header(), 0x40)
            | bit(self.reply_path, 0x80);
        out.push(first);
        self.originator.write(out);
        out.extend([self.pid.0, self.user_data.dcs().0]);
        out.extend(self.timestamp.0);
        self.user_data.write(out);
    }
}

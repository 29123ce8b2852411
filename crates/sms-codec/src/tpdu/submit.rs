//! SMS-SUBMIT: a mobile gives the service centre a message (3GPP TS 23.040 9.2.2.2).

use super::bit;
use crate::Error;
use crate::address::Address;
use crate::cursor::Cursor;
use crate::dcs::Dcs;
use crate::pid::Pid;
use crate::user_data::{HeaderIndicator, UserData};
use crate::validity::Validity;

/// An SMS-SUBMIT (3GPP TS 23.040 9.2.2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submit {
    /// TP-RD: a second message with the same reference and destination is to be refused.
    pub reject_duplicates: bool,
    /// TP-SRR: a status report is wanted.
    pub status_report_request: bool,
    /// TP-RP: the reply path is set.
    pub reply_path: bool,
    /// TP-MR.
    pub reference: u8,
    /// TP-DA.
    pub destination: Address,
    /// TP-PID.
    pub pid: Pid,
    /// TP-VP; its kind is TP-VPF.
    pub validity: Validity,
    /// TP-DCS, TP-UDHI, TP-UDL and TP-UD.
    pub user_data: UserData,
}

impl Submit {
    /// A plain message: nothing requested, reference 0, no validity period.
    #[must_use]
    pub const fn new(destination: Address, user_data: UserData) -> Self {
        Self {
            reject_duplicates: false,
            status_report_request: false,
            reply_path: false,
            reference: 0,
            destination,
            pid: Pid::PLAIN,
            validity: Validity::Absent,
            user_data,
        }
    }

    pub(super) fn read(cursor: &mut Cursor<'_>, first: u8) -> Result<Self, Error> {
        let reference = cursor.octet("TP-MR")?;
        let destination = Address::read(cursor, "TP-DA")?;
        let pid = Pid(cursor.octet("TP-PID")?);
        let dcs = Dcs(cursor.octet("TP-DCS")?);
        let validity = Validity::read(cursor, first >> 3)?;
        let user_data = UserData::read(cursor, dcs, HeaderIndicator::of(first))?;
        Ok(Self {
            reject_duplicates: first & 0x04 != 0,
            status_report_request: first & 0x20 != 0,
            reply_path: first & 0x80 != 0,
            reference,
            destination,
            pid,
            validity,
            user_data,
        })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let first = 0x01
            | bit(self.reject_duplicates, 0x04)
            | self.validity.format() << 3
            | bit(self.status_report_request, 0x20)
            | bit(self.user_data.has_header(), 0x40)
            | bit(self.reply_path, 0x80);
        out.extend([first, self.reference]);
        self.destination.write(out);
        out.extend([self.pid.0, self.user_data.dcs().0]);
        self.validity.write(out);
        self.user_data.write(out);
    }
}

//! SMS-DELIVER-REPORT and SMS-SUBMIT-REPORT (3GPP TS 23.040 9.2.2.1a, 9.2.2.2a).

use bytes::Bytes;

use super::bit;
use crate::Error;
use crate::cursor::Cursor;
use crate::dcs::Dcs;
use crate::pid::Pid;
use crate::status::FailureCause;
use crate::time::Timestamp;
use crate::user_data::{HeaderIndicator, UserData};

/// Bits of the first octet that the standard leaves open.
const RESERVED: u8 = 0xBC;

/// Bits of TP-Parameter-Indicator (3GPP TS 23.040 9.2.3.27).
const PI_PID: u8 = 0x01;
const PI_DCS: u8 = 0x02;
const PI_USER_DATA: u8 = 0x04;
const PI_EXTENSION: u8 = 0x80;

/// Which of the two forms of a report it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReportKind {
    /// In an RP-ACK: without failure cause.
    Acknowledgement,
    /// In an RP-ERROR: with failure cause.
    Error,
}

/// An SMS-DELIVER-REPORT (3GPP TS 23.040 9.2.2.1a).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliverReport {
    /// TP-FCS, in an error only.
    pub failure_cause: Option<FailureCause>,
    /// Open bits of the first octet, kept as received.
    pub reserved: u8,
    /// TP-PI and the fields it announces.
    pub parameters: Parameters,
}

/// An SMS-SUBMIT-REPORT (3GPP TS 23.040 9.2.2.2a).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmitReport {
    /// TP-FCS, in an error only.
    pub failure_cause: Option<FailureCause>,
    /// Open bits of the first octet, kept as received.
    pub reserved: u8,
    /// TP-SCTS: when the service centre received the message.
    pub timestamp: Timestamp,
    /// TP-PI and the fields it announces.
    pub parameters: Parameters,
}

/// TP-Parameter-Indicator and the fields that it announces (3GPP TS 23.040 9.2.3.27).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters {
    /// All octets of the indicator; the first one is always there.
    indicator: Bytes,
    pid: Option<Pid>,
    dcs: Option<Dcs>,
    user_data: Option<UserData>,
    /// TP-UDHI although there is no user data.
    stray_header_bit: bool,
    /// What reserved bits of the indicator announce, not understood.
    rest: Bytes,
}

impl Parameters {
    /// No optional field at all.
    pub const NONE: Self = Self {
        indicator: Bytes::from_static(&[0]),
        pid: None,
        dcs: None,
        user_data: None,
        stray_header_bit: false,
        rest: Bytes::new(),
    };

    /// These fields. User data brings its coding scheme along unless it is the default one.
    #[must_use]
    pub fn new(pid: Option<Pid>, user_data: Option<UserData>) -> Self {
        let dcs = user_data.as_ref().map(UserData::dcs);
        let indicator = bit(pid.is_some(), PI_PID)
            | bit(dcs.is_some(), PI_DCS)
            | bit(user_data.is_some(), PI_USER_DATA);
        Self {
            indicator: Bytes::copy_from_slice(&[indicator]),
            pid,
            dcs,
            user_data,
            ..Self::NONE
        }
    }

    /// The octets of the indicator.
    #[must_use]
    pub fn indicator(&self) -> &[u8] {
        &self.indicator
    }

    /// TP-PID.
    #[must_use]
    pub const fn pid(&self) -> Option<Pid> {
        self.pid
    }

    /// TP-DCS.
    #[must_use]
    pub const fn dcs(&self) -> Option<Dcs> {
        self.dcs
    }

    /// TP-UDL and TP-UD; without TP-DCS they are read as GSM 7-bit.
    #[must_use]
    pub const fn user_data(&self) -> Option<&UserData> {
        self.user_data.as_ref()
    }

    pub(super) fn read_indicator(cursor: &mut Cursor<'_>) -> Result<Bytes, Error> {
        let more = cursor
            .rest()
            .iter()
            .take_while(|octet| **octet & PI_EXTENSION != 0)
            .count();
        cursor.bytes("TP-PI", more + 1)
    }

    pub(super) fn read(
        cursor: &mut Cursor<'_>,
        first: u8,
        indicator: Bytes,
    ) -> Result<Self, Error> {
        let announced = indicator.first().copied().unwrap_or_default();
        let has = |field| announced & field != 0;
        let pid = if has(PI_PID) {
            Some(Pid(cursor.octet("TP-PID")?))
        } else {
            None
        };
        let dcs = if has(PI_DCS) {
            Some(Dcs(cursor.octet("TP-DCS")?))
        } else {
            None
        };
        let user_data = if has(PI_USER_DATA) {
            let dcs = dcs.unwrap_or(Dcs::GSM7);
            Some(UserData::read(cursor, dcs, HeaderIndicator::of(first))?)
        } else {
            None
        };
        // Reserved bits and further octets announce fields of a later release.
        let more = announced & !(PI_PID | PI_DCS | PI_USER_DATA) != 0;
        let rest = if more {
            cursor.take_rest()
        } else {
            Bytes::new()
        };
        let stray_header_bit = user_data.is_none() && first & 0x40 != 0;
        Ok(Self {
            indicator,
            pid,
            dcs,
            user_data,
            stray_header_bit,
            rest,
        })
    }

    pub(super) fn header_bit(&self) -> u8 {
        let user_data = self.user_data.as_ref().is_some_and(UserData::has_header);
        bit(user_data || self.stray_header_bit, 0x40)
    }

    pub(super) fn write_indicator(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.indicator);
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.pid.map(|pid| pid.0));
        out.extend(self.dcs.map(|dcs| dcs.0));
        if let Some(user_data) = &self.user_data {
            user_data.write(out);
        }
        out.extend_from_slice(&self.rest);
    }
}

impl DeliverReport {
    pub(super) fn read(
        cursor: &mut Cursor<'_>,
        first: u8,
        kind: ReportKind,
    ) -> Result<Self, Error> {
        let failure_cause = read_failure_cause(cursor, kind)?;
        let indicator = Parameters::read_indicator(cursor)?;
        let parameters = Parameters::read(cursor, first, indicator)?;
        Ok(Self {
            failure_cause,
            reserved: first & RESERVED,
            parameters,
        })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push(self.reserved & RESERVED | self.parameters.header_bit());
        out.extend(self.failure_cause.map(|cause| cause.0));
        self.parameters.write_indicator(out);
        self.parameters.write(out);
    }
}

impl SubmitReport {
    pub(super) fn read(
        cursor: &mut Cursor<'_>,
        first: u8,
        kind: ReportKind,
    ) -> Result<Self, Error> {
        let failure_cause = read_failure_cause(cursor, kind)?;
        let indicator = Parameters::read_indicator(cursor)?;
        let timestamp = Timestamp(cursor.array("TP-SCTS")?);
        let parameters = Parameters::read(cursor, first, indicator)?;
        Ok(Self {
            failure_cause,
            reserved: first & RESERVED,
            timestamp,
            parameters,
        })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push(0x01 | self.reserved & RESERVED | self.parameters.header_bit());
        out.extend(self.failure_cause.map(|cause| cause.0));
        self.parameters.write_indicator(out);
        out.extend(self.timestamp.0);
        self.parameters.write(out);
    }
}

fn read_failure_cause(
    cursor: &mut Cursor<'_>,
    kind: ReportKind,
) -> Result<Option<FailureCause>, Error> {
    match kind {
        ReportKind::Acknowledgement => Ok(None),
        ReportKind::Error => cursor
            .octet("TP-FCS")
            .map(|octet| Some(FailureCause(octet))),
    }
}

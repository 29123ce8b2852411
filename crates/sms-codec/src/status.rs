//! What became of a message: TP-Status and TP-Failure-Cause (3GPP TS 23.040 9.2.3.15, 9.2.3.22).

#[cfg(test)]
mod tests;

/// TP-Status as it was written (3GPP TS 23.040 9.2.3.15).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Status(pub u8);

/// What a status means for the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// 00 to 1F: the transaction is completed.
    Completed,
    /// 20 to 3F: a temporary error, the service centre still tries.
    StillTrying,
    /// 40 to 5F: a permanent error, the service centre has given up.
    Failed,
    /// 60 to 7F: a temporary error, but the service centre has given up.
    GaveUp,
    /// 80 to FF.
    Reserved,
}

impl Status {
    /// Received by the recipient.
    pub const RECEIVED: Self = Self(0x00);
    /// Forwarded, but the service centre cannot tell whether it was received.
    pub const FORWARDED: Self = Self(0x01);
    /// Replaced by the service centre.
    pub const REPLACED: Self = Self(0x02);
    /// The validity period expired.
    pub const EXPIRED: Self = Self(0x46);
    /// Deleted by the originator.
    pub const DELETED_BY_ORIGINATOR: Self = Self(0x47);
    /// Deleted by the administration of the service centre.
    pub const DELETED_BY_ADMINISTRATION: Self = Self(0x48);
    /// The service centre does not know the message.
    pub const UNKNOWN_MESSAGE: Self = Self(0x49);

    /// Which of the four groups the status belongs to.
    #[must_use]
    pub const fn outcome(self) -> Outcome {
        match self.0 {
            0x00..=0x1F => Outcome::Completed,
            0x20..=0x3F => Outcome::StillTrying,
            0x40..=0x5F => Outcome::Failed,
            0x60..=0x7F => Outcome::GaveUp,
            0x80.. => Outcome::Reserved,
        }
    }

    /// Whether no other status will follow.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self.outcome(), Outcome::StillTrying)
    }

    /// The meaning in words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.0 {
            0x00 => "received by the SME",
            0x01 => "forwarded to the SME, delivery not confirmed",
            0x02 => "replaced by the SC",
            0x10..=0x1F | 0x30..=0x3F | 0x50..=0x5F | 0x70..=0x7F => "specific to the SC",
            0x20 | 0x60 => "congestion",
            0x21 | 0x61 => "SME busy",
            0x22 | 0x62 => "no response from SME",
            0x23 | 0x63 => "service rejected",
            0x24 | 0x44 | 0x64 => "quality of service not available",
            0x25 | 0x65 => "error in SME",
            0x40 => "remote procedure error",
            0x41 => "incompatible destination",
            0x42 => "connection rejected by SME",
            0x43 => "not obtainable",
            0x45 => "no interworking available",
            0x46 => "validity period expired",
            0x47 => "deleted by originating SME",
            0x48 => "deleted by SC administration",
            0x49 => "message does not exist",
            _ => "reserved",
        }
    }
}

/// TP-Failure-Cause as it was written (3GPP TS 23.040 9.2.3.22).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FailureCause(pub u8);

impl FailureCause {
    /// The meaning in words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.0 {
            0x80 => "telematic interworking not supported",
            0x81 => "short message type 0 not supported",
            0x82 => "cannot replace short message",
            0x8F => "unspecified TP-PID error",
            0x90 => "data coding scheme (alphabet) not supported",
            0x91 => "message class not supported",
            0x9F => "unspecified TP-DCS error",
            0xA0 => "command cannot be actioned",
            0xA1 => "command unsupported",
            0xAF => "unspecified TP-command error",
            0xB0 => "TPDU not supported",
            0xC0 => "SC busy",
            0xC1 => "no SC subscription",
            0xC2 => "SC system failure",
            0xC3 => "invalid SME address",
            0xC4 => "destination SME barred",
            0xC5 => "duplicate rejected",
            0xC6 => "TP-VPF not supported",
            0xC7 => "TP-VP not supported",
            0xD0 => "(U)SIM SMS storage full",
            0xD1 => "no SMS storage capability in (U)SIM",
            0xD2 => "error in MS",
            0xD3 => "memory capacity exceeded",
            0xD4 => "(U)SIM application toolkit busy",
            0xD5 => "(U)SIM data download error",
            0xE0..=0xFE => "specific to the application",
            0xFF => "unspecified error cause",
            _ => "reserved",
        }
    }
}

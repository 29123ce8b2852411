//! RP-Cause: why the relay layer failed (3GPP TS 24.011 8.2.5.4).

/// RP-Cause as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cause(pub u8);

impl Cause {
    /// 8.
    pub const OPERATOR_DETERMINED_BARRING: Self = Self(8);
    /// 21: the network or the service centre rejects the message.
    pub const TRANSFER_REJECTED: Self = Self(21);
    /// 22: the mobile has no room.
    pub const MEMORY_CAPACITY_EXCEEDED: Self = Self(22);
    /// 38.
    pub const NETWORK_OUT_OF_ORDER: Self = Self(38);
    /// 41.
    pub const TEMPORARY_FAILURE: Self = Self(41);
    /// 42.
    pub const CONGESTION: Self = Self(42);
    /// 69.
    pub const FACILITY_NOT_IMPLEMENTED: Self = Self(69);
    /// 95.
    pub const SEMANTICALLY_INCORRECT: Self = Self(95);
    /// 96.
    pub const INVALID_MANDATORY_INFORMATION: Self = Self(96);
    /// 111.
    pub const PROTOCOL_ERROR: Self = Self(111);

    /// The cause value without the extension bit.
    #[must_use]
    pub const fn value(self) -> u8 {
        self.0 & 0x7F
    }

    /// The meaning in words (3GPP TS 24.011 table 8.4).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.value() {
            1 => "unassigned (unallocated) number",
            8 => "operator determined barring",
            10 => "call barred",
            11 => "reserved",
            21 => "short message transfer rejected",
            22 => "memory capacity exceeded",
            27 => "destination out of order",
            28 => "unidentified subscriber",
            29 => "facility rejected",
            30 => "unknown subscriber",
            38 => "network out of order",
            41 => "temporary failure",
            42 => "congestion",
            47 => "resources unavailable, unspecified",
            50 => "requested facility not subscribed",
            69 => "requested facility not implemented",
            81 => "invalid short message transfer reference value",
            95 => "semantically incorrect message",
            96 => "invalid mandatory information",
            97 => "message type non-existent or not implemented",
            98 => "message not compatible with short message protocol state",
            99 => "information element non-existent or not implemented",
            111 => "protocol error, unspecified",
            127 => "interworking, unspecified",
            _ => "unknown cause",
        }
    }
}

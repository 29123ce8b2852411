//! Octets made of bits: `esm_class` and `registered_delivery` (SMPP 5.0, 4.7.12, 4.7.21).

/// `esm_class`: how to carry a message, what it is, and what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct EsmClass(pub u8);

/// Bits 1-0 of `esm_class` in a submit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// As the message centre does it.
    Default,
    /// One attempt, nothing stored.
    Datagram,
    /// The response waits for the delivery.
    Forward,
    /// Stored, and then forwarded.
    StoreAndForward,
}

impl EsmClass {
    /// A user data header is in front of the text.
    pub const UDHI: u8 = 0x40;
    /// A reply path is asked for, or set.
    pub const REPLY_PATH: u8 = 0x80;
    /// It is a delivery receipt of the message centre.
    pub const RECEIPT: u8 = 0x04;
    /// It acknowledges the delivery for a person or machine.
    pub const DELIVERY_ACK: u8 = 0x08;
    /// It is a person's acknowledgement.
    pub const MANUAL_ACK: u8 = 0x10;
    /// It tells of a state on the way.
    pub const INTERMEDIATE: u8 = 0x20;

    /// How the message is to be carried.
    #[must_use]
    pub const fn mode(self) -> Mode {
        match self.0 & 3 {
            0 => Mode::Default,
            1 => Mode::Datagram,
            2 => Mode::Forward,
            _ => Mode::StoreAndForward,
        }
    }

    /// Whether a user data header is in front of the text.
    #[must_use]
    pub const fn has_header(self) -> bool {
        self.0 & Self::UDHI != 0
    }

    /// Bits 5-2: what kind of message it is; zero for an ordinary one.
    #[must_use]
    pub const fn kind(self) -> u8 {
        self.0 & 0x3C
    }
}

/// `registered_delivery`: which receipts are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct RegisteredDelivery(pub u8);

/// Bits 1-0 of `registered_delivery`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Final {
    /// No receipt.
    Never,
    /// When the message has ended, however.
    Always,
    /// When it has ended undelivered.
    Failure,
    /// When it was delivered (5.0).
    Success,
}

impl RegisteredDelivery {
    /// Asks for intermediate notifications.
    pub const INTERMEDIATE: u8 = 0x10;

    /// Which receipt of the end is asked for.
    #[must_use]
    pub const fn at_the_end(self) -> Final {
        match self.0 & 3 {
            0 => Final::Never,
            1 => Final::Always,
            2 => Final::Failure,
            _ => Final::Success,
        }
    }

    /// Bits 3-2: the acknowledgements that the receiving application is asked for.
    #[must_use]
    pub const fn acks(self) -> u8 {
        self.0 & 0x0C
    }

    /// Whether states on the way are to be told.
    #[must_use]
    pub const fn wants_intermediate(self) -> bool {
        self.0 & Self::INTERMEDIATE != 0
    }
}

//! The relay layer: RP-DATA, RP-ACK, RP-ERROR, RP-SMMA (3GPP TS 24.011 7.3, 8.2).

mod cause;
#[cfg(test)]
mod tests;

use bytes::Bytes;

use crate::Error;
use crate::address::Address;
use crate::cursor::Cursor;

pub use cause::Cause;

/// Who sends (3GPP TS 24.011 8.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the mobile station to the network.
    MsToNetwork,
    /// From the network to the mobile station.
    NetworkToMs,
}

/// A message of the relay layer (3GPP TS 24.011 7.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Who sends.
    pub direction: Direction,
    /// The five spare bits of the first octet, kept as received.
    pub spare: u8,
    /// RP-Message-Reference.
    pub reference: u8,
    /// What it is.
    pub body: Body,
}

/// What a message of the relay layer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// RP-DATA (3GPP TS 24.011 7.3.1).
    Data {
        /// RP-Originator-Address: the service centre, network to mobile only.
        originator: Option<Address>,
        /// RP-Destination-Address: the service centre, mobile to network only.
        destination: Option<Address>,
        /// RP-User-Data: the TPDU.
        user_data: UserData,
    },
    /// RP-ACK (3GPP TS 24.011 7.3.3).
    Acknowledgement(Optional),
    /// RP-ERROR (3GPP TS 24.011 7.3.4).
    Error {
        /// RP-Cause.
        cause: Cause,
        /// The diagnostic field of RP-Cause, mostly empty.
        diagnostic: Diagnostic,
        /// What follows.
        optional: Optional,
    },
    /// RP-SMMA: memory is available again; mobile to network only (3GPP TS 24.011 7.3.2).
    MemoryAvailable,
}

/// RP-User-Data: a TPDU of at most 255 octets, of which the standard uses 233.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserData(Bytes);

impl UserData {
    /// This TPDU.
    ///
    /// # Errors
    /// [`Error::TooLong`] for more than 255 octets.
    pub fn new(tpdu: Bytes) -> Result<Self, Error> {
        match tpdu.len() {
            0..=0xFF => Ok(Self(tpdu)),
            length => Err(Error::TooLong {
                field: USER_DATA,
                length,
                limit: 0xFF,
            }),
        }
    }

    /// The TPDU.
    #[must_use]
    pub const fn tpdu(&self) -> &Bytes {
        &self.0
    }

    fn read(cursor: &mut Cursor<'_>) -> Result<Self, Error> {
        let length = cursor.octet(USER_DATA)?;
        cursor.bytes(USER_DATA, usize::from(length)).map(Self)
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.push(u8::try_from(self.0.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(&self.0);
    }
}

/// The diagnostic field of RP-Cause, at most 254 octets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic(Bytes);

impl Diagnostic {
    /// No diagnostic.
    pub const NONE: Self = Self(Bytes::new());

    /// The octets.
    #[must_use]
    pub const fn octets(&self) -> &Bytes {
        &self.0
    }
}

/// Information elements that may follow in RP-ACK and RP-ERROR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Optional {
    /// RP-User-Data: the report.
    pub user_data: Option<UserData>,
    /// Whatever follows it, kept as received.
    unknown: Bytes,
}

impl Optional {
    /// Nothing follows.
    pub const NONE: Self = Self {
        user_data: None,
        unknown: Bytes::new(),
    };

    /// Only a report follows.
    #[must_use]
    pub const fn report(user_data: UserData) -> Self {
        Self {
            user_data: Some(user_data),
            unknown: Bytes::new(),
        }
    }

    /// Elements that are not known, as received.
    #[must_use]
    pub const fn unknown(&self) -> &Bytes {
        &self.unknown
    }

    fn read(cursor: &mut Cursor<'_>) -> Result<Self, Error> {
        let user_data = match cursor.peek() {
            Some(USER_DATA_ID) => {
                cursor.octet(USER_DATA)?;
                Some(UserData::read(cursor)?)
            }
            _ => None,
        };
        Ok(Self {
            user_data,
            unknown: cursor.take_rest(),
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        if let Some(user_data) = &self.user_data {
            out.push(USER_DATA_ID);
            user_data.write(out);
        }
        out.extend_from_slice(&self.unknown);
    }
}

/// RP-User-Data as an optional element (3GPP TS 24.011 8.2.5.3).
const USER_DATA_ID: u8 = 0x41;

const USER_DATA: &str = "RP-User-Data";

impl Message {
    /// RP-DATA from the service centre to a mobile, or from a mobile to the service centre.
    #[must_use]
    pub const fn data(
        direction: Direction,
        reference: u8,
        service_centre: Address,
        user_data: UserData,
    ) -> Self {
        let (originator, destination) = match direction {
            Direction::MsToNetwork => (None, Some(service_centre)),
            Direction::NetworkToMs => (Some(service_centre), None),
        };
        let body = Body::Data {
            originator,
            destination,
            user_data,
        };
        Self {
            direction,
            spare: 0,
            reference,
            body,
        }
    }

    /// RP-ACK, perhaps with a report.
    #[must_use]
    pub fn acknowledgement(direction: Direction, reference: u8, report: Option<UserData>) -> Self {
        let optional = report.map_or(Optional::NONE, Optional::report);
        Self {
            direction,
            spare: 0,
            reference,
            body: Body::Acknowledgement(optional),
        }
    }

    /// RP-ERROR, perhaps with a report.
    #[must_use]
    pub fn error(
        direction: Direction,
        reference: u8,
        cause: Cause,
        report: Option<UserData>,
    ) -> Self {
        let optional = report.map_or(Optional::NONE, Optional::report);
        let body = Body::Error {
            cause,
            diagnostic: Diagnostic::NONE,
            optional,
        };
        Self {
            direction,
            spare: 0,
            reference,
            body,
        }
    }

    /// Reads a message of the relay layer.
    ///
    /// # Errors
    /// What is wrong, with the offset and the name of the field.
    pub fn decode(octets: &Bytes) -> Result<Self, Error> {
        let mut cursor = Cursor::new(octets);
        let first = cursor.octet("RP-MTI")?;
        let reference = cursor.octet("RP-Message Reference")?;
        let body = match first & 0x07 {
            0 | 1 => Body::Data {
                originator: Address::read_rp(&mut cursor, "RP-OA")?,
                destination: Address::read_rp(&mut cursor, "RP-DA")?,
                user_data: UserData::read(&mut cursor)?,
            },
            2 | 3 => Body::Acknowledgement(Optional::read(&mut cursor)?),
            4 | 5 => Self::read_error(&mut cursor)?,
            6 => Body::MemoryAvailable,
            _ => {
                return Err(Error::Value {
                    field: "RP-MTI",
                    offset: 0,
                    value: first,
                });
            }
        };
        cursor.finish()?;
        let direction = if first & 1 == 0 {
            Direction::MsToNetwork
        } else {
            Direction::NetworkToMs
        };
        Ok(Self {
            direction,
            spare: first >> 3,
            reference,
            body,
        })
    }

    fn read_error(cursor: &mut Cursor<'_>) -> Result<Body, Error> {
        let offset = cursor.offset();
        let length = cursor.octet("RP-Cause")?;
        let Some(diagnostic) = usize::from(length).checked_sub(1) else {
            return Err(Error::Length {
                field: "RP-Cause",
                offset,
                length: 0,
            });
        };
        Ok(Body::Error {
            cause: Cause(cursor.octet("RP-Cause")?),
            diagnostic: Diagnostic(cursor.bytes("RP-Cause", diagnostic)?),
            optional: Optional::read(cursor)?,
        })
    }

    /// The octets of the message.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(32);
        let to_ms = u8::from(self.direction == Direction::NetworkToMs);
        let kind = match &self.body {
            Body::Data { .. } => to_ms,
            Body::Acknowledgement(_) => 2 | to_ms,
            Body::Error { .. } => 4 | to_ms,
            Body::MemoryAvailable => 6,
        };
        out.extend([self.spare << 3 | kind, self.reference]);
        match &self.body {
            Body::Data {
                originator,
                destination,
                user_data,
            } => {
                Address::write_rp(originator.as_ref(), &mut out);
                Address::write_rp(destination.as_ref(), &mut out);
                user_data.write(&mut out);
            }
            Body::Acknowledgement(optional) => optional.write(&mut out),
            Body::Error {
                cause,
                diagnostic,
                optional,
            } => {
                out.push(u8::try_from(diagnostic.0.len() + 1).unwrap_or(u8::MAX));
                out.push(cause.0);
                out.extend_from_slice(&diagnostic.0);
                optional.write(&mut out);
            }
            Body::MemoryAvailable => {}
        }
        out.into()
    }

    /// The name of the message and who sends it, for example `RP-DATA MS->n`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match (&self.body, self.direction) {
            (Body::Data { .. }, Direction::MsToNetwork) => "RP-DATA MS->n",
            (Body::Data { .. }, Direction::NetworkToMs) => "RP-DATA n->MS",
            (Body::Acknowledgement(_), Direction::MsToNetwork) => "RP-ACK MS->n",
            (Body::Acknowledgement(_), Direction::NetworkToMs) => "RP-ACK n->MS",
            (Body::Error { .. }, Direction::MsToNetwork) => "RP-ERROR MS->n",
            (Body::Error { .. }, Direction::NetworkToMs) => "RP-ERROR n->MS",
            (Body::MemoryAvailable, _) => "RP-SMMA MS->n",
        }
    }

    /// The TPDU, if the message carries one.
    #[must_use]
    pub const fn tpdu(&self) -> Option<&Bytes> {
        match &self.body {
            Body::Data { user_data, .. } => Some(user_data.tpdu()),
            Body::Acknowledgement(optional) | Body::Error { optional, .. } => {
                match &optional.user_data {
                    Some(user_data) => Some(user_data.tpdu()),
                    None => None,
                }
            }
            Body::MemoryAvailable => None,
        }
    }
}

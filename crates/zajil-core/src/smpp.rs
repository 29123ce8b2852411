//! What an application that binds over SMPP may do, and how its texts are written.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;

use crate::clock::Timestamp;
use crate::frontend::FrontendName;
use crate::id::MessageId;
use crate::number::key;
use crate::receipt::{NetworkError, On};

mod awaited;
pub mod carrier;
pub mod outbind;
pub mod password;

pub use awaited::Awaited;
use outbind::Outbind;
use password::Hashed;

/// The longest `system_id`, in octets (SMPP 3.4, 5.2.1).
pub const LONGEST_SYSTEM_ID: usize = 15;

/// How a session is bound (SMPP 3.4, 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BindType {
    /// May submit.
    Transmitter,
    /// Is delivered to.
    Receiver,
    /// Both.
    Transceiver,
}

impl BindType {
    /// Every type.
    pub const ALL: [Self; 3] = [Self::Transmitter, Self::Receiver, Self::Transceiver];

    /// The word in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transmitter => "transmitter",
            Self::Receiver => "receiver",
            Self::Transceiver => "transceiver",
        }
    }

    /// Whether who binds so is delivered to.
    #[must_use]
    pub const fn receives(self) -> bool {
        matches!(self, Self::Receiver | Self::Transceiver)
    }

    /// The type that `word` names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// What `data_coding` 0 means to an application: the standard leaves it to the message centre.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DefaultAlphabet {
    /// The GSM 7-bit default alphabet, a septet an octet.
    Gsm7,
    /// ISO 8859-1.
    Latin1,
    /// UTF-8, of which ASCII is a part.
    Utf8,
    /// ASCII (IA5): a text with any other letter goes as UCS-2.
    Ascii,
}

impl DefaultAlphabet {
    /// Every alphabet.
    pub const ALL: [Self; 4] = [Self::Gsm7, Self::Latin1, Self::Utf8, Self::Ascii];

    /// The word in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gsm7 => "gsm7",
            Self::Latin1 => "latin1",
            Self::Utf8 => "utf8",
            Self::Ascii => "ascii",
        }
    }

    /// The alphabet that `word` names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }
}

/// How a text of several parts goes to an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LongText {
    /// Part by part, each with a user data header.
    Udh,
    /// Part by part, with the `sar_*` parameters.
    Sar,
    /// Whole, in `message_payload`.
    Payload,
}

impl LongText {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::Udh, Self::Sar, Self::Payload];

    /// The word in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Udh => "udh",
            Self::Sar => "sar",
            Self::Payload => "payload",
        }
    }

    /// The way that `word` names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }
}

/// How an application is told the ids of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IdForm {
    /// In decimal.
    Decimal,
    /// In hexadecimal, with small letters.
    Hex,
    /// In hexadecimal, with capitals.
    HexUpper,
}

impl IdForm {
    /// Every form.
    pub const ALL: [Self; 3] = [Self::Decimal, Self::Hex, Self::HexUpper];

    /// The word in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Decimal => "decimal",
            Self::Hex => "hex",
            Self::HexUpper => "hex_upper",
        }
    }

    /// The form that `word` names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.as_str() == word)
    }

    /// An id in this form.
    #[must_use]
    pub fn write(self, id: MessageId) -> String {
        match self {
            Self::Decimal => id.to_string(),
            Self::Hex => format!("{:x}", id.get()),
            Self::HexUpper => format!("{:X}", id.get()),
        }
    }

    /// The id that was written in this form, with capitals or without; none when it was not.
    #[must_use]
    pub fn read(self, text: &str) -> Option<MessageId> {
        let radix = match self {
            Self::Decimal => 10,
            Self::Hex | Self::HexUpper => 16,
        };
        let number = u64::from_str_radix(text, radix).ok()?;
        MessageId::new(number).ok()
    }
}

/// A block of IP addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// A text is no address, and no network in CIDR form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an IP address, or a network such as 192.0.2.0/24")]
pub struct NotANetwork;

impl Network {
    /// An address, or a network in CIDR form.
    ///
    /// # Errors
    /// [`NotANetwork`].
    pub fn parse(text: &str) -> Result<Self, NotANetwork> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NotANetwork)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => most,
            Some(bits) => bits.parse().map_err(|_| NotANetwork)?,
        };
        if bits > most {
            return Err(NotANetwork);
        }
        Ok(Self { address, bits })
    }

    /// Whether an address is in it; an IPv4 address is the same when IPv6 carries it.
    #[must_use]
    pub fn holds(&self, address: IpAddr) -> bool {
        let same = |ours: u128, theirs: u128, width: u32| {
            let shift = width - u32::from(self.bits);
            shift >= u128::BITS || ours >> shift == theirs >> shift
        };
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                same(ours.to_bits().into(), theirs.to_bits().into(), 32)
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => same(ours.to_bits(), theirs.to_bits(), 128),
            _ => false,
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.address, self.bits)
    }
}

/// An address as an application named it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Named {
    /// Its type of number.
    pub ton: u8,
    /// Its numbering plan.
    pub npi: u8,
    /// Its digits or characters, at most 20.
    pub value: String,
}

/// What an application said of a message besides what the message is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// Which endings it wants a receipt for.
    pub receipt: On,
    /// Whether it wants to be told of failed attempts.
    pub intermediate: bool,
    /// The acknowledgements that it asks the far end for: bits 3-2 of `registered_delivery`.
    pub acks: u8,
    /// What kind of message it is to the far end: bits 5-2 of `esm_class`.
    pub kind: u8,
    /// The sender, as it was named.
    pub source: Named,
    /// The destination, as it was named.
    pub destination: Named,
    /// `user_message_reference`.
    pub reference: Option<u16>,
    /// `service_type`.
    pub service_type: String,
    /// `data_coding`.
    pub coding: u8,
    /// The id under which the application knows it, where that is not the message's own.
    pub known_as: Option<MessageId>,
    /// Whether it is found by its addresses while it waits, which costs an entry in an index.
    pub findable: bool,
    /// Whether it wants an alert when its delivery has failed and the subscriber can be reached
    /// (`set_dpf`).
    pub alert: bool,
    /// Why the last attempt failed, where a receipt will want to know.
    pub error: Option<NetworkError>,
}

impl Origin {
    /// What takes the place of what a message had, as long as it waits. What is written down
    /// elsewhere stays true: where the message is found, and that its application was promised an
    /// alert.
    #[must_use]
    pub fn in_place_of(self, before: Option<&Self>) -> Self {
        let alert = self.alert || before.is_some_and(|before| before.alert);
        match before.filter(|before| before.findable) {
            Some(before) => Self {
                findable: true,
                alert,
                source: before.source.clone(),
                destination: before.destination.clone(),
                ..self
            },
            None => Self {
                findable: false,
                alert,
                ..self
            },
        }
    }
}

/// Where the messages of an account from one address to another are found, as it named them (D8).
#[must_use]
pub fn place(account: &FrontendName, source: &str, destination: &str) -> String {
    // A destination has no control characters, so no two places read the same.
    format!("{account}\t{}\t{}", key(source), key(destination))
}

/// Where a message is found while it waits, if its application wants that.
#[must_use]
pub fn place_of(source_smsc: Option<&FrontendName>, origin: Option<&Origin>) -> Option<String> {
    let origin = origin.filter(|origin| origin.findable)?;
    Some(place(
        source_smsc?,
        &origin.source.value,
        &origin.destination.value,
    ))
}

/// An application's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// `system_id`: its name, and that of the frontend that it is.
    pub system_id: FrontendName,
    /// Of its password.
    pub password: Hashed,
    /// Whether it may bind at all.
    pub enabled: bool,
    /// From then on it may not.
    pub expires: Option<Timestamp>,
    /// How it may bind; never empty.
    pub bind_types: Vec<BindType>,
    /// How many sessions it may have at a time.
    pub max_binds: NonZeroU32,
    /// Where it may come from; empty = from anywhere.
    pub networks: Vec<Network>,
    /// Whether it has to come over TLS.
    pub require_tls: bool,
    /// The senders that it may name; empty = any.
    pub senders: Vec<String>,
    /// The sender that every message of it gets, whatever it names.
    pub forced_sender: Option<String>,
    /// How many messages it may submit in a second; none = as many as it likes.
    pub rate: Option<NonZeroU32>,
    /// How many requests are under way at a time, each way.
    pub window: NonZeroU32,
    /// What `data_coding` 0 means.
    pub alphabet: DefaultAlphabet,
    /// How long texts go to it.
    pub long_text: LongText,
    /// Whether a submit that it sends again is recognised by its reference (D6).
    pub idempotent: bool,
    /// Whether its messages are found by their addresses, to be taken back or replaced.
    pub by_address: bool,
    /// How responses to submits write ids; queries, cancellations and replacements name them so.
    pub response_ids: IdForm,
    /// How the texts of receipts write them.
    pub receipt_ids: IdForm,
    /// Where it is called when messages wait and it is not bound; none = it is not.
    pub outbind: Option<Outbind>,
}

impl Account {
    /// The sender that a message gets which names `sender`; none when it may not name that one.
    #[must_use]
    pub fn sender<'a>(&'a self, sender: &'a str) -> Option<&'a str> {
        if let Some(forced) = &self.forced_sender {
            return Some(forced);
        }
        let wanted = key(sender);
        let is_allowed = |allowed: &String| key(allowed) == wanted;
        (self.senders.is_empty() || self.senders.iter().any(is_allowed)).then_some(sender)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_their_addresses() {
        for (network, address, inside) in [
            ("192.0.2.0/24", "192.0.2.200", true),
            ("192.0.2.0/24", "192.0.3.1", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "::ffff:192.0.2.7", true),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("::/0", "2001:db8::1", true),
        ] {
            let network = Network::parse(network).unwrap();
            let address = address.parse().unwrap();
            assert_eq!(network.holds(address), inside, "{network} {address}");
        }
        for text in ["", "192.0.2.0/33", "::/129", "host", "192.0.2.0/x"] {
            assert_eq!(Network::parse(text), Err(NotANetwork), "{text}");
        }
    }
}

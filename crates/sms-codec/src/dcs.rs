//! TP-Data-Coding-Scheme: octet and meaning (3GPP TS 23.038 4).

#[cfg(test)]
mod tests;

/// A TP-Data-Coding-Scheme as it was written (3GPP TS 23.040 9.2.3.10, TS 23.038 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dcs(pub u8);

/// An alphabet as the scheme names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Alphabet {
    /// GSM 7-bit default alphabet, perhaps with national tables.
    Gsm7,
    /// Octets whose meaning the users know.
    EightBit,
    /// UCS-2.
    Ucs2,
    /// Reserved; to be read as GSM 7-bit.
    Reserved,
}

/// The message class: for whom the message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// 0: shown at once, not stored.
    Immediate,
    /// 1: for the mobile equipment.
    Equipment,
    /// 2: for the (U)SIM.
    Sim,
    /// 3: for the terminal equipment.
    Terminal,
}

impl Class {
    /// The class in the two least significant bits of `code`.
    #[must_use]
    pub const fn from_code(code: u8) -> Self {
        match code & 3 {
            0 => Self::Immediate,
            1 => Self::Equipment,
            2 => Self::Sim,
            _ => Self::Terminal,
        }
    }

    /// The two bits of the class.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Immediate => 0,
            Self::Equipment => 1,
            Self::Sim => 2,
            Self::Terminal => 3,
        }
    }
}

/// What kind of message waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WaitingKind {
    /// 0.
    Voicemail,
    /// 1.
    Fax,
    /// 2.
    Email,
    /// 3.
    Other,
}

impl WaitingKind {
    /// The kind in the two least significant bits of `code`.
    #[must_use]
    pub const fn from_code(code: u8) -> Self {
        match code & 3 {
            0 => Self::Voicemail,
            1 => Self::Fax,
            2 => Self::Email,
            _ => Self::Other,
        }
    }

    /// The two bits of the kind.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Voicemail => 0,
            Self::Fax => 1,
            Self::Email => 2,
            Self::Other => 3,
        }
    }

    /// One lower-case word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Voicemail => "voicemail",
            Self::Fax => "fax",
            Self::Email => "email",
            Self::Other => "other",
        }
    }
}

/// A message waiting indication of the scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Waiting {
    /// Whether the message itself is to be stored.
    pub store: bool,
    /// Whether the indication is set or cleared.
    pub active: bool,
    /// What waits.
    pub kind: WaitingKind,
}

/// What a scheme says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Meaning {
    /// 00xx and 01xx: general data coding.
    General {
        /// 01xx: the message may be deleted once it has been read.
        automatic_deletion: bool,
        /// The text is compressed (3GPP TS 23.042).
        compressed: bool,
        /// The alphabet.
        alphabet: Alphabet,
        /// The class, if the scheme gives one.
        class: Option<Class>,
    },
    /// 1100, 1101, 1110: message waiting.
    Waiting {
        /// GSM 7-bit, or UCS-2 if the message is stored.
        alphabet: Alphabet,
        /// The indication.
        waiting: Waiting,
    },
    /// 1111: alphabet and class.
    ClassOnly {
        /// GSM 7-bit or 8-bit.
        alphabet: Alphabet,
        /// The class.
        class: Class,
    },
    /// 1000 to 1011: reserved; to be read as GSM 7-bit.
    Reserved(u8),
}

impl Dcs {
    /// GSM 7-bit default alphabet, no class.
    pub const GSM7: Self = Self(0x00);
    /// 8-bit data, no class.
    pub const EIGHT_BIT: Self = Self(0x04);
    /// UCS-2, no class.
    pub const UCS2: Self = Self(0x08);

    /// What the octet says.
    #[must_use]
    pub const fn meaning(self) -> Meaning {
        let octet = self.0;
        match octet >> 4 {
            0..=7 => Meaning::General {
                automatic_deletion: octet & 0x40 != 0,
                compressed: octet & 0x20 != 0,
                alphabet: match octet >> 2 & 3 {
                    0 => Alphabet::Gsm7,
                    1 => Alphabet::EightBit,
                    2 => Alphabet::Ucs2,
                    _ => Alphabet::Reserved,
                },
                class: if octet & 0x10 != 0 {
                    Some(Class::from_code(octet))
                } else {
                    None
                },
            },
            8..=11 => Meaning::Reserved(octet),
            group @ 12..=14 => Meaning::Waiting {
                alphabet: if group == 14 {
                    Alphabet::Ucs2
                } else {
                    Alphabet::Gsm7
                },
                waiting: Waiting {
                    store: group != 12,
                    active: octet & 8 != 0,
                    kind: WaitingKind::from_code(octet),
                },
            },
            _ => Meaning::ClassOnly {
                alphabet: if octet & 4 != 0 {
                    Alphabet::EightBit
                } else {
                    Alphabet::Gsm7
                },
                class: Class::from_code(octet),
            },
        }
    }

    /// The octet that says `meaning`; reserved bits are zero.
    ///
    /// What the groups cannot say is left out: a waiting message in UCS-2 is always stored, and
    /// the last group knows no UCS-2.
    #[must_use]
    pub const fn from_meaning(meaning: Meaning) -> Self {
        Self(match meaning {
            Meaning::General {
                automatic_deletion,
                compressed,
                alphabet,
                class,
            } => {
                let alphabet = match alphabet {
                    Alphabet::Gsm7 => 0,
                    Alphabet::EightBit => 1,
                    Alphabet::Ucs2 => 2,
                    Alphabet::Reserved => 3,
                };
                let class = match class {
                    Some(class) => 0x10 | class.code(),
                    None => 0,
                };
                (automatic_deletion as u8) << 6 | (compressed as u8) << 5 | alphabet << 2 | class
            }
            Meaning::Waiting { alphabet, waiting } => {
                let group = match alphabet {
                    Alphabet::Ucs2 => 0xE0,
                    _ if waiting.store => 0xD0,
                    _ => 0xC0,
                };
                group | (waiting.active as u8) << 3 | waiting.kind.code()
            }
            Meaning::ClassOnly { alphabet, class } => {
                0xF0 | (matches!(alphabet, Alphabet::EightBit) as u8) << 2 | class.code()
            }
            Meaning::Reserved(octet) => octet,
        })
    }

    /// How the user data is written; reserved codings are GSM 7-bit (3GPP TS 23.038 4).
    #[must_use]
    pub const fn alphabet(self) -> Alphabet {
        let alphabet = match self.meaning() {
            Meaning::General { alphabet, .. }
            | Meaning::Waiting { alphabet, .. }
            | Meaning::ClassOnly { alphabet, .. } => alphabet,
            Meaning::Reserved(_) => Alphabet::Gsm7,
        };
        match alphabet {
            Alphabet::Reserved => Alphabet::Gsm7,
            alphabet => alphabet,
        }
    }

    /// Whether the text is compressed (3GPP TS 23.042).
    #[must_use]
    pub const fn is_compressed(self) -> bool {
        matches!(
            self.meaning(),
            Meaning::General {
                compressed: true,
                ..
            }
        )
    }

    /// Whether TP-User-Data-Length counts septets (3GPP TS 23.040 9.2.3.16).
    #[must_use]
    pub const fn counts_septets(self) -> bool {
        matches!(self.alphabet(), Alphabet::Gsm7) && !self.is_compressed()
    }

    /// The message class, if the scheme gives one.
    #[must_use]
    pub const fn class(self) -> Option<Class> {
        match self.meaning() {
            Meaning::General { class, .. } => class,
            Meaning::ClassOnly { class, .. } => Some(class),
            Meaning::Waiting { .. } | Meaning::Reserved(_) => None,
        }
    }

    /// The message waiting indication, if the scheme gives one.
    #[must_use]
    pub const fn waiting(self) -> Option<Waiting> {
        match self.meaning() {
            Meaning::Waiting { waiting, .. } => Some(waiting),
            _ => None,
        }
    }
}

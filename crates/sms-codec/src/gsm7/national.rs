//! National language identifiers and their tables (3GPP TS 23.038 6.2.1.2.4, annex A).

mod locking;
mod single;

use super::tables::Table;

/// A national language identifier (3GPP TS 23.038 6.2.1.2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    /// No national table: the default alphabet or its extension table.
    Default,
    /// 1.
    Turkish,
    /// 2; it has no locking shift table.
    Spanish,
    /// 3.
    Portuguese,
    /// 4.
    Bengali,
    /// 5.
    Gujarati,
    /// 6.
    Hindi,
    /// 7.
    Kannada,
    /// 8.
    Malayalam,
    /// 9.
    Oriya,
    /// 10.
    Punjabi,
    /// 11.
    Tamil,
    /// 12.
    Telugu,
    /// 13.
    Urdu,
    /// Reserved; read with the default tables.
    Other(u8),
}

impl Language {
    /// The thirteen languages that have tables, by identifier.
    pub const NATIONAL: [Self; 13] = [
        Self::Turkish,
        Self::Spanish,
        Self::Portuguese,
        Self::Bengali,
        Self::Gujarati,
        Self::Hindi,
        Self::Kannada,
        Self::Malayalam,
        Self::Oriya,
        Self::Punjabi,
        Self::Tamil,
        Self::Telugu,
        Self::Urdu,
    ];

    /// The language of an identifier.
    #[must_use]
    pub fn from_id(id: u8) -> Self {
        match id {
            0 => Self::Default,
            1..=13 => Self::NATIONAL
                .get(usize::from(id) - 1)
                .copied()
                .unwrap_or(Self::Other(id)),
            _ => Self::Other(id),
        }
    }

    /// The identifier of the language.
    #[must_use]
    pub const fn id(self) -> u8 {
        match self {
            Self::Default => 0,
            Self::Turkish => 1,
            Self::Spanish => 2,
            Self::Portuguese => 3,
            Self::Bengali => 4,
            Self::Gujarati => 5,
            Self::Hindi => 6,
            Self::Kannada => 7,
            Self::Malayalam => 8,
            Self::Oriya => 9,
            Self::Punjabi => 10,
            Self::Tamil => 11,
            Self::Telugu => 12,
            Self::Urdu => 13,
            Self::Other(id) => id,
        }
    }

    /// The language in one lower-case word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Turkish => "turkish",
            Self::Spanish => "spanish",
            Self::Portuguese => "portuguese",
            Self::Bengali => "bengali",
            Self::Gujarati => "gujarati",
            Self::Hindi => "hindi",
            Self::Kannada => "kannada",
            Self::Malayalam => "malayalam",
            Self::Oriya => "oriya",
            Self::Punjabi => "punjabi",
            Self::Tamil => "tamil",
            Self::Telugu => "telugu",
            Self::Urdu => "urdu",
            Self::Other(_) => "other",
        }
    }

    /// Whether the language has a locking shift table of its own.
    #[must_use]
    pub fn has_locking_table(self) -> bool {
        locking(self).is_some()
    }

    /// Whether the language has a single shift table of its own.
    #[must_use]
    pub fn has_single_table(self) -> bool {
        single(self).is_some()
    }
}

/// The locking shift table of `language`; `None` if the default alphabet is used.
pub(super) fn locking(language: Language) -> Option<&'static Table> {
    Some(match language {
        Language::Turkish => &locking::TURKISH,
        Language::Portuguese => &locking::PORTUGUESE,
        Language::Bengali => &locking::BENGALI,
        Language::Gujarati => &locking::GUJARATI,
        Language::Hindi => &locking::HINDI,
        Language::Kannada => &locking::KANNADA,
        Language::Malayalam => &locking::MALAYALAM,
        Language::Oriya => &locking::ORIYA,
        Language::Punjabi => &locking::PUNJABI,
        Language::Tamil => &locking::TAMIL,
        Language::Telugu => &locking::TELUGU,
        Language::Urdu => &locking::URDU,
        Language::Default | Language::Spanish | Language::Other(_) => return None,
    })
}

/// The single shift table of `language`; `None` if the extension table is used.
pub(super) fn single(language: Language) -> Option<&'static Table> {
    Some(match language {
        Language::Turkish => &single::TURKISH,
        Language::Spanish => &single::SPANISH,
        Language::Portuguese => &single::PORTUGUESE,
        Language::Bengali => &single::BENGALI,
        Language::Gujarati => &single::GUJARATI,
        Language::Hindi => &single::HINDI,
        Language::Kannada => &single::KANNADA,
        Language::Malayalam => &single::MALAYALAM,
        Language::Oriya => &single::ORIYA,
        Language::Punjabi => &single::PUNJABI,
        Language::Tamil => &single::TAMIL,
        Language::Telugu => &single::TELUGU,
        Language::Urdu => &single::URDU,
        Language::Default | Language::Other(_) => return None,
    })
}

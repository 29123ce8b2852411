//! With which national tables and which reference a text is written, as arguments.

use clap::{Args, ValueEnum};
use sms_codec::gsm7::{Language, Shift};
use sms_codec::segment::{self, Choice, Languages, ReferenceSize};

/// What decides in how many parts a text is sent.
#[derive(Debug, Args)]
pub(crate) struct AlphabetArgs {
    /// Tables for GSM 7-bit: none, auto (any language that saves parts), single:LANGUAGE,
    /// locking:LANGUAGE or both:LANGUAGE, such as single:turkish.
    #[arg(long, value_name = "TABLES", default_value = "none", value_parser = National::parse)]
    pub(crate) national: National,
    /// The size of the reference that ties parts together.
    #[arg(long, value_enum, default_value_t = ReferenceBits::Bits8)]
    pub(crate) reference_bits: ReferenceBits,
}

impl AlphabetArgs {
    /// The same for the codec.
    pub(crate) fn options(&self) -> segment::Options {
        let plain = segment::Options {
            reference: match self.reference_bits {
                ReferenceBits::Bits8 => ReferenceSize::Bits8,
                ReferenceBits::Bits16 => ReferenceSize::Bits16,
            },
            ..segment::Options::PLAIN
        };
        match self.national {
            National::Auto => segment::Options {
                languages: Languages::ALL,
                ..plain
            },
            National::Tables(shift) => segment::Options {
                choice: Choice::Gsm7(shift),
                ..plain
            },
        }
    }
}

/// How many bits a reference has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReferenceBits {
    /// Information element 00.
    #[value(name = "8")]
    Bits8,
    /// Information element 08.
    #[value(name = "16")]
    Bits16,
}

/// Which tables a text in GSM 7-bit is written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum National {
    /// Those that take the fewest parts.
    Auto,
    /// These.
    Tables(Shift),
}

impl National {
    /// Reads the argument.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (kind, language) = match text.split_once(':') {
            Some(both) => both,
            None if text == "none" => return Ok(Self::Tables(Shift::DEFAULT)),
            None if text == "auto" => return Ok(Self::Auto),
            None => (text, ""),
        };
        if !["single", "locking", "both"].contains(&kind) {
            let rule = "must be none, auto, or a language after 'single:', 'locking:' or 'both:'";
            return Err(rule.to_owned());
        }
        let names = Language::NATIONAL.map(Language::name);
        let found = Language::NATIONAL
            .into_iter()
            .find(|known| known.name() == language);
        let language =
            found.ok_or_else(|| format!("the language must be one of {}", names.join(", ")))?;
        if kind != "single" && !language.has_locking_table() {
            return Err(format!("{} has no locking shift table", language.name()));
        }
        let of = |wanted: bool| if wanted { language } else { Language::Default };
        Ok(Self::Tables(Shift {
            locking: of(kind != "single"),
            single: of(kind != "locking"),
        }))
    }
}

//! Who pays and for what, in words of the message: `sms_{source_smsc}` (S7.1).

use std::borrow::Cow;

use zajil_core::charge::Call;
use zajil_core::number::key;

use crate::options::Error;

/// A text with places for what differs from message to message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Calling,
    Called,
    SourceSmsc,
}

impl Template {
    /// Reads `{calling}`, `{called}` and `{source_smsc}`; every other brace is a mistake.
    pub(crate) fn parse(option: &'static str, text: &str) -> Result<Self, Error> {
        let mistake = || Error::Template {
            option,
            text: text.to_owned(),
        };
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, behind) = after.split_once('}').ok_or_else(mistake)?;
            if before.contains('}') {
                return Err(mistake());
            }
            pieces.push(Piece::Text(before.to_owned()));
            pieces.push(match name {
                "calling" => Piece::Calling,
                "called" => Piece::Called,
                "source_smsc" => Piece::SourceSmsc,
                _ => return Err(mistake()),
            });
            rest = behind;
        }
        if rest.contains('}') {
            return Err(mistake());
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Ok(Self(pieces))
    }

    /// The text for one message. Numbers come without `+` and separators, so that one sender is one
    /// account however it is written.
    pub(crate) fn fill(&self, call: &Call) -> String {
        let pieces = self.0.iter().map(|piece| match piece {
            Piece::Text(text) => Cow::from(text),
            Piece::Calling => key(&call.calling),
            Piece::Called => key(&call.called),
            Piece::SourceSmsc => call.source_smsc.as_deref().unwrap_or_default().into(),
        });
        pieces.collect()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use zajil_core::clock::Timestamp;
    use zajil_core::id::MessageId;

    use super::*;

    #[test]
    fn s7_1_templates_are_filled_from_the_message() {
        let call = Call {
            message: MessageId::new(7).unwrap(),
            calling: "+15551230001".into(),
            called: "611".into(),
            source_smsc: Some("bulk".into()),
            parts: NonZeroU32::MIN,
            at: Timestamp::EPOCH,
        };
        for (template, filled) in [
            ("", ""),
            ("fixed", "fixed"),
            ("{calling}", "15551230001"),
            ("+{calling}", "+15551230001"),
            ("{source_smsc}:{called}!", "bulk:611!"),
        ] {
            let read = Template::parse("ocs_account", template).unwrap();
            assert_eq!(read.fill(&call), filled, "{template}");
        }
        let template = Template::parse("ocs_account", "{calling}").unwrap();
        for (calling, account) in [
            ("+1-555-123 0001", "15551230001"),
            ("(555) 0100", "5550100"),
            ("ACME-24", "ACME-24"),
            ("", ""),
        ] {
            let calling = calling.into();
            let call = Call {
                calling,
                ..call.clone()
            };
            assert_eq!(template.fill(&call), account);
        }
        for mistake in ["{caller}", "{calling", "calling}", "}{calling}", "{}"] {
            Template::parse("ocs_account", mistake).unwrap_err();
        }
    }
}

//! The numbers of a message: translated (S5), then held to the rules (D8).

use zajil_core::event::{Event, EventName, Scene};
use zajil_core::frontend::FrontendName;
use zajil_core::number::{Given, Msisdn, NotANumber, Sender};
use zajil_core::outcome::Refusal;
use zajil_core::translate::apply::Translated;

use crate::shared::Shared;

/// Numbers as they came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Came<'a> {
    pub(crate) calling: Option<&'a Given>,
    pub(crate) called: &'a Given,
    pub(crate) source_smsc: Option<&'a FrontendName>,
}

/// Numbers as the rest of the pipeline has them.
#[derive(Debug)]
pub(crate) struct Numbers {
    pub(crate) calling: Sender,
    pub(crate) called: Msisdn,
    /// What changed them.
    pub(crate) translated: Option<Translated>,
}

impl Shared {
    /// Translates and checks.
    pub(crate) fn numbers(&self, came: Came<'_>) -> Result<Numbers, Refusal> {
        let translated = self.control.load().rules.apply(
            came.calling.map_or("", Given::as_str),
            came.called.as_str(),
            came.source_smsc.map(FrontendName::as_str),
        );
        let new = translated.as_ref();
        let calling = match (new.and_then(|new| new.calling.as_deref()), came.calling) {
            (Some(new), _) if new.trim().is_empty() => Ok(Sender::default()),
            (Some(new), _) => Given::parse(new).and_then(|given| Sender::parse(&given)),
            (None, Some(given)) => Sender::parse(given),
            (None, None) => Ok(Sender::default()),
        };
        let strictness = self.options.strictness;
        let called = match new.and_then(|new| new.called.as_deref()) {
            Some(new) => Given::parse(new).and_then(|given| Msisdn::parse(&given, strictness)),
            None => Msisdn::parse(came.called, strictness),
        };
        let bad = |field, rule: NotANumber| Refusal::field(field, rule);
        Ok(Numbers {
            calling: calling.map_err(|rule| bad("source_msisdn", rule))?,
            called: called.map_err(|rule| bad("destination_msisdn", rule))?,
            translated,
        })
    }
}

/// What the log says of a translation.
pub(crate) fn translation_events(
    came: Came<'_>,
    translated: &Translated,
    scene: &Scene,
) -> impl Iterator<Item = Event> {
    let calling = came.calling.map_or("", Given::as_str);
    [
        ("source_msisdn", calling, &translated.calling),
        (
            "destination_msisdn",
            came.called.as_str(),
            &translated.called,
        ),
    ]
    .into_iter()
    .filter_map(move |(field, old, new)| {
        let new = new.as_ref()?;
        let told = format!("rule {}: {field} '{old}' to '{new}'", translated.rule);
        Some(scene.event(EventName::NumberTranslated, told))
    })
}

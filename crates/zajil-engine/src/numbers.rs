//! The numbers of a submit: translated (S5), then held to the rules (D8).

use zajil_core::event::{Event, EventName, Scene};
use zajil_core::frontend::FrontendName;
use zajil_core::number::{Given, Msisdn, NotANumber, Sender};
use zajil_core::outcome::Refusal;
use zajil_core::port::Submission;

use crate::shared::Shared;

impl Shared {
    /// Translates the numbers (S5), then holds them to the rules (D8).
    pub(crate) fn numbers(
        &self,
        submission: &Submission,
        events: &mut Vec<Event>,
        scene: &Scene,
    ) -> Result<(Sender, Msisdn), Refusal> {
        let calling = submission.source.as_ref().map_or("", Given::as_str);
        let called = submission.destination.as_str();
        let source_smsc = submission.source_smsc.as_ref().map(FrontendName::as_str);
        let translated = self
            .control
            .load()
            .rules
            .apply(calling, called, source_smsc);
        let (mut new_calling, mut new_called) = (None, None);
        if let Some(translated) = translated {
            for (field, old, new) in [
                ("source_msisdn", calling, &translated.calling),
                ("destination_msisdn", called, &translated.called),
            ] {
                if let Some(new) = new {
                    let told = format!("rule {}: {field} '{old}' to '{new}'", translated.rule);
                    events.push(scene.event(EventName::NumberTranslated, told));
                }
            }
            (new_calling, new_called) = (translated.calling, translated.called);
        }
        let sender = match (&new_calling, &submission.source) {
            (Some(new), _) if new.trim().is_empty() => Ok(Sender::default()),
            (Some(new), _) => Given::parse(new).and_then(|given| Sender::parse(&given)),
            (None, Some(given)) => Sender::parse(given),
            (None, None) => Ok(Sender::default()),
        };
        let strictness = self.options.strictness;
        let destination = match &new_called {
            Some(new) => Given::parse(new).and_then(|given| Msisdn::parse(&given, strictness)),
            None => Msisdn::parse(&submission.destination, strictness),
        };
        let bad = |field, rule: NotANumber| Refusal::field(field, rule);
        Ok((
            sender.map_err(|rule| bad("source_msisdn", rule))?,
            destination.map_err(|rule| bad("destination_msisdn", rule))?,
        ))
    }
}

//! Which events somebody wants to hear of.

use zajil_core::frontend::FrontendName;
use zajil_core::id::MessageId;
use zajil_core::number;

use super::event::{Event, Kind, Subject};

/// Every condition that is there must hold; without any, all events are taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// One of these kinds; any but [`Kind::Wire`] when empty.
    pub kinds: Vec<Kind>,
    /// One of these names; any when empty.
    pub names: Vec<String>,
    /// About this frontend, or a message from it or for it.
    pub frontend: Option<FrontendName>,
    /// About a message from this number or to it, compared as [`number::key`] does.
    pub number: Option<String>,
    /// About this message.
    pub message: Option<MessageId>,
    /// About this route, or a message that it took.
    pub route: Option<u64>,
}

impl Filter {
    /// Whether the event is one of those.
    #[must_use]
    pub fn takes(&self, event: &Event) -> bool {
        let kind = event.kind;
        (self.kinds.contains(&kind) || self.kinds.is_empty() && kind != Kind::Wire)
            && (self.names.is_empty() || self.names.iter().any(|name| name == event.name))
            && self.is_about(&event.subject)
    }

    /// Whether it is about this, whatever has happened.
    #[must_use]
    pub fn is_about(&self, subject: &Subject) -> bool {
        let is = |name: &Option<FrontendName>| name.is_some() && *name == self.frontend;
        (self.message.is_none() || subject.message == self.message)
            && (self.route.is_none() || subject.route == self.route)
            && (self.frontend.is_none()
                || is(&subject.frontend)
                || is(&subject.source_smsc)
                || is(&subject.dest_smsc))
            && self.number.as_deref().is_none_or(|wanted| {
                let wanted = number::key(wanted);
                let is = |given: &Option<Box<str>>| {
                    given.as_deref().is_some_and(|n| number::key(n) == wanted)
                };
                is(&subject.source) || is(&subject.destination)
            })
    }
}

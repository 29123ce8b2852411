//! Which frontend gets a message: ENUM asked (S6), a route chosen (S4.2), its frontends in order of
//! turn (D12), and what the route does instead of delivering (S4.3).

use zajil_core::clock::Timestamp;
use zajil_core::enum_query::Lookup;
use zajil_core::event::{Event, EventName, Scene};
use zajil_core::frontend::FrontendName;
use zajil_core::message::Fallback;
use zajil_core::number::Msisdn;
use zajil_core::route::{Action, Charged, Query, Route, RouteId, Terms, choose};
use zajil_core::status::FinalStatus;

use crate::control::Snapshot;
use crate::shared::Shared;

/// What routing made of a message.
#[derive(Debug, Default)]
pub(crate) struct Routed {
    pub(crate) dest_smsc: Option<FrontendName>,
    /// Who follows.
    pub(crate) fallback: Option<Fallback>,
    /// How it ended at once, if it did.
    pub(crate) ended: Option<FinalStatus>,
    pub(crate) route: Option<RouteId>,
    pub(crate) charged: Option<Charged>,
    /// The text that the route answers with.
    pub(crate) answer: Option<Box<str>>,
}

/// The frontends of a route in the order of their turn.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Turns {
    pub(crate) first: FrontendName,
    pub(crate) rest: Vec<FrontendName>,
    /// The ones that come before `first` in the route, and are not active.
    pub(crate) absent: Vec<FrontendName>,
}

impl Shared {
    /// What ENUM says of a number; nothing when no route asks (D12) or ENUM is not configured.
    pub(crate) async fn ask_enum(&self, called: &Msisdn) -> Option<Lookup> {
        let lookup = self.parts.lookup.as_ref()?;
        if !self.control.load().table.asks_enum() {
            return None;
        }
        Some(lookup.lookup(called.as_str()).await)
    }

    /// Chooses a route and says what it does with the message, which is due at `due`.
    pub(crate) fn route(
        &self,
        control: &Snapshot,
        query: &Query<'_>,
        due: Timestamp,
        log: (&mut Vec<Event>, &Scene),
    ) -> Routed {
        let (events, scene) = log;
        let Some(route) = choose::choose(&control.table, query, self.parts.dice.roll()) else {
            events.push(scene.event(EventName::RoutingFailed, "no route matches"));
            return Routed::default();
        };
        self.follow(route, due, (events, scene))
    }

    fn follow(&self, route: &Route, due: Timestamp, log: (&mut Vec<Event>, &Scene)) -> Routed {
        let (events, scene) = log;
        let terms = &route.terms;
        let mut routed = Routed {
            route: Some(route.id),
            charged: Some(terms.charged),
            ..Routed::default()
        };
        if let Some(turns) = self.turns(terms, scene.now) {
            let mut told = format!("route {} to '{}'", route.id, turns.first);
            if !turns.absent.is_empty() {
                told += &format!(": {:?} not active", turns.absent);
            }
            events.push(scene.event(EventName::Routed, told));
            routed.dest_smsc = Some(turns.first);
            routed.fallback = (!turns.rest.is_empty()).then(|| Fallback {
                rest: turns.rest,
                after: terms.followers.after,
                at: due.plus(terms.followers.after),
            });
        }
        match &terms.action {
            Action::Deliver(_) => {}
            Action::Drop => {
                events.push(scene.event(EventName::Dropped, format!("route {}", route.id)));
                routed.ended = Some(FinalStatus::Dropped);
            }
            Action::AutoReply { text, deliver } => {
                routed.ended = deliver.is_none().then_some(FinalStatus::Delivered);
                routed.answer = Some(text.as_str().into());
            }
        }
        routed
    }

    /// The first frontend of a route that is active, and those after it; all of them while none is.
    pub(crate) fn turns(&self, terms: &Terms, now: Timestamp) -> Option<Turns> {
        let named = terms.action.dest_smsc()?;
        let followers = &terms.followers.to;
        let mut absent = Vec::new();
        if !followers.is_empty() {
            let mut all = std::iter::once(named).chain(followers);
            absent.extend(
                all.by_ref()
                    .take_while(|name| !self.is_active(name, now))
                    .cloned(),
            );
            if absent.len() > followers.len() {
                absent.clear();
            }
        }
        let mut left = std::iter::once(named)
            .chain(followers)
            .skip(absent.len())
            .cloned();
        Some(Turns {
            first: left.next()?,
            rest: left.collect(),
            absent,
        })
    }
}

/// What the log says of a look-up.
pub(crate) fn enum_event(lookup: &Lookup, scene: &Scene) -> Event {
    let told = match lookup {
        Lookup::Found(found) => format!("{} by {} of {}", found.uri, found.service, found.zone),
        Lookup::Absent => "not there".to_owned(),
        Lookup::Failed(why) => format!("failed: {why}"),
    };
    scene.event(EventName::EnumLookup, told)
}

/// The submitter named the frontend itself.
pub(crate) fn by_submitter(name: FrontendName, events: &mut Vec<Event>, scene: &Scene) -> Routed {
    let told = format!("set to '{name}' by the submitter");
    events.push(scene.event(EventName::Routed, told));
    Routed {
        dest_smsc: Some(name),
        ..Routed::default()
    }
}

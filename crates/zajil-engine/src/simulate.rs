//! What would become of a message (S4.5), told by the functions of the pipeline itself.

use zajil_core::enum_query::Lookup;
use zajil_core::frontend::FrontendName;
use zajil_core::outcome::Refusal;
use zajil_core::port::{Outcome, Question, Simulation};
use zajil_core::route::choose::{self, Verdict};
use zajil_core::route::{Action, Query, Route};

use crate::numbers::Came;
use crate::refuse;
use crate::shared::Shared;

impl Shared {
    pub(crate) async fn simulate(&self, question: Question) -> Result<Simulation, Refusal> {
        let numbers = self.numbers(Came {
            calling: question.calling.as_ref(),
            called: &question.called,
            source_smsc: question.source_smsc.as_ref(),
        })?;
        let lookup = match question.enum_domain {
            Some(_) => None,
            None => self.ask_enum(&numbers.called).await,
        };
        let answered = lookup.as_ref().and_then(Lookup::domain).map(str::to_owned);
        let enum_domain = question.enum_domain.or(answered);
        let called = numbers.called.as_str().to_owned();
        let location = self.parts.store.location_of(called).await;
        let location = location.map_err(|error| refuse::failed(error, "location"))?;
        let now = self.parts.clock.now();

        let control = self.control.load();
        let query = Query {
            calling: numbers.calling.as_str(),
            called: numbers.called.as_str(),
            source_smsc: question.source_smsc.as_ref().map(FrontendName::as_str),
            source_type: question.source_type,
            enum_domain: enum_domain.as_deref(),
            auto_reply_allowed: true,
        };
        let explained = choose::explain(&control.table, &query, question.draw.unwrap_or(0));
        let drawn = |verdict: Verdict| match verdict {
            Verdict::Won => true,
            Verdict::LostDraw => question.draw.is_none(),
            _ => false,
        };
        let may_win: Vec<&Route> = explained
            .verdicts
            .iter()
            .filter(|(_, verdict)| drawn(*verdict))
            .map(|(route, _)| *route)
            .collect();
        let of = may_win.iter().map(|route| weight(route)).sum();
        let outcomes = may_win.iter().map(|route| self.outcome(route, of, now));
        Ok(Simulation {
            outcomes: outcomes.collect(),
            verdicts: explained
                .verdicts
                .iter()
                .map(|(route, verdict)| ((*route).clone(), *verdict))
                .collect(),
            translated: numbers.translated,
            charged_unrouted: self.would_charge(None),
            location: location.and_then(|location| location.serving(now).cloned()),
            lookup,
            enum_domain,
            calling: numbers.calling,
            called: numbers.called,
        })
    }

    fn outcome(&self, route: &Route, of: u32, now: zajil_core::clock::Timestamp) -> Outcome {
        let terms = &route.terms;
        let turns = self.turns(terms, now);
        let (dest_smsc, absent, fallback) = match turns {
            Some(turns) => (Some(turns.first), turns.absent, turns.rest),
            None => (None, Vec::new(), Vec::new()),
        };
        let delivers = match &terms.action {
            Action::Deliver(_) => true,
            Action::AutoReply { deliver, .. } => deliver.is_some(),
            Action::Drop => false,
        };
        Outcome {
            route: route.id,
            share: weight(route),
            of,
            dest_smsc,
            absent,
            fallback,
            charged: delivers && self.would_charge(Some(terms.charged)),
        }
    }
}

fn weight(route: &Route) -> u32 {
    route.terms.weight.get().into()
}

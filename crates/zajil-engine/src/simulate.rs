//! What would become of a message (S4.5), told by the functions of the pipeline itself.

use zajil_core::clock::Timestamp;
use zajil_core::enum_query::Lookup;
use zajil_core::frontend::FrontendName;
use zajil_core::outcome::Refusal;
use zajil_core::port::{Outcome, Question, Simulation};
use zajil_core::route::choose::{self, Verdict};
use zajil_core::route::table::Table;
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
        let chances = chances(&control.table, &query, question.draw);
        let may_happen = chances.iter().filter_map(|(route, chance)| match chance {
            choose::Outcome::MayWin { share, of } => Some(self.outcome(route, (*share, *of), now)),
            choose::Outcome::Loses(_) => None,
        });
        Ok(Simulation {
            outcomes: may_happen.collect(),
            verdicts: chances
                .iter()
                .map(|(route, chance)| ((*route).clone(), verdict(*chance)))
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

    fn outcome(&self, route: &Route, (share, of): (u32, u32), now: Timestamp) -> Outcome {
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
            share,
            of,
            dest_smsc,
            absent,
            fallback,
            charged: delivers && self.would_charge(Some(terms.charged)),
        }
    }
}

/// Every route with its chance; a draw leaves only certainty.
fn chances<'t>(
    table: &'t Table,
    query: &Query<'_>,
    draw: Option<u64>,
) -> Vec<(&'t Route, choose::Outcome)> {
    let Some(draw) = draw else {
        return choose::outcomes(table, query);
    };
    let certain = |verdict| match verdict {
        Verdict::Won => choose::Outcome::MayWin { share: 1, of: 1 },
        lost => choose::Outcome::Loses(lost),
    };
    let verdicts = choose::explain(table, query, draw).verdicts;
    let chances = verdicts
        .into_iter()
        .map(|(route, verdict)| (route, certain(verdict)));
    chances.collect()
}

/// None for a route that is left to the draw.
fn verdict(chance: choose::Outcome) -> Option<Verdict> {
    match chance {
        choose::Outcome::Loses(verdict) => Some(verdict),
        choose::Outcome::MayWin { share, of } => (share == of).then_some(Verdict::Won),
    }
}

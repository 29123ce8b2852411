//! The simulator on the wire (S4.5).

use serde::{Deserialize, Serialize};
use zajil_core::enum_query::Lookup;
use zajil_core::frontend::FrontendName;
use zajil_core::outcome::Refusal;
use zajil_core::port::{Outcome, Question, Simulation};
use zajil_core::route::choose::Verdict;
use zajil_core::route::{Route, SourceType};

use super::field::Field;
use super::route::{RouteOut, enum_domain};
use crate::openapi::schema::{self, Described, Schema, given, list, shown};

/// The most routes that an answer shows with their verdicts.
const MOST_CANDIDATES: i64 = 10_000;
/// As many when the question does not say.
const CANDIDATES: i64 = 1_000;

/// The body of `POST /api/routes/simulate`; numbers also under their names of S2.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct QuestionIn<'a> {
    #[serde(borrow)]
    calling_number: Field<'a>,
    source_msisdn: Field<'a>,
    called_number: Field<'a>,
    destination_msisdn: Field<'a>,
    source_smsc: Field<'a>,
    source_type: Field<'a>,
    enum_domain: Field<'a>,
    draw: Field<'a>,
    limit: Field<'a>,
}

impl QuestionIn<'_> {
    /// The question, and how many routes to show.
    pub(crate) fn into_question(self) -> Result<(Question, usize), Refusal> {
        let called = self.called_number.or(self.destination_msisdn);
        let called = called.number("called_number")?;
        let words = SourceType::ALL.map(SourceType::as_str);
        let draw = self.draw.integer("draw", 0, i64::MAX)?;
        let limit = self.limit.integer("limit", 0, MOST_CANDIDATES)?;
        let question = Question {
            calling: self
                .calling_number
                .or(self.source_msisdn)
                .number("calling_number")?,
            called: called.ok_or_else(|| Refusal::field("called_number", "is required"))?,
            source_smsc: self.source_smsc.frontend("source_smsc")?,
            source_type: self
                .source_type
                .word("source_type", SourceType::parse, &words)?,
            enum_domain: enum_domain(self.enum_domain)?,
            draw: draw.and_then(|draw| u64::try_from(draw).ok()),
        };
        let limit = usize::try_from(limit.unwrap_or(CANDIDATES)).unwrap_or(0);
        Ok((question, limit))
    }
}

/// What would become of the message.
#[derive(Debug, Serialize)]
pub(crate) struct SimulationOut<'a> {
    translation: Option<TranslationOut<'a>>,
    calling_number: &'a str,
    called_number: &'a str,
    #[serde(rename = "enum")]
    lookup: LookupOut<'a>,
    winner: Option<u64>,
    outcomes: Vec<OutcomeOut<'a>>,
    without_route: Option<UnroutedOut<'a>>,
    candidates: Vec<CandidateOut<'a>>,
    candidates_total: usize,
}

#[derive(Debug, Serialize)]
struct TranslationOut<'a> {
    rule: u64,
    calling_number: Option<&'a str>,
    called_number: Option<&'a str>,
}

#[derive(Debug, Default, Serialize)]
struct LookupOut<'a> {
    answer: &'static str,
    domain: Option<&'a str>,
    uri: Option<&'a str>,
    service: Option<&'a str>,
    zone: Option<&'a str>,
    reason: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct OutcomeOut<'a> {
    route: u64,
    probability: f64,
    weight: u32,
    of: u32,
    dest_smsc: Option<&'a str>,
    inactive: Vec<&'a str>,
    fallback: Vec<&'a str>,
    charged: bool,
}

/// No route takes it: then a location may, or whoever asks for unrouted messages.
#[derive(Debug, Serialize)]
struct UnroutedOut<'a> {
    dest_smsc: Option<&'a str>,
    decided_by: &'static str,
    charged: bool,
}

#[derive(Debug, Serialize)]
struct CandidateOut<'a> {
    verdict: &'static str,
    reason: String,
    route: RouteOut<'a>,
}

impl<'a> SimulationOut<'a> {
    /// Routes that fit come first, in the order of the table; at most `limit` are shown.
    pub(crate) fn new(simulation: &'a Simulation, limit: usize) -> Self {
        let fits = |verdict: Option<Verdict>| verdict.is_none_or(|verdict| code(verdict).1);
        let all = &simulation.verdicts;
        let (fitting, others) = (
            all.iter().filter(|(_, verdict)| fits(*verdict)),
            all.iter().filter(|(_, verdict)| !fits(*verdict)),
        );
        let shown = fitting.chain(others).take(limit);
        let certain = match simulation.outcomes.as_slice() {
            [only] => Some(only.route.0),
            _ => None,
        };
        Self {
            translation: simulation.translated.as_ref().map(|new| TranslationOut {
                rule: new.rule.0,
                calling_number: new.calling.as_deref(),
                called_number: new.called.as_deref(),
            }),
            calling_number: simulation.calling.as_str(),
            called_number: simulation.called.as_str(),
            lookup: lookup(simulation),
            winner: certain,
            outcomes: simulation.outcomes.iter().map(OutcomeOut::from).collect(),
            without_route: simulation.outcomes.is_empty().then(|| unrouted(simulation)),
            candidates: shown
                .map(|(route, verdict)| CandidateOut::new(route, *verdict))
                .collect(),
            candidates_total: all.len(),
        }
    }
}

impl<'a> CandidateOut<'a> {
    fn new(route: &'a Route, verdict: Option<Verdict>) -> Self {
        let (verdict, reason) = match verdict {
            None => ("in_draw", "drawn by weight".to_owned()),
            Some(verdict) => (code(verdict).0, verdict.to_string()),
        };
        Self {
            verdict,
            reason,
            route: RouteOut::from(route),
        }
    }
}

fn lookup(simulation: &Simulation) -> LookupOut<'_> {
    let domain = simulation.enum_domain.as_deref();
    match &simulation.lookup {
        Some(Lookup::Found(found)) => LookupOut {
            answer: "found",
            domain,
            uri: Some(&found.uri),
            service: Some(&found.service),
            zone: Some(&found.zone),
            reason: None,
        },
        Some(Lookup::Absent) => LookupOut {
            answer: "absent",
            ..LookupOut::default()
        },
        Some(Lookup::Failed(why)) => LookupOut {
            answer: "failed",
            reason: Some(why),
            ..LookupOut::default()
        },
        None => LookupOut {
            answer: if domain.is_some() {
                "assumed"
            } else {
                "not_asked"
            },
            domain,
            ..LookupOut::default()
        },
    }
}

fn unrouted(simulation: &Simulation) -> UnroutedOut<'_> {
    let dest_smsc = simulation.location.as_ref().map(FrontendName::as_str);
    UnroutedOut {
        dest_smsc,
        decided_by: if dest_smsc.is_some() {
            "location"
        } else {
            "include-unrouted"
        },
        charged: simulation.charged_unrouted,
    }
}

impl<'a> From<&'a Outcome> for OutcomeOut<'a> {
    fn from(outcome: &'a Outcome) -> Self {
        let names = |names: &'a [FrontendName]| names.iter().map(FrontendName::as_str).collect();
        Self {
            route: outcome.route.0,
            probability: f64::from(outcome.share) / f64::from(outcome.of.max(1)),
            weight: outcome.share,
            of: outcome.of,
            dest_smsc: outcome.dest_smsc.as_ref().map(FrontendName::as_str),
            inactive: names(&outcome.absent),
            fallback: names(&outcome.fallback),
            charged: outcome.charged,
        }
    }
}

/// The stable word of a verdict, and whether the conditions of its route hold.
fn code(verdict: Verdict) -> (&'static str, bool) {
    match verdict {
        Verdict::Won => ("won", true),
        Verdict::LostDraw => ("lost_draw", true),
        Verdict::OutrankedByPriority => ("outranked_by_priority", true),
        Verdict::OutrankedByCalledPrefix => ("outranked_by_called_prefix", true),
        Verdict::OutrankedByCallingPrefix => ("outranked_by_calling_prefix", true),
        Verdict::OutrankedBySource => ("outranked_by_source_smsc", true),
        Verdict::Disabled => ("disabled", false),
        Verdict::OtherCalledPrefix => ("other_called_prefix", false),
        Verdict::OtherCallingPrefix => ("other_calling_prefix", false),
        Verdict::OtherSource => ("other_source_smsc", false),
        Verdict::OtherSourceType => ("other_source_type", false),
        Verdict::OtherEnumDomain => ("other_enum_domain", false),
        Verdict::ReplyToReply => ("reply_to_reply", false),
    }
}

impl Described for QuestionIn<'_> {
    const NAME: &'static str = "Question";

    fn schema() -> Schema {
        schema::object(
            &[],
            [
                ("calling_number", given::sender()),
                (
                    "source_msisdn",
                    given::sender().says("As `calling_number`."),
                ),
                (
                    "called_number",
                    given::number().says("Required.").example("+15551234567"),
                ),
                (
                    "destination_msisdn",
                    given::number().says("As `called_number`."),
                ),
                ("source_smsc", given::frontend()),
                (
                    "source_type",
                    given::word(SourceType::ALL.map(SourceType::as_str)),
                ),
                (
                    "enum_domain",
                    given::enum_domain()
                        .says("What ENUM is taken to have said; it is asked without."),
                ),
                (
                    "draw",
                    given::integer(0, i64::MAX).says("Decides among equals; all count without."),
                ),
                (
                    "limit",
                    given::integer(0, MOST_CANDIDATES).default(CANDIDATES),
                ),
            ],
        )
    }
}

impl Described for SimulationOut<'_> {
    const NAME: &'static str = "Simulation";

    fn schema() -> Schema {
        let text = || shown::text().or_null();
        let translation = schema::record([
            ("rule", shown::id()),
            ("calling_number", text()),
            ("called_number", text()),
        ]);
        let answers = ["found", "absent", "failed", "assumed", "not_asked"];
        let lookup = schema::record([
            ("answer", shown::word(answers)),
            ("domain", text()),
            ("uri", text()),
            ("service", text()),
            ("zone", text()),
            ("reason", text()),
        ]);
        let outcome = schema::record([
            ("route", shown::id()),
            ("probability", shown::share()),
            ("weight", shown::count()),
            ("of", shown::count()),
            ("dest_smsc", text()),
            ("inactive", list(shown::text(), None)),
            ("fallback", list(shown::text(), None)),
            ("charged", shown::boolean()),
        ]);
        let unrouted = schema::record([
            ("dest_smsc", text()),
            ("decided_by", shown::word(["location", "include-unrouted"])),
            ("charged", shown::boolean()),
        ]);
        let candidate = schema::record([
            ("verdict", shown::text().says("A stable word.")),
            ("reason", shown::text()),
            ("route", schema::of::<RouteOut<'_>>()),
        ]);
        schema::record([
            ("translation", translation.or_null()),
            ("calling_number", shown::text()),
            ("called_number", shown::text()),
            ("enum", lookup),
            (
                "winner",
                shown::id()
                    .or_null()
                    .says("Null where the draw is open, or nothing matches."),
            ),
            ("outcomes", list(outcome, None)),
            ("without_route", unrouted.or_null()),
            ("candidates", list(candidate, None)),
            ("candidates_total", shown::count()),
        ])
    }
}

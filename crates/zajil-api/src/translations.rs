//! `/api/translations`: the number translation rules (S5.1) and their test call.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use zajil_core::outcome::Refusal;
use zajil_core::port::{Routing, RoutingChange};
use zajil_core::translate::RuleId;
use zajil_core::translate::apply::Verdict;

use crate::dto::import::ImportIn;
use crate::dto::rule::{RuleIn, RuleOut};
use crate::dto::simulation::QuestionIn;
use crate::openapi::says::tables::Names;
use crate::openapi::schema::{self, Described, Schema, list, shown};
use crate::router::Shared;
use crate::table::{self, Table};
use crate::{body, json};

/// The table of rules.
pub(crate) struct Rules;

impl Table for Rules {
    const ENTRY: &'static str = "translation rule";
    const ENTRIES: &'static str = "rules";
    const NAMES: Names = Names {
        list: "listTranslations",
        create: "createTranslation",
        show: "showTranslation",
        replace: "replaceTranslation",
        update: "updateTranslation",
        remove: "removeTranslation",
        export: "exportTranslations",
        import: "importTranslations",
        exported: "TranslationExport",
        imported: "TranslationImport",
    };
    type Row<'a> = RuleOut<'a>;
    type Given = RuleIn<'static>;
    type Shown = RuleOut<'static>;

    fn example() -> serde_json::Value {
        serde_json::json!({
            "called_match": r"^00(\d+)$", "called_replace": r"+\1", "description": "international",
        })
    }

    fn rows(routing: &Routing) -> Vec<RuleOut<'_>> {
        let rules = routing.rules.iter();
        rules.map(|rule| RuleOut::from(&**rule)).collect()
    }

    fn row(routing: &Routing, id: u64) -> Option<RuleOut<'_>> {
        routing.rule(RuleId(id)).map(RuleOut::from)
    }

    fn add(payload: &[u8]) -> Result<RoutingChange, Refusal> {
        let terms = body::object::<RuleIn<'_>>(payload)?.into_terms(None)?;
        Ok(RoutingChange::AddRule(terms))
    }

    fn set(payload: &[u8], id: u64, base: Option<&Routing>) -> Result<RoutingChange, Refusal> {
        let id = RuleId(id);
        let base = base.and_then(|routing| routing.rule(id));
        let base = base.map(|rule| &rule.terms);
        let terms = body::object::<RuleIn<'_>>(payload)?.into_terms(base)?;
        Ok(RoutingChange::SetRule(id, terms))
    }

    fn remove(id: u64) -> RoutingChange {
        RoutingChange::RemoveRule(RuleId(id))
    }

    fn import(payload: &[u8]) -> Result<(RoutingChange, usize), Refusal> {
        let frame: ImportIn<'_, RuleIn<'_>> = table::import_frame(Self::ENTRIES, payload)?;
        let import = frame.into_import(Self::ENTRIES, |mut item| {
            let id = item.take_id()?;
            Ok((id.map(|id| id.0), (id, item.into_terms(None)?)))
        })?;
        let count = import.entries.len();
        let change = RoutingChange::ImportRules {
            rules: import.entries,
            replace: import.replace,
        };
        Ok((change, count))
    }
}

/// What the rules make of numbers, and why.
#[derive(Debug, Serialize)]
pub(crate) struct Tested<'a> {
    calling_number: &'a str,
    called_number: &'a str,
    rule: Option<u64>,
    rules: Vec<Judged>,
}

#[derive(Debug, Serialize)]
struct Judged {
    id: u64,
    verdict: &'static str,
    reason: String,
}

impl Described for Tested<'_> {
    const NAME: &'static str = "TranslationTest";

    fn schema() -> Schema {
        let judged = schema::record([
            ("id", shown::id()),
            ("verdict", shown::text().says("A stable word.")),
            ("reason", shown::text()),
        ]);
        schema::record([
            ("calling_number", shown::text()),
            ("called_number", shown::text()),
            (
                "rule",
                shown::id()
                    .or_null()
                    .says("The rule that applies, if one does."),
            ),
            ("rules", list(judged, None)),
        ])
    }
}

/// `POST /api/translations/test`: which rule applies to numbers, what it makes of them, and why
/// each other one does not. Nothing is stored.
pub(crate) async fn test(api: Shared, request: Request) -> Result<Response, Refusal> {
    let payload = table::read(&api, request.into_body()).await?;
    let (question, _) = body::object::<QuestionIn<'_>>(&payload)?.into_question()?;
    let explained = api.control.explain_translation(&question);
    let new = explained.translated.as_ref();
    let calling = question.calling.as_ref().map_or("", |given| given.as_str());
    let judged = explained.verdicts.iter().map(|(id, verdict)| Judged {
        id: id.0,
        verdict: code(*verdict),
        reason: verdict.to_string(),
    });
    let tested = Tested {
        calling_number: new
            .and_then(|new| new.calling.as_deref())
            .unwrap_or(calling),
        called_number: new
            .and_then(|new| new.called.as_deref())
            .unwrap_or(question.called.as_str()),
        rule: new.map(|new| new.rule.0),
        rules: judged.collect(),
    };
    json::data(StatusCode::OK, tested)
}

/// The stable word of a verdict.
fn code(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Applied => "applied",
        Verdict::Outranked => "outranked",
        Verdict::Disabled => "disabled",
        Verdict::OtherCallingPrefix => "other_calling_prefix",
        Verdict::OtherCalledPrefix => "other_called_prefix",
        Verdict::OtherSource => "other_source_smsc",
        Verdict::CallingMatch => "calling_match",
        Verdict::CalledMatch => "called_match",
    }
}

//! What must hold whatever happens, judged from the history and from what is left.

use std::collections::BTreeMap;
use std::fmt;

use zajil_core::cdr::Cdr;
use zajil_core::id::MessageId;

use crate::history::What;
use crate::run::Finale;

mod log;
mod message;
mod money;
mod offer;

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    /// Which promise.
    pub(crate) rule: &'static str,
    /// By what.
    pub(crate) told: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.told)
    }
}

/// Collects what is broken.
#[derive(Debug, Default)]
struct Findings(Vec<Violation>);

impl Findings {
    fn add(&mut self, rule: &'static str, told: impl fmt::Display) {
        let told = told.to_string();
        self.0.push(Violation { rule, told });
    }
}

/// The rows that the CDR database has, by message.
type Rows<'a> = BTreeMap<MessageId, &'a Cdr>;

/// Every broken promise of a run.
pub(crate) fn check(finale: &Finale) -> Vec<Violation> {
    let mut findings = Findings::default();
    let rows = rows(finale, &mut findings);
    if !finale.recovered {
        findings.add("not recovered", "a node was not back long after the storm");
    } else if !finale.drained {
        let pending = finale.messages.iter().filter(|m| m.ending().is_none());
        let ids: Vec<_> = pending.map(|message| message.id).collect();
        findings.add(
            "not drained",
            format!("long after calm {ids:?} are pending"),
        );
    }
    message::check(finale, &rows, &mut findings);
    offer::check(finale, &mut findings);
    money::check(finale, &rows, &mut findings);
    log::check(finale, &mut findings);
    routes(finale, &mut findings);
    findings.0
}

/// A table with a unique key keeps the first row; the others must be the same.
fn rows<'a>(finale: &'a Finale, findings: &mut Findings) -> Rows<'a> {
    let mut rows = Rows::new();
    for entry in &finale.history {
        let What::Row(row) = &entry.what else {
            continue;
        };
        let id = u64::try_from(row.message_id).map(MessageId::new);
        let Ok(Ok(id)) = id else {
            findings.add("row", format!("{} is no message id", row.message_id));
            continue;
        };
        let first = *rows.entry(id).or_insert(row);
        if *first != **row {
            findings.add("rows differ", format!("{id} has {first:?} and {row:?}"));
        }
    }
    rows
}

/// Nodes that start together on an empty store fill the tables once.
fn routes(finale: &Finale, findings: &mut Findings) {
    let routes = finale.routing.routes.iter();
    let configured = routes.filter(|r| r.terms.called_prefix.as_deref() == Some("44"));
    let count = configured.count();
    if count != 1 {
        findings.add("routes twice", format!("{count} routes for 44"));
    }
}

//! What `zajil migrate` says at its end.

use serde_json::json;
use zajil_store::transfer::Table;
use zajil_store::transfer::carry::{Begun, Compared, Sum};

use crate::table;

/// The result of a move, or of a look at one.
pub(super) struct Report {
    from: String,
    to: String,
    /// None when it was only looked at.
    begun: Option<Begun>,
    tables: Vec<(Table, Sum)>,
}

impl Report {
    /// Everything was moved; what was compared is the same on both sides.
    pub(super) fn moved(from: String, to: String, begun: Begun, compared: &[Compared]) -> Self {
        let sums = compared.iter().map(|one| (one.table, one.target.clone()));
        Self {
            from,
            to,
            begun: Some(begun),
            tables: sums.collect(),
        }
    }

    /// Nothing was moved, and this would be.
    pub(super) fn would(from: String, to: String, tables: Vec<(Table, Sum)>) -> Self {
        Self {
            from,
            to,
            begun: None,
            tables,
        }
    }

    pub(super) fn text(&self, as_json: bool) -> String {
        if as_json {
            let tables = self.tables.iter().map(|(table, sum)| {
                json!({ "table": table.name(), "rows": sum.rows, "sha256": sum.sha256 })
            });
            let data = json!({
                "from": self.from,
                "to": self.to,
                "moved": self.begun.is_some(),
                "resumed": self.begun.is_some_and(|begun| begun != Begun::Anew),
                "tables": tables.collect::<Vec<_>>(),
            });
            return format!("{:#}\n", json!({ "data": data }));
        }
        let rows = self.tables.iter().map(|(table, sum)| {
            let Sum { rows, sha256 } = sum;
            vec![table.to_string(), rows.to_string(), sha256.clone()]
        });
        let tables = table::aligned(&["table", "rows", "sha256"], &rows.collect::<Vec<_>>());
        let (from, to) = (&self.from, &self.to);
        let last = match self.begun {
            None => format!("{from}: all this would be moved to {to}\n"),
            Some(_) => format!("{from}: moved to {to}, which holds the same; start nodes there\n"),
        };
        tables + &last
    }
}

/// The source starts again.
pub(super) fn undone(from: &str, as_json: bool) -> String {
    match as_json {
        true => format!(
            "{:#}\n",
            json!({ "data": { "from": from, "undone": true } })
        ),
        false => format!(
            "{from}: starts again with what it held. If nodes have worked on the other side since \
             then, do not let both run\n"
        ),
    }
}

//! Routes and rules in the file: the same fields and checks as in the API.

use zajil_core::outcome::Refusal;
use zajil_core::route::Terms;
use zajil_core::translate::RuleTerms;

/// Reads `sms_routes`; what is wrong goes to `report` with the place in the list.
pub(super) fn routes(tables: &[toml::Table], report: impl FnMut(&str, String)) -> Vec<Terms> {
    read("sms_routes", tables, zajil_api::parse_route, report)
}

/// Reads `translation_rules` likewise.
pub(super) fn rules(tables: &[toml::Table], report: impl FnMut(&str, String)) -> Vec<RuleTerms> {
    read("translation_rules", tables, zajil_api::parse_rule, report)
}

fn read<T>(
    list: &str,
    tables: &[toml::Table],
    parse: impl Fn(&str) -> Result<T, Refusal>,
    mut report: impl FnMut(&str, String),
) -> Vec<T> {
    let mut found = Vec::new();
    for (place, table) in tables.iter().enumerate() {
        let parsed = serde_json::to_string(table)
            .map_err(|error| error.to_string())
            .and_then(|json| parse(&json).map_err(|refusal| refusal.detail));
        match parsed {
            Ok(terms) => found.push(terms),
            Err(rule) => report(&format!("{list}[{place}]"), rule),
        }
    }
    found
}

//! Routes and rules from and to elsewhere than a request: the same fields and checks as in the API.

use zajil_core::clock::Timestamp;
use zajil_core::outcome::Refusal;
use zajil_core::port::Routing;
use zajil_core::route::Terms;
use zajil_core::translate::RuleTerms;

use crate::body;
use crate::dto::route::RouteIn;
use crate::dto::rule::RuleIn;
use crate::routes::Routes;
use crate::table::{self, Table};
use crate::translations::Rules;

/// Reads the terms of a route from a JSON object as `POST /api/routes` takes it.
///
/// # Errors
/// The refusal that the request would get.
pub fn parse_route(json: &str) -> Result<Terms, Refusal> {
    body::object::<RouteIn<'_>>(json.as_bytes())?.into_terms(None)
}

/// Reads the terms of a rule from a JSON object as `POST /api/translations` takes it.
///
/// # Errors
/// The refusal that the request would get.
pub fn parse_rule(json: &str) -> Result<RuleTerms, Refusal> {
    let terms = body::object::<RuleIn<'_>>(json.as_bytes())?.into_terms(None)?;
    zajil_core::translate::apply::check(&terms)
        .map_err(|bad| Refusal::field(bad.field, bad.rule))?;
    Ok(terms)
}

/// The routes as `GET /api/routes/export` gives them and `zajil route import` takes them.
///
/// # Errors
/// `Internal` when they cannot be written.
pub fn routes_json(routing: &Routing, at: Timestamp) -> Result<String, Refusal> {
    exported::<Routes>(routing, at)
}

/// The rules as `GET /api/translations/export` gives them and the import takes them.
///
/// # Errors
/// `Internal` when they cannot be written.
pub fn rules_json(routing: &Routing, at: Timestamp) -> Result<String, Refusal> {
    exported::<Rules>(routing, at)
}

fn exported<T: Table>(routing: &Routing, at: Timestamp) -> Result<String, Refusal> {
    let export = table::exported::<T>(routing, at)?;
    Ok(format!("{:#}\n", serde_json::json!({ "data": export })))
}

//! Routes and rules from elsewhere than a request: the same fields and checks as in the API.

use zajil_core::outcome::Refusal;
use zajil_core::route::Terms;
use zajil_core::translate::RuleTerms;

use crate::body;
use crate::dto::route::RouteIn;
use crate::dto::rule::RuleIn;

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

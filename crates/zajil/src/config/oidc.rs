//! The section `[oidc]`: whose tokens are taken beside API keys (S3.8).

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use axum::http::Uri;
use zajil_api::{Algorithm, Scopes, TokenRules};

use super::file::OidcSection;
use super::resolve::Check;

const SECOND: Duration = Duration::from_secs(1);
/// Algorithms when none are named: with 128 bits of strength or about so, and widely used.
const USUAL: [&str; 4] = ["RS256", "PS256", "ES256", "EdDSA"];

/// Where the issuer's key set is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeySet {
    /// There, and the authorities that sign the server's certificate; none = the system's.
    Url(String, Option<PathBuf>),
    /// In this file.
    File(PathBuf),
}

/// An issuer of tokens.
#[derive(Debug, Clone)]
pub(crate) struct Oidc {
    /// What its tokens must be.
    pub(crate) rules: TokenRules,
    /// Where its keys are.
    pub(crate) key_set: KeySet,
    /// How often they are fetched.
    pub(crate) refresh: Duration,
    /// They are not fetched again before so much time has passed.
    pub(crate) least: Duration,
}

/// None when no issuer is named.
pub(super) fn oidc(section: OidcSection, check: &mut Check<'_>) -> Option<Oidc> {
    let Some(issuer) = &section.issuer else {
        if section.jwks_url.is_some() || section.jwks_file.is_some() || !section.audience.is_empty()
        {
            check.rule("oidc.issuer", "must be set: the iss of the tokens");
        }
        return None;
    };
    if issuer.is_empty() {
        check.rule("oidc.issuer", "must not be empty");
    }
    if section.audience.is_empty() || section.audience.iter().any(String::is_empty) {
        let rule = "must name at least one: what the issuer calls this API in aud";
        check.rule("oidc.audience", rule);
    }
    let leeway = section.leeway_seconds.unwrap_or(30);
    let rules = TokenRules {
        issuer: issuer.clone(),
        audiences: section.audience.clone(),
        algorithms: algorithms(section.algorithms.as_deref(), check),
        scope_claim: scope_claim(section.scope_claim.as_deref(), check),
        scope_map: section.scope_map.clone(),
        leeway: SECOND * check.number::<u32>("oidc.leeway_seconds", leeway, (0, 300)),
    };
    for (value, words) in &rules.scope_map {
        if let Err(rule) = Scopes::parse(words.iter().map(String::as_str)) {
            check.rule("oidc.scope_map", format!("{value}: {rule}"));
        }
    }
    let refresh = section.refresh_seconds.unwrap_or(600);
    let least = section.min_refresh_seconds.unwrap_or(30);
    let refresh = SECOND * check.number::<u32>("oidc.refresh_seconds", refresh, (1, 86_400));
    let least = SECOND * check.number::<u32>("oidc.min_refresh_seconds", least, (1, 3_600));
    Some(Oidc {
        rules,
        key_set: key_set(section, check)?,
        refresh,
        least,
    })
}

fn algorithms(names: Option<&[String]>, check: &mut Check<'_>) -> Vec<Algorithm> {
    let usual = USUAL.map(str::to_owned);
    let names = names.unwrap_or(&usual);
    let known = names.iter().map(|name| Algorithm::parse(name));
    let known: Option<Vec<_>> = known.collect();
    match known.filter(|known| !known.is_empty()) {
        Some(known) => known,
        None => {
            let all = Algorithm::ALL.map(Algorithm::name).join(", ");
            check.rule("oidc.algorithms", format!("must be a list of {all}"));
            Vec::new()
        }
    }
}

fn scope_claim(claim: Option<&str>, check: &mut Check<'_>) -> String {
    let claim = claim.unwrap_or("scope");
    if claim.trim_start_matches('/').is_empty() {
        let rule = "must be the name of a claim, or a JSON pointer as /realm_access/roles";
        check.rule("oidc.scope_claim", rule);
    }
    claim.to_owned()
}

fn key_set(section: OidcSection, check: &mut Check<'_>) -> Option<KeySet> {
    match (section.jwks_url, section.jwks_file) {
        (Some(url), None) => {
            if !is_fit(&url) {
                let rule = "must be a URL as https://idp.example/keys, without user or fragment; \
                            http only to this machine";
                check.rule("oidc.jwks_url", rule);
            }
            Some(KeySet::Url(url, section.ca_file.map(PathBuf::from)))
        }
        (None, Some(path)) => {
            if section.ca_file.is_some() {
                check.note("oidc.ca_file", "has no effect with oidc.jwks_file");
            }
            Some(KeySet::File(PathBuf::from(path)))
        }
        _ => {
            let rule = "needs one of oidc.jwks_url and oidc.jwks_file, and not both";
            check.rule("oidc.issuer", rule);
            None
        }
    }
}

/// Whoever can change the key set on its way can sign tokens.
fn is_fit(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else {
        return false;
    };
    let Some(authority) = uri.authority() else {
        return false;
    };
    let host = authority.host().trim_matches(['[', ']']);
    let here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let plain = uri.scheme_str() == Some("http") && here;
    let clean = !authority.as_str().contains('@') && !url.contains('#');
    clean && (plain || uri.scheme_str() == Some("https"))
}

//! The keys of the section `[oidc]`.

use super::{Key, key};

pub(super) const KEYS: &[Key] = &[
    key(
        "oidc",
        "issuer",
        "<none>",
        "Whose signed tokens (JWT) are taken beside API keys: their iss; docs/ops/security.md.",
    ),
    key(
        "oidc",
        "audience",
        "[]",
        "What the issuer calls this API: one of these must be in aud.",
    ),
    key(
        "oidc",
        "jwks_url",
        "<none>",
        "Where the issuer's key set is; https, or http on this machine.",
    ),
    key(
        "oidc",
        "jwks_file",
        "<none>",
        "A file with the key set, in place of jwks_url.",
    ),
    key(
        "oidc",
        "ca_file",
        "<those of the system>",
        "Certificates (PEM) that sign that of jwks_url.",
    ),
    key(
        "oidc",
        "algorithms",
        "[\"RS256\", \"PS256\", \"ES256\", \"EdDSA\"]",
        "How tokens may be signed; also RS384, RS512, PS384, PS512, ES384.",
    ),
    key(
        "oidc",
        "scope_claim",
        "\"scope\"",
        "The claim with the scopes, a text or a list; or a JSON pointer as /realm_access/roles.",
    ),
    key(
        "oidc",
        "scope_map",
        "{}",
        "What values of that claim allow: each a list of scopes; without it they are scopes \
         themselves.",
    ),
    key(
        "oidc",
        "leeway_seconds",
        "30",
        "How far the issuer's clock may be from this one.",
    ),
    key(
        "oidc",
        "refresh_seconds",
        "600",
        "How often the key set is fetched; the last good one stays while it cannot be.",
    ),
    key(
        "oidc",
        "min_refresh_seconds",
        "30",
        "A token with an unknown key has it fetched earlier, but not within this time.",
    ),
];

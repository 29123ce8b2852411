//! The REST door (S3): turns HTTP and JSON into calls of `Intake`, `Desk` and `Control`.
//!
//! Every URL is on one page, [`router`]; every reason has its status in `error`; every field of
//! the wire has its rule in `dto`. Nothing here knows what is behind the ports.

mod access;
mod audit;
mod batch;
mod body;
mod bulk;
mod cdrs;
mod cluster;
mod diagnose;
mod docs;
mod dto;
mod error;
mod events;
mod fence;
mod frontends;
mod json;
mod keys;
mod locations;
mod messages;
mod openapi;
mod options;
mod policies;
mod problem;
mod query;
mod request_id;
mod router;
mod routes;
mod seed;
mod shelf;
mod smpp_parties;
mod smpp_unmatched;
mod stream;
mod system;
mod table;
mod time;
mod translations;
mod webhooks;

pub use access::{
    Access, AccessOptions, Algorithm, MOST_JWKS_OCTETS, Mode, Network, NotANetwork, PeerNames,
    Rate, RateLimits, Scopes, TokenRules, neighbourhood,
};
pub use body::Unfinished;
pub use docs::openapi_json;
pub use keys::create_offline;
pub use options::{Neighbours, Options, Part, Readiness};
pub use router::{Api, router};
pub use seed::{parse_route, parse_rule, routes_json, rules_json};

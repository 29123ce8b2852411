//! The clients of a run: those who submit, those who deliver, those who meddle.

use std::time::Duration;

use zajil_core::port::Submission;
use zajil_core::route::{Action, Charged, Followers, Terms};
use zajil_testkit::build;

use crate::history::Token;

pub(crate) mod deliver;
pub(crate) mod meddle;
pub(crate) mod submit;

/// The frontends of every run.
pub(crate) const FRONTENDS: [&str; 3] = ["gw-a", "gw-b", "gw-c"];
/// What auto-reply routes answer.
const REPLY: &str = "we are closed";

/// Destinations by what the routes make of them; 46 is nobody's until a location says whose.
pub(crate) const PREFIXES: [&str; 7] = ["44", "45", "46", "46", "47", "48", "49"];

/// The routes that every node is configured with.
pub(crate) fn routes() -> Vec<Terms> {
    let to = |name| Action::Deliver(build::name(name));
    let followed = |names: &[&str], after| Followers {
        to: names.iter().map(|name| build::name(name)).collect(),
        after: Duration::from_secs(after),
    };
    let reply = Action::AutoReply {
        text: REPLY.to_owned(),
        deliver: Some(build::name("gw-b")),
    };
    vec![
        Terms {
            followers: followed(&["gw-b", "gw-c"], 5),
            ..build::route("44", to("gw-a"))
        },
        build::route("45", to("gw-b")),
        build::route("47", Action::Drop),
        build::route("48", reply),
        Terms {
            charged: Charged::Yes,
            followers: followed(&["gw-a"], 8),
            ..build::route("49", to("gw-c"))
        },
        // Replies go to the senders.
        build::route("50", to("gw-a")),
    ]
}

/// A subscriber's number.
pub(crate) fn number(prefix: &str, subscriber: u64) -> String {
    format!("{prefix}77009{subscriber:02}")
}

/// The text that names a submit.
fn text(token: Token) -> String {
    format!("message {token}")
}

/// The submit that a text names; none for a reply.
pub(crate) fn token(text: &str) -> Option<Token> {
    text.strip_prefix("message ")?.parse().ok()
}

/// A submit with its name in it.
fn submission(token: Token, to: &str) -> Submission {
    build::submission("5012345", to, &text(token))
}

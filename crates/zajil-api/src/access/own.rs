//! Whether a message is the business of the frontend that asks (S3.8).

use zajil_core::message::Message;
use zajil_core::outcome::{Reason, Refusal};

use super::Client;
use crate::error;
use crate::router::Api;

/// Refuses unless the client may read everything, or the message is for a frontend that the client
/// speaks for: the one it names, or else the one that the destination's live location names. One
/// that nobody has been chosen for is theirs who may take unrouted ones.
pub(crate) async fn check_own(
    api: &Api,
    client: &Client,
    message: &Message,
) -> Result<(), Refusal> {
    let scopes = &client.caller.scopes;
    if let Some(name) = &message.dest_smsc {
        return theirs(scopes.acts_for(name));
    }
    let number = message.content.destination.as_str().to_owned();
    let located = api.store.location_of(number).await;
    let located = located.map_err(error::from_store)?;
    let serving = located
        .as_ref()
        .and_then(|location| location.serving(api.now()));
    match serving {
        Some(name) => theirs(scopes.acts_for(name)),
        None => theirs(scopes.may_take_unrouted()),
    }
}

fn theirs(yes: bool) -> Result<(), Refusal> {
    if yes {
        return Ok(());
    }
    let detail = "the message is not for a frontend that the key may speak for";
    Err(Refusal::new(Reason::Forbidden, detail))
}

//! Stored forms, versioned: how a store writes what is not a column of its own (house rule 5.4).
//!
//! Everything is JSON text, so that an operator can read a record with the database's own tools.
//! Version 1 is the first. A reader refuses a version that it does not know and a form that it
//! cannot read with [`Error::Damaged`]; a new version keeps the readers of all former ones. A field
//! that it does not know is left alone: nodes of a later version write it while this one still
//! works beside them (D13), and one such row must not keep a node from a whole queue.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use zajil_core::clock::Timestamp;
use zajil_core::frontend::FrontendName;

use crate::contract::Error;

mod events;
mod extra;
mod policy;
mod presence;
mod receipt;
mod refund;
mod routing;
mod smpp;
mod smpp_alert;
mod smpp_carrier;
mod smpp_receipt;
mod transfer;

pub use events::{decode_events, encode_events};
pub use extra::{Extra, decode_extra, encode_extra};
pub use policy::{decode_policy, encode_policy};
pub use presence::{decode_location, decode_presence, encode_location, encode_presence};
pub use receipt::{decode_receipt, encode_receipt};
pub use refund::{decode_refund, encode_refund};
pub use routing::{decode_route, decode_rule, encode_route, encode_rule};
pub use smpp::{decode_smpp_account, encode_smpp_account};
pub use smpp_alert::{SmppAlert, decode_smpp_alerts, encode_smpp_alerts};
pub use smpp_carrier::{decode_smpp_carrier, encode_smpp_carrier};
pub use smpp_receipt::{SmppUnmatched, decode_smpp_unmatched, encode_smpp_unmatched};
pub use transfer::{decode_mark, encode_mark};

/// The version that is written.
const VERSION: u32 = 1;

/// A form that carries its version.
trait Form: Serialize + DeserializeOwned {
    /// What it is called in an error.
    const WHAT: &'static str;

    /// The version it was written with.
    fn version(&self) -> u32;
}

/// What every version has in common.
#[derive(Deserialize)]
struct AnyVersion {
    v: u32,
}

#[expect(
    clippy::expect_used,
    reason = "structs of strings and numbers always have a JSON form"
)]
fn encode(form: &impl Form) -> String {
    serde_json::to_string(form).expect("a stored form is plain JSON")
}

fn decode<F: Form>(text: &str) -> Result<F, Error> {
    match serde_json::from_str::<F>(text) {
        Ok(form) if form.version() == VERSION => Ok(form),
        Ok(form) => Err(unknown_version(F::WHAT, form.version())),
        // A later version may have fields that this one cannot read: say what is really wrong.
        Err(error) => Err(match serde_json::from_str::<AnyVersion>(text) {
            Ok(AnyVersion { v }) if v != VERSION => unknown_version(F::WHAT, v),
            Ok(_) | Err(_) => damaged(F::WHAT, error),
        }),
    }
}

fn unknown_version(what: &str, version: u32) -> Error {
    damaged(what, format_args!("version {version} is not known here"))
}

fn damaged(what: &str, why: impl std::fmt::Display) -> Error {
    Error::Damaged(format!("{what}: {why}"))
}

fn instant(what: &str, millis: i64) -> Result<Timestamp, Error> {
    let at = Timestamp::from_millis(millis);
    if at.millis() == millis {
        Ok(at)
    } else {
        Err(damaged(what, "an instant out of range"))
    }
}

fn name(what: &str, text: &str) -> Result<FrontendName, Error> {
    FrontendName::parse(text).map_err(|why| damaged(what, why))
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes fields by reference"
)]
fn is_false(flag: &bool) -> bool {
    !*flag
}

#[cfg(test)]
mod tests;

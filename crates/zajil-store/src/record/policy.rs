//! A frontend's policy as a JSON object.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use zajil_core::clock::Timestamp;
use zajil_core::policy::{Pause, Policy};
use zajil_core::retry::schedule::{ErrorClass, Schedule};

use super::{Form, VERSION, damaged, decode, encode, instant, name};
use crate::contract::Error;

/// Version 1.
#[derive(Serialize, Deserialize)]
struct PolicyForm {
    v: u32,
    frontend: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pause: Option<PauseForm>,
    /// By class, in seconds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    retry: BTreeMap<String, Vec<u64>>,
}

#[derive(Serialize, Deserialize)]
struct PauseForm {
    since: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<i64>,
    reason: String,
}

impl Form for PolicyForm {
    const WHAT: &'static str = "policy of a frontend";

    fn version(&self) -> u32 {
        self.v
    }
}

/// Writes a policy.
#[must_use]
pub fn encode_policy(policy: &Policy) -> String {
    encode(&PolicyForm {
        v: VERSION,
        frontend: policy.frontend.to_string(),
        pause: policy.pause.as_ref().map(|pause| PauseForm {
            since: pause.since.millis(),
            until: pause.until.map(Timestamp::millis),
            reason: pause.reason.clone(),
        }),
        retry: policy
            .retry
            .iter()
            .map(|(class, own)| (class.as_str().to_owned(), own.seconds().collect()))
            .collect(),
    })
}

/// Reads a policy.
///
/// # Errors
/// [`Error::Damaged`] when the text is not a policy of a known version.
pub fn decode_policy(text: &str) -> Result<Policy, Error> {
    let form: PolicyForm = decode(text)?;
    let at = |millis| instant(PolicyForm::WHAT, millis);
    let mut policy = Policy::new(name(PolicyForm::WHAT, &form.frontend)?);
    if let Some(pause) = form.pause {
        policy.pause = Some(Pause {
            since: at(pause.since)?,
            until: pause.until.map(at).transpose()?,
            reason: pause.reason,
        });
    }
    for (word, seconds) in form.retry {
        let class = ErrorClass::parse(&word)
            .ok_or_else(|| damaged(PolicyForm::WHAT, "an unknown error class"))?;
        let own = Schedule::new(&seconds).map_err(|why| damaged(PolicyForm::WHAT, why))?;
        policy.retry.insert(class, own);
    }
    Ok(policy)
}

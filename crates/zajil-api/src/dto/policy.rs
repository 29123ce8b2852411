//! What was decided about a frontend, on the wire (D10).

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zajil_core::clock::Timestamp;
use zajil_core::outcome::Refusal;
use zajil_core::policy::{Pause, Policy};
use zajil_core::retry::schedule::{ErrorClass, Schedule};

use super::At;
use super::field::{Field, SENTENCE};
use crate::body::Object;
use crate::openapi::schema::{self, Described, Schema, given, list, map, shown};

/// The longest pause with an end: 30 days, in seconds.
const LONGEST_PAUSE: i64 = 30 * 86_400;

/// The body of `pause`; may be empty.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PauseIn<'a> {
    #[serde(borrow)]
    reason: Field<'a>,
    seconds: Field<'a>,
}

impl PauseIn<'_> {
    /// The pause, from now on.
    pub(crate) fn into_pause(self, now: Timestamp) -> Result<Pause, Refusal> {
        let seconds = self.seconds.integer("seconds", 1, LONGEST_PAUSE)?;
        let seconds = seconds.and_then(|n| u64::try_from(n).ok());
        let reason = self.reason.text("reason", SENTENCE)?;
        Ok(Pause {
            since: now,
            until: seconds.map(|seconds| now.plus(Duration::from_secs(seconds))),
            reason: reason.unwrap_or_else(|| "paused by an operator".to_owned()),
        })
    }
}

/// The body of `PUT …/policy`: `{"retry": {"absent": [300, 900], …}}`, in seconds.
#[derive(Debug, Deserialize)]
pub(crate) struct RetryIn<'a> {
    #[serde(borrow)]
    retry: Object<BTreeMap<String, Field<'a>>>,
}

impl RetryIn<'_> {
    /// The schedules by class.
    pub(crate) fn into_schedules(self) -> Result<BTreeMap<ErrorClass, Schedule>, Refusal> {
        let Object(retry) = self.retry;
        let mut schedules = BTreeMap::new();
        for (word, waits) in retry {
            let class = ErrorClass::parse(&word).ok_or_else(|| {
                let words = ErrorClass::ALL.map(ErrorClass::as_str).join(", ");
                Refusal::field("retry", format!("knows only the classes {words}"))
            })?;
            let field = format!("retry.{word}");
            if let Some(schedule) = schedule(&field, waits)? {
                schedules.insert(class, schedule);
            }
        }
        Ok(schedules)
    }
}

fn schedule(field: &str, waits: Field<'_>) -> Result<Option<Schedule>, Refusal> {
    let items = match waits {
        Field::Absent | Field::Null => return Ok(None),
        Field::Array(items) => items,
        _ => return Err(Refusal::field(field, "must be an array of seconds")),
    };
    let mut seconds = Vec::with_capacity(items.len());
    for item in items {
        let wait = item.integer(field, 1, i64::MAX)?.unwrap_or(0);
        seconds.push(u64::try_from(wait).unwrap_or(0));
    }
    let schedule = Schedule::new(&seconds).map_err(|rule| Refusal::field(field, rule))?;
    Ok(Some(schedule))
}

/// A policy as it is shown.
#[derive(Debug, Serialize)]
pub(crate) struct PolicyOut<'a> {
    frontend_name: &'a str,
    paused: Option<PauseOut<'a>>,
    retry: BTreeMap<&'static str, Vec<u64>>,
}

/// Why a frontend gets nothing now.
#[derive(Debug, Serialize)]
pub(crate) struct PauseOut<'a> {
    since: At,
    until: Option<At>,
    reason: &'a str,
}

impl<'a> PauseOut<'a> {
    pub(crate) fn new(pause: &'a Pause) -> Self {
        Self {
            since: At(pause.since),
            until: pause.until.map(At),
            reason: &pause.reason,
        }
    }
}

impl<'a> PolicyOut<'a> {
    pub(crate) fn new(policy: &'a Policy, pause: Option<&'a Pause>) -> Self {
        let retry = policy.retry.iter();
        Self {
            frontend_name: policy.frontend.as_str(),
            paused: pause.map(PauseOut::new),
            retry: retry
                .map(|(class, own)| (class.as_str(), own.seconds().collect()))
                .collect(),
        }
    }
}

impl Described for PauseIn<'_> {
    const NAME: &'static str = "PauseRequest";

    fn schema() -> Schema {
        schema::object(
            &[],
            [
                ("reason", given::text(SENTENCE).says("Everybody sees it.")),
                (
                    "seconds",
                    given::integer(1, LONGEST_PAUSE).says("Until resumed when absent."),
                ),
            ],
        )
    }
}

impl Described for RetryIn<'_> {
    const NAME: &'static str = "RetryPolicy";

    fn schema() -> Schema {
        let [absent, memory_full, busy, temporary, congestion] =
            ErrorClass::ALL.map(|class| (class.as_str(), waits()));
        let classes = schema::object(&[], [absent, memory_full, busy, temporary, congestion]);
        schema::object(
            &["retry"],
            [(
                "retry",
                classes
                    .closed()
                    .says("Waits in seconds, by class of the error."),
            )],
        )
    }
}

fn waits() -> Schema {
    let longest = i64::try_from(Schedule::LONGEST).unwrap_or(i64::MAX);
    let wait = given::needed_integer(1, longest);
    list(wait, Some(Schedule::MOST)).at_least(1).or_null()
}

impl Described for PolicyOut<'_> {
    const NAME: &'static str = "Policy";

    fn schema() -> Schema {
        schema::record([
            ("frontend_name", shown::text()),
            ("paused", schema::of::<PauseOut<'_>>().or_null()),
            (
                "retry",
                map(list(shown::count(), None)).says("Waits in seconds, by class of the error."),
            ),
        ])
    }
}

impl Described for PauseOut<'_> {
    const NAME: &'static str = "Pause";

    fn schema() -> Schema {
        schema::record([
            ("since", shown::time()),
            (
                "until",
                shown::time().or_null().says("Null: until it is resumed."),
            ),
            ("reason", shown::text()),
        ])
    }
}

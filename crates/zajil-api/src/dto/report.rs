//! What a frontend says became of a message: `mark_delivered`, `mark_failed` (S3, D7).

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use zajil_core::lifecycle::Report;
use zajil_core::outcome::Refusal;
use zajil_core::receipt::NetworkError;
use zajil_core::retry::schedule::ErrorClass;
use zajil_core::status::FinalStatus;

use super::field::{Field, SENTENCE};
use crate::openapi::schema::{self, Described, Schema, given};

/// The longest `retry_after`: 30 days, in seconds.
const LONGEST_RETRY: i64 = 30 * 86_400;

/// The body of `mark_delivered`; may be empty.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Delivered<'a> {
    #[serde(borrow)]
    dest_smsc: Field<'a>,
    destination_smsc: Field<'a>,
    deliver_time: Field<'a>,
    delivered_at: Field<'a>,
}

impl Delivered<'_> {
    /// The report.
    pub(crate) fn into_report(self) -> Result<Report, Refusal> {
        Ok(Report::Delivered {
            by: self
                .dest_smsc
                .or(self.destination_smsc)
                .frontend("dest_smsc")?,
            at: self
                .deliver_time
                .or(self.delivered_at)
                .time("deliver_time")?,
        })
    }
}

/// The body of `mark_failed`, of `increment_delivery_attempt` and of a bare PUT; may be empty.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Failed<'a> {
    #[serde(borrow)]
    reason: Field<'a>,
    permanent: Field<'a>,
    retry_after: Field<'a>,
    error_class: Field<'a>,
    network_error_code: Field<'a>,
    network_type: Field<'a>,
    dest_smsc: Field<'a>,
    destination_smsc: Field<'a>,
}

/// The body of `cancel`; may be empty.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Cancel<'a> {
    #[serde(borrow)]
    reason: Field<'a>,
}

impl Cancel<'_> {
    /// The report.
    pub(crate) fn into_report(self) -> Result<Report, Refusal> {
        let reason = self.reason.text("reason", SENTENCE)?;
        Ok(Report::Ended {
            how: FinalStatus::Failed,
            reason: Some(reason.unwrap_or_else(|| "cancelled".to_owned())),
        })
    }
}

impl Described for Cancel<'_> {
    const NAME: &'static str = "Cancel";

    fn schema() -> Schema {
        let reason = given::text(SENTENCE).says("For the log of the message.");
        schema::object(&[], [("reason", reason)])
    }
}

/// The class of a failure that will not pass.
const PERMANENT: &str = "permanent";

impl Failed<'_> {
    /// The report of `mark_failed`.
    pub(crate) fn into_report(mut self) -> Result<Report, Refusal> {
        let permanent = std::mem::take(&mut self.permanent).boolean("permanent")?;
        let permanent = match &self.error_class {
            class if is_permanent(class) => permanent.or(Some(true)),
            _ => permanent,
        };
        let error = self.take_error()?;
        let report = match self.into_attempt()? {
            Report::AttemptFailed { reason, by, .. } if permanent == Some(true) => {
                Report::Refused { by, reason }
            }
            attempt => attempt,
        };
        Ok(report.because(error))
    }

    /// What the network said, for receipts.
    fn take_error(&mut self) -> Result<Option<NetworkError>, Refusal> {
        let network = std::mem::take(&mut self.network_type).integer("network_type", 1, 8)?;
        let code = std::mem::take(&mut self.network_error_code);
        let code = code.integer("network_error_code", 1, i64::from(u16::MAX))?;
        if code.is_none() && network.is_some() {
            let rule = "is required with network_type";
            return Err(Refusal::field("network_error_code", rule));
        }
        let network = network.and_then(|network| u8::try_from(network).ok());
        let code = code.and_then(|code| u16::try_from(code).ok());
        Ok(code.map(|code| NetworkError {
            network: network.unwrap_or(NetworkError::GSM),
            code,
        }))
    }

    /// The report of the calls that only count: the attempt failed, the message goes on.
    pub(crate) fn into_attempt(mut self) -> Result<Report, Refusal> {
        let error = self.take_error()?;
        let reason = self.reason.text("reason", SENTENCE)?;
        let seconds = self.retry_after.integer("retry_after", 0, LONGEST_RETRY)?;
        let retry_after = seconds
            .and_then(|n| u64::try_from(n).ok())
            .map(Duration::from_secs);
        let words: Vec<&str> = ErrorClass::ALL
            .into_iter()
            .map(ErrorClass::as_str)
            .chain([PERMANENT])
            .collect();
        // A counted attempt is never the last for good.
        let class = match self.error_class {
            class if is_permanent(&class) => Field::Null,
            class => class,
        };
        let class = class.word("error_class", ErrorClass::parse, &words)?;
        let by = self.dest_smsc.or(self.destination_smsc);
        Ok(Report::AttemptFailed {
            reason,
            retry_after,
            by: by.frontend("dest_smsc")?,
            class,
            schedules: Arc::default(),
        }
        .because(error))
    }
}

impl Described for Delivered<'_> {
    const NAME: &'static str = "Delivered";

    fn schema() -> Schema {
        schema::object(
            &[],
            [
                ("dest_smsc", given::frontend().says("Who delivered it.")),
                (
                    "destination_smsc",
                    given::frontend().says("As `dest_smsc`.").older(),
                ),
                ("deliver_time", given::time().says("Now when absent.")),
                (
                    "delivered_at",
                    given::time().says("As `deliver_time`.").older(),
                ),
            ],
        )
    }
}

fn is_permanent(class: &Field<'_>) -> bool {
    matches!(class, Field::Text(word) if word == PERMANENT)
}

impl Described for Failed<'_> {
    const NAME: &'static str = "Failed";

    fn schema() -> Schema {
        let [absent, memory_full, busy, temporary, congestion] =
            ErrorClass::ALL.map(ErrorClass::as_str);
        schema::object(
            &[],
            [
                (
                    "reason",
                    given::text(SENTENCE).says("For the log of the message."),
                ),
                (
                    "permanent",
                    given::boolean().says("It ends, or goes to the next frontend."),
                ),
                (
                    "retry_after",
                    given::integer(0, LONGEST_RETRY).says("Seconds."),
                ),
                (
                    "error_class",
                    given::word([absent, memory_full, busy, temporary, congestion, PERMANENT])
                        .says("Picks the schedule of the next attempts."),
                ),
                (
                    "network_error_code",
                    given::integer(1, i64::from(u16::MAX))
                        .says("What the network gave as the reason; for receipts over SMPP."),
                ),
                (
                    "network_type",
                    given::integer(1, 8).says(
                        "Whose code that is: 1 ANSI-136, 2 IS-95, 3 GSM (when absent), 8 a message \
                         centre's own.",
                    ),
                ),
                ("dest_smsc", given::frontend().says("Whose attempt it was.")),
                (
                    "destination_smsc",
                    given::frontend().says("As `dest_smsc`.").older(),
                ),
            ],
        )
    }
}

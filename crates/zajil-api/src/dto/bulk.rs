//! A bulk operation on the wire: an action, a filter, and by default only a count.

use serde::Deserialize;
use zajil_core::frontend::FrontendName;
use zajil_core::id::MessageId;
use zajil_core::number;
use zajil_core::outcome::Refusal;
use zajil_core::status::{FinalStatus, Status};
use zajil_store::contract::Filter;

use super::field::{Field, SENTENCE};
use crate::body::Object;
use crate::openapi::schema::{self, Described, Schema, given};

/// The most messages of one call.
const MOST: i64 = 10_000;

/// The body of `POST /api/messages/bulk`.
#[derive(Debug, Deserialize)]
pub(crate) struct BulkIn<'a> {
    #[serde(borrow, default)]
    action: Field<'a>,
    #[serde(default)]
    dest_smsc: Field<'a>,
    #[serde(default)]
    reason: Field<'a>,
    #[serde(default)]
    dry_run: Field<'a>,
    #[serde(default)]
    limit: Field<'a>,
    filter: Object<FilterIn<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct FilterIn<'a> {
    #[serde(borrow)]
    status: Field<'a>,
    number: Field<'a>,
    dest_smsc: Field<'a>,
    source_smsc: Field<'a>,
    from: Field<'a>,
    to: Field<'a>,
    before: Field<'a>,
}

/// What is to be done with each message.
#[derive(Debug)]
pub(crate) enum Action {
    /// It ends as failed.
    Cancel {
        /// Why.
        reason: String,
    },
    /// It is due at once.
    Retry,
    /// It goes to this frontend, or where routing leads now.
    Reroute {
        /// The frontend.
        to: Option<FrontendName>,
    },
    /// It has ended, and is submitted again as another message.
    Requeue,
}

impl Action {
    /// The word in JSON.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Cancel { .. } => "cancel",
            Self::Retry => "retry",
            Self::Reroute { .. } => "reroute",
            Self::Requeue => "requeue",
        }
    }
}

/// A bulk operation.
#[derive(Debug)]
pub(crate) struct Bulk {
    pub(crate) action: Action,
    pub(crate) filter: Filter,
    pub(crate) dry_run: bool,
}

impl BulkIn<'_> {
    /// The operation. All but `requeue` concern messages that wait; `requeue` those that expired,
    /// unless the filter names another end.
    pub(crate) fn into_bulk(self) -> Result<Bulk, Refusal> {
        let words = ["cancel", "retry", "reroute", "requeue"];
        let known = |word: &str| words.iter().find(|known| **known == word).copied();
        let word = self.action.word("action", known, &words)?;
        let word = word.ok_or_else(|| Refusal::field("action", "is required"))?;
        let to = self.dest_smsc.frontend("dest_smsc")?;
        let reason = self.reason.text("reason", SENTENCE)?;
        let action = match word {
            "cancel" => Action::Cancel {
                reason: reason.unwrap_or_else(|| "cancelled by an operator".to_owned()),
            },
            "retry" => Action::Retry,
            "reroute" => Action::Reroute { to },
            _ => Action::Requeue,
        };
        let limit = self.limit.integer("limit", 1, MOST)?.unwrap_or(1_000);
        let Object(filter) = self.filter;
        let mut filter = filter.into_filter()?;
        filter.limit = u32::try_from(limit).unwrap_or(1_000);
        filter.status = Some(match (&action, filter.status) {
            (Action::Requeue, None) => Status::Final(FinalStatus::Expired),
            (Action::Requeue, Some(status @ Status::Final(_))) => status,
            (Action::Requeue, Some(Status::Pending)) => {
                let rule = "must be a final one: what is pending can be retried";
                return Err(Refusal::field("filter.status", rule));
            }
            (_, None | Some(Status::Pending)) => Status::Pending,
            (_, Some(Status::Final(_))) => {
                return Err(Refusal::field("filter.status", "can only be pending"));
            }
        });
        Ok(Bulk {
            action,
            filter,
            dry_run: self.dry_run.boolean("dry_run")?.unwrap_or(true),
        })
    }
}

impl FilterIn<'_> {
    fn into_filter(self) -> Result<Filter, Refusal> {
        let words = Status::ALL.map(Status::as_str);
        let before = self.before.integer("filter.before", 1, (1 << 53) - 1)?;
        let before = before.and_then(|id| u64::try_from(id).ok());
        let dest_smsc = match self.dest_smsc {
            // Null asks for those of no frontend.
            Field::Null => Some(None),
            field => field.frontend("filter.dest_smsc")?.map(Some),
        };
        let number = self.number.number("filter.number")?;
        Ok(Filter {
            status: self.status.word("filter.status", Status::parse, &words)?,
            number: number.map(|number| number::key(number.as_str()).into_owned()),
            dest_smsc,
            source_smsc: self.source_smsc.frontend("filter.source_smsc")?,
            from: self.from.time("filter.from")?,
            to: self.to.time("filter.to")?,
            before: before.and_then(|id| MessageId::new(id).ok()),
            ..Filter::default()
        })
    }
}

impl Described for BulkIn<'_> {
    const NAME: &'static str = "Bulk";

    fn schema() -> Schema {
        schema::object(
            &["action", "filter"],
            [
                (
                    "action",
                    given::needed_word(["cancel", "retry", "reroute", "requeue"]),
                ),
                (
                    "dest_smsc",
                    given::frontend().says("For `reroute`; routing decides without."),
                ),
                ("reason", given::text(SENTENCE).says("For `cancel`.")),
                (
                    "dry_run",
                    given::boolean().says("Only count.").default(true),
                ),
                ("limit", given::integer(1, MOST).default(1_000)),
                ("filter", schema::of::<FilterIn<'_>>()),
            ],
        )
    }
}

impl Described for FilterIn<'_> {
    const NAME: &'static str = "BulkFilter";

    fn schema() -> Schema {
        schema::object(
            &[],
            [
                ("status", given::word(Status::ALL.map(Status::as_str))),
                ("number", given::number()),
                (
                    "dest_smsc",
                    given::frontend().says("Null: those of no frontend."),
                ),
                ("source_smsc", given::frontend()),
                ("from", given::time()),
                ("to", given::time()),
                (
                    "before",
                    given::integer(1, (1 << 53) - 1).says("Only lower ids."),
                ),
            ],
        )
    }
}

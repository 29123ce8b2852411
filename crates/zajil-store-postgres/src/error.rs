//! How the database's errors read in the contract's terms, and what may be tried again.

use tokio_postgres::error::SqlState;
use zajil_database::postgres::{NoLink, told};
use zajil_store::Error;

use crate::pooler::TOLD;

/// What a transaction can end in.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The database answered no, or the connection broke.
    Sql(tokio_postgres::Error),
    /// No answer in time.
    Silent(&'static str),
    /// Somebody else has our place: this process was taken for dead.
    Expelled,
    /// What was taken for known has changed.
    Stale,
    /// What is asked is handed on to another process of the database each time.
    Pooled,
    /// The contract's own answer.
    Answer(Error),
}

/// The result of a step.
pub(crate) type Done<T> = Result<T, Fault>;

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<NoLink> for Fault {
    fn from(none: NoLink) -> Self {
        match none {
            NoLink::Refused(error) => Self::Sql(error),
            NoLink::Silent => Self::Silent("accept a connection"),
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Answer(error)
    }
}

impl Fault {
    fn code(&self) -> Option<&SqlState> {
        match self {
            Self::Sql(error) => error.code(),
            Self::Silent(_) | Self::Expelled | Self::Stale | Self::Pooled | Self::Answer(_) => None,
        }
    }

    /// Whether the connection is of no more use: broken, silent, or to a server that is going down
    /// or takes no writes any more.
    pub(crate) fn loses_connection(&self) -> bool {
        match self {
            Self::Silent(_) | Self::Expelled | Self::Pooled => true,
            Self::Stale | Self::Answer(_) => false,
            Self::Sql(error) => match error.code() {
                None => true,
                Some(code) => {
                    *code == SqlState::READ_ONLY_SQL_TRANSACTION
                        || matches!(code.code().get(..2), Some("08"))
                        || matches!(code.code(), "57P01" | "57P02" | "57P03" | "57P05" | "25P03")
                        // Somebody else's statements: a pooler has put itself before the database.
                        || matches!(code.code(), "26000" | "42P05")
                }
            },
        }
    }

    /// Whether the same transaction may succeed if it is tried again at once.
    pub(crate) fn is_passing(&self) -> bool {
        self.code().is_some_and(|code| {
            matches!(code.code(), "40001" | "40P01") || *code == SqlState::LOCK_NOT_AVAILABLE
        })
    }

    /// Whether rows were not as the transaction took them to be: the root of a negative number is
    /// what its statements say so by.
    pub(crate) fn is_stale(&self) -> bool {
        matches!(self, Self::Stale) || self.code().is_some_and(|code| code.code() == "2201F")
    }

    /// Whether a row found no partition.
    pub(crate) fn lacks_partition(&self) -> bool {
        match self {
            Self::Sql(error) => error.as_db_error().is_some_and(|told| {
                *told.code() == SqlState::CHECK_VIOLATION && told.constraint().is_none()
            }),
            Self::Silent(_) | Self::Expelled | Self::Stale | Self::Pooled | Self::Answer(_) => {
                false
            }
        }
    }

    /// The contract's error.
    pub(crate) fn into_error(self) -> Error {
        let error = match self {
            Self::Answer(error) => return error,
            Self::Silent(what) => {
                return Error::Down(format!("the database did not {what} in time"));
            }
            Self::Expelled => {
                return Error::Down("another node has taken the place of this one".into());
            }
            Self::Stale => return Error::Busy,
            Self::Pooled => return Error::Down(format!("what store.url leads to {TOLD}")),
            Self::Sql(error) => error,
        };
        let text = told(&error);
        let Some(code) = error.code() else {
            return Error::Down(text);
        };
        match (code.code(), code.code().get(..2)) {
            ("53100", _) => Error::Full(text),
            ("23505", _) => Error::Conflict("a message with this id is stored already".into()),
            ("40001" | "40P01" | "55P03", _) => Error::Busy,
            (_, Some("08" | "53" | "57" | "25" | "58")) => Error::Down(text),
            _ => Error::Damaged(text),
        }
    }
}

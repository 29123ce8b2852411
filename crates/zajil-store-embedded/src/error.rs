//! What goes wrong with a file: at opening, and how SQLite's errors read in the contract's terms.

use std::path::PathBuf;

use rusqlite::ErrorCode;
use zajil_store::Error;

/// Why a data directory was not opened. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("the data directory {0} is in use by another zajil process")]
    InUse(PathBuf),
    /// The file belongs to another program.
    #[error("the file is a database of another program")]
    Foreign,
    /// A later version wrote it.
    #[error("the data was written by a newer version (form {found}; this one knows {known})")]
    Newer {
        /// The form of the file.
        found: i64,
        /// The newest form known here.
        known: usize,
    },
    /// An earlier version wrote it, and it has not been brought to this version's form.
    #[error(
        "the data has form {found}, this version {known}: start the server of this version on it \
         once, and stop it"
    )]
    Older {
        /// The form of the file.
        found: i64,
        /// The form of this version.
        known: usize,
    },
    /// The data are part of a move between stores.
    #[error("the data directory is part of a move: {0}")]
    Moved(String),
    /// What is said about a move cannot be read.
    #[error("cannot read the mark of a move")]
    Mark(#[source] Error),
    /// The directory or the lock file cannot be made or opened.
    #[error("cannot use the data directory")]
    Io(#[from] std::io::Error),
    /// SQLite refused.
    #[error("cannot open the database")]
    Sqlite(#[from] rusqlite::Error),
}

/// What a failed statement means for the caller.
pub(crate) fn meaning(error: &rusqlite::Error) -> Error {
    let text = error.to_string();
    let Some(code) = error.sqlite_error_code() else {
        return Error::Damaged(text);
    };
    match code {
        ErrorCode::DiskFull => Error::Full(text),
        // A write beyond a quota or a file size limit arrives as an I/O error.
        ErrorCode::SystemIoFailure
        | ErrorCode::CannotOpen
        | ErrorCode::DatabaseBusy
        | ErrorCode::DatabaseLocked
        | ErrorCode::ReadOnly
        | ErrorCode::OutOfMemory
        | ErrorCode::PermissionDenied
        | ErrorCode::FileLockingProtocolFailed
        | ErrorCode::OperationInterrupted => Error::Down(text),
        _ => Error::Damaged(text),
    }
}

/// What a job inside a transaction can end in.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The statement failed: roll back.
    Sql(rusqlite::Error),
    /// The contract's own answer: nothing was written by this job.
    Answer(Error),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Answer(error)
    }
}

impl Fault {
    /// The contract's error.
    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::Sql(error) => meaning(&error),
            Self::Answer(error) => error,
        }
    }
}

/// The result of a job.
pub(crate) type Done<T> = Result<T, Fault>;

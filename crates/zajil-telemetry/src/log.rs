//! Logs: JSON or text, to the standard output or a file that is only ever appended to (D24).

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Where logs go.
#[derive(Debug, Clone)]
pub struct Options {
    /// Text or JSON.
    pub format: Format,
    /// `info`, or directives such as `info,zajil_engine=debug`.
    pub filter: String,
    /// A file, device or pipe to append to; none = the standard error output.
    pub file: Option<PathBuf>,
}

/// Why logging did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filter cannot be read.
    #[error("log filter: {0}")]
    Filter(String),
    /// The file cannot be opened.
    #[error("log file {0}: {1}")]
    File(PathBuf, std::io::Error),
    /// Logging was started before.
    #[error("logging was started twice")]
    Twice,
}

/// Starts logging for the whole process. The file is never rotated, renamed or removed by us.
///
/// # Errors
/// [`Error`]; nothing is logged then.
pub fn init(options: &Options) -> Result<(), Error> {
    let filter =
        EnvFilter::try_new(&options.filter).map_err(|error| Error::Filter(error.to_string()))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(true);
    let done = match (&options.file, options.format) {
        (None, Format::Text) => builder
            .with_writer(std::io::stderr)
            .with_ansi(false)
            .try_init(),
        (None, Format::Json) => builder.json().with_writer(std::io::stderr).try_init(),
        (Some(path), format) => {
            let file = OpenOptions::new().append(true).create(true).open(path);
            let file = file.map_err(|error| Error::File(path.clone(), error))?;
            let builder = builder.with_writer(Mutex::new(file)).with_ansi(false);
            match format {
                Format::Text => builder.try_init(),
                Format::Json => builder.json().try_init(),
            }
        }
    };
    done.map_err(|_| Error::Twice)
}

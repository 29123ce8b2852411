//! Logs: JSON or text, to the standard error output or a file, which may be rotated (D24).

use std::path::PathBuf;
use std::sync::Arc;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use zajil_core::clock::Clock;

mod file;
mod request;

pub use file::{Rotation, When};
pub use request::Request;

use request::Lines;

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
    /// How the file is rotated.
    pub rotation: Rotation,
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

/// Checks a filter without using it.
///
/// # Errors
/// What is wrong with it.
pub fn check_filter(filter: &str) -> Result<(), String> {
    match EnvFilter::try_new(filter) {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// The log, for whoever is told that its file was put aside.
#[derive(Debug, Clone)]
pub struct Log(Option<file::Shared>);

impl Log {
    /// Opens the file again by its name. Does nothing for the standard error output, a device or a
    /// pipe.
    ///
    /// # Errors
    /// It cannot be opened; lines go on where they went.
    pub fn reopen(&self) -> std::io::Result<()> {
        match &self.0 {
            None => Ok(()),
            Some(file) => file.reopen(),
        }
    }
}

/// Starts logging for the whole process.
///
/// # Errors
/// [`Error`]; nothing is logged then.
pub fn init(options: &Options, clock: Arc<dyn Clock>) -> Result<Log, Error> {
    let filter =
        EnvFilter::try_new(&options.filter).map_err(|error| Error::Filter(error.to_string()))?;
    let opened = options.file.as_ref().map(|path| {
        file::Shared::open(path, options.rotation, clock)
            .map_err(|error| Error::File(path.clone(), error))
    });
    let file = opened.transpose()?;
    if let (Some(file), Some(path)) = (&file, &options.file)
        && options.rotation.when != When::Never
    {
        let started = file.pack_aside();
        started.map_err(|error| Error::File(path.clone(), error))?;
    }
    let writer = match &file {
        None => BoxMakeWriter::new(std::io::stderr),
        Some(file) => {
            let file = file.clone();
            BoxMakeWriter::new(move || file.clone())
        }
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(true)
        .with_ansi(false)
        .with_writer(writer);
    let format = options.format;
    let done = match format {
        Format::Text => builder
            .map_event_format(|plain| Lines { plain, format })
            .try_init(),
        Format::Json => builder
            .json()
            .with_current_span(false)
            .with_span_list(false)
            .map_event_format(|plain| Lines { plain, format })
            .try_init(),
    };
    done.map_err(|_| Error::Twice)?;
    Ok(Log(file))
}

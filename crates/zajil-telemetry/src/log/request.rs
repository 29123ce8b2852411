//! Lines that are written while a request is answered say which one it is (S14.3).
//!
//! What stands in them is put together when a line is written, which for most requests is never: a
//! span would be filled in, formatted and taken down for each of them.

use std::cell::Cell;
use std::fmt::{self, Write as _};
use std::future::Future;

use serde_json::{Map, Value, json};
use tokio::task::futures::TaskLocalFuture;
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::Format;

tokio::task_local! {
    static PRESENT: Request;
}

/// What is known of a request.
#[derive(Debug, Default)]
pub struct Request {
    id: String,
    method: String,
    path: Option<String>,
    message: Cell<Option<u64>>,
}

impl Request {
    /// A request by its id.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            ..Self::default()
        }
    }

    /// How and where it was made. The path is the route's: what a client has put into it, such as
    /// the numbers of people, does not belong in a log (S10.4).
    #[must_use]
    pub fn to(mut self, method: &str, path: Option<&str>) -> Self {
        method.clone_into(&mut self.method);
        self.path = path.map(ToOwned::to_owned);
        self
    }

    /// The request of the work that is polled while its lines are written.
    pub fn during<F: Future>(self, work: F) -> TaskLocalFuture<Self, F> {
        PRESENT.scope(self, work)
    }

    /// The request of what is done here.
    pub fn within<T>(self, work: impl FnOnce() -> T) -> T {
        PRESENT.sync_scope(self, work)
    }

    /// The id of the present request; none outside one.
    #[must_use]
    pub fn present_id() -> Option<String> {
        PRESENT.try_with(|request| request.id.clone()).ok()
    }

    /// The present request is about this message.
    pub fn is_about(message: u64) {
        // Outside a request there is nothing to note it for.
        PRESENT
            .try_with(|request| request.message.set(Some(message)))
            .ok();
    }

    fn told(&self) -> Map<String, Value> {
        let mut told = Map::new();
        told.insert("name".to_owned(), json!("request"));
        told.insert("request_id".to_owned(), json!(self.id));
        if !self.method.is_empty() {
            told.insert("method".to_owned(), json!(self.method));
        }
        if let Some(path) = &self.path {
            told.insert("path".to_owned(), json!(path));
        }
        if let Some(message) = self.message.get() {
            told.insert("message_id".to_owned(), json!(message));
        }
        told
    }
}

/// Lines as another formatter writes them, with the present request.
#[derive(Debug)]
pub(super) struct Lines<F> {
    pub(super) plain: F,
    pub(super) format: Format,
}

impl<S, N, F> FormatEvent<S, N> for Lines<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Ok(told) = PRESENT.try_with(Request::told) else {
            return self.plain.format_event(context, writer, event);
        };
        let mut line = String::new();
        let plain = Writer::new(&mut line);
        self.plain.format_event(context, plain, event)?;
        writer.write_str(&joined(self.format, &line, &told))
    }
}

/// A finished line with what is told of its request.
fn joined(format: Format, line: &str, told: &Map<String, Value>) -> String {
    let line = line.trim_end();
    match (format, line.strip_suffix('}')) {
        (Format::Json, Some(open)) => format!("{open},\"span\":{}}}\n", json!(told)),
        _ => {
            let mut text = line.to_owned();
            for (name, value) in told.iter().filter(|(name, _)| *name != "name") {
                // A String takes all that is written to it.
                write!(text, " {name}={value}").ok();
            }
            text.push('\n');
            text
        }
    }
}

#[cfg(test)]
mod tests;

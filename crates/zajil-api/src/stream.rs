//! `GET /api/stream`: what happens, while it happens, as server-sent events.
//!
//! A stream reads from the hub at its own pace, so that one that does not keep up ends alone. What
//! it reads is bounded by its share of what all streams together may read, and so is its memory.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use axum::http::request::Parts;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use zajil_core::outcome::{Reason, Refusal};
use zajil_telemetry::Telemetry;
use zajil_telemetry::live::{Event, Filter, Kind, Listener, Next, Numbers, Watch};
use zajil_telemetry::metric::StreamEnd;

use crate::access::{Client, Need};
use crate::query::{self, Parameters};
use crate::router::Shared;

/// A stream on which nothing happens says so this often, so that nobody on the way takes it for
/// dead, and tells its place, so that a client that hears little can go on without a gap.
const BEAT: Duration = Duration::from_secs(15);
/// What a stream asks of its client, as long as it lasts.
pub(crate) const NEED: Need = Need::Read;
/// How often it is asked whether the key that opened a stream still would.
const RECHECK: Duration = Duration::from_secs(2);
/// What a client waits before it comes back.
const COME_BACK_MS: u32 = 2_000;
/// The most kinds or names of a filter.
const MOST_WORDS: usize = 32;

/// The places for streams.
#[derive(Debug, Clone)]
pub(crate) struct Places(Arc<Semaphore>);

impl Places {
    pub(crate) fn new(most: usize) -> Self {
        Self(Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))))
    }

    fn take(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        Arc::clone(&self.0).try_acquire_owned().map_err(|_| {
            let detail = "as many live streams are open as there may be: try again later";
            Refusal::new(Reason::Overloaded, detail)
        })
    }
}

/// `GET /api/stream`.
pub(crate) async fn open(api: Shared, request: Request) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    let parameters = Parameters::of(&parts)?;
    let filter = filter(&parameters)?;
    let after = last_event_id(&parts, &parameters)?;
    let masked = parameters.boolean("masked")? || api.options.mask_streams;
    let octets = parameters.boolean("hex")?;
    let client = Client::of(&parts.extensions)?.clone();
    if octets {
        // What peers say is in them: texts, and numbers in full.
        client.check_admin()?;
        if masked {
            return Err(Refusal::field(
                "hex",
                "must be left out where numbers are masked",
            ));
        }
    }
    let hub = api
        .telemetry
        .live()
        .ok_or_else(|| Refusal::new(Reason::NotFound, "this node has no live stream"))?;
    let place = api.streams.take()?;
    let numbers = match (masked, octets) {
        (true, _) => Numbers::Masked,
        (false, true) => Numbers::Octets,
        (false, false) => Numbers::Full,
    };
    let watch = filter.kinds.contains(&Kind::Wire);
    let told = Told {
        listener: hub.listen(after),
        _watch: watch.then(|| hub.watch(filter.clone())),
        filter,
        numbers,
        beat: Instant::now() + BEAT,
        guard: Guard {
            client,
            api: Arc::clone(&api),
        },
        open: Open::new(&api.telemetry, place),
        state: State::Beginning,
    };
    let body = stream::unfold(told, |told| async move {
        let (chunk, told) = told.next().await?;
        Some((Ok::<_, std::convert::Infallible>(chunk), told))
    });
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    let fixed = HeaderValue::from_static;
    headers.insert(CONTENT_TYPE, fixed("text/event-stream"));
    headers.insert(CACHE_CONTROL, fixed("no-store"));
    // A proxy that collects answers before it passes them on would hold the stream back.
    headers.insert(HeaderName::from_static("x-accel-buffering"), fixed("no"));
    Ok(response)
}

fn filter(parameters: &Parameters) -> Result<Filter, Refusal> {
    let kinds = words(parameters, "kind")?;
    let kind = |word: String| {
        Kind::parse(&word).ok_or_else(|| {
            let words = Kind::ALL.map(Kind::as_str).join(", ");
            Refusal::field("kind", format!("must be some of {words}"))
        })
    };
    let kinds: Vec<Kind> = kinds.into_iter().map(kind).collect::<Result<_, _>>()?;
    let frontend = parameters.frontend("frontend")?;
    let number = query::digits(parameters, "number")?;
    if kinds.contains(&Kind::Wire) && frontend.is_none() && number.is_none() {
        let detail = "must be given, or number, where kind is wire: one peer is looked at, not all";
        return Err(Refusal::field("frontend", detail));
    }
    Ok(Filter {
        kinds,
        names: words(parameters, "name")?,
        frontend,
        number,
        message: parameters.message_id("message_id")?,
        route: parameters.row("route")?.map(i64::unsigned_abs),
    })
}

/// A list with commas.
fn words(parameters: &Parameters, name: &str) -> Result<Vec<String>, Refusal> {
    let text = parameters.text(name).unwrap_or_default();
    let words = text
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty());
    let words: Vec<String> = words.map(str::to_owned).collect();
    if words.len() > MOST_WORDS {
        return Err(Refusal::field(
            name,
            format!("must be at most {MOST_WORDS} words"),
        ));
    }
    Ok(words)
}

/// What the client had last: a browser says it in a header, others may in the query string.
fn last_event_id(parts: &Parts, parameters: &Parameters) -> Result<Option<u64>, Refusal> {
    let header = query::header(parts, "last-event-id")?.filter(|id| !id.is_empty());
    let Some(text) = header.or_else(|| parameters.text("last_event_id")) else {
        return Ok(None);
    };
    let id = query::number(text).filter(|id| *id < 1 << 53);
    id.map(Some)
        .ok_or_else(|| Refusal::field("last_event_id", "must be the id of an event"))
}

/// A stream among those that are open, counted until it is dropped.
struct Open {
    telemetry: Arc<Telemetry>,
    reason: StreamEnd,
    _place: OwnedSemaphorePermit,
}

impl Open {
    fn new(telemetry: &Arc<Telemetry>, place: OwnedSemaphorePermit) -> Self {
        telemetry.metrics.live.opened();
        Self {
            telemetry: Arc::clone(telemetry),
            reason: StreamEnd::Gone,
            _place: place,
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.telemetry.metrics.live.ended(self.reason);
    }
}

/// How far a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Beginning,
    /// It has had its share of this turn.
    Rests,
    Hears,
    Over,
}

/// Who listens, and who knows whether they still may.
struct Guard {
    client: Client,
    api: Shared,
}

impl Guard {
    fn still_admits(&self) -> bool {
        let access = &self.api.options.access;
        access.still_admits(&self.client, NEED, self.api.now())
    }
}

/// A stream, between two of its chunks.
struct Told {
    listener: Listener,
    /// Where it looks at the wire.
    _watch: Option<Watch>,
    filter: Filter,
    numbers: Numbers,
    beat: Instant,
    guard: Guard,
    open: Open,
    state: State,
}

impl Told {
    /// The next chunk, when there is one.
    async fn next(mut self) -> Option<(Bytes, Self)> {
        let mut out = String::new();
        match self.state {
            State::Over => return None,
            State::Beginning => {
                let id = self.listener.cursor();
                out.push_str(&format!("retry: {COME_BACK_MS}\nid: {id}\n\n"));
                self.state = State::Hears;
                return Some((out.into(), self));
            }
            State::Rests => self.listener.rest().await,
            State::Hears => {}
        }
        loop {
            let recheck = self.beat.min(Instant::now() + RECHECK);
            let heard = timeout_at(recheck, self.listener.next(&self.filter)).await;
            if !self.guard.still_admits() {
                return self.last(
                    StreamEnd::Revoked,
                    "the key has been revoked or has expired",
                );
            }
            match heard {
                Err(_) if Instant::now() < self.beat => continue,
                Err(_) => place(&mut out, self.listener.cursor()),
                Ok(Next::Events(events)) if events.is_empty() => {
                    self.listener.rest().await;
                    continue;
                }
                Ok(Next::Events(events)) => {
                    for event in events {
                        frame(&mut out, &event, self.numbers);
                    }
                }
                Ok(Next::Gap { after, next }) => gap(&mut out, after, next),
                Ok(Next::Behind) => return self.last(StreamEnd::Slow, "too slow"),
                Ok(Next::Closed) => return self.last(StreamEnd::Stopping, "stopping"),
            }
            self.beat = Instant::now() + BEAT;
            self.state = State::Rests;
            return Some((out.into(), self));
        }
    }

    /// A comment for people, and the end.
    fn last(mut self, reason: StreamEnd, why: &str) -> Option<(Bytes, Self)> {
        self.open.reason = reason;
        self.state = State::Over;
        Some((format!(": {why}\n\n").into(), self))
    }
}

fn frame(out: &mut String, event: &Event, numbers: Numbers) {
    let (id, name, json) = (event.id, event.name, event.json(numbers));
    out.push_str(&format!("id: {id}\nevent: {name}\ndata: {json}\n\n"));
}

/// Sets the place of the client without an event.
fn place(out: &mut String, id: u64) {
    out.push_str(&format!(": \nid: {id}\n\n"));
}

/// Between these two ids, both excluded, something is not kept any more, or never was here.
fn gap(out: &mut String, after: u64, next: u64) {
    let id = next - 1;
    let data = format!("{{\"after\":{after},\"next\":{next}}}");
    out.push_str(&format!("id: {id}\nevent: gap\ndata: {data}\n\n"));
}

//! Request bodies: read with a bound and a deadline, then as one JSON object.

use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use zajil_core::outcome::{Reason, Refusal};

use crate::options::Options;

/// Reads a whole body of at most `limit` octets; without a copy when it came in one piece.
pub(crate) async fn read(body: Body, limit: usize, options: &Options) -> Result<Bytes, Refusal> {
    if body.size_hint().lower() > u64::try_from(limit).unwrap_or(u64::MAX) {
        return Err(too_large(limit));
    }
    let collected = collect(body, limit, options.unfinished.hold());
    tokio::time::timeout(options.request_timeout, collected)
        .await
        .unwrap_or_else(|_| {
            let seconds = options.request_timeout.as_secs();
            let detail = format!("the request body did not arrive within {seconds} s");
            Err(Refusal::new(Reason::Malformed, detail))
        })
}

async fn collect(mut body: Body, limit: usize, mut held: Held<'_>) -> Result<Bytes, Refusal> {
    let Some(first) = next(&mut body).await? else {
        return Ok(Bytes::new());
    };
    if first.len() > limit {
        return Err(too_large(limit));
    }
    if !body.is_end_stream() {
        held.add(first.len())?;
    }
    let Some(second) = next(&mut body).await? else {
        return Ok(first);
    };
    let mut whole = BytesMut::from(first.as_ref());
    let mut piece = Some(second);
    while let Some(bytes) = piece {
        if bytes.len() > limit - whole.len() {
            return Err(too_large(limit));
        }
        held.add(bytes.len())?;
        whole.extend_from_slice(&bytes);
        piece = next(&mut body).await?;
    }
    Ok(whole.freeze())
}

async fn next(body: &mut Body) -> Result<Option<Bytes>, Refusal> {
    while !body.is_end_stream() {
        let frame = match poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await {
            None => return Ok(None),
            Some(Ok(frame)) => frame,
            Some(Err(_)) => {
                return Err(Refusal::new(
                    Reason::Malformed,
                    "the request body broke off",
                ));
            }
        };
        // Trailers say nothing to us.
        if let Ok(bytes) = frame.into_data() {
            return Ok(Some(bytes));
        }
    }
    Ok(None)
}

/// What all bodies that have begun and not ended may hold together, in octets: however many clients
/// send slowly, memory ends there.
#[derive(Debug)]
pub struct Unfinished {
    left: AtomicUsize,
}

/// The share of one body, until it is whole or given up.
#[derive(Debug)]
struct Held<'a> {
    of: &'a Unfinished,
    octets: usize,
}

impl Unfinished {
    /// Room for `most` octets.
    #[must_use]
    pub fn new(most: usize) -> Self {
        let left = AtomicUsize::new(most);
        Self { left }
    }

    fn hold(&self) -> Held<'_> {
        let octets = 0;
        Held { of: self, octets }
    }
}

impl Held<'_> {
    fn add(&mut self, octets: usize) -> Result<(), Refusal> {
        let take = |left: usize| left.checked_sub(octets);
        let taken = self
            .of
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        if taken.is_err() {
            let detail = "too many requests arrive at once; nothing was done: try again";
            return Err(Refusal::new(Reason::Overloaded, detail));
        }
        self.octets += octets;
        Ok(())
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.of.left.fetch_add(self.octets, Ordering::Relaxed);
    }
}

fn too_large(limit: usize) -> Refusal {
    Refusal::new(
        Reason::TooLarge,
        format!("the request body must have at most {limit} octets"),
    )
}

/// Reads a body as one JSON object, whatever its content type says.
pub(crate) fn object<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    let text = std::str::from_utf8(body).map_err(|error| {
        let at = error.valid_up_to();
        malformed(format!(
            "the request body is not UTF-8: octet {at} is wrong"
        ))
    })?;
    match serde_json::from_str(text) {
        Ok(Object(value)) => Ok(value),
        Err(error) => Err(unreadable(text, &error)),
    }
}

/// Like [`object`]; an empty body counts as an object without fields.
pub(crate) fn object_or_nothing<'a, T>(body: &'a [u8]) -> Result<T, Refusal>
where
    T: Deserialize<'a> + Default,
{
    if body.trim_ascii().is_empty() {
        Ok(T::default())
    } else {
        object(body)
    }
}

/// A value that is written as an object: by themselves structs would take arrays as well, and
/// count their items as fields.
#[derive(Debug)]
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries(PhantomData)).map(Self)
    }
}

struct Entries<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(entries))
    }
}

fn unreadable(text: &str, error: &serde_json::Error) -> Refusal {
    if text.trim_ascii().is_empty() {
        return malformed("the request body is empty; it must be a JSON object".to_owned());
    }
    if !error.is_data() {
        return malformed(format!("the request body is not JSON: {error}"));
    }
    if text.trim_ascii_start().starts_with('{') {
        // Fields take any value and are judged later, so it is the frame that is wrong.
        return Refusal::new(
            Reason::Invalid,
            format!("the request body cannot be used: {error}"),
        );
    }
    Refusal::new(Reason::Invalid, "the request body must be a JSON object")
}

fn malformed(detail: String) -> Refusal {
    Refusal::new(Reason::Malformed, detail)
}

#[cfg(test)]
mod tests;

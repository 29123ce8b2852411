//! Request bytes that are made once and patched, and the least that must be read of an answer.

use std::io::Write as _;

use anyhow::{Context, Result, bail};

/// Stands in a body for the running number: seven digits, so that the length never changes.
pub const NUMBER: &str = "%07d";
const NUMBER_DIGITS: usize = 7;

/// One request as bytes, with room for running numbers inside.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    bytes: Vec<u8>,
    numbers_at: Vec<usize>,
    /// All of them are the same number.
    alike: bool,
}

impl Request {
    /// `headers` are whole lines.
    pub(crate) fn get(headers: &str, path: &str) -> Self {
        let bytes = format!("GET {path} HTTP/1.1\r\n{headers}\r\n").into_bytes();
        Self {
            bytes,
            numbers_at: Vec::new(),
            alike: true,
        }
    }

    /// `body` may hold [`NUMBER`], more than once where it is a batch.
    pub(crate) fn post(headers: &str, path: &str, body: &str) -> Self {
        let numbers = body.matches(NUMBER).count();
        let length = body.len() + numbers * (NUMBER_DIGITS - NUMBER.len());
        let mut bytes = post_head(headers, path, length).into_bytes();
        let mut numbers_at = Vec::with_capacity(numbers);
        for (nth, text) in body.split(NUMBER).enumerate() {
            if nth > 0 {
                numbers_at.push(bytes.len());
                bytes.extend([b'0'; NUMBER_DIGITS]);
            }
            bytes.extend(text.as_bytes());
        }
        Self {
            bytes,
            numbers_at,
            alike: false,
        }
    }

    /// Makes every number that a request carries the same: it is about one thing.
    pub(crate) fn alike(self) -> Self {
        Self {
            alike: true,
            ..self
        }
    }

    /// The bytes to send as the `number`th request. A number that it carries is the count of those
    /// before it, in its last seven digits; unless they are alike.
    pub(crate) fn numbered(&mut self, number: u64) -> &[u8] {
        let each = u64::try_from(self.numbers_at.len()).unwrap_or(u64::MAX);
        for (at, place) in self.numbers_at.iter().zip(0..) {
            let mut number = if self.alike {
                number
            } else {
                number.wrapping_mul(each).wrapping_add(place)
            };
            for digit in self.bytes.iter_mut().skip(*at).take(NUMBER_DIGITS).rev() {
                *digit = b'0' + (number % 10) as u8;
                number /= 10;
            }
        }
        &self.bytes
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Writes `POST /api/messages/{id}/mark_delivered` into `buffer`, replacing what was there.
pub(crate) fn mark_delivered(
    buffer: &mut Vec<u8>,
    headers: &str,
    id: u64,
    body: &str,
) -> Result<()> {
    buffer.clear();
    let head = post_head(
        headers,
        &format!("/api/messages/{id}/mark_delivered"),
        body.len(),
    );
    write!(buffer, "{head}{body}").context("writing to memory")
}

fn post_head(headers: &str, path: &str, length: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\n{headers}content-type: application/json\r\n\
         content-length: {length}\r\n\r\n"
    )
}

/// What is known of an answer once its head has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) head_bytes: usize,
    pub(crate) body_bytes: usize,
    pub(crate) closes: bool,
}

/// `None` until the whole head is there.
pub(crate) fn read_head(received: &[u8]) -> Result<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response
        .parse(received)
        .context("the answer is not HTTP/1.1")?;
    let httparse::Status::Complete(head_bytes) = parsed else {
        return Ok(None);
    };
    let status = response.code.context("the answer has no status")?;
    let mut head = Head {
        status,
        head_bytes,
        body_bytes: 0,
        closes: false,
    };
    for header in response.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            head.body_bytes = std::str::from_utf8(header.value)
                .ok()
                .and_then(|value| value.trim().parse().ok())
                .context("the answer's content-length is not a number")?;
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            bail!("the answer is chunked; only answers with a content-length are understood");
        } else if header.name.eq_ignore_ascii_case("connection") {
            head.closes = header.value.eq_ignore_ascii_case(b"close");
        }
    }
    Ok(Some(head))
}

#[cfg(test)]
mod tests;

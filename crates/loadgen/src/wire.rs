//! Request bytes that are made once and patched, and the least that must be read of an answer.

use std::io::Write as _;

use anyhow::{Context, Result, bail, ensure};

/// Stands in a body for the running number: seven digits, so that the length never changes.
pub const NUMBER: &str = "%07d";
const NUMBER_DIGITS: usize = 7;

/// One request as bytes, with at most one running number inside.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    bytes: Vec<u8>,
    number_at: Option<usize>,
}

impl Request {
    pub(crate) fn get(host: &str, path: &str) -> Self {
        let bytes = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n").into_bytes();
        Self {
            bytes,
            number_at: None,
        }
    }

    /// `body` may hold [`NUMBER`] once.
    pub(crate) fn post(host: &str, path: &str, body: &str) -> Result<Self> {
        let (before, number, after) = match body.split_once(NUMBER) {
            Some((before, after)) => (before, "0000000", after),
            None => (body, "", ""),
        };
        ensure!(
            !after.contains(NUMBER),
            "the body holds {NUMBER} more than once"
        );
        let length = before.len() + number.len() + after.len();
        let head = post_head(host, path, length);
        let number_at = (!number.is_empty()).then_some(head.len() + before.len());
        let bytes = [
            head.as_bytes(),
            before.as_bytes(),
            number.as_bytes(),
            after.as_bytes(),
        ];
        Ok(Self {
            bytes: bytes.concat(),
            number_at,
        })
    }

    /// The bytes to send, carrying the last seven digits of `number`.
    pub(crate) fn numbered(&mut self, mut number: u64) -> &[u8] {
        if let Some(at) = self.number_at {
            let digits = self.bytes.iter_mut().skip(at).take(NUMBER_DIGITS).rev();
            for digit in digits {
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
pub(crate) fn mark_delivered(buffer: &mut Vec<u8>, host: &str, id: u64, body: &str) -> Result<()> {
    buffer.clear();
    let head = post_head(
        host,
        &format!("/api/messages/{id}/mark_delivered"),
        body.len(),
    );
    write!(buffer, "{head}{body}").context("writing to memory")
}

fn post_head(host: &str, path: &str, length: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n\
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

//! Spans as OTLP writes them: `ExportTraceServiceRequest` in protobuf (OTLP 1, trace v1).

use super::tracer::{Span, trace};

/// Wire types of protobuf.
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const OCTETS: u64 = 2;

/// `SPAN_KIND_INTERNAL`.
const INTERNAL: u64 = 1;
/// `STATUS_CODE_ERROR`.
const ERROR: u64 = 2;

/// A protobuf message as it grows.
#[derive(Debug, Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut number: u64) {
        while number > 0x7f {
            self.0.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.0.push((number & 0x7f) as u8);
    }

    fn octets(mut self, field: u64, octets: &[u8]) -> Self {
        self.varint((field << 3) | OCTETS);
        self.varint(octets.len() as u64);
        self.0.extend_from_slice(octets);
        self
    }

    fn text(self, field: u64, text: &str) -> Self {
        self.octets(field, text.as_bytes())
    }

    fn message(self, field: u64, message: &Self) -> Self {
        self.octets(field, &message.0)
    }

    fn number(mut self, field: u64, number: u64) -> Self {
        self.varint((field << 3) | VARINT);
        self.varint(number);
        self
    }

    fn fixed(mut self, field: u64, number: u64) -> Self {
        self.varint((field << 3) | FIXED64);
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }
}

/// The body of a request.
pub(super) fn request(node: &str, spans: &[Span]) -> Vec<u8> {
    let resource = Message::default()
        .message(1, &text_value("service.name", "zajil"))
        .message(1, &text_value("service.instance.id", node))
        .message(1, &text_value("service.version", env!("CARGO_PKG_VERSION")));
    let scope = Message::default().text(1, "zajil");
    let scoped = spans
        .iter()
        .fold(Message::default().message(1, &scope), |scoped, one| {
            scoped.message(2, &span(one))
        });
    let resource_spans = Message::default().message(1, &resource).message(2, &scoped);
    Message::default().message(1, &resource_spans).0
}

fn span(span: &Span) -> Message {
    let mut message = Message::default()
        .octets(1, &trace(span.message))
        .octets(2, &span.id.to_be_bytes());
    if let Some(parent) = span.parent {
        message = message.octets(4, &parent.to_be_bytes());
    }
    message = message
        .text(5, span.name)
        .number(6, INTERNAL)
        .fixed(7, span.start)
        .fixed(8, span.end)
        .message(9, &int_value("zajil.message_id", span.message.get()));
    if let Some((name, number)) = span.number {
        message = message.message(9, &int_value(name, number));
    }
    if !span.wrong.is_empty() {
        let status = Message::default().text(2, span.wrong).number(3, ERROR);
        message = message.message(15, &status);
    }
    message
}

fn text_value(key: &str, text: &str) -> Message {
    let value = Message::default().text(1, text);
    Message::default().text(1, key).message(2, &value)
}

fn int_value(key: &str, number: u64) -> Message {
    let value = Message::default().number(3, number);
    Message::default().text(1, key).message(2, &value)
}

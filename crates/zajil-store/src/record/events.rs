//! The event log of a message: `[1,[[name, ms, node, description], …]]`, written at message rate.

use zajil_core::event::{Event, EventName, NodeName};

use super::{VERSION, damaged, instant, unknown_version};
use crate::contract::Error;

const WHAT: &str = "event log";

/// A line: name, milliseconds, node, description.
type Line = (String, i64, String, String);

/// Writes a log. Called for every message, so it pushes into one string.
#[must_use]
pub fn encode_events(events: &[Event]) -> String {
    const TYPICAL_LINE: usize = 80;
    let mut out = String::with_capacity(8 + events.len() * TYPICAL_LINE);
    out.push('[');
    push_number(&mut out, VERSION.into());
    out.push_str(",[");
    for (index, event) in events.iter().enumerate() {
        out.push_str(if index == 0 { "[" } else { ",[" });
        push_text(&mut out, &event.name.as_str());
        out.push(',');
        push_number(&mut out, event.at.millis());
        out.push(',');
        push_text(&mut out, event.source.as_str());
        out.push(',');
        push_text(&mut out, &event.description);
        out.push(']');
    }
    out.push_str("]]");
    out
}

/// Reads a log.
///
/// # Errors
/// [`Error::Damaged`] when the text is not a log of a known version.
pub fn decode_events(text: &str) -> Result<Vec<Event>, Error> {
    let (version, lines) = match serde_json::from_str::<(u32, Vec<Line>)>(text) {
        Ok(read) => read,
        Err(error) => {
            return Err(
                match serde_json::from_str::<(u32, serde_json::Value)>(text) {
                    Ok((version, _)) if version != VERSION => unknown_version(WHAT, version),
                    Ok(_) | Err(_) => damaged(WHAT, error),
                },
            );
        }
    };
    if version != VERSION {
        return Err(unknown_version(WHAT, version));
    }
    let mut events: Vec<Event> = Vec::with_capacity(lines.len());
    for (name, millis, source, description) in lines {
        // Most lines of a log come from one node: they share its name.
        let source = match events.last() {
            Some(last) if last.source.as_str() == source => last.source.clone(),
            Some(_) | None => NodeName::new(&source),
        };
        let at = instant(WHAT, millis)?;
        events.push(Event {
            name: EventName::parse(&name),
            description,
            at,
            source,
        });
    }
    Ok(events)
}

fn push_number(out: &mut String, number: i64) {
    use std::fmt::Write as _;
    // Writing into a string cannot fail.
    write!(out, "{number}").unwrap_or(());
}

/// A JSON string (RFC 8259 section 7): quotes, backslashes and control characters are escaped.
fn push_text(out: &mut String, text: &str) {
    const HEX: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    out.push('"');
    if text.bytes().all(|b| b >= 0x20 && b != b'"' && b != b'\\') {
        out.push_str(text);
    } else {
        for c in text.chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\0'..='\u{1f}' => {
                    let code = c as usize;
                    out.push_str("\\u00");
                    out.push(HEX[code >> 4]);
                    out.push(HEX[code & 0xf]);
                }
                _ => out.push(c),
            }
        }
    }
    out.push('"');
}

//! The regexp field of a NAPTR record: a substitution as of sed (RFC 3402 3.2).
//!
//! Its expressions are POSIX extended ones, written by whoever runs the zone. They are translated
//! to the library's syntax and run in linear time. One difference remains: of alternatives that
//! match, the first is taken and not the longest.

use std::iter::Peekable;
use std::str::Chars;

use regex::bytes::RegexBuilder;

/// How large a compiled expression may become. Zones are written by strangers: what is larger costs
/// them nothing and us the time of many messages.
const SIZE_LIMIT: usize = 64 << 10;
/// The longest result, in bytes: a URI beyond it is of no use to anyone.
const LONGEST_RESULT: usize = 2_048;

/// A piece of the replacement.
enum Piece {
    Text(char),
    Group(usize),
}

/// Applies the field to `subject`, which is ASCII; None when its expression does not match.
///
/// # Errors
/// What breaks the rules in it.
pub(super) fn apply(field: &str, subject: &str) -> Result<Option<String>, String> {
    let mut chars = field.chars();
    let delimiter = chars.next().ok_or("a record has no expression")?;
    // A digit would hide the groups, an i the flag, a backslash itself.
    if delimiter.is_ascii_digit() || matches!(delimiter, 'i' | 'I' | '\\') {
        return Err(format!("'{delimiter}' cannot delimit an expression"));
    }
    let unended = "an expression lacks a delimiter";
    let expression = section(&mut chars, delimiter).ok_or(unended)?;
    let replacement = section(&mut chars, delimiter).ok_or(unended)?;
    let flags = chars.as_str();
    if !flags.is_empty() && !flags.eq_ignore_ascii_case("i") {
        return Err("an expression has an unknown flag".to_owned());
    }
    let expression = RegexBuilder::new(&translate(&expression, delimiter)?)
        .case_insensitive(!flags.is_empty())
        // There is nothing but digits to match: the classes of Unicode would only cost.
        .unicode(false)
        .size_limit(SIZE_LIMIT)
        .build()
        .map_err(|_| "an expression does not compile".to_owned())?;
    let pieces = pieces(&replacement, expression.captures_len())?;
    let Some(captures) = expression.captures(subject.as_bytes()) else {
        return Ok(None);
    };
    let whole = captures.get_match();
    let mut out = subject.get(..whole.start()).unwrap_or_default().to_owned();
    for piece in pieces {
        match piece {
            Piece::Text(c) => out.push(c),
            Piece::Group(n) => {
                let group = captures.get(n).and_then(|group| subject.get(group.range()));
                out.push_str(group.unwrap_or_default());
            }
        }
    }
    out.push_str(subject.get(whole.end()..).unwrap_or_default());
    if out.len() > LONGEST_RESULT {
        return Err("an expression makes too long a URI".to_owned());
    }
    Ok(Some(out))
}

/// Takes the text up to the next delimiter without a backslash; escapes stay as they are.
fn section(chars: &mut Chars<'_>, delimiter: char) -> Option<String> {
    let mut out = String::new();
    loop {
        match chars.next()? {
            c if c == delimiter => return Some(out),
            '\\' => {
                out.push('\\');
                out.push(chars.next()?);
            }
            c => out.push(c),
        }
    }
}

fn pieces(replacement: &str, groups: usize) -> Result<Vec<Piece>, String> {
    let mut out = Vec::new();
    let mut chars = replacement.chars();
    while let Some(c) = chars.next() {
        let piece = match c {
            '\\' => match chars.next() {
                Some(c) => match c.to_digit(10) {
                    Some(n) if n > 0 && (n as usize) < groups => Piece::Group(n as usize),
                    Some(n) => return Err(format!("a replacement names group {n}, not there")),
                    None => Piece::Text(c),
                },
                None => return Err("a replacement ends in a backslash".to_owned()),
            },
            c => Piece::Text(c),
        };
        out.push(piece);
    }
    Ok(out)
}

/// From a POSIX extended expression to the library's.
fn translate(expression: &str, delimiter: char) -> Result<String, String> {
    let mut out = String::with_capacity(expression.len() + 8);
    let mut chars = expression.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                // Undefined in POSIX; \d and its like are in use.
                Some(c) if c.is_ascii_alphabetic() && c != delimiter => {
                    out.push('\\');
                    out.push(c);
                }
                Some(c) if c.is_ascii_digit() => {
                    return Err("an expression refers to its own groups".to_owned());
                }
                Some(c) => out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
                None => return Err("an expression ends in a backslash".to_owned()),
            },
            '[' => bracket(&mut chars, delimiter, &mut out)?,
            '(' if chars.peek() == Some(&'?') => {
                return Err("an expression has a '(?'".to_owned());
            }
            c => out.push(c),
        }
    }
    Ok(out)
}

/// A bracket expression: in POSIX, a backslash in it is one, and so are `&&`, `~~` and `[`.
fn bracket(
    chars: &mut Peekable<Chars<'_>>,
    delimiter: char,
    out: &mut String,
) -> Result<(), String> {
    out.push('[');
    if chars.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    let mut first = true;
    while let Some(c) = chars.next() {
        match c {
            ']' if !first => {
                out.push(']');
                return Ok(());
            }
            '[' if chars.next_if_eq(&':').is_some() => {
                out.push_str("[:");
                while let Some(c) = chars.next_if(char::is_ascii_alphabetic) {
                    out.push(c);
                }
                // The rest, ":]", or what does not compile.
                out.extend(chars.by_ref().take(2));
            }
            '[' if matches!(chars.peek(), Some('.' | '=')) => {
                return Err("an expression has a collating element".to_owned());
            }
            // A range, unless at an edge.
            '-' if !first && chars.peek().is_some_and(|c| *c != ']') => out.push('-'),
            '\\' if chars.next_if_eq(&delimiter).is_some() => literal(delimiter, out),
            c => literal(c, out),
        }
        first = false;
    }
    Err("an expression has an open bracket".to_owned())
}

fn literal(c: char, out: &mut String) {
    if matches!(c, '[' | ']' | '^' | '-' | '&' | '~' | '\\') {
        out.push('\\');
    }
    out.push(c);
}

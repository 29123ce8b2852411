//! One expression of a rule with its replacement: compiled, or refused with the place in it that
//! is wrong.

use std::borrow::Cow;

use regex::{Regex, RegexBuilder};
use regex_syntax::hir::literal::Extractor;
use regex_syntax::hir::{Hir, Look};

/// How large a compiled expression may become.
const SIZE_LIMIT: usize = 1 << 20;

/// A pattern and what it is replaced by.
#[derive(Debug)]
pub(super) struct Rewrite {
    needs: Needs,
    pattern: Regex,
    replacement: String,
}

/// What every text has that the pattern matches. Nearly all rules are passed over by this, for a
/// small part of what running their expressions would cost (`benches/route.rs`).
#[derive(Debug)]
struct Needs {
    /// In bytes, both inclusive.
    least_length: usize,
    most_length: usize,
    beginning: Box<[u8]>,
}

impl Rewrite {
    /// # Errors
    /// Why the pattern is refused, and in which place, as the rest of a sentence.
    pub(super) fn new(pattern: &str) -> Result<Self, String> {
        let hir = regex_syntax::parse(pattern).map_err(|error| refusal(pattern, &error))?;
        let compiled = RegexBuilder::new(pattern).size_limit(SIZE_LIMIT).build();
        let pattern = compiled.map_err(|error| match error {
            regex::Error::CompiledTooBig(limit) => {
                format!("must not exceed the size limit of {limit} bytes when compiled")
            }
            _ => "is no usable expression".to_owned(),
        })?;
        Ok(Self {
            needs: Needs::new(&hir),
            pattern,
            replacement: String::new(),
        })
    }

    /// The same with a replacement, in which `\1` stands for a group.
    ///
    /// # Errors
    /// Why the replacement is refused, as the rest of a sentence.
    pub(super) fn with_replacement(self, text: &str) -> Result<Self, String> {
        let replacement = template(text, self.pattern.captures_len())?;
        Ok(Self {
            replacement,
            ..self
        })
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        self.needs.are_met(text) && self.pattern.is_match(text)
    }

    /// The text with each match replaced, if that changes it.
    pub(super) fn run(&self, text: &str) -> Option<String> {
        let new = self.pattern.replace_all(text, self.replacement.as_str());
        match new {
            Cow::Owned(new) => (new != text).then_some(new),
            Cow::Borrowed(_) => None,
        }
    }
}

impl Needs {
    fn new(hir: &Hir) -> Self {
        let properties = hir.properties();
        let from_start = properties.look_set_prefix().contains(Look::Start);
        let to_end = properties.look_set_suffix().contains(Look::End);
        let beginnings = Extractor::new().extract(hir);
        let beginning = beginnings.longest_common_prefix().filter(|_| from_start);
        let most_length = properties.maximum_len().filter(|_| from_start && to_end);
        Self {
            least_length: properties.minimum_len().unwrap_or(0),
            most_length: most_length.unwrap_or(usize::MAX),
            beginning: beginning.unwrap_or_default().into(),
        }
    }

    fn are_met(&self, text: &str) -> bool {
        (self.least_length..=self.most_length).contains(&text.len())
            && text.as_bytes().starts_with(&self.beginning)
    }
}

/// What is wrong with the pattern and where, in one line.
fn refusal(pattern: &str, error: &regex_syntax::Error) -> String {
    let (what, span) = match error {
        regex_syntax::Error::Parse(error) => (error.kind().to_string(), error.span()),
        regex_syntax::Error::Translate(error) => (error.kind().to_string(), error.span()),
        _ => return "is no usable expression".to_owned(),
    };
    let before = pattern.bytes().take(span.start.offset);
    // Every byte but those that go on with a character begins one.
    let characters = before.filter(|byte| byte & 0xc0 != 0x80).count();
    format!(
        "is no usable expression: at character {}: {what}",
        characters + 1
    )
}

/// Turns `\1` into the library's `${1}`; a dollar sign is only a dollar sign.
fn template(text: &str, groups: usize) -> Result<String, String> {
    let mut out = String::with_capacity(text.len() + 8);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '$' => out.push_str("$$"),
            '\\' => match chars.next() {
                Some('\\') => out.push('\\'),
                Some(digit) if digit.is_ascii_digit() => {
                    if digit.to_digit(10).is_some_and(|n| n as usize >= groups) {
                        return Err(format!("names group \\{digit}, which its pattern lacks"));
                    }
                    out.push_str("${");
                    out.push(digit);
                    out.push('}');
                }
                _ => return Err("must have a digit or '\\' after each '\\'".to_owned()),
            },
            other => out.push(other),
        }
    }
    Ok(out)
}

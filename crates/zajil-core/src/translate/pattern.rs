//! One expression of a rule with its replacement: compiled once however many rules use it, or
//! refused with the place in it that is wrong.

use std::borrow::Cow;
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use regex::{Regex, RegexBuilder};
use regex_syntax::ast::{self, Ast, ClassPerl, ClassPerlKind, ClassSetItem};
use regex_syntax::hir::literal::Extractor;
use regex_syntax::hir::{Hir, Look};

/// How large a compiled expression may become.
const SIZE_LIMIT: usize = 1 << 20;
/// How much memory a thread that runs one may keep to run it faster; there can be many thousands.
const SPEED_LIMIT: usize = 128 << 10;

/// A pattern and what it is replaced by.
#[derive(Debug)]
pub(super) struct Rewrite {
    pattern: Arc<Pattern>,
    replacement: String,
}

#[derive(Debug)]
pub(super) struct Pattern {
    needs: Needs,
    regex: Regex,
}

/// Patterns by how they are written.
#[derive(Debug, Default)]
pub(super) struct Patterns<'r>(HashMap<&'r str, Arc<Pattern>>);

/// What every text has that the pattern matches. Nearly all rules are passed over by this, for a
/// small part of what running their expressions would cost (`benches/route.rs`).
#[derive(Debug)]
struct Needs {
    /// In bytes, both inclusive.
    least_length: usize,
    most_length: usize,
    beginning: Box<[u8]>,
}

impl<'r> Patterns<'r> {
    /// Notes what is there already.
    pub(super) fn keep(&mut self, written: Option<&'r str>, rewrite: Option<&Rewrite>) {
        if let (Some(written), Some(rewrite)) = (written, rewrite) {
            self.0.insert(written, Arc::clone(&rewrite.pattern));
        }
    }

    /// The pattern that is written so.
    ///
    /// # Errors
    /// Why it is refused, and in which place, as the rest of a sentence.
    pub(super) fn compile(&mut self, written: &'r str) -> Result<Arc<Pattern>, String> {
        if let Some(known) = self.0.get(written) {
            return Ok(Arc::clone(known));
        }
        let pattern = Arc::new(Pattern::new(written)?);
        self.0.insert(written, Arc::clone(&pattern));
        Ok(pattern)
    }
}

impl Pattern {
    fn new(written: &str) -> Result<Self, String> {
        let hir = regex_syntax::parse(written).map_err(|error| refusal(written, &error))?;
        let narrowed = with_ascii_digits(written).ok_or("is no usable expression")?;
        let hir = match &narrowed {
            Cow::Borrowed(_) => hir,
            Cow::Owned(text) => {
                regex_syntax::parse(text).map_err(|error| refusal(written, &error))?
            }
        };
        let mut builder = RegexBuilder::new(&narrowed);
        let builder = builder.size_limit(SIZE_LIMIT).dfa_size_limit(SPEED_LIMIT);
        let regex = builder.build().map_err(|error| match error {
            regex::Error::CompiledTooBig(limit) => {
                format!("must not exceed the size limit of {limit} bytes when compiled")
            }
            _ => "is no usable expression".to_owned(),
        })?;
        let needs = Needs::new(&hir);
        Ok(Self { needs, regex })
    }
}

impl Rewrite {
    /// With a replacement, in which `\1` stands for a group.
    ///
    /// # Errors
    /// Why the replacement is refused, as the rest of a sentence.
    pub(super) fn new(pattern: Arc<Pattern>, text: &str) -> Result<Self, String> {
        let replacement = template(text, pattern.regex.captures_len())?;
        Ok(Self {
            pattern,
            replacement,
        })
    }

    #[cfg(test)]
    pub(super) fn pattern(&self) -> Arc<Pattern> {
        Arc::clone(&self.pattern)
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        self.pattern.needs.are_met(text) && self.pattern.regex.is_match(text)
    }

    /// The text with each match replaced, if that changes it.
    pub(super) fn run(&self, text: &str) -> Option<String> {
        let regex = &self.pattern.regex;
        match regex.replace_all(text, self.replacement.as_str()) {
            Cow::Owned(new) => (new != text).then_some(new),
            Cow::Borrowed(_) => None,
        }
    }
}

/// The pattern with `\d` for the digits of ASCII only, as the reference reads it: numbers have no
/// others, and those of all scripts make an expression seventeen times as large, and as slow to
/// compile. None for what does not parse.
fn with_ascii_digits(pattern: &str) -> Option<Cow<'_, str>> {
    let ast = ast::parse::Parser::new().parse(pattern).ok()?;
    let Ok(digits) = ast::visit(&ast, Digits::default());
    let mut text = String::with_capacity(pattern.len() + 8 * digits.len());
    let mut done = 0;
    for (start, end, class) in &digits {
        text.push_str(pattern.get(done..*start)?);
        text.push_str(class);
        done = *end;
    }
    if done == 0 {
        return Some(pattern.into());
    }
    text.push_str(pattern.get(done..)?);
    Some(text.into())
}

/// Where `\d` and `\D` stand, and what says the same in ASCII.
#[derive(Default)]
struct Digits(Vec<(usize, usize, &'static str)>);

impl Digits {
    fn note(&mut self, class: &ClassPerl) {
        if class.kind == ClassPerlKind::Digit {
            let text = if class.negated { "[^0-9]" } else { "[0-9]" };
            let (start, end) = (class.span.start.offset, class.span.end.offset);
            self.0.push((start, end, text));
        }
    }
}

impl ast::Visitor for Digits {
    type Output = Vec<(usize, usize, &'static str)>;
    type Err = Infallible;

    fn finish(self) -> Result<Self::Output, Infallible> {
        Ok(self.0)
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), Infallible> {
        if let Ast::ClassPerl(class) = ast {
            self.note(class);
        }
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), Infallible> {
        if let ClassSetItem::Perl(class) = item {
            self.note(class);
        }
        Ok(())
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

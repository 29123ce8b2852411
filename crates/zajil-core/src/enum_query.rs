//! ENUM: the name a number is looked up under, and what its answer says (S6; RFC 6116).
//!
//! RFC 6116 is the application, RFC 3402 the algorithm, RFC 3403 the record. Nothing here asks a
//! name server: records are values, and what to ask next is an answer.

use std::sync::Arc;

mod rewrite;
mod service;
mod uri;

pub use service::{BadService, Services};
pub use uri::domain;

/// How many names a look-up follows from one record to the next (RFC 6116 5.2.1 warns of endless
/// chains and leaves the number to us).
pub const MOST_HOPS: usize = 5;
/// Records of one answer that are looked at, best first: each may cost an expression to compile.
const MOST_RECORDS: usize = 32;
/// Records that break the rules after which the rest of an answer is not looked at.
const MOST_BROKEN: usize = 4;
/// The longest domain name, in octets on the wire (RFC 1035 2.3.4), and its longest label.
const LONGEST_NAME: usize = 255;
const LONGEST_LABEL: usize = 63;

/// What ENUM knows of a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The URI that the chosen record led to.
    pub uri: String,
    /// The host of the URI, in lower case without a final dot: what routes compare (S6.2). None
    /// for a URI without one, as `tel:`.
    pub domain: Option<String>,
    /// The service of the chosen record, as `E2U+sip`.
    pub service: String,
    /// The domain of `enum_domains` that answered.
    pub zone: String,
}

/// How a look-up ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// The number is there.
    Found(Arc<Found>),
    /// It is not, and the name servers said so.
    Absent,
    /// Nobody knows: a time-out, a broken server, a record that cannot be read. Routing goes on
    /// without ENUM (S6.3). The sentence is for the operator.
    Failed(String),
}

impl Lookup {
    /// The domain that routes compare (S6.2).
    #[must_use]
    pub fn domain(&self) -> Option<&str> {
        match self {
            Self::Found(found) => found.domain.as_deref(),
            Self::Absent | Self::Failed(_) => None,
        }
    }
}

/// A NAPTR record (RFC 3403 4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Naptr {
    /// Lower ones first; once an order has a record that fits, no other order counts.
    pub order: u16,
    /// Lower ones first within an order.
    pub preference: u16,
    /// `u` for a record that ends in a URI; empty for one that leads to another name.
    pub flags: String,
    /// What the URI is good for, as `E2U+sip`.
    pub services: String,
    /// The substitution that makes the URI.
    pub regexp: String,
    /// The next name; empty or `.` for none.
    pub replacement: String,
}

/// One thing to do about an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The end: the number's URI.
    Uri {
        /// The URI.
        uri: String,
        /// The service field of its record.
        service: String,
    },
    /// Ask for the records of this name.
    Ask(String),
}

/// What to do about an answer, in this order, until something is found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The steps; a URI is always the last. Empty when no record fits.
    pub steps: Vec<Step>,
    /// What is wrong with the first record that would have fitted but breaks the rules.
    pub broken: Option<String>,
}

/// The names of one look-up so far, so that it ends (RFC 6116 5.2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trail(Vec<String>);

/// The name under which a number is looked up: its digits reversed and dotted, under `domain`
/// (S6.1, RFC 6116 2). A leading `+` and separators are skipped. None for what is not a number, or
/// makes no name.
#[must_use]
pub fn query_name(number: &str, domain: &str) -> Option<String> {
    let digits = digits(number)?;
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    let labels_fit = domain
        .split('.')
        .all(|l| (1..=LONGEST_LABEL).contains(&l.len()));
    // Each label has a length octet, and the root is one more.
    let octets = 2 * digits.len() + domain.len() + 2;
    if !labels_fit || octets > LONGEST_NAME {
        return None;
    }
    let mut name = String::with_capacity(octets);
    for digit in digits.chars().rev() {
        name.push(digit);
        name.push('.');
    }
    name.push_str(domain);
    Some(name)
}

/// The digits of a number, without `+` and separators; None for what is not a number.
#[must_use]
pub fn digits(number: &str) -> Option<std::borrow::Cow<'_, str>> {
    let key = crate::number::key(number);
    (!key.is_empty() && key.bytes().all(|b| b.is_ascii_digit())).then_some(key)
}

/// What the records of an answer say about `number`: those of the first order with one that fits,
/// by preference (RFC 3403 4.1). A record whose expression does not match does not fit.
#[must_use]
pub fn plan(records: &[Naptr], number: &str, services: &Services) -> Plan {
    let mut plan = Plan::default();
    let Some(digits) = digits(number) else {
        return plan;
    };
    // The application unique string of RFC 6116 3.1.
    let subject = format!("+{digits}");
    let mut sorted: Vec<&Naptr> = records.iter().collect();
    sorted.sort_by_key(|record| (record.order, record.preference));
    let (mut fitting, mut broken) = (None, 0);
    for record in sorted.into_iter().take(MOST_RECORDS) {
        if fitting.is_some_and(|order| order != record.order) {
            break;
        }
        match step(record, &subject, services) {
            Ok(None) => {}
            Ok(Some(step)) => {
                fitting = Some(record.order);
                let ends = matches!(step, Step::Uri { .. });
                plan.steps.push(step);
                if ends {
                    break;
                }
            }
            Err(why) => {
                plan.broken.get_or_insert(why);
                broken += 1;
                if broken == MOST_BROKEN {
                    break;
                }
            }
        }
    }
    plan
}

fn step(record: &Naptr, subject: &str, services: &Services) -> Result<Option<Step>, String> {
    let next = record.replacement.trim_end_matches('.');
    let terminal = record.flags.eq_ignore_ascii_case("u");
    if terminal && !services.accept(&record.services) || !terminal && !record.flags.is_empty() {
        return Ok(None);
    }
    if !record.regexp.is_empty() && !next.is_empty() {
        return Err("a record has both an expression and a replacement".to_owned());
    }
    if !terminal {
        return Ok((!next.is_empty()).then(|| Step::Ask(next.to_owned())));
    }
    let Some(uri) = rewrite::apply(&record.regexp, subject)? else {
        return Ok(None);
    };
    if !uri::is_sound(&uri) {
        return Err("an expression does not make a URI".to_owned());
    }
    let service = record.services.clone();
    Ok(Some(Step::Uri { uri, service }))
}

impl Trail {
    /// Begins at the name of the number.
    #[must_use]
    pub fn new(start: &str) -> Self {
        Self(vec![plain(start)])
    }

    /// Notes the next name.
    ///
    /// # Errors
    /// When the name was asked for before, or [`MOST_HOPS`] were followed; the sentence says so.
    pub fn follow(&mut self, name: &str) -> Result<(), String> {
        let name = plain(name);
        if self.0.contains(&name) {
            return Err("the records lead round in a circle".to_owned());
        }
        if self.0.len() > MOST_HOPS {
            return Err(format!("the records lead on more than {MOST_HOPS} times"));
        }
        self.0.push(name);
        Ok(())
    }
}

fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests;

//! What a caller may do, and what each page asks for (S3.8).

use std::collections::BTreeSet;

use zajil_core::frontend::FrontendName;

/// The words of the scopes, in the order they are shown; `frontend:NAME` stands beside them.
pub(crate) const WORDS: &str = "admin, read, submit, locations, unrouted, frontend:NAME";
/// The most frontends of one caller.
const MOST_FRONTENDS: usize = 64;

/// A set of scopes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scopes {
    admin: bool,
    read: bool,
    submit: bool,
    locations: bool,
    unrouted: bool,
    frontends: BTreeSet<FrontendName>,
}

impl Scopes {
    /// Everything.
    #[must_use]
    pub fn all() -> Self {
        Self {
            admin: true,
            ..Self::default()
        }
    }

    /// Reads a list of words.
    ///
    /// # Errors
    /// The rest of a sentence about the first word that is no scope.
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut scopes = Self::default();
        for word in words {
            scopes.add(word)?;
        }
        if scopes.frontends.len() > MOST_FRONTENDS {
            return Err(format!("must name at most {MOST_FRONTENDS} frontends"));
        }
        Ok(scopes)
    }

    /// Those of the words that are scopes: of a token's claim, which may speak of other systems.
    #[must_use]
    pub fn known<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        let mut scopes = Self::default();
        for word in words {
            if scopes.frontends.len() < MOST_FRONTENDS {
                drop(scopes.add(word));
            }
        }
        scopes
    }

    fn add(&mut self, word: &str) -> Result<(), String> {
        match word {
            "admin" => self.admin = true,
            "read" => self.read = true,
            "submit" => self.submit = true,
            "locations" => self.locations = true,
            "unrouted" => self.unrouted = true,
            _ => {
                let name = word.strip_prefix("frontend:").map(FrontendName::parse);
                let Some(Ok(name)) = name else {
                    return Err(format!("must be of {WORDS}"));
                };
                self.frontends.insert(name);
            }
        }
        Ok(())
    }

    /// As words.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let flags = [
            (self.admin, "admin"),
            (self.read, "read"),
            (self.submit, "submit"),
            (self.locations, "locations"),
            (self.unrouted, "unrouted"),
        ];
        let flags = flags.iter().filter(|(given, _)| *given);
        let frontends = self.frontends.iter().map(|name| format!("frontend:{name}"));
        flags
            .map(|(_, word)| (*word).to_owned())
            .chain(frontends)
            .collect()
    }

    /// Whether nothing is allowed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn is_admin(&self) -> bool {
        self.admin
    }

    pub(crate) fn may_read(&self) -> bool {
        self.admin || self.read
    }

    /// Whether the caller may speak for this frontend.
    pub(crate) fn acts_for(&self, name: &FrontendName) -> bool {
        self.admin || self.frontends.contains(name)
    }

    /// Whether the caller may be offered messages that no frontend has been chosen for.
    pub(crate) fn may_take_unrouted(&self) -> bool {
        self.admin || self.unrouted
    }
}

/// What a page asks of its caller. Every page of the router names one; what depends on the record
/// is checked behind it (`access::own`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing: the page tells nobody's business.
    Open,
    /// To submit messages, each answered when it is stored.
    Submit,
    /// To submit messages that are stored later.
    SubmitAsync,
    /// To look at everything.
    Read,
    /// To look, or to be a frontend that looks at what is its own.
    ReadOrFrontend,
    /// To be a frontend: what it touches must be its own.
    Frontend,
    /// To say where subscribers are.
    Locate,
    /// To change how the system works.
    Admin,
}

impl Need {
    /// Whether these scopes are enough.
    pub(crate) fn is_met_by(self, scopes: &Scopes) -> bool {
        let frontend = !scopes.frontends.is_empty();
        scopes.admin
            || match self {
                Self::Open => true,
                Self::Submit | Self::SubmitAsync => scopes.submit,
                Self::Read => scopes.read,
                Self::ReadOrFrontend => scopes.read || frontend,
                Self::Frontend => frontend,
                Self::Locate => scopes.locations,
                Self::Admin => false,
            }
    }

    /// The scopes that would do, for a refusal.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Open => "no scope",
            Self::Submit | Self::SubmitAsync => "the scope submit",
            Self::Read => "the scope read",
            Self::ReadOrFrontend => "the scope read or frontend:NAME",
            Self::Frontend => "a scope frontend:NAME",
            Self::Locate => "the scope locations",
            Self::Admin => "the scope admin",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_8_scopes_are_read_and_shown_as_words() {
        let words = ["frontend:gw_1", "submit", "read", "frontend:a"];
        let scopes = Scopes::parse(words).unwrap();
        assert_eq!(
            scopes.words(),
            ["read", "submit", "frontend:a", "frontend:gw_1"]
        );
        for wrong in ["", "root", "frontend:", "Frontend:a", "admin "] {
            assert!(Scopes::parse([wrong]).is_err(), "{wrong}");
        }
        let known = Scopes::known(["openid", "submit", "frontend:", "email"]);
        assert_eq!(known.words(), ["submit"]);
    }

    #[test]
    fn s3_8_each_need_is_met_by_what_it_names_and_by_admin() {
        let needs = [
            Need::Open,
            Need::Submit,
            Need::SubmitAsync,
            Need::Read,
            Need::ReadOrFrontend,
            Need::Frontend,
            Need::Locate,
            Need::Admin,
        ];
        let met = |word: &str| {
            let scopes = Scopes::parse([word]).unwrap();
            let met = needs.iter().filter(|need| need.is_met_by(&scopes));
            met.map(|need| format!("{need:?}")).collect::<Vec<_>>()
        };
        assert_eq!(met("admin").len(), needs.len());
        assert_eq!(met("submit"), ["Open", "Submit", "SubmitAsync"]);
        assert_eq!(met("read"), ["Open", "Read", "ReadOrFrontend"]);
        assert_eq!(met("frontend:a"), ["Open", "ReadOrFrontend", "Frontend"]);
        assert_eq!(met("locations"), ["Open", "Locate"]);
        assert_eq!(met("unrouted"), ["Open"]);
    }
}

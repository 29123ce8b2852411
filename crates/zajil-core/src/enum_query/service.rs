//! The service field of a NAPTR record, and which services we can use (RFC 6116 3.4.3).

/// The services whose URIs are used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Services(Vec<Service>);

/// One of them: `sms`, or `sms:tel` where only that subtype will do. Lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Service {
    kind: String,
    subtype: Option<String>,
}

/// A text that names no service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no ENUM service; it must be like E2U+sip")]
pub struct BadService(String);

impl Default for Services {
    /// `E2U+sip`, `E2U+pstn` and `E2U+sms` (S6.1).
    fn default() -> Self {
        let service = |kind: &str| Service {
            kind: kind.to_owned(),
            subtype: None,
        };
        Self(["sip", "pstn", "sms"].map(service).to_vec())
    }
}

impl Services {
    /// Reads a list like `["E2U+sip", "E2U+sms:tel"]`.
    ///
    /// # Errors
    /// [`BadService`] for the first text that is not of this form.
    pub fn parse<T: AsRef<str>>(texts: &[T]) -> Result<Self, BadService> {
        let one = |text: &T| {
            let bad = || BadService(text.as_ref().to_owned());
            let lower = text.as_ref().to_ascii_lowercase();
            let service = lower.strip_prefix("e2u+").ok_or_else(bad)?;
            let (kind, subtype) = match service.split_once(':') {
                Some((kind, subtype)) => (kind, Some(subtype)),
                None => (service, None),
            };
            if !is_token(kind) || !subtype.is_none_or(is_token) {
                return Err(bad());
            }
            Ok(Service {
                kind: kind.to_owned(),
                subtype: subtype.map(ToOwned::to_owned),
            })
        };
        texts.iter().map(one).collect::<Result<_, _>>().map(Self)
    }

    /// Whether a record with this service field can be used: one of its services is enough. RFC
    /// 2916 had `sip+E2U` where RFC 6116 has `E2U+sip`; both are in use.
    pub(super) fn accept(&self, field: &str) -> bool {
        let mut specs: Vec<&str> = field.split('+').collect();
        let is_e2u = |spec: &&str| spec.eq_ignore_ascii_case("e2u");
        if specs.first().is_some_and(is_e2u) {
            specs.remove(0);
        } else if specs.pop_if(|spec| is_e2u(&&**spec)).is_none() {
            return false;
        }
        specs.iter().any(|spec| {
            let mut parts = spec.split(':');
            let kind = parts.next().unwrap_or_default();
            let subtypes: Vec<&str> = parts.collect();
            self.0.iter().any(|service| service.covers(kind, &subtypes))
        })
    }
}

impl Service {
    fn covers(&self, kind: &str, subtypes: &[&str]) -> bool {
        let same = |wanted: &String| subtypes.iter().any(|s| s.eq_ignore_ascii_case(wanted));
        self.kind.eq_ignore_ascii_case(kind) && self.subtype.as_ref().is_none_or(same)
    }
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

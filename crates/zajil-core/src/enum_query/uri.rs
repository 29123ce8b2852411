//! What is needed of a URI: whether it is one, and its host (S6.2).

use std::net::Ipv6Addr;

/// Schemes in which a host may stand without a user before it.
const BARE_HOST: [&str; 3] = ["sip", "sips", "h323"];
/// Schemes of telephone numbers: they have no host, whatever their parameters hold.
const NUMBERS: [&str; 2] = ["tel", "sms"];
/// The longest host name, in characters (RFC 1035 2.3.4).
const LONGEST_HOST: usize = 253;

/// The host of a URI in lower case without a final dot, an IPv6 address without its brackets: what
/// routes compare (S6.2). None for a URI without one, as `tel:`.
#[must_use]
pub fn domain(uri: &str) -> Option<String> {
    let (scheme, rest) = uri.split_once(':')?;
    let is = |list: &[&str]| list.iter().any(|name| scheme.eq_ignore_ascii_case(name));
    if is(&NUMBERS) {
        return None;
    }
    let (rest, mut has_host) = match rest.strip_prefix("//") {
        // An @ behind the authority is no part of it.
        Some(rest) => (rest.split(['/', '?', '#']).next().unwrap_or(rest), true),
        None => (rest, is(&BARE_HOST)),
    };
    // The user part may hold ; and ? as they are but no @ (RFC 3261 25.1).
    let place = match rest.split_once('@') {
        Some((_, place)) => {
            has_host = true;
            place
        }
        None => rest,
    };
    if has_host { host(place) } else { None }
}

/// The host at the beginning of `place`, before port, parameters and headers.
fn host(place: &str) -> Option<String> {
    if let Some(rest) = place.strip_prefix('[') {
        let address: Ipv6Addr = rest.split_once(']')?.0.parse().ok()?;
        return Some(address.to_string());
    }
    let name = place
        .split([':', ';', '?', '/', ',', '#', '>', '&'])
        .next()?;
    let name = name.strip_suffix('.').unwrap_or(name);
    let sound = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    let labels_sound = name
        .split('.')
        .all(|label| !label.is_empty() && label.bytes().all(sound));
    (labels_sound && name.len() <= LONGEST_HOST).then(|| name.to_ascii_lowercase())
}

/// Whether a text is a scheme and something behind it, of the characters that URIs are made of.
pub(super) fn is_sound(uri: &str) -> bool {
    let Some((scheme, rest)) = uri.split_once(':') else {
        return false;
    };
    let mut letters = scheme.bytes();
    letters.next().is_some_and(|b| b.is_ascii_alphabetic())
        && letters.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
        && !rest.is_empty()
        && rest.bytes().all(|b| b.is_ascii_graphic())
}

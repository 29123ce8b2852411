//! What pages that a browser shows may not make it do to an open door (ADR 12): where nobody says
//! who they are, a call of such a page looks like one of the user.

use std::net::IpAddr;
use std::str::FromStr as _;

use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;

use super::denial::Denied;
use super::forbidden;

/// Names that no public name server answers for.
const LOCAL: [&str; 3] = [".localhost", ".local", ".internal"];

/// Refuses calls of a page that is not our own. Clients that are no browsers send none of the
/// headers that are looked at, but `Host`, and call this machine by its address or a name of its
/// own.
pub(super) fn check(request: &Request, address: Option<IpAddr>) -> Result<(), Denied> {
    let headers = request.headers();
    let host = text(headers, HOST.as_str())
        .and_then(|host| Authority::from_str(host).ok())
        .or_else(|| request.uri().authority().cloned());
    if let Some(host) = &host
        && address.is_some_and(|address| address.to_canonical().is_loopback())
        && may_be_rebound(host.host())
    {
        return Err(forbidden(
            "this door is open to its own machine, and whoever owns the name in Host could send \
             browsers here: call it as localhost or by its IP address, or ask for keys \
             (api.access)",
        ));
    }
    let origin = text(headers, ORIGIN.as_str());
    let is_foreign = |origin: &str| !is_our_own(origin, host.as_ref());
    let fetched = |name| text(headers, name).unwrap_or_default();
    let navigates = fetched("sec-fetch-mode") == "navigate" && request.method().is_safe();
    let is_cross_site = fetched("sec-fetch-site") == "cross-site" && !navigates;
    if origin.is_some_and(is_foreign) || is_cross_site {
        return Err(forbidden(
            "this call comes from a page of another site; without keys only our own pages may \
             call (api.access)",
        ));
    }
    Ok(())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Whether a page of this origin is served here, or by this machine.
fn is_our_own(origin: &str, host: Option<&Authority>) -> bool {
    let authority = origin
        .split_once("://")
        .and_then(|(_, authority)| Authority::from_str(authority).ok());
    authority.is_some_and(|authority| {
        let same = host.is_some_and(|host| {
            host.host().eq_ignore_ascii_case(authority.host())
                && host.port_u16() == authority.port_u16()
        });
        same || is_this_machine(authority.host())
    })
}

fn is_this_machine(host: &str) -> bool {
    let ip = ip(host).is_some_and(|ip| ip.to_canonical().is_loopback());
    ip || host.eq_ignore_ascii_case("localhost")
}

fn ip(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .parse()
        .ok()
}

/// Whether somebody outside may decide which address the name has (DNS rebinding).
fn may_be_rebound(host: &str) -> bool {
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    let is_local = LOCAL.iter().any(|ending| name.ends_with(ending));
    ip(host).is_none() && name.contains('.') && !is_local
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    /// Whether a call from this machine, or from another, passes.
    fn passes(head: &str, from: &str) -> bool {
        let mut lines = head.lines();
        let (method, uri) = lines.next().unwrap().split_once(' ').unwrap();
        let mut request = Request::builder().method(method).uri(uri);
        for line in lines {
            let (name, value) = line.trim().split_once(": ").unwrap();
            request = request.header(name, value);
        }
        let request = request.body(Body::empty()).unwrap();
        check(&request, Some(from.parse().unwrap())).is_ok()
    }

    #[test]
    fn s3_8_clients_that_are_no_browsers_call_by_address_or_by_names_of_the_machine() {
        for host in [
            "127.0.0.1:8080",
            "[::1]:8080",
            "192.0.2.1",
            "localhost",
            "LOCALHOST:1",
            "smsc",
            "smsc:8080",
            "smsc.localhost",
            "smsc.local",
            "host.docker.internal:8080",
        ] {
            let head = format!("POST /api/messages\nhost: {host}");
            assert!(passes(&head, "127.0.0.1"), "{host}");
        }
        assert!(passes("GET /api/messages", "127.0.0.1"), "HTTP/1.0");
        let named = "GET /api/messages\nhost: smsc.example.org";
        assert!(passes(named, "192.0.2.7"), "a listener that others reach");
    }

    #[test]
    fn s3_8_a_name_that_was_pointed_at_this_machine_opens_nothing() {
        for host in [
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example.",
        ] {
            let head = format!("GET /api/messages\nhost: {host}");
            for from in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
                assert!(!passes(&head, from), "{host}");
            }
        }
        let second = "GET http://evil.example/api/messages";
        assert!(!passes(second, "127.0.0.1"), "HTTP/2");
    }

    #[test]
    fn s3_8_pages_of_other_sites_call_nothing() {
        let call = |method: &str, more: &str| {
            let head = format!("{method} /api/messages\nhost: localhost:8080\n{more}");
            passes(&head, "127.0.0.1")
        };
        for own in [
            "origin: http://localhost:8080\nsec-fetch-site: same-origin",
            "origin: http://127.0.0.1:3000\nsec-fetch-site: cross-site\nsec-fetch-mode: navigate",
            "sec-fetch-site: cross-site\nsec-fetch-mode: navigate",
            "sec-fetch-site: none",
        ] {
            assert!(call("GET", own), "{own}");
        }
        assert!(call(
            "POST",
            "origin: http://localhost:3000\nsec-fetch-site: same-site"
        ));
        for foreign in [
            "origin: http://evil.example",
            "origin: null",
            "origin: http://evil.example:8080\nsec-fetch-site: cross-site",
            "sec-fetch-site: cross-site",
        ] {
            assert!(!call("POST", foreign), "{foreign}");
            assert!(!call("GET", foreign), "{foreign}");
        }
        let form = "sec-fetch-site: cross-site\nsec-fetch-mode: navigate";
        assert!(!call("POST", form));
    }
}

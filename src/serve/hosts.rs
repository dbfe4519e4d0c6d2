//! The names that are ours. A page of another site can give its own name an address of this machine (DNS
//! rebinding); the browser then takes what listens there for that site, and lets the page read it.
//!
//! Asked only where that would tell more than the site could ask itself: on a connection by an address that only this machine
//! has, without TLS (whose certificate does not fit the name), and where nobody has to log in (since the browser
//! knows no login for that name).

use std::net::IpAddr;

use hyper::header::{HOST, HeaderMap};

use super::access::Peer;
use super::lock::Lock;

/// Returns the name by which `peer` asks, if that is none of ours. An address is no name, so nobody can give it
/// another one.
pub(super) fn foreign(lock: &Lock, peer: Peer, headers: &HeaderMap) -> Option<String> {
    if !peer.is_inside || lock.tls().is_some() || lock.access().asks_for_login() {
        return None;
    }
    let host = headers.get(HOST)?.to_str().unwrap_or("?");
    (!is_ours(host, lock.host_names())).then(|| host.to_owned())
}

/// Returns what a person has to do who asked by this name.
pub(super) fn what_to_do(name: &str) -> String {
    format!(
        "`{name}` is not known as a name of this machine; ask for `localhost`, or add the name (without port) to \
         `[web] host_names` of the config"
    )
}

fn is_ours(host: &str, names: &[String]) -> bool {
    let name = without_port(host).trim_end_matches('.').to_ascii_lowercase();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    address.parse::<IpAddr>().is_ok()
        || name == "localhost"
        || name.ends_with(".localhost")
        || names.contains(&name)
}

fn without_port(host: &str) -> &str {
    let is_port = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    match host.rsplit_once(':') {
        Some((name, port)) if is_port(port) && (!name.contains(':') || name.ends_with(']')) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_localhost_and_configured_names_are_ours() {
        let names = ["tollkeeper.example.org".to_owned()];
        for (host, expected) in [
            ("127.0.0.1:9478", true),
            ("127.0.0.1", true),
            ("10.1.2.3:80", true),
            ("[::1]:9478", true),
            ("[::1]", true),
            ("localhost:9478", true),
            ("LocalHost.", true),
            ("page.localhost:1", true),
            ("Tollkeeper.Example.org:9478", true),
            ("evil.example", false),
            ("evil.example:9478", false),
            ("127.0.0.1.evil.example", false),
            ("localhost.evil.example", false),
            ("notlocalhost", false),
            ("x.tollkeeper.example.org", false),
            ("", false),
        ] {
            assert_eq!(is_ours(host, &names), expected, "{host}");
        }
    }
}

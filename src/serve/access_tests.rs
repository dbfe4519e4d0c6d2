//! Who gets which right.

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;

use super::*;

fn access() -> Access {
    let hash = |password| Secret::new(bcrypt::hash(password, 4).unwrap());
    let users = vec![
        ("alice".to_owned(), hash("wonder:land"), Right::Admin),
        ("bob".to_owned(), hash("builder"), Right::Read),
    ];
    let token = |text: &str| Secret::new(text.to_owned());
    let tokens = vec![(token("read-token"), Right::Read), (token("admin-token"), Right::Admin)];
    Access::new(users, tokens, hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]))
}

fn right(
    access: &Access,
    headers: &[&str],
    address: &str,
    has_certificate: bool,
) -> Result<Right, Denied> {
    let mut map = HeaderMap::new();
    for header in headers {
        map.append(AUTHORIZATION, HeaderValue::from_bytes(header.as_bytes()).unwrap());
    }
    let address: IpAddr = address.parse().unwrap();
    let peer = Peer { address, is_inside: address.is_loopback(), has_certificate };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(access.right_of(map.get_all(AUTHORIZATION), peer))
}

fn basic(login: &str) -> String {
    format!("Basic {}", STANDARD.encode(login))
}

#[test]
fn who_logs_in_gets_the_right_of_the_config() {
    let access = access();
    let denied = Err(Denied::WrongLogin);
    for (header, expected) in [
        (basic("alice:wonder:land"), Ok(Right::Admin)),
        (basic("bob:builder").replace("Basic", "bASIC"), Ok(Right::Read)),
        ("Bearer read-token".to_owned(), Ok(Right::Read)),
        ("bearer admin-token".to_owned(), Ok(Right::Admin)),
        (basic("bob:wonder:land"), denied),
        (basic("eve:builder"), denied),
        (basic("bob"), denied),
        ("Basic !!!".to_owned(), denied),
        ("Basic".to_owned(), denied),
        ("Bearer".to_owned(), denied),
        ("Bearer ".to_owned(), denied),
        ("Bearer read-toke".to_owned(), denied),
        ("Digest username=\"bob\"".to_owned(), denied),
        ("Bearer \u{e9}".to_owned(), denied),
        (String::new(), denied),
    ] {
        assert_eq!(right(&access, &[&header], "127.0.0.1", true), expected, "{header}");
    }
    assert_eq!(right(&access, &[], "127.0.0.1", true), Err(Denied::NoLogin));
    let good = basic("bob:builder");
    assert_eq!(right(&access, &[&good, &good], "127.0.0.1", true), denied);
    assert_eq!(access.challenges().count(), 2);
}

#[test]
fn without_logins_only_this_machine_and_good_certificates_may_do_more_than_look() {
    let access = Access::new(Vec::new(), Vec::new(), hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]));
    for (address, has_certificate, expected) in [
        ("127.0.0.1", false, Right::Admin),
        ("::1", false, Right::Admin),
        ("::ffff:127.0.0.1", false, Right::Admin),
        ("10.0.0.7", false, Right::Read),
        ("10.0.0.7", true, Right::Admin),
    ] {
        assert_eq!(right(&access, &[], address, has_certificate), Ok(expected), "{address}");
    }
    assert_eq!(right(&access, &["Bearer whatever"], "10.0.0.7", false), Ok(Right::Read));
}

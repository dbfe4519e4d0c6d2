//! Whoever sends too much, too slowly, too often or nonsense: the others are served all the same.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::doors::{config, start};
use crate::support::daemon::Daemon;
use crate::support::http::{Response, connect, exchange};
use crate::support::random::Random;
use crate::support::wait::{SOON, holds_for, wait_until};
use crate::support::work_dir::WorkDir;

/// Connections of one address, and more than that.
const OF_ONE_MAX: usize = 96;
const MANY: usize = 150;

fn send(daemon: &Daemon, bytes: &[u8]) -> std::io::Result<Response> {
    exchange(&mut connect(&daemon.address().unwrap())?, bytes)
}

/// Whether the other side has ended the connection.
fn is_ended(stream: &mut TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    match stream.read(&mut [0; 64]) {
        Ok(0) => true,
        Ok(_) => false,
        Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
    }
}

#[test]
fn who_sends_a_head_slowly_is_cut_off_while_others_are_served() {
    let work = WorkDir::new("slow");
    let daemon = start(&config(&work, ""));
    let address = daemon.address().unwrap();
    let mut slow: Vec<TcpStream> =
        (0..OF_ONE_MAX - 8).map(|_| connect(&address).unwrap()).collect();
    for stream in &mut slow {
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: ").unwrap();
    }
    holds_for(Duration::from_secs(1), "others are served", || daemon.get("/healthz").status == 200);
    wait_until(SOON, "the slow ones to be cut off", || {
        for stream in &mut slow {
            // One more byte of the head each time; those that are cut off take none.
            drop(stream.write(b"x"));
        }
        slow.iter_mut().all(is_ended).then_some(())
    });
    assert_eq!(daemon.get("/metrics").status, 200);
}

#[test]
fn one_address_gets_a_bounded_number_of_connections_and_those_end() {
    let work = WorkDir::new("many");
    let daemon = start(&config(&work, ""));
    let address = daemon.address().unwrap();
    let mut many: Vec<TcpStream> = (0..MANY).map(|_| connect(&address).unwrap()).collect();
    wait_until(SOON, "those beyond the bound to be closed", || {
        let open = many.iter_mut().filter_map(|stream| (!is_ended(stream)).then_some(())).count();
        (open <= OF_ONE_MAX).then_some(())
    });
    let files = std::fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap().count();
    assert!(files < MANY, "{files} open files");
    wait_until(SOON, "idle connections to end", || many.iter_mut().all(is_ended).then_some(()));
    assert_eq!(daemon.get("/metrics").status, 200);
}

#[test]
fn heads_and_bodies_that_are_too_large_are_refused() {
    let work = WorkDir::new("large");
    let daemon = start(&config(&work, ""));
    let long = "x".repeat(64 << 10);
    let many = "X-Many: y\r\n".repeat(200);
    for (what, request, status) in [
        (
            "a long header",
            format!("GET /metrics HTTP/1.1\r\nHost: x\r\nX-Long: {long}\r\n\r\n"),
            431,
        ),
        ("many headers", format!("GET /metrics HTTP/1.1\r\nHost: x\r\n{many}\r\n"), 431),
        (
            "a body",
            "POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n".to_owned(),
            413,
        ),
        ("no HTTP", "\u{16}\u{3}\u{1} hello\r\n\r\n".to_owned(), 400),
    ] {
        let answer =
            send(&daemon, request.as_bytes()).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(answer.status, status, "{what}: {}", answer.head);
        assert_eq!(answer.header("server"), None);
    }
    let long_path = format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n");
    let answer = send(&daemon, long_path.as_bytes()).unwrap();
    assert!([414, 431].contains(&answer.status), "{}", answer.head);
    assert_eq!(daemon.get("/metrics").status, 200);
}

/// Requests that differ in a few bytes from one that is right.
#[test]
fn hostile_requests_stop_nothing() {
    let work = WorkDir::new("hostile");
    let mut daemon = start(&config(&work, ""));
    let good = "GET /api/v1/gate?budget=a&principal=b HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YTpi\r\n\
                X-Tollkeeper-Attr-Team: c\r\nOrigin: http://x\r\nConnection: close\r\n\r\n";
    let mut random = Random::new(42);
    for _ in 0..300 {
        let mut bytes = good.as_bytes().to_vec();
        for _ in 0..=random.range(0, 4) {
            let at = usize::try_from(random.range(0, bytes.len() as u64)).unwrap();
            match random.range(0, 3) {
                0 => bytes[at] = u8::try_from(random.range(0, 256)).unwrap(),
                1 => drop(bytes.remove(at)),
                _ => bytes
                    .insert(at, *[b'%', b'\r', b'\n', 0, b':', b' ', 0xff].get(at % 7).unwrap()),
            }
        }
        let mut stream = connect(&daemon.address().unwrap()).unwrap();
        // An answer or the end of the connection, and a request that is open is given up.
        drop(stream.write_all(&bytes));
        drop(stream.shutdown(std::net::Shutdown::Write));
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer));
        assert!(!String::from_utf8_lossy(&answer).contains("panicked"));
    }
    assert_eq!(daemon.get("/metrics").status, 200);
    assert!(daemon.ended().is_none());
    let (status, _, stderr) = daemon.terminate();
    assert!(status.success() && !stderr.contains("panicked"), "{stderr}");
}

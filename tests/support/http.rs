//! The smallest HTTP/1.1 client that can read what the daemon and Prometheus answer.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(10);

/// An answer.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Header lines in lowercase.
    pub(crate) head: String,
    pub(crate) body: String,
}

/// Sends one request on a connection of its own. `address` is `host:port`.
pub(crate) fn request(method: &str, address: &str, path: &str) -> io::Result<Response> {
    let socket_address = address.parse().map_err(io::Error::other)?;
    let mut stream = TcpStream::connect_timeout(&socket_address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let text = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(text.as_bytes())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    parse(&bytes).ok_or_else(|| io::Error::other("cut off or not an HTTP answer"))
}

/// Takes an answer apart; `None` when the connection broke before its end.
fn parse(bytes: &[u8]) -> Option<Response> {
    let split = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..split]).ok()?.to_ascii_lowercase();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let body = &bytes[split + 4..];
    let header = |name: &str| {
        head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    };
    let body = if header("transfer-encoding") == Some("chunked") {
        join_chunks(body)?
    } else if let Some(length) = header("content-length") {
        body.get(..length.parse().ok()?)?.to_vec()
    } else {
        body.to_vec()
    };
    Some(Response { status, body: String::from_utf8(body).ok()?, head })
}

fn join_chunks(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n")?;
        let size = std::str::from_utf8(&rest[..end]).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(end + 2..end + 2 + size)?);
        rest = rest.get(end + 2 + size + 2..)?;
    }
}

/// Writes a text for use in the query of a URL.
pub(crate) fn url_encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            encoded.push(char::from(byte));
        } else {
            let [tens, units] = [byte >> 4, byte & 15]
                .map(|digit| char::from(b"0123456789ABCDEF"[usize::from(digit)]));
            encoded.extend(['%', tens, units]);
        }
    }
    encoded
}

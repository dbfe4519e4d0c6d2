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

impl Response {
    /// The value of a header, in lowercase.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            (found == name).then(|| value.trim())
        })
    }
}

/// Sends one request on a connection of its own. `address` is `host:port`.
pub(crate) fn request(method: &str, address: &str, path: &str) -> io::Result<Response> {
    request_with(method, address, path, &[])
}

/// The same with more headers.
pub(crate) fn request_with(
    method: &str,
    address: &str,
    path: &str,
    headers: &[&str],
) -> io::Result<Response> {
    exchange(&mut connect(address)?, text_of(method, address, path, headers).as_bytes())
}

/// Connects with timeouts.
pub(crate) fn connect(address: &str) -> io::Result<TcpStream> {
    let socket_address = address.parse().map_err(io::Error::other)?;
    let stream = TcpStream::connect_timeout(&socket_address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

/// The text of a request after which the connection ends.
pub(crate) fn text_of(method: &str, address: &str, path: &str, headers: &[&str]) -> String {
    let more = headers.iter().flat_map(|header| [*header, "\r\n"]).collect::<String>();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n{more}\r\n"
    )
}

/// Sends any bytes and reads the answer up to the end of the connection.
pub(crate) fn exchange<S: Read + Write>(stream: &mut S, bytes: &[u8]) -> io::Result<Response> {
    // Who is refused early may be told before all is sent.
    let sent = stream.write_all(bytes).and_then(|()| stream.flush());
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    match (parse(&answer), sent, read) {
        (Some(response), ..) => Ok(response),
        (None, Err(error), _) | (None, Ok(()), Err(error)) => Err(error),
        (None, Ok(()), Ok(_)) => Err(io::Error::other("cut off or not an HTTP answer")),
    }
}

/// Sends any bytes and reads the answer up to its own end, for a server that keeps the connection.
pub(crate) fn exchange_kept<S: Read + Write>(stream: &mut S, bytes: &[u8]) -> io::Result<Response> {
    stream.write_all(bytes)?;
    stream.flush()?;
    let (mut answer, mut piece) = (Vec::new(), vec![0; 1 << 16]);
    loop {
        let read = stream.read(&mut piece)?;
        answer.extend_from_slice(&piece[..read]);
        if let Some(response) = parse(&answer) {
            return Ok(response);
        }
        if read == 0 {
            return Err(io::Error::other("cut off or not an HTTP answer"));
        }
    }
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

//! A receiver of alerts that can do whatever receivers do: answer, refuse, hang, break off, talk
//! nonsense, never come to an end.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

use super::wait::{SOON, pause, wait_until};

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) path: String,
    /// Header lines as they came, a line each.
    pub(crate) head: String,
    pub(crate) body: String,
    pub(crate) at: Instant,
}

/// What the receiver does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// A status, further header lines, a body.
    Answer(u16, Vec<String>, String),
    /// Nothing, ever.
    Hang,
    /// The connection ends.
    Close,
    /// What is no HTTP.
    Garbage,
    /// A status and a body without an end, as fast as it is read.
    Endless(u16),
    /// The head of an answer, a byte now and then.
    Drip,
}

/// Decides by the number of the request, from 0.
type Script = dyn Fn(usize, &Received) -> Reply + Send + Sync;

pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Reply {
    pub(crate) fn status(status: u16) -> Self {
        Self::Answer(status, Vec::new(), String::new())
    }

    pub(crate) fn body(status: u16, body: &str) -> Self {
        Self::Answer(status, Vec::new(), body.to_owned())
    }
}

impl Received {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a JSON body")
    }
}

impl Receiver {
    /// Answers 200 to everything.
    pub(crate) fn good() -> Self {
        Self::start(|_, _| Reply::body(200, "ok"))
    }

    /// Replies as listed, then 200 to everything.
    pub(crate) fn scripted(replies: Vec<Reply>) -> Self {
        Self::start(move |number, _| {
            replies.get(number).cloned().unwrap_or_else(|| Reply::body(200, "ok"))
        })
    }

    pub(crate) fn start(
        script: impl Fn(usize, &Received) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::start_with(None, Arc::new(script))
    }

    pub(crate) fn start_tls(tls: ServerConfig) -> Self {
        Self::start_with(Some(Arc::new(tls)), Arc::new(|_, _| Reply::body(200, "ok")))
    }

    fn start_with(tls: Option<Arc<ServerConfig>>, script: Arc<Script>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound port");
        let received = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (all, stopping) = (Arc::clone(&received), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopping.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let (all, script, tls) = (Arc::clone(&all), Arc::clone(&script), tls.clone());
                // It ends with the connection; a client that went away is no failure.
                std::thread::spawn(move || drop(serve(stream, tls, &all, &*script)));
            }
        });
        Self { address, received, stop, thread: Some(thread) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().expect("nobody panics with the lock").clone()
    }

    /// Waits for so many requests and returns all.
    pub(crate) fn wait_for(&self, count: usize) -> Vec<Received> {
        wait_until(SOON, &format!("{count} requests"), || {
            let received = self.received();
            (received.len() >= count).then_some(received)
        })
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

trait Duplex: Read + Write {}
impl<T: Read + Write> Duplex for T {}

fn serve(
    stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    all: &Mutex<Vec<Received>>,
    script: &Script,
) -> io::Result<()> {
    stream.set_read_timeout(Some(SOON))?;
    let duplex: Box<dyn Duplex> = match tls {
        None => Box::new(stream),
        Some(tls) => {
            let connection = ServerConnection::new(tls).map_err(io::Error::other)?;
            Box::new(StreamOwned::new(connection, stream))
        }
    };
    let mut reader = BufReader::new(duplex);
    let request = read_request(&mut reader)?;
    let reply = {
        let mut all = all.lock().expect("nobody panics with the lock");
        let reply = script(all.len(), &request);
        all.push(request);
        reply
    };
    answer(&mut reader, reply)
}

fn read_request(reader: &mut impl BufRead) -> io::Result<Received> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut request = Received { path, head, body: String::new(), at: Instant::now() };
    let length = request.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    request.body = String::from_utf8(body).map_err(io::Error::other)?;
    request.at = Instant::now();
    Ok(request)
}

fn answer(stream: &mut BufReader<Box<dyn Duplex>>, reply: Reply) -> io::Result<()> {
    let head = |status: u16, more: &[String]| {
        let more: String = more.iter().flat_map(|line| [line, "\r\n"]).collect();
        format!("HTTP/1.1 {status} Said\r\nConnection: close\r\n{more}")
    };
    match reply {
        Reply::Answer(status, more, body) => {
            let text =
                format!("{}Content-Length: {}\r\n\r\n{body}", head(status, &more), body.len());
            stream.get_mut().write_all(text.as_bytes())?;
            stream.get_mut().flush()
        }
        // Until the other side goes away.
        Reply::Hang => io::copy(stream, &mut io::sink()).map(drop),
        Reply::Close => Ok(()),
        Reply::Garbage => stream.get_mut().write_all(b"\x00\x01 this is no HTTP\r\n\r\n"),
        Reply::Endless(status) => {
            stream.get_mut().write_all(format!("{}\r\n", head(status, &[])).as_bytes())?;
            loop {
                stream.get_mut().write_all(&[b'x'; 4_096])?;
            }
        }
        Reply::Drip => {
            for byte in head(200, &[]).bytes().cycle() {
                stream.get_mut().write_all(&[byte])?;
                pause(Duration::from_millis(20));
            }
            Ok(())
        }
    }
}

//! The real binary as a process: start it, ask it, end it in every way there is.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::http::{self, Response};
use super::prometheus::Scrape;
use super::tools;
use super::truth::Truth;
use super::wait::{SOON, holds_for, wait_until};

/// What the line begins with that tells where the daemon listens.
const LISTENING: [&str; 2] = ["listening on http://", "listening on https://"];
/// How long totals must stay right after they became right: longer than a re-scan of the globs.
const SETTLED: Duration = Duration::from_millis(2_500);

/// The binary's command without arguments.
pub(crate) fn tollkeeper() -> Command {
    Command::new(env!("CARGO_BIN_EXE_tollkeeper"))
}

/// Runs the binary to its end.
pub(crate) fn output_of(arguments: &[&OsStr]) -> Output {
    tollkeeper().args(arguments).stdin(Stdio::null()).output().expect("the binary starts")
}

/// Runs the binary to its end, successfully, and returns what it wrote to stdout.
pub(crate) fn stdout_of(arguments: &[&OsStr]) -> String {
    let output = tools::run(tollkeeper().args(arguments));
    String::from_utf8(output.stdout).expect("stdout is text")
}

/// A running `tollkeeper run`.
pub(crate) struct Daemon {
    child: Child,
    stderr: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Daemon {
    /// Starts `tollkeeper run ARGUMENTS` without waiting for anything.
    pub(crate) fn spawn(arguments: &[&OsStr]) -> Self {
        Self::spawn_command(tollkeeper().arg("run").args(arguments)).expect("the binary starts")
    }

    /// Starts a command of one's own that runs the daemon, without waiting for anything.
    pub(crate) fn spawn_command(command: &mut Command) -> io::Result<Self> {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let stderr = Arc::new(Mutex::new(String::new()));
        let pipe = child.stderr.take().expect("stderr is piped");
        let sink = Arc::clone(&stderr);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
                let mut sink = sink.lock().expect("nobody panics with the lock");
                sink.push_str(&String::from_utf8_lossy(&line));
                sink.push('\n');
            }
        });
        Ok(Self { child, stderr, reader: Some(reader) })
    }

    /// Starts `tollkeeper run PATTERN --ledger LEDGER` on a free port and waits until it is ready.
    pub(crate) fn start(pattern: &Path, ledger: &Path) -> Self {
        Self::start_with(&run_arguments(pattern, ledger))
    }

    /// Starts with these arguments and waits until it is ready.
    pub(crate) fn start_with(arguments: &[&OsStr]) -> Self {
        let mut daemon = Self::spawn(arguments);
        daemon.wait_ready();
        daemon
    }

    /// Waits until `/readyz` says so.
    pub(crate) fn wait_ready(&mut self) {
        wait_until(SOON, "the daemon to be ready", || {
            if let Some(status) = self.ended() {
                panic!("the daemon ended with {status}:\n{}", self.stderr());
            }
            let answer = http::request("GET", &self.address()?, "/readyz").ok()?;
            (answer.status == 200).then_some(())
        });
    }

    /// Waits until the log says that pages are shown: for a daemon that wants TLS.
    pub(crate) fn wait_open(&mut self) {
        self.wait_said("ready: /metrics shows");
    }

    /// Waits until the log says something.
    pub(crate) fn wait_said(&mut self, text: &str) {
        wait_until(SOON, text, || {
            if let Some(status) = self.ended() {
                panic!("the daemon ended with {status}:\n{}", self.stderr());
            }
            self.stderr().contains(text).then_some(())
        });
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `host:port`, once the daemon has said it.
    pub(crate) fn address(&self) -> Option<String> {
        let stderr = self.stderr();
        let behind = |text: &str| Some(stderr.find(text)? + text.len());
        let from = LISTENING.into_iter().find_map(behind)?;
        let rest = &stderr[from..];
        let end = rest.find(|c: char| !(c.is_ascii_digit() || ".:".contains(c)))?;
        Some(rest[..end].to_owned())
    }

    /// What the daemon has written to stderr so far.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.lock().expect("nobody panics with the lock").clone()
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.request("GET", path)
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> Response {
        let address = self.address().expect("the daemon listens");
        http::request(method, &address, path)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}\n{}", self.stderr()))
    }

    /// Reads `/metrics`.
    pub(crate) fn scrape(&self) -> Scrape {
        let answer = self.get("/metrics");
        assert_eq!(answer.status, 200, "{}", answer.body);
        Scrape::parse(&answer.body)
    }

    /// Waits until a condition on `/metrics` holds and returns that page.
    pub(crate) fn wait_for(&self, what: &str, condition: impl Fn(&Scrape) -> bool) -> Scrape {
        self.wait_long_for(SOON, what, condition)
    }

    /// Like [`Self::wait_for`] with a deadline of one's own. A failure shows stderr.
    pub(crate) fn wait_long_for(
        &self,
        deadline: Duration,
        what: &str,
        condition: impl Fn(&Scrape) -> bool,
    ) -> Scrape {
        let start = Instant::now();
        wait_until(deadline + SOON, what, || {
            let scrape = self.scrape();
            if condition(&scrape) {
                return Some(scrape);
            }
            assert!(
                start.elapsed() < deadline,
                "gave up waiting for {what}\n--- requests and ingest\n{}\n--- stderr\n{}",
                excerpt(&scrape),
                self.stderr()
            );
            None
        })
    }

    /// Waits until so many records are counted.
    pub(crate) fn wait_for_requests(&self, count: u64) -> Scrape {
        self.wait_for(&format!("{count} requests"), |scrape| {
            scrape.count("tollkeeper_requests_total", &[]) >= count
        })
    }

    /// Waits until `/metrics` shows the truth, and sees that it stays there.
    pub(crate) fn wait_for_truth(&self, truth: &Truth) -> Scrape {
        let expected = truth.total().requests;
        let scrape = self.wait_long_for(2 * SOON, &format!("{expected} requests"), |scrape| {
            scrape.count("tollkeeper_requests_total", &[]) >= expected
        });
        truth.assert_in(&scrape);
        holds_for(SETTLED, "the totals stay", || truth.differences(&self.scrape()).is_empty());
        scrape
    }

    /// Sends a signal by its name (`TERM`, `HUP`), with the system's own command.
    pub(crate) fn signal(&self, name: &str) {
        tools::run(Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()));
    }

    /// Kills with SIGKILL and returns what the daemon had written to stderr.
    pub(crate) fn kill_9(mut self) -> String {
        self.child.kill().expect("a process of ours");
        self.child.wait().expect("a process of ours");
        self.join_reader()
    }

    /// Ends with SIGTERM; returns how, after how long, and what was written to stderr.
    pub(crate) fn terminate(mut self) -> (ExitStatus, Duration, String) {
        let start = Instant::now();
        self.signal("TERM");
        let status = self.wait_exit();
        let took = start.elapsed();
        (status, took, self.join_reader())
    }

    /// How the daemon ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a process of ours")
    }

    /// Waits until the daemon ends by itself.
    pub(crate) fn wait_exit(&mut self) -> ExitStatus {
        wait_until(SOON, "the daemon to end", || self.ended())
    }

    /// Resident memory in bytes, as Linux counts it.
    pub(crate) fn rss_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("Linux");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a process");
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number of kB");
        kilobytes * 1024
    }

    fn join_reader(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader does not panic");
        }
        self.stderr()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // Fails only when it ended just now, which is what is wanted.
            drop(self.child.kill());
            drop(self.child.wait());
        }
        if std::thread::panicking() {
            println!("--- stderr of the daemon\n{}", self.stderr());
        }
    }
}

/// `PATTERN --ledger LEDGER --listen 127.0.0.1:0`.
pub(crate) fn run_arguments<'a>(pattern: &'a Path, ledger: &'a Path) -> [&'a OsStr; 5] {
    let [option_ledger, option_listen, any_port] = ["--ledger", "--listen", "127.0.0.1:0"];
    [
        pattern.as_os_str(),
        option_ledger.as_ref(),
        ledger.as_os_str(),
        option_listen.as_ref(),
        any_port.as_ref(),
    ]
}

/// The lines of a page that tell what was counted.
fn excerpt(scrape: &Scrape) -> String {
    let tells = |line: &&str| {
        line.starts_with("tollkeeper_requests_total") || line.starts_with("tollkeeper_ingest_")
    };
    scrape.text.lines().filter(tells).collect::<Vec<_>>().join("\n")
}

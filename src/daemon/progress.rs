//! Tells a person how the backlog goes: a bar on a terminal, a log line now and then elsewhere.

use std::io::{self, IsTerminal as _, Write};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use indicatif::{DecimalBytes, MultiProgress, ProgressBar, ProgressStyle};

/// Time between two log lines about a backlog.
const SAY_EVERY: Duration = Duration::from_secs(10);
/// A backlog worth a bar.
const WORTH_BYTES: u64 = 16 << 20;

/// A process has one stderr, so what is drawn on it is one thing for the whole process too.
static SCREEN: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// Stderr for log lines: a bar makes room for them, else they would end up inside it.
#[derive(Clone, Copy, Debug)]
pub struct LogLines;

impl Write for LogLines {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        SCREEN.suspend(|| io::stderr().write(text))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// The backlog since the start.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    read: u64,
    said: Instant,
    behind: bool,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self { bar: None, read: 0, said: Instant::now(), behind: false }
    }

    /// Notes `bytes` read.
    pub(super) fn read(&mut self, bytes: u64) {
        self.read = self.read.saturating_add(bytes);
        if let Some(bar) = &self.bar {
            bar.set_position(self.read);
        }
    }

    /// Notes how much is left.
    pub(super) fn left(&mut self, backlog: u64) {
        if backlog == 0 {
            self.caught_up();
            return;
        }
        if !self.behind && backlog < WORTH_BYTES {
            return;
        }
        let total = self.read.saturating_add(backlog);
        if !self.behind {
            self.behind = true;
            self.said = Instant::now();
            tracing::info!(left = %DecimalBytes(backlog), "reading a backlog");
            self.bar = bar(total);
        }
        if let Some(bar) = &self.bar {
            bar.set_length(total);
        } else if self.said.elapsed() >= SAY_EVERY {
            self.said = Instant::now();
            tracing::info!(read = %DecimalBytes(self.read), of = %DecimalBytes(total), "reading the backlog");
        }
    }

    fn caught_up(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        if self.behind {
            tracing::info!(read = %DecimalBytes(self.read), "caught up with the logs");
        }
        self.behind = false;
        self.read = 0;
    }
}

fn bar(total: u64) -> Option<ProgressBar> {
    if !io::stderr().is_terminal() {
        return None;
    }
    let style = ProgressStyle::with_template(
        "{bar:40} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta}",
    )
    .ok()?;
    let bar = SCREEN.add(ProgressBar::new(total).with_style(style));
    bar.enable_steady_tick(Duration::from_millis(200));
    Some(bar)
}

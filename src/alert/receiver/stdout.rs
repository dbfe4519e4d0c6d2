//! A line to standard output for each notice, for containers whose output is collected.
//!
//! Whoever reads the other end of the pipe may stop reading. So a thread of its own writes, and the
//! runtime only waits for it; the end of the process does not wait for that thread.

use std::io::Write as _;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::oneshot;

use super::super::message::{Links, Told};
use super::webhook;
use crate::model::alert::Notice;

type Reply = oneshot::Sender<std::io::Result<()>>;

/// Writes lines to standard output.
#[derive(Clone, Debug)]
pub(in crate::alert) struct Stdout {
    /// One line waits at most; a second one means that the first could not be written.
    writer: SyncSender<(String, Reply)>,
}

/// Why a line was not written.
#[derive(Debug)]
pub(in crate::alert) enum NotWritten {
    /// Nobody reads.
    Blocked,
    /// The system refused.
    Failed(String),
}

impl Stdout {
    /// Starts the thread.
    pub(in crate::alert) fn start() -> std::io::Result<Self> {
        let (writer, lines) = sync_channel::<(String, Reply)>(1);
        std::thread::Builder::new().name("alert-stdout".to_owned()).spawn(move || {
            for (line, reply) in lines {
                let mut stdout = std::io::stdout().lock();
                let written = stdout.write_all(line.as_bytes()).and_then(|()| stdout.flush());
                // Nobody waits any more after the timeout.
                drop(reply.send(written));
            }
        })?;
        Ok(Self { writer })
    }

    /// Writes a line.
    pub(in crate::alert) async fn write(
        &self,
        line: String,
        timeout: Duration,
    ) -> Result<(), NotWritten> {
        let (reply, written) = oneshot::channel();
        self.writer.try_send((line, reply)).map_err(|_| NotWritten::Blocked)?;
        match tokio::time::timeout(timeout, written).await {
            Err(_) => Err(NotWritten::Blocked),
            Ok(Err(_)) => Err(NotWritten::Failed("the thread that writes ended".to_owned())),
            Ok(Ok(result)) => result.map_err(|error| NotWritten::Failed(error.to_string())),
        }
    }
}

/// Returns the line of a notice.
pub(in crate::alert) fn line(notice: &Notice, links: &Links, json: bool) -> String {
    if json {
        let body: Value = webhook::body(notice, links);
        format!("{body}\n")
    } else {
        format!("ALERT {}\n", Told::from(notice).lines(links).join(" | "))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::message::tests::spike;
    use super::*;
    use crate::model::alert::NoticeStatus;

    #[test]
    fn a_notice_is_one_line() {
        let notice = spike(NoticeStatus::Firing);
        assert_eq!(
            line(&notice, &Links::default(), false),
            "ALERT [page] TollkeeperSpendSpike model=anthropic.claude-v2:1: spend $412/h, usual $35/h \
             | since 2026-11-23T10:00:00Z | role/log-summariser: +$377/h, 93 % of the increase\n"
        );
        let json = line(&notice, &Links::default(), true);
        assert_eq!(json.matches('\n').count(), 1);
        let body: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(body["severity"], "page");
    }
}

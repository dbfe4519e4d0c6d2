//! What happens to log files: written in pieces, renamed, copied and truncated, compressed, and all
//! of it by the real logrotate.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::tools;

/// Opens a log as programs do that write logs: at its end, wherever that is.
pub(crate) fn open_log(path: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(path).expect("a log can be opened")
}

/// Appends to a log without keeping it open.
pub(crate) fn append(path: &Path, text: &str) {
    open_log(path).write_all(text.as_bytes()).expect("a log can be written");
}

/// The path with a suffix behind its name: `a.log` and `.1` give `a.log.1`.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Copies a log and cuts it to nothing, as `copytruncate` does. Whoever writes between the two
/// loses what he wrote.
pub(crate) fn copy_truncate(path: &Path, copy: &Path) {
    fs::copy(path, copy).expect("a log can be copied");
    OpenOptions::new().write(true).open(path).expect("a log").set_len(0).expect("a log can be cut");
}

/// Compresses as cron jobs do: the compressed file grows beside the plain one, which then goes.
pub(crate) fn gzip(path: &Path) {
    tools::run(Command::new("gzip").arg("-q").arg(path));
}

/// The real logrotate with directives of one's own for one log.
pub(crate) struct Logrotate {
    program: PathBuf,
    config: PathBuf,
    state: PathBuf,
}

impl Logrotate {
    /// Writes a configuration beside the state file in `folder`; `None` where there is no logrotate.
    pub(crate) fn new(folder: &Path, test: &str, log: &Path, directives: &[&str]) -> Option<Self> {
        let program = tools::find("logrotate", test)?;
        let name = log.file_name().and_then(|name| name.to_str()).expect("a plain name");
        let config = folder.join(format!("{name}.conf"));
        let text = format!("\"{}\" {{\n    {}\n}}\n", log.display(), directives.join("\n    "));
        fs::write(&config, text).expect("a config");
        Some(Self { program, config, state: folder.join(format!("{name}.state")) })
    }

    /// Rotates now, whatever the schedule says; tells whether logrotate was content. It is not when
    /// a dated name is taken already.
    pub(crate) fn try_rotate(&self) -> bool {
        self.command().output().expect("logrotate starts").status.success()
    }

    /// Rotates now, whatever the schedule says.
    pub(crate) fn rotate(&self) {
        tools::run(&mut self.command());
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("-f").arg("-s").arg(&self.state).arg(&self.config);
        command
    }
}

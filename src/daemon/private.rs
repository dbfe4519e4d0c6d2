//! What the daemon writes is for its user only: a ledger says who spends how much on what.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::fs::Mode;

/// Permissions of the group and of others.
const OTHERS: u32 = 0o077;

/// From now on files are made with mode 0600 and folders with 0700.
pub(super) fn close_to_others() {
    rustix::process::umask(Mode::from_bits_truncate(OTHERS));
}

/// Returns what to do about a ledger that was made when others could still look into it. It is not done here:
/// somebody may have opened it on purpose, and a wrong `--ledger` may name a folder of the system.
pub(super) fn warning(ledger: &Path) -> Option<String> {
    let mode = std::fs::metadata(ledger).ok()?.permissions().mode() & 0o777;
    (mode & OTHERS != 0).then(|| {
        let ledger = ledger.display();
        format!("other users can look into the ledger (mode {mode:o}); to end that: chmod 700 '{ledger}'")
    })
}

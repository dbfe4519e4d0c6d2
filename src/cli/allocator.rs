//! The settings of glibc's allocator. It reads them from the environment of a starting process; to
//! change them later takes unsafe code. This must never change anything but the use of memory.

use std::env;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// From this size on, memory goes back to the system when it is freed. Pieces of logs (256 KiB), which
/// are taken and dropped all the time, are smaller; buffers of sled (512 KiB) are larger.
const MAPPED_FROM: (&str, &str) = ("MALLOC_MMAP_THRESHOLD_", "393216");
/// Smaller memory goes back when so much of it is free in one piece at the end.
const TRIMMED_FROM: (&str, &str) = ("MALLOC_TRIM_THRESHOLD_", "1048576");
/// The other way to set these.
const TUNABLES: &str = "GLIBC_TUNABLES";

/// Starts this process anew, as the same one to everybody else, with these settings fixed, unless
/// somebody chose others.
///
/// Left alone, glibc raises the first to the largest block freed so far: then buffers of sled lie
/// between small blocks, and a daemon with 2,000 series holds 20 MiB of holes. If the start fails, it
/// goes on with them.
pub(super) fn start_anew_with_settings() {
    let settings = [MAPPED_FROM, TRIMMED_FROM];
    let names = settings.map(|(name, _)| name);
    if names.into_iter().chain([TUNABLES]).any(|name| env::var_os(name).is_some()) {
        return;
    }
    let mut arguments = env::args_os();
    let (Ok(program), Some(name)) = (env::current_exe(), arguments.next()) else { return };
    let error = Command::new(program).arg0(name).args(arguments).envs(settings).exec();
    tracing::warn!(%error, "can't start anew with settings of the allocator; expect some 20 MiB more");
}

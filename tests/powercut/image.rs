//! A file system in an image file. While the writer is at work, the image is copied as the
//! "disk" holds it: what the file system has not handed down yet is in memory and not in the copy.
//!
//! The writer is halted for each copy, and the copy is repeated until two are the same, so that it
//! is the disk of one moment. Halting tells no one to write anything.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use crate::{Outcome, Random, WRITER_COMMITS, WRITER_DIR, tool, workload};

pub(crate) struct FileSystem {
    pub(crate) name: &'static str,
    mkfs: &'static [&'static str],
    mount_options: &'static str,
    /// Smallest size that its `mkfs` takes, with room for the ledger.
    size: u64,
}

pub(crate) const FILE_SYSTEMS: &[FileSystem] = &[
    FileSystem {
        name: "ext4",
        mkfs: &["mkfs.ext4", "-q", "-F"],
        mount_options: "loop",
        size: 64 << 20,
    },
    FileSystem {
        name: "xfs",
        mkfs: &["mkfs.xfs", "-q", "-f"],
        mount_options: "loop,nouuid",
        size: 320 << 20,
    },
    FileSystem {
        name: "btrfs",
        mkfs: &["mkfs.btrfs", "-q", "-f"],
        mount_options: "loop",
        size: 256 << 20,
    },
];

/// How long the writer may take for what it is waited for.
const PATIENCE: Duration = Duration::from_mins(2);

/// A mounted image; unmounted when dropped.
struct Mounted(PathBuf);

impl Mounted {
    fn new(image: &Path, at: &Path, options: &str) -> Result<Self, String> {
        fs::create_dir_all(at).unwrap();
        call(Command::new("mount").args(["-o", options]).arg(image).arg(at))?;
        Ok(Self(at.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if call(Command::new("umount").arg(&self.0)).is_err() {
            let lazily = call(Command::new("umount").arg("-l").arg(&self.0));
            assert!(lazily.is_ok() || std::thread::panicking(), "{lazily:?}");
        }
    }
}

/// The writer; killed when dropped.
struct Writer {
    child: Child,
    stdout: PathBuf,
}

impl Drop for Writer {
    fn drop(&mut self) {
        let killed = self.child.kill().and_then(|()| self.child.wait());
        assert!(killed.is_ok() || std::thread::panicking(), "{killed:?}");
    }
}

pub(crate) fn run(kind: &FileSystem, copies: u64, random: &mut Random) -> Outcome {
    let home = tempfile::tempdir().unwrap();
    let image = home.path().join("image");
    File::create(&image).and_then(|file| file.set_len(kind.size)).unwrap();
    let made = call(Command::new(tool(kind.mkfs[0])).args(&kind.mkfs[1..]).arg(&image));
    if let Err(error) = made {
        return Outcome::Skipped(error);
    }
    let disk = match Mounted::new(&image, &home.path().join("disk"), kind.mount_options) {
        Ok(disk) => disk,
        Err(error) => return Outcome::Skipped(error),
    };
    let writer = Writer::start(&disk.0.join("ledger"), home.path().join("acks"));
    let mut cuts = Vec::new();
    for number in 0..copies {
        writer.wait_for(writer.acked() + 1 + random.below(60));
        (0..random.below(200_000)).for_each(|_| std::hint::spin_loop());
        let copy = home.path().join(format!("copy-{number}"));
        let acked = writer.halted(|| {
            copy_of_one_moment(&image, &copy);
            writer.acked()
        });
        cuts.push((copy, acked));
    }
    drop(writer);
    drop(disk);
    let last = cuts.last().map_or(0, |&(_, acked)| acked);
    for (copy, acked) in cuts {
        let disk = Mounted::new(&copy, &home.path().join("after"), kind.mount_options).unwrap();
        let found = workload::check(&disk.0.join("ledger"), acked);
        assert_eq!(found, Ok(()), "cut after {acked} commits on {}", kind.name);
        drop(disk);
        fs::remove_file(copy).unwrap();
    }
    Outcome::Passed(format!("{copies} of {copies} exact, the last after {last} commits"))
}

/// Copies `image` until two copies are the same.
fn copy_of_one_moment(image: &Path, copy: &Path) {
    let read = || fs::read(image).unwrap();
    let mut before = read();
    loop {
        let after = read();
        if before == after {
            break;
        }
        before = after;
    }
    write_sparsely(&before, copy);
}

fn write_sparsely(content: &[u8], path: &Path) {
    use std::os::unix::fs::FileExt;
    const PIECE: usize = 64 << 10;
    let file = File::create(path).unwrap();
    file.set_len(content.len() as u64).unwrap();
    for (place, piece) in content.chunks(PIECE).enumerate() {
        if piece.iter().any(|&byte| byte != 0) {
            file.write_all_at(piece, (place * PIECE) as u64).unwrap();
        }
    }
}

impl Writer {
    fn start(dir: &Path, stdout: PathBuf) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .env(WRITER_DIR, dir)
            .env(WRITER_COMMITS, "1000000")
            .stdout(Stdio::from(File::create(&stdout).unwrap()))
            .spawn()
            .unwrap();
        Self { child, stdout }
    }

    fn acked(&self) -> u64 {
        workload::last_ack(&fs::read_to_string(&self.stdout).unwrap())
    }

    fn wait_for(&self, number: u64) {
        wait(&format!("commit {number}"), || self.acked() >= number);
    }

    /// Runs `work` while no thread of the writer runs.
    fn halted<T>(&self, work: impl FnOnce() -> T) -> T {
        let pid = self.child.id().to_string();
        call(Command::new("kill").args(["-STOP", &pid])).unwrap();
        wait("the writer to halt", || {
            fs::read_dir(format!("/proc/{pid}/task")).unwrap().all(|thread| {
                let stat = fs::read_to_string(thread.unwrap().path().join("stat"));
                stat.is_ok_and(|stat| stat.rsplit(')').next().unwrap().starts_with(" T"))
            })
        });
        let result = work();
        call(Command::new("kill").args(["-CONT", &pid])).unwrap();
        result
    }
}

fn wait(what: &str, done: impl Fn() -> bool) {
    let started = SystemTime::now();
    while !done() {
        assert!(started.elapsed().unwrap() < PATIENCE, "waited too long for {what}");
        std::thread::yield_now();
    }
}

fn call(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("can't run {command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?}: {}", words.lines().next().unwrap_or("it failed")))
}

//! What a process did to the files of one folder, read from the output of strace. It must stop at
//! every call that it does not understand: a write that is overlooked would make the test blind.

use std::collections::{BTreeMap, BTreeSet};

/// The calls that change files or make changes durable. (`lseek` is here to be refused.)
pub(crate) const CALLS: &str = "trace=write,pwrite64,writev,pwritev,pwritev2,fsync,fdatasync,\
    sync_file_range,ftruncate,truncate,fallocate,rename,renameat,renameat2,unlink,unlinkat,mkdir,\
    mkdirat,open,openat,creat,lseek,mmap";

/// One call, in the order in which calls returned.
#[derive(Debug)]
pub(crate) struct Event {
    /// How many calls had returned when this one began.
    pub(crate) began: usize,
    pub(crate) what: What,
}

/// Names are relative to the folder; the folder itself is the empty name.
#[derive(Debug)]
pub(crate) enum What {
    Write { name: String, offset: usize, data: Vec<u8> },
    Resize { name: String, len: usize },
    Create { name: String },
    MakeFolder { name: String },
    Rename { from: String, to: String },
    Remove { name: String },
    Sync { name: String, data_only: bool },
    Ack(u64),
}

/// Reads a trace (made with `-f -y -xx`) of a process that works in `dir`.
pub(crate) fn parse(text: &str, dir: &str) -> Vec<Event> {
    let mut reader = Reader { dir, ..Reader::default() };
    for line in text.lines() {
        let (pid, call) = line.split_once(' ').unwrap();
        reader.line(pid, call.trim_start());
    }
    reader.events
}

#[derive(Default)]
struct Reader<'t> {
    dir: &'t str,
    events: Vec<Event>,
    /// First half of calls that were interrupted by another thread's, by process id.
    unfinished: BTreeMap<&'t str, (usize, &'t str)>,
    /// Write positions by descriptor.
    offsets: BTreeMap<String, usize>,
    known: BTreeSet<String>,
}

impl<'t> Reader<'t> {
    fn line(&mut self, pid: &'t str, call: &'t str) {
        if call.starts_with("+++") || call.starts_with("---") {
            return;
        }
        let now = self.events.len();
        if let Some(first) = call.strip_suffix("<unfinished ...>") {
            self.unfinished.insert(pid, (now, first.trim_end()));
            return;
        }
        if let Some((_, second)) = call.split_once(" resumed>") {
            let (began, first) = self.unfinished.remove(pid).unwrap();
            self.call(began, &format!("{first}{second}"));
        } else {
            self.call(now, call);
        }
    }

    fn call(&mut self, began: usize, call: &str) {
        let (name, rest) = call.split_once('(').unwrap();
        let (arguments, result) = rest.rsplit_once(" = ").unwrap();
        if result.starts_with('-') || result.starts_with('?') {
            return;
        }
        let arguments = arguments.trim_end().strip_suffix(')').unwrap();
        let arguments: Vec<&str> = arguments.split(", ").collect();
        if let Some(what) = self.what(name, &arguments, result) {
            self.events.push(Event { began, what });
        }
    }

    fn what(&mut self, call: &str, arguments: &[&str], result: &str) -> Option<What> {
        let first = arguments[0];
        match call {
            "open" | "openat" | "creat" => return self.opened(result, arguments),
            // Only a writable shared mapping changes a file.
            "mmap" => {
                let writes = arguments[2].contains("PROT_WRITE") && arguments[3].contains("SHARED");
                assert!(!writes || self.name_of(arguments[4]).is_none(), "a file is mapped");
                return None;
            }
            "mkdir" => return Some(What::MakeFolder { name: self.inside(&text(first))? }),
            "rename" => {
                let (from, to) = (self.inside(&text(first))?, self.inside(&text(arguments[1])));
                return Some(What::Rename { from, to: to.unwrap() });
            }
            "unlink" => return Some(What::Remove { name: self.inside(&text(first))? }),
            "write" if first.starts_with("1<") => {
                let line = String::from_utf8(bytes(arguments[1])).unwrap();
                return Some(What::Ack(line.trim().strip_prefix("ack ")?.parse().unwrap()));
            }
            _ => {}
        }
        let name = self.name_of(first)?;
        let written = || -> usize { result.parse().unwrap() };
        match call {
            "pwrite64" => {
                let data = bytes(arguments[1]);
                assert_eq!(data.len(), written(), "a short write");
                Some(What::Write { name, offset: arguments[3].parse().unwrap(), data })
            }
            "write" => {
                let data = bytes(arguments[1]);
                assert_eq!(data.len(), written(), "a short write");
                let place = self.offsets.get_mut(descriptor(first)).unwrap();
                let offset = *place;
                *place += data.len();
                Some(What::Write { name, offset, data })
            }
            "ftruncate" => Some(What::Resize { name, len: arguments[1].parse().unwrap() }),
            "fsync" | "fdatasync" => Some(What::Sync { name, data_only: call == "fdatasync" }),
            // It starts writing and promises nothing.
            "sync_file_range" => None,
            "lseek" if result == "0" => {
                self.offsets.insert(descriptor(first).to_owned(), 0);
                None
            }
            "lseek" if arguments[2] == "SEEK_END" => {
                self.offsets.insert(descriptor(first).to_owned(), written());
                None
            }
            _ => panic!("the trace has a call that this test does not know: {call} on {name}"),
        }
    }

    fn opened(&mut self, result: &str, arguments: &[&str]) -> Option<What> {
        let name = self.name_of(result)?;
        let flags = arguments.iter().find(|argument| argument.starts_with("O_")).unwrap();
        assert!(!flags.contains("O_APPEND"), "a file is appended to");
        self.offsets.insert(descriptor(result).to_owned(), 0);
        if flags.contains("O_CREAT") && self.known.insert(name.clone()) {
            return Some(What::Create { name });
        }
        flags.contains("O_TRUNC").then_some(What::Resize { name, len: 0 })
    }

    /// Returns the name of a descriptor such as `3</path>`, if it is in the folder.
    fn name_of(&self, argument: &str) -> Option<String> {
        let (_, path) = argument.strip_suffix('>')?.split_once('<')?;
        self.inside(&String::from_utf8(unhex(path)).unwrap())
    }

    fn inside(&self, path: &str) -> Option<String> {
        let name = path.strip_prefix(self.dir)?;
        if name.is_empty() { Some(String::new()) } else { Some(name.strip_prefix('/')?.to_owned()) }
    }
}

fn descriptor(argument: &str) -> &str {
    argument.split_once('<').unwrap().0
}

fn text(argument: &str) -> String {
    String::from_utf8(bytes(argument)).unwrap()
}

fn bytes(argument: &str) -> Vec<u8> {
    unhex(argument.strip_prefix('"').unwrap().strip_suffix('"').expect("a string in whole"))
}

/// Reads `\x61\x62`; a part that strace left as it is stands for itself.
fn unhex(text: &str) -> Vec<u8> {
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16).unwrap()).unwrap();
    let mut rest = text.as_bytes();
    let mut bytes = Vec::with_capacity(rest.len() / 4);
    while let Some((&byte, tail)) = rest.split_first() {
        rest = match tail {
            [b'x', high, low, tail @ ..] if byte == b'\\' => {
                bytes.push(digit(*high) * 16 + digit(*low));
                tail
            }
            _ => {
                bytes.push(byte);
                tail
            }
        };
    }
    bytes
}

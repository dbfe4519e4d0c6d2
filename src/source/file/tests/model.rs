//! Random histories of a rotated log against a model that knows which lines must be counted.
//!
//! `TOLLKEEPER_MODEL_ROUNDS` makes it run longer, `TOLLKEEPER_MODEL_SEED` repeats one round.

use std::collections::BTreeSet;

use super::*;

/// Splitmix64: small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// A line that is written in part: to which handle, what is left, and its name in the model.
struct Half {
    file: File,
    rest: String,
    line: String,
    /// Whether `file` is a file that was renamed since.
    behind: bool,
}

/// The truth: a writer with its handle, and the files it left behind.
struct World {
    rig: Rig,
    dice: Dice,
    /// Whether half of the records take several lines.
    pretty: bool,
    writer: File,
    half: Option<Half>,
    next_line: u64,
    /// All lines by file content, current name first: `app.log`, `app.log.1`, ….
    files: Vec<(String, Vec<String>)>,
    targets: u64,
    must: BTreeSet<String>,
    may: BTreeSet<String>,
    log: Vec<String>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let globs: &[&str] =
            if dice.below(2) == 0 { &["app.log", "link.log"] } else { &["app*", "link*"] };
        let rig = Rig::with(globs, |config| config.open_files_max = 1 + (seed % 5) as usize);
        let writer = Self::open(&rig, "app.log");
        let pretty = dice.below(2) == 0;
        let mut world = Self {
            rig,
            dice,
            pretty,
            writer,
            half: None,
            next_line: 0,
            files: vec![("app.log".to_owned(), Vec::new())],
            targets: 0,
            must: BTreeSet::new(),
            may: BTreeSet::new(),
            log: Vec::new(),
        };
        world.switch_link();
        // What was there before anybody looked is nobody's promise: begin with a look.
        world.rig.sweep();
        world
    }

    fn open(rig: &Rig, name: &str) -> File {
        OpenOptions::new().create(true).append(true).open(rig.path(name)).unwrap()
    }

    fn line(&mut self) -> String {
        let n = self.next_line;
        self.next_line += 1;
        let filler = self.dice.below(4);
        let filler = "x".repeat(if filler == 0 { 3000 } else { filler as usize * 60 });
        if self.pretty && self.dice.below(2) == 0 {
            return format!("{{\n  \"n\":{n},\n  \"x\":\"{filler}\"\n}}");
        }
        format!("{{\"n\":{n},\"x\":\"{filler}\"}}")
    }

    fn append(&mut self) {
        if self.half.as_ref().is_some_and(|half| !half.behind) {
            self.complete();
        }
        for _ in 0..=self.dice.below(12) {
            let line = self.line();
            self.writer.write_all(format!("{line}\n").as_bytes()).unwrap();
            self.files[0].1.push(line.clone());
            self.must.insert(line);
        }
    }

    fn begin_half(&mut self) {
        if self.half.is_some() {
            return;
        }
        let line = self.line();
        let (head, rest) = line.split_at(1 + self.dice.below(line.len() as u64 - 1) as usize);
        self.writer.write_all(head.as_bytes()).unwrap();
        self.half = Some(Half {
            file: self.writer.try_clone().unwrap(),
            rest: format!("{rest}\n"),
            line: line.clone(),
            behind: false,
        });
    }

    fn complete(&mut self) {
        let Some(mut half) = self.half.take() else { return };
        half.file.write_all(half.rest.as_bytes()).unwrap();
        let index = usize::from(half.behind);
        self.files[index].1.push(half.line.clone());
        if !self.may.contains(&half.line) {
            self.must.insert(half.line);
        }
    }

    /// The half line may never be whole again: its file is finished, copied or gone.
    fn give_up_half(&mut self) {
        if let Some(half) = self.half.take() {
            self.may.insert(half.line);
        }
    }

    /// Before a rotated file is finished: its half line is given up, one of the current file not.
    fn finish_behind(&mut self) {
        if self.half.as_ref().is_some_and(|half| half.behind) {
            self.give_up_half();
        }
    }

    fn shift(&mut self) {
        for index in (1..self.files.len()).rev() {
            let old = self.files[index].0.clone();
            let compressed = if old.ends_with(".gz") { ".gz" } else { "" };
            let new = format!("app.log.{}{compressed}", index + 1);
            self.rig.rename(&old, &new);
            self.files[index].0 = new;
        }
    }

    fn rotate(&mut self) {
        self.finish_behind();
        self.shift();
        self.rig.rename("app.log", "app.log.1");
        self.files[0].0 = "app.log.1".to_owned();
        self.files.insert(0, ("app.log".to_owned(), Vec::new()));
        self.writer = Self::open(&self.rig, "app.log");
        if let Some(half) = self.half.as_mut() {
            half.behind = true;
        }
    }

    fn copytruncate(&mut self) {
        self.give_up_half();
        self.shift();
        self.rig.copy("app.log", "app.log.1");
        if self.dice.below(3) == 0 {
            self.sweep();
        }
        let copied = self.files[0].1.len();
        if self.dice.below(2) == 0 {
            self.append();
        }
        if self.dice.below(3) == 0 {
            self.sweep();
        }
        let late = self.files[0].1.split_off(copied);
        self.lose(&late);
        let lines = std::mem::take(&mut self.files[0].1);
        self.rig.truncate("app.log");
        self.files.insert(1, ("app.log.1".to_owned(), lines));
    }

    /// Lines that no file holds any more may be lost unless they are committed.
    fn lose(&mut self, lines: &[String]) {
        for line in lines.iter().filter(|line| !self.rig.counted.contains_key(*line)) {
            self.must.remove(line);
            self.may.insert(line.clone());
        }
    }

    fn gzip(&mut self) {
        self.finish_behind();
        let plain = self.files.iter().skip(1).position(|(name, _)| !name.ends_with(".gz"));
        let Some(index) = plain.map(|index| index + 1) else { return };
        let name = self.files[index].0.clone();
        if self.dice.below(2) == 0 {
            let whole = gzipped(&fs::read(self.rig.path(&name)).unwrap());
            let part = self.dice.below(whole.len() as u64) as usize;
            fs::write(self.rig.path(&format!("{name}.gz")), &whole[..part]).unwrap();
            self.sweep();
        }
        self.rig.gzip(&name);
        self.files[index].0 = format!("{name}.gz");
    }

    fn delete_oldest(&mut self) {
        if self.files.len() < 2 {
            return;
        }
        self.finish_behind();
        let (name, lines) = self.files.pop().unwrap();
        self.lose(&lines);
        self.rig.remove(&name);
    }

    fn delete_and_recreate(&mut self) {
        self.give_up_half();
        let lines = std::mem::take(&mut self.files[0].1);
        self.lose(&lines);
        self.rig.remove("app.log");
        self.writer = Self::open(&self.rig, "app.log");
    }

    fn switch_link(&mut self) {
        self.targets += 1;
        let target = format!("link-{}.log", self.targets);
        let line = self.line();
        self.rig.append(&target, &format!("{line}\n"));
        self.must.insert(line);
        let link = self.rig.path("link.log");
        drop(fs::remove_file(&link));
        std::os::unix::fs::symlink(self.rig.path(&target), link).unwrap();
    }

    fn append_to_target(&mut self) {
        let line = self.line();
        self.rig.append(&format!("link-{}.log", self.targets), &format!("{line}\n"));
        self.must.insert(line);
    }

    fn sweep(&mut self) {
        self.rig.sweep();
    }

    fn wait(&mut self) {
        // A finished file's half line is decided by then.
        self.finish_behind();
        self.rig.settle();
    }

    fn crash(&mut self) {
        let committed = self.dice.below(6) as usize;
        let all = self.rig.sweep_once(Look::Everything, committed);
        self.log.push(format!("  {committed} of {all} batches"));
        self.rig.restart();
    }

    fn act(&mut self) {
        let (name, action): (&str, fn(&mut Self)) = match self.dice.below(26) {
            0..=4 => ("append", Self::append),
            5 => ("half", Self::begin_half),
            6 | 7 => ("complete", Self::complete),
            8..=10 => ("rotate", Self::rotate),
            11 | 12 => ("copytruncate", Self::copytruncate),
            13 | 14 => ("gzip", Self::gzip),
            15 => ("delete oldest", Self::delete_oldest),
            16 => ("delete and recreate", Self::delete_and_recreate),
            17 => ("switch link", Self::switch_link),
            18 => ("append to target", Self::append_to_target),
            19..=21 => ("sweep", Self::sweep),
            22 => ("wait", Self::wait),
            23 => ("crash", Self::crash),
            24 => ("restart", |world| world.rig.restart()),
            _ => ("later", |world| world.rig.now_ms += 700),
        };
        self.log.push(name.to_owned());
        action(self);
    }

    fn check(&mut self) {
        self.rig.settle();
        self.rig.restart();
        self.rig.settle();
        let mut wrong = Vec::new();
        for line in &self.must {
            let times = self.rig.counted.get(line).copied().unwrap_or(0);
            if times != 1 {
                wrong.push(format!("{times} times: {}", &line[..10]));
            }
        }
        for line in &self.may {
            let times = self.rig.counted.get(line).copied().unwrap_or(0);
            if times > 1 {
                wrong.push(format!("{times} times, at most once: {}", &line[..10]));
            }
        }
        let files: Vec<_> = self
            .files
            .iter()
            .map(|(name, lines)| (name, lines.iter().map(|line| &line[5..8]).collect::<Vec<_>>()))
            .collect();
        assert!(
            wrong.is_empty(),
            "{wrong:#?}\n{:?}\n{files:?}\n{}",
            self.rig.config.include,
            self.log.join("\n")
        );
    }
}

#[expect(clippy::disallowed_methods, reason = "the length of a model test is set from outside")]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn whatever_happens_to_a_log_each_line_is_counted_once() {
    let seeds = match number("TOLLKEEPER_MODEL_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("TOLLKEEPER_MODEL_ROUNDS").unwrap_or(150),
    };
    for seed in seeds {
        let round = std::panic::catch_unwind(|| {
            let mut world = World::new(seed);
            for _ in 0..60 {
                world.act();
            }
            world.check();
        });
        assert!(round.is_ok(), "repeat it with TOLLKEEPER_MODEL_SEED={seed}");
    }
}

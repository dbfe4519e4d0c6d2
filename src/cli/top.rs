//! `tollkeeper top`: what is being spent right now, on a terminal, from a running daemon.

mod facts;
mod screen;

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};

use super::args::DaemonArgs;
use super::ask::Remote;
use super::failure::Failure;

use self::facts::Facts;

/// Time between two looks.
const EVERY: Duration = Duration::from_secs(2);

pub(super) fn top(args: &DaemonArgs) -> Result<(), Failure> {
    if !std::io::stdout().is_terminal() {
        let hint = "`tollkeeper report --since 1h --by principal` prints once";
        return Err(Failure::with_hint("`top` needs a terminal", hint));
    }
    let daemon = Remote::of(args)?;
    // The first look is before the screen is taken, so that a failure is told like any other.
    let mut facts = Facts::load(&daemon)?;
    let mut terminal = ratatui::init();
    let result = show(&mut terminal, &daemon, &mut facts);
    ratatui::restore();
    result
}

fn show(
    terminal: &mut ratatui::DefaultTerminal,
    daemon: &Remote,
    facts: &mut Facts,
) -> Result<(), Failure> {
    let mut trouble = None;
    loop {
        terminal.draw(|frame| screen::draw(frame, facts, trouble.as_deref()))?;
        let next = Instant::now() + EVERY;
        while let Some(left) = next.checked_duration_since(Instant::now()) {
            if !event::poll(left)? {
                break;
            }
            match event::read()? {
                Event::Key(key) if key.kind == KeyEventKind::Press => match key.code {
                    KeyCode::Char('q') | KeyCode::Esc => return Ok(()),
                    KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                        return Ok(());
                    }
                    _ => {}
                },
                Event::Resize(..) => break,
                _ => {}
            }
        }
        // A daemon that restarts comes back; meanwhile the last facts stay, and it is said.
        match Facts::load(daemon) {
            Ok(new) => {
                *facts = new;
                trouble = None;
            }
            Err(failure) => trouble = failure.text(),
        }
    }
}

//! What the program tells about itself: help, completions, manual pages.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::daemon::{output_of, stdout_of, tollkeeper};
use crate::support::tools;
use crate::support::work_dir::WorkDir;

/// What fits a terminal nobody has made larger.
const SCREEN_LINES: usize = 32;

/// Every command with its subcommands, found as a person finds them: by asking for help.
fn commands() -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut open = vec![Vec::new()];
    while let Some(path) = open.pop() {
        let help = help(&path);
        let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
        for line in listed.take_while(|line| !line.is_empty()) {
            let Some(name) = line.strip_prefix("  ").filter(|line| !line.starts_with(' ')) else {
                continue;
            };
            let name = name.split(' ').next().unwrap().to_owned();
            if name != "help" {
                open.push([path.clone(), vec![name]].concat());
            }
        }
        found.push(path);
    }
    found
}

fn help(path: &[String]) -> String {
    let mut arguments: Vec<&str> = path.iter().map(String::as_str).collect();
    arguments.push("-h");
    let arguments: Vec<&std::ffi::OsStr> = arguments.iter().map(AsRef::as_ref).collect();
    stdout_of(&arguments)
}

#[test]
fn the_help_fits_a_screen_and_every_command_has_examples() {
    let commands = commands();
    assert!(commands.len() > 10, "{commands:?}");
    for path in &commands {
        let help = help(path);
        let examples = help.split_once("Examples:\n").map(|(_, examples)| examples);
        let start = format!("  tollkeeper {}", path.join(" "));
        let is_there = examples.is_some_and(|examples| examples.contains(start.trim_end()));
        assert!(is_there, "`{}` has no examples:\n{help}", path.join(" "));
    }
    let top = help(&[]);
    assert!(top.lines().count() <= SCREEN_LINES, "{} lines\n{top}", top.lines().count());
}

#[test]
fn completions_are_taken_by_their_shells_and_know_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = stdout_of(&["completions".as_ref(), shell.as_ref()]);
        for name in commands().iter().filter_map(|path| path.last()) {
            assert!(script.contains(name.as_str()), "{shell} does not know {name}");
        }
        let check = match shell {
            "bash" | "zsh" | "fish" => "-n",
            _ => continue,
        };
        let Some(program) = tools::find(shell, &format!("completions for {shell}")) else {
            continue;
        };
        let work = WorkDir::new("completions");
        let file = work.file("script", &script);
        tools::run(Command::new(program).arg(check).arg(file));
    }
    let output = output_of(&["completions".as_ref(), "tcsh".as_ref()]);
    assert_eq!(output.status.code(), Some(2));
}

/// Bash really completes: the function that the script defines is called as the shell would.
#[test]
fn bash_completes_a_command() {
    let Some(bash) = tools::find("bash", "completion in bash") else { return };
    let work = WorkDir::new("completions-bash");
    let script = stdout_of(&["completions".as_ref(), "bash".as_ref()]);
    let file = work.file("script", script);
    let ask = "source \"$1\"; COMP_WORDS=(tollkeeper sim); COMP_CWORD=1; \
               _tollkeeper tollkeeper sim tollkeeper; printf '%s\\n' \"${COMPREPLY[@]}\"";
    let output = tools::run(Command::new(bash).args(["--norc", "-c", ask, "-"]).arg(file));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "simulate\n");
}

#[test]
fn manual_pages_are_readable_by_man() {
    let work = WorkDir::new("man");
    let pages = work.folder("man1");
    stdout_of(&["man".as_ref(), "--out".as_ref(), pages.as_os_str()]);
    for path in commands() {
        let name = [vec!["tollkeeper".to_owned()], path].concat().join("-");
        assert!(pages.join(format!("{name}.1")).is_file(), "there is no page {name}");
    }
    let page = stdout_of(&["man".as_ref()]);
    assert!(page.contains(".TH tollkeeper 1") && page.contains("Examples:"), "{page}");
    let Some(man) = tools::find("man", "the manual page") else { return };
    let output = Command::new(man)
        .args(["--local-file", "--warnings"])
        .arg(pages.join("tollkeeper-run.1"))
        .env("MANWIDTH", "100")
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (text, warnings) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && warnings.is_empty(), "{warnings}");
    assert!(text.contains("tollkeeper run tollkeeper.toml"), "{text}");
}

#[test]
fn the_shipped_reference_is_what_is_printed_and_is_a_config() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/reference.toml");
    let printed = stdout_of(&["reference".as_ref()]);
    let is_same = std::fs::read_to_string(&shipped).is_ok_and(|shipped| shipped == printed);
    assert!(is_same, "the config has changed: tollkeeper reference > examples/reference.toml");
    stdout_of(&["check".as_ref(), "config".as_ref(), shipped.as_os_str()]);
}

#[test]
fn pages_that_cannot_be_written_are_an_error_and_no_panic() {
    let output = output_of(&["man".as_ref(), "--out".as_ref(), "/nonexistent/man1".as_ref()]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr.contains("can't write the manual pages to `/nonexistent/man1`"), "{stderr}");
    let mut child = tollkeeper()
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

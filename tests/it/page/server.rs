//! What the page is made of, seen from HTTP: its files, their headers, the stream of events, and who is not served.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::time::Duration;

use crate::doors::{basic, config, hash, start};
use crate::support::daemon::Daemon;
use crate::support::http::{Response, connect, request_with};
use crate::support::json;
use crate::support::log::Call;
use crate::support::work_dir::WorkDir;

const HTML: &str = "Accept: text/html,application/xhtml+xml,*/*;q=0.8";
/// The goal is 150 KB.
const WEIGHT_MAX: usize = 100_000;

fn ask(daemon: &Daemon, path: &str, headers: &[&str]) -> Response {
    request_with("GET", &daemon.address().unwrap(), path, headers).unwrap()
}

/// The addresses behind `src="…"`, `href="…"` and `from '…'`.
fn links(text: &str) -> BTreeSet<String> {
    let marks = [("src=\"", '"'), ("href=\"", '"'), ("from './", '\'')];
    let of = |(mark, end): (&'static str, char)| {
        text.split(mark).skip(1).filter_map(move |rest| Some(rest.split_once(end)?.0.to_owned()))
    };
    marks.into_iter().flat_map(of).collect()
}

#[test]
fn the_page_is_light_asks_for_nothing_from_elsewhere_and_its_policy_is_strict() {
    let work = WorkDir::new("page-server");
    let daemon = start(&config(&work, ""));
    let index = ask(&daemon, "/", &[HTML]);
    assert_eq!(index.header("content-type"), Some("text/html; charset=utf-8"));
    let mut weight = index.body.len();
    let mut named = links(&index.body);
    named.retain(|link| link.starts_with("page/"));
    let preloaded = named.clone();
    let mut asked = BTreeSet::new();
    while let Some(path) = named.pop_first() {
        let file = ask(&daemon, &format!("/{path}"), &[]);
        assert_eq!(file.status, 200, "{path}");
        weight += file.body.len();
        asked.insert(path);
        if file.header("content-type").unwrap().starts_with("text/javascript") {
            let imports = links(&file.body).into_iter().map(|name| format!("page/{name}"));
            named.extend(imports.filter(|path| !asked.contains(path)));
        }
        for forbidden in
            ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "https://"]
        {
            assert!(!file.body.contains(forbidden), "`{forbidden}` is in a file of the page");
        }
        assert_eq!(file.header("content-security-policy"), index.header("content-security-policy"));
        let held = format!("If-None-Match: {}", file.header("etag").unwrap());
        assert_eq!(ask(&daemon, &format!("/{}", asked.last().unwrap()), &[&held]).status, 304);
    }
    assert_eq!(
        asked, preloaded,
        "what modules import is named on the page, so that it comes at once"
    );
    println!("the page weighs {weight} bytes in {} files", asked.len() + 1);
    assert!(weight < WEIGHT_MAX, "{weight} bytes");
    let policy = index.header("content-security-policy").unwrap();
    for part in [
        "default-src 'none'",
        "script-src 'self';",
        "style-src 'self';",
        "connect-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(index.header("cache-control"), Some("no-cache"));
    assert_eq!(index.header("vary"), Some("accept"));

    for path in ["/", "/endpoints"] {
        let list = ask(&daemon, path, &["Accept: */*"]);
        assert_eq!(list.header("content-type"), Some("text/plain; charset=utf-8"));
        assert!(list.body.contains("/api/v1/events"), "{}", list.body);
    }
    for path in ["/page", "/page/", "/page/none.js", "/page/../style.css", "/page/style.css/"] {
        assert_eq!(ask(&daemon, path, &[]).status, 404, "{path}");
    }
}

#[test]
fn answers_about_usage_have_a_tag_and_say_how_far_back_the_ledger_reaches() {
    let work = WorkDir::new("page-tag");
    let daemon = start(&config(&work, ""));
    daemon.wait_for_requests(1);
    let path = "/api/v1/usage?since=2026-06-01&until=2026-06-02&by=model";
    let first = ask(&daemon, path, &[]);
    let held = format!("If-None-Match: {}", first.header("etag").unwrap());
    let second = ask(&daemon, path, &[&held]);
    assert_eq!((second.status, second.body.as_str()), (304, ""));
    let answer = json::parse(&first.body);
    // The call is of 08:00 on the first of June, in a row by the hour by now.
    assert_eq!(json::text(&answer, "/of/oldest"), "2026-06-01T08:00:00Z");
    let ledger = json::parse(&ask(&daemon, "/api/v1/ledger", &[]).body);
    assert_eq!(json::text(&ledger, "/newest_record"), "2026-06-01T08:00:00Z");
    let known: Vec<&str> =
        ledger["dimensions"].as_array().unwrap().iter().filter_map(|name| name.as_str()).collect();
    assert!(known.contains(&"model") && known.contains(&"principal"), "{known:?}");
}

/// A stream of events, read line by line.
pub(super) struct Events(BufReader<std::net::TcpStream>);

impl Events {
    pub(super) fn open(daemon: &Daemon, headers: &str) -> Self {
        let address = daemon.address().unwrap();
        let mut stream = connect(&address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let request = format!("GET /api/v1/events HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        Self(BufReader::new(stream))
    }

    /// The next line that begins so; nothing at the end of the stream.
    pub(super) fn next(&mut self, beginning: &str) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            if let Some(rest) = line.strip_prefix(beginning) {
                return Some(rest.trim().to_owned());
            }
        }
    }
}

#[test]
fn events_come_after_commits_and_the_stream_ends_with_the_daemon() {
    let work = WorkDir::new("page-events");
    let daemon = start(&config(&work, ""));
    daemon.wait_for_requests(1);
    let mut events = Events::open(&daemon, "");
    assert_eq!(events.next("content-type: ").unwrap(), "text/event-stream");
    assert_eq!(events.next("retry: ").unwrap(), "2000");
    assert_eq!(
        events.next("event: ").unwrap(),
        "commit",
        "who comes back may have missed something"
    );
    let mut call = Call::example();
    call.request_id = Some("another".to_owned());
    let log = work.join("logs/app.log");
    let lines = std::fs::read_to_string(&log).unwrap() + &call.bedrock_line();
    std::fs::write(&log, lines).unwrap();
    daemon.wait_for_requests(2);
    let mut seen = Vec::new();
    while seen.len() < 3 {
        let event = events.next("event: ").unwrap();
        let at = json::parse(&events.next("data: ").unwrap());
        assert!(json::text(&at, "/at").ends_with('Z'));
        seen.push(event);
    }
    assert!(
        seen.contains(&"commit".to_owned()) && seen.contains(&"evaluation".to_owned()),
        "{seen:?}"
    );
    assert_eq!(daemon.request("POST", "/api/v1/events").status, 405);
    while events.next("event: ").expect("the stream goes on") != "beat" {}
    let (status, took, stderr) = daemon.terminate();
    assert!(status.success(), "{stderr}");
    assert!(took < Duration::from_secs(2), "{took:?}");
    while events.next("event: ").is_some() {}
}

#[test]
fn streams_leave_places_for_others_and_end_with_the_lock_they_came_in_by() {
    let work = WorkDir::new("page-streams");
    work.file("web.yml", format!("basic_auth_users:\n  bob: {}\n", hash("builder")));
    let mut daemon = start(&config(&work, "[web]\nconfig_file = \"web.yml\""));
    let login = format!("{}\r\n", basic("bob", "builder"));
    assert_eq!(ask(&daemon, "/api/v1/events", &[]).status, 401);
    let mut streams: Vec<Events> = (0..64).map(|_| Events::open(&daemon, &login)).collect();
    for stream in &mut streams {
        stream.next("retry: ").expect("a stream");
    }
    let refused = ask(&daemon, "/api/v1/events", &[login.trim()]);
    assert_eq!(refused.status, 503, "{}", refused.body);
    assert!(refused.body.contains("too many streams"), "{}", refused.body);
    assert_eq!(ask(&daemon, "/metrics", &[login.trim()]).status, 200);
    daemon.signal("HUP");
    daemon.wait_said("reloaded");
    for stream in &mut streams {
        while stream.next("event: ").is_some() {}
    }
    let mut stream = Events::open(&daemon, &login);
    assert_eq!(stream.next("event: ").unwrap(), "commit");
}

#[test]
fn a_page_that_gave_its_own_name_our_address_reads_nothing() {
    let work = WorkDir::new("page-names");
    let daemon = start(&config(&work, "[web]\nhost_names = [\"toll.example.org\"]"));
    let address = daemon.address().unwrap();
    let port = address.rsplit(':').next().unwrap();
    // The last `Host` is what counts for who sends two; so the helper's own is replaced.
    let by_name = |path: &str, name: &str| {
        let mut stream = connect(&address).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n");
        crate::support::http::exchange(&mut stream, request.as_bytes()).unwrap()
    };
    for path in ["/", "/page/main.js", "/api/v1/usage", "/api/v1/events", "/endpoints"] {
        let refused = by_name(path, &format!("evil.example:{port}"));
        assert_eq!(refused.status, 421, "{path}");
        assert!(refused.body.contains("[web] host_names"), "{}", refused.body);
        assert!(!refused.body.contains("tollkeeper"), "{}", refused.body);
    }
    let open = ["/metrics", "/healthz", "/readyz", "/api/v1/gate?budget=x"];
    for path in open {
        assert!([200, 404].contains(&by_name(path, "evil.example").status), "{path}");
    }
    for name in ["localhost", "127.0.0.1", "[::1]", "toll.example.org", "10.0.0.7"] {
        assert_eq!(by_name("/endpoints", &format!("{name}:{port}")).status, 200, "{name}");
    }
    // Such a page can also tell where it is from.
    let mut stream = connect(&address).unwrap();
    let reload = "POST /-/reload HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let refused = crate::support::http::exchange(&mut stream, reload.as_bytes()).unwrap();
    assert_eq!(refused.status, 403, "{}", refused.body);
}

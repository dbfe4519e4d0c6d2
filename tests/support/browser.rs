//! A real browser, headless, driven through its driver (W3C "WebDriver"): JSON over HTTP, so no library is needed. (The
//! usual ones bring a second HTTP stack, or a licence that is not permissive.)
//!
//! Each has a profile of its own and asks for nothing from elsewhere. It ends with the test.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::http;
use super::tools;
use super::wait::{SOON, wait_until};
use super::work_dir::WorkDir;

/// How the standard names an element in JSON.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// As root there is no sandbox; in a container little shared memory.
const ARGUMENTS: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
];
/// Keys, as the standard names them.
pub(crate) const TAB: &str = "\u{e004}";
pub(crate) const ENTER: &str = "\u{e007}";
pub(crate) const ESCAPE: &str = "\u{e00c}";
pub(crate) const RIGHT: &str = "\u{e014}";
pub(crate) const LEFT: &str = "\u{e012}";
pub(crate) const UP: &str = "\u{e013}";
pub(crate) const HOME: &str = "\u{e011}";
pub(crate) const END: &str = "\u{e010}";

/// A browser with one page.
pub(crate) struct Browser {
    driver: Child,
    address: String,
    session: String,
    profile: WorkDir,
}

impl Browser {
    /// Starts a browser; without the programs it says so on a line that begins with `skipped:`.
    pub(crate) fn start(test: &str) -> Option<Self> {
        let driver = tools::find("chromedriver", test)?;
        let browser = tools::find("chromium", test)?;
        let profile = WorkDir::new("browser");
        let mut driver = Command::new(driver)
            .arg("--port=0")
            // Nothing of a desktop is meant, if there is one.
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .env("TZ", "UTC")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the driver starts");
        let address = address_of(&mut driver);
        let mut started = Self { driver, address, session: String::new(), profile };
        let mut arguments: Vec<String> = ARGUMENTS.map(str::to_owned).to_vec();
        arguments.push(format!("--user-data-dir={}", started.profile.path().display()));
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": { "binary": browser, "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let session = started.command("POST", "/session", &capabilities);
        session["sessionId"].as_str().expect("a session").clone_into(&mut started.session);
        Some(started)
    }

    /// Sends a command that must succeed.
    fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        self.try_command(method, path, body)
            .unwrap_or_else(|error| panic!("{method} {path} {body:.200}: {error}"))
    }

    fn try_command(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let path = if self.session.is_empty() {
            path.to_owned()
        } else {
            format!("/session/{}{path}", self.session)
        };
        let body = if method == "POST" { body.to_string() } else { String::new() };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.address,
            body.len()
        );
        let mut stream = http::connect(&self.address).map_err(|error| error.to_string())?;
        stream.set_read_timeout(Some(2 * SOON)).map_err(|error| error.to_string())?;
        let answer = http::exchange_kept(&mut stream, request.as_bytes());
        let answer = answer.map_err(|error| error.to_string())?;
        let mut value: Value =
            serde_json::from_str(&answer.body).map_err(|error| error.to_string())?;
        if answer.status == 200 { Ok(value["value"].take()) } else { Err(answer.body) }
    }

    /// Loads a page.
    pub(crate) fn go(&self, url: &str) {
        self.command("POST", "/url", &json!({ "url": url }));
    }

    pub(crate) fn back(&self) {
        self.command("POST", "/back", &json!({}));
    }

    /// Runs a script (`return …`) with arguments and returns what it returns.
    pub(crate) fn run(&self, script: &str, arguments: &[Value]) -> Value {
        self.command("POST", "/execute/sync", &json!({ "script": script, "args": arguments }))
    }

    /// The value of an expression.
    pub(crate) fn value(&self, expression: &str) -> Value {
        self.run(&format!("return {expression}"), &[])
    }

    /// Waits until an expression is true, and says what there is if it never is.
    pub(crate) fn wait(&self, expression: &str) {
        wait_until(SOON, &format!("{expression} (errors: {:?})", self.errors()), || {
            (self.value(expression) == true).then_some(())
        });
    }

    /// The visible text of the first element.
    pub(crate) fn text(&self, css: &str) -> String {
        let text =
            self.run("return document.querySelector(arguments[0])?.innerText", &[json!(css)]);
        text.as_str().unwrap_or_else(|| panic!("there is no {css}")).to_owned()
    }

    /// Clicks as a person does: what is hidden or covered can't be clicked.
    pub(crate) fn click(&self, css: &str) {
        self.click_by("css selector", css);
    }

    /// Clicks what an `XPath` finds.
    pub(crate) fn click_path(&self, path: &str) {
        self.click_by("xpath", path);
    }

    fn click_by(&self, using: &str, value: &str) {
        // What is shown again just now is another element.
        wait_until(SOON, &format!("{value} to be clicked"), || {
            let found =
                self.try_command("POST", "/element", &json!({ "using": using, "value": value }));
            let id = found.ok()?[ELEMENT].as_str()?.to_owned();
            self.try_command("POST", &format!("/element/{id}/click"), &json!({})).ok()
        });
    }

    /// Drags from the middle of one element to that of another.
    pub(crate) fn drag(&self, from: &str, to: &str) {
        // A pointer can't go to what is not in the window.
        let show = "document.querySelector(arguments[0]).scrollIntoView({ block: 'center' })";
        self.run(show, &[json!(from)]);
        let middle = "const box = document.querySelector(arguments[0]).getBoundingClientRect(); \
            return [Math.round(box.x + box.width / 2), Math.round(box.y + box.height / 2)]";
        let go = |css: &str| {
            let place = self.run(middle, &[json!(css)]);
            json!({ "type": "pointerMove", "duration": 50, "x": place[0], "y": place[1] })
        };
        let moves = json!([go(from), { "type": "pointerDown", "button": 0 }, go(to), { "type": "pointerUp", "button": 0 }]);
        let mouse = json!({ "type": "pointer", "id": "mouse", "parameters": { "pointerType": "mouse" }, "actions": moves });
        self.command("POST", "/actions", &json!({ "actions": [mouse] }));
    }

    /// Presses keys, one after the other, where the focus is.
    pub(crate) fn press(&self, keys: &[&str]) {
        let strokes: Vec<Value> = keys
            .iter()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key })))
            .collect();
        let actions =
            json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": strokes }] });
        self.command("POST", "/actions", &actions);
    }

    /// What the browser itself is told, beside the standard.
    pub(crate) fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.command("POST", "/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    /// Makes the window so wide, and the system light or dark.
    pub(crate) fn look(&self, width: u32, scheme: &str) {
        let size =
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", &size);
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", &features);
    }

    /// Writes what the page looks like, at most `height` pixels of it.
    pub(crate) fn screenshot(&self, path: &Path, height: u64) {
        let all = self.value("document.documentElement.scrollHeight").as_u64().expect("a height");
        let width = self.value("innerWidth");
        let clip = json!({ "x": 0, "y": 0, "width": width, "height": all.min(height), "scale": 1 });
        let wanted = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        let shot = self.devtools("Page.captureScreenshot", &wanted);
        let bytes = STANDARD.decode(shot["data"].as_str().expect("a picture")).expect("base64");
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder for pictures");
        std::fs::write(path, bytes).expect("a file for the picture");
    }

    /// What was written to the console since it was asked last, but for what is only told: mistakes of scripts,
    /// what the policy forbids, answers that failed.
    pub(crate) fn errors(&self) -> Vec<String> {
        let log = self.command("POST", "/se/log", &json!({ "type": "browser" }));
        let all = log.as_array().expect("a list").iter();
        all.filter(|entry| entry["level"] != "INFO" && entry["level"] != "DEBUG")
            .map(|entry| entry["message"].as_str().unwrap_or_default().to_owned())
            .collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends the browser. Both fail only when they have ended already.
        drop(self.try_command("DELETE", "", &Value::Null));
        drop(self.driver.kill());
        drop(self.driver.wait());
    }
}

/// Reads where the driver listens, and lets it say what else it likes.
fn address_of(driver: &mut Child) -> String {
    let stdout = driver.stdout.take().expect("stdout is piped");
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                let port = port.trim_end_matches('.').to_owned();
                // Nobody waits any more after the deadline.
                drop(sender.send(format!("127.0.0.1:{port}")));
            }
        }
    });
    receiver.recv_timeout(Duration::from_secs(30)).expect("the driver says where it listens")
}

#!/usr/bin/env python3
"""What the page at / takes on loopback, as the browser itself tells: first paint, all data there, bytes sent.

    benches/page.py [ROUNDS] [CALLS_PER_MINUTE]      7 and 10 without arguments

Four weeks of simulated calls; a fresh browser each time, so nothing is cached and its own start is not counted. Chromium
and its driver come from tests/tools.
"""

import json
import subprocess
import sys
import time
import urllib.request

from common import BINARY, ROOT, machine, quantile, running, work_folder

FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
 --disable-component-update --disable-sync --disable-dev-shm-usage""".split()
RANGES = ["24h", "30d", "90d"]
MEASURED = """
const paint = performance.getEntriesByName('first-contentful-paint')[0];
const all = [...performance.getEntriesByType('resource'), ...performance.getEntriesByType('navigation')];
const [data, page] = [true, false].map((wanted) => all.filter(({ name }) => name.includes('/api/') === wanted));
const bytes = (list) => list.reduce((sum, entry) => sum + entry.decodedBodySize, 0);
return paint && document.body.dataset.shown !== undefined
  ? [paint.startTime, Math.max(...data.map(({ responseEnd }) => responseEnd)), bytes(page), bytes(data)] : null;
"""


class Driver:
    """A running driver of browsers."""

    def __init__(self):
        lines = subprocess.check_output([ROOT / "tests/tools", "chromium", "chromedriver"], text=True)
        found = dict(line.split(" ", 1) for line in lines.splitlines())
        self.browser = found["chromium"]
        self.process = subprocess.Popen([found["chromedriver"], "--port=0"], stdout=subprocess.PIPE, text=True)
        mark = "started successfully on port "
        line = next(line for line in self.process.stdout if mark in line)
        self.address = "http://127.0.0.1:" + line.split(mark)[1].strip().rstrip(".")

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.address + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def look(self, url, profile):
        """Loads the page in a browser of its own; returns what that measured, in milliseconds and bytes."""
        options = {"binary": self.browser, "args": [*FLAGS, f"--user-data-dir={profile}"]}
        wanted = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}}
        session = "/session/" + self.call("POST", "/session", wanted)["sessionId"]
        try:
            self.call("POST", session + "/url", {"url": url})
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                measured = self.call("POST", session + "/execute/sync", {"script": MEASURED, "args": []})
                if measured:
                    return measured
                time.sleep(0.05)
            raise SystemExit(f"{url} shows nothing after 60 s")
        finally:
            self.call("DELETE", session)


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    rate = sys.argv[2] if len(sys.argv) > 2 else "10"
    with work_folder("page") as folder:
        logs = folder / "logs"
        simulate = [BINARY, "simulate", "--out", logs, "--logs", "bedrock", "--calls-per-minute", rate]
        subprocess.run(simulate, check=True, stderr=subprocess.DEVNULL)
        calls = json.loads((logs / "truth.json").read_text())["total"]["requests"]
        with running(folder, logs / "bedrock.jsonl") as daemon:
            daemon.wait_ready()
            daemon.wait_requests(calls)
            driver = Driver()
            try:
                print(machine())
                print(f"{calls:,} calls, {rounds} rounds, medians; the slowest first paint in brackets")
                for name in RANGES:
                    url = f"http://127.0.0.1:{daemon.connection.port}/?range={name}"
                    measured = [driver.look(url, folder / f"{name}-{at}") for at in range(rounds)]
                    paints, shown, page, data = zip(*measured)
                    print(f"{name:>4}: first paint {quantile(paints, 0.5):.0f} ms [{max(paints):.0f}], "
                          f"data there after {quantile(shown, 0.5):.0f} ms, "
                          f"page {quantile(page, 0.5) / 1000:.0f} kB, data {quantile(data, 0.5) / 1000:.0f} kB")
            finally:
                driver.process.terminate()


if __name__ == "__main__":
    main()

"""What the measuring scripts share: starting the daemon, asking it, writing application lines."""

import contextlib
import datetime
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = ROOT / "target/release/tollkeeper"
LISTENING = re.compile(rb"listening on (http://[0-9.:]+)")
MODELS = ["amazon.nova-pro-v1:0", "amazon.nova-micro-v1:0", "meta.llama3-1-8b-instruct-v1:0"]
PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")


def line(number, at=None, model=None):
    """An application line of about 290 bytes, different for each number."""
    at = at or datetime.datetime(2026, 6, 1) + datetime.timedelta(seconds=number // 20)
    tokens_in, tokens_out = number % 5_000 + 1, number % 700 + 1
    return (
        '{"timestamp":"%s","level":"INFO","message":"Model invocation successful",'
        '"model_id":"%s","usage":{"input_tokens":%d,"output_tokens":%d,"total_tokens":%d},'
        '"billing_estimate_usd":0.0123,"request_id":"req-%012d","thread":"worker-%d"}\n'
        % (
            at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            model or MODELS[number % len(MODELS)],
            tokens_in,
            tokens_out,
            tokens_in + tokens_out,
            number,
            number % 16,
        )
    )


class Daemon:
    """A running `tollkeeper run`."""

    def __init__(self, folder, pattern, ledger=None):
        self.stderr_path = pathlib.Path(folder) / "stderr.txt"
        self.started = time.perf_counter()
        ledger = ledger or pathlib.Path(folder) / "ledger"
        with open(self.stderr_path, "wb") as stderr:
            self.process = subprocess.Popen(
                [BINARY, "run", pattern, "--ledger", ledger, "--listen", "127.0.0.1:0"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr,
            )
        self.address = None

    def wait_ready(self, seconds=120):
        deadline = time.perf_counter() + seconds
        while time.perf_counter() < deadline:
            if self.process.poll() is not None:
                break
            if self.address is None:
                found = LISTENING.search(self.stderr_path.read_bytes())
                self.address = found and found[1].decode()
            if self.address:
                with contextlib.suppress(OSError):
                    if urllib.request.urlopen(self.address + "/readyz").status == 200:
                        return time.perf_counter() - self.started
            time.sleep(0.002)
        raise SystemExit(f"the daemon is not ready:\n{self.stderr_path.read_text()}")

    def metrics(self):
        with urllib.request.urlopen(self.address + "/metrics") as answer:
            return answer.read().decode()

    def requests(self):
        found = re.findall(r"^tollkeeper_requests_total(?:\{.*\})? ([0-9.e+]+)$", self.metrics(), re.M)
        return int(sum(map(float, found)))

    def wait_requests(self, count, seconds=3600, pause=0.02):
        deadline = time.perf_counter() + seconds
        while self.requests() < count:
            if time.perf_counter() > deadline:
                raise SystemExit(f"{self.requests()} of {count} records after {seconds} s")
            time.sleep(pause)

    def cpu_seconds(self):
        """User and system time of the process, from /proc."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory_mib(self, name):
        """`VmRSS` (now) or `VmHWM` (peak) in MiB."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(name + r":\s+(\d+) kB", status)[1]) / 1024

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


@contextlib.contextmanager
def work_folder(name):
    folder = tempfile.mkdtemp(prefix=f"bench-{name}-", dir=ROOT / "target")
    try:
        yield pathlib.Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def quantile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))]

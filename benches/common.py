"""What the measuring scripts share: starting the daemon, asking it, reading /proc, making lines."""

import contextlib
import datetime
import http.client
import os
import pathlib
import platform
import re
import shutil
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = pathlib.Path(os.environ.get("TOLLKEEPER", ROOT / "target/release/tollkeeper")).resolve()
LISTENING = re.compile(rb"listening on http://([0-9.]+):(\d+)")
REQUESTS = re.compile(rb"^tollkeeper_requests_total(?:\{.*\})? ([0-9.e+]+)$", re.M)
MODELS = ["amazon.nova-pro-v1:0", "amazon.nova-micro-v1:0", "meta.llama3-1-8b-instruct-v1:0"]
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
    """A running `tollkeeper run`; `cpu` pins it to one CPU."""

    def __init__(self, folder, pattern, ledger=None, cpu=None):
        self.stderr_path = pathlib.Path(folder) / "stderr.txt"
        ledger = ledger or pathlib.Path(folder) / "ledger"
        pin = [] if cpu is None else ["taskset", "-c", str(cpu)]
        self.connection = None
        self.started = time.perf_counter()
        with open(self.stderr_path, "wb") as stderr:
            self.process = subprocess.Popen(
                [*pin, BINARY, "run", pattern, "--ledger", ledger, "--listen", "127.0.0.1:0"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr,
            )

    def wait_ready(self, seconds=120):
        """Seconds from the start of the process until /readyz answers 200."""
        deadline = self.started + seconds
        while time.perf_counter() < deadline and self.process.poll() is None:
            if self.connection is None:
                found = LISTENING.search(self.stderr_path.read_bytes())
                if found:
                    self.connection = http.client.HTTPConnection(found[1].decode(), int(found[2]))
            if self.connection and self.get("/readyz")[0] == 200:
                return time.perf_counter() - self.started
            time.sleep(0.002)
        self.stop()
        raise SystemExit(f"the daemon is not ready:\n{self.stderr_path.read_text()}")

    def get(self, path):
        """Status and body, over one connection that is kept open."""
        try:
            self.connection.request("GET", path)
            answer = self.connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            self.connection.close()
            return 0, b""

    def beside(self):
        """The same daemon over another connection, for another thread."""
        other = object.__new__(Daemon)
        other.process = self.process
        other.connection = http.client.HTTPConnection(self.connection.host, self.connection.port)
        return other

    def requests(self):
        """The records counted so far, over all series."""
        return int(sum(map(float, REQUESTS.findall(self.get("/metrics")[1]))))

    def wait_requests(self, count, seconds=3600, pause=0.02):
        deadline = time.perf_counter() + seconds
        while (seen := self.requests()) < count:
            if time.perf_counter() > deadline or self.process.poll() is not None:
                self.stop()
                raise SystemExit(f"{seen} of {count} records:\n{self.stderr_path.read_text()}")
            time.sleep(pause)
        if seen > count:
            self.stop()
            raise SystemExit(f"{seen} records counted, {count} written")

    def cpu_seconds(self):
        """User and system time of the process, from /proc/PID/stat."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory_mib(self, name):
        """`VmRSS` (now) or `VmHWM` (peak) in MiB, from /proc/PID/status."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(name + r":\s+(\d+) kB", status)[1]) / 1024

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


@contextlib.contextmanager
def work_folder(name):
    """A folder under target/ that is deleted afterwards."""
    folder = tempfile.mkdtemp(prefix=f"bench-{name}-", dir=ROOT / "target")
    try:
        yield pathlib.Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def running(*arguments, **options):
    """A daemon that is stopped whatever happens."""
    daemon = Daemon(*arguments, **options)
    try:
        yield daemon
    finally:
        daemon.stop()


def count_lines(file):
    with open(file, "rb") as opened:
        return sum(block.count(b"\n") for block in iter(lambda: opened.read(1 << 20), b""))


def quantile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))]


def machine():
    """One line about where the numbers come from, with the load at this moment."""
    info = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*:\s*(.+)", info)
    load = os.getloadavg()[0]
    return (f"{os.cpu_count()} cores, {model[1] if model else platform.machine()}, "
            f"Linux {platform.release()}, load {load:.1f}")

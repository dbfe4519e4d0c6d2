#!/usr/bin/env python3
"""Peak memory of `run` through a backlog with many series.

    benches/rss.py [GIGABYTES] [SERIES]      10 and 2000 without arguments

One file for each gigabyte, 10,000 calls in a minute of log time, which goes on from file to file;
every request id is different. The series are principals by models. The logs are deleted afterwards.
"""

import datetime
import json
import sys
import time

from common import machine, running, work_folder

A_MINUTE = 10_000
MODELS = [
    f"{maker}{name}-v1:0" for maker, names in (
        ("amazon.", ["nova-pro", "nova-micro", "nova-lite", "nova-premier"]),
        ("us.amazon.", ["nova-pro", "nova-micro", "nova-lite", "nova-premier"]),
        ("meta.", ["llama3-1-8b-instruct", "llama3-1-70b-instruct"]),
    ) for name in names
]
FIRST = datetime.datetime(2026, 6, 1)
# Stand-ins of the same length as what replaces them in the lines of a minute.
MINUTE, ROUND = "MMMMMMMMMMMMMMMM", "RRRRRRRRRR"
CONFIG = """
[[source]]
name = "backlog"
include = ["{folder}/*.jsonl"]

[labels]
principal = true
"""


def bedrock_line(number, series):
    """A Bedrock record of about 900 bytes."""
    principal, model = divmod(number % series, len(MODELS))
    return json.dumps({
        "timestamp": f"{MINUTE}:{number * 60 // A_MINUTE:02d}Z",
        "accountId": "111122223333",
        "identity": {"arn": f"arn:aws:sts::111122223333:assumed-role/role-{principal:04d}/i-0aa1"},
        "region": "us-east-1",
        "requestId": f"{ROUND}-{number:08d}",
        "operation": "Converse",
        "modelId": MODELS[model],
        "input": {
            "inputContentType": "application/json",
            "inputBodyJson": {"messages": [{"role": "user", "content": [{"text": "word " * 60}]}]},
            "inputTokenCount": number * 7919 % 9_000 + 1,
        },
        "output": {"outputContentType": "application/json", "outputTokenCount": number % 700 + 1},
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
    }, separators=(",", ":")) + "\n"


def write_logs(folder, gigabytes, series):
    """Bytes and records written."""
    piece = "".join(bedrock_line(number, series) for number in range(A_MINUTE))
    written = minutes = 0
    while written < gigabytes * 1e9:
        with open(folder / f"{int(written // 1e9):04d}.jsonl", "a", buffering=1 << 20) as file:
            at = FIRST + datetime.timedelta(minutes=minutes)
            text = piece.replace(MINUTE, at.strftime("%Y-%m-%dT%H:%M")).replace(ROUND, f"{minutes:010d}")
            file.write(text)
        written += len(text)
        minutes += 1
    return written, minutes * A_MINUTE


def main():
    gigabytes = float(sys.argv[1]) if len(sys.argv) > 1 else 10
    series = int(sys.argv[2]) if len(sys.argv) > 2 else 2_000
    with work_folder("rss") as folder:
        written, records = write_logs(folder, gigabytes, series)
        config = folder / "config.toml"
        config.write_text(CONFIG.format(folder=folder))
        with running(folder, config) as daemon:
            daemon.wait_ready()
            daemon.wait_requests(records, seconds=7200, pause=1)
            took = time.perf_counter() - daemon.started
            text = daemon.get("/metrics")[1]
            exposed = text.count(b"\ntollkeeper_requests_total{")
            principals = len({part.split(b'"')[0] for part in text.split(b'principal="')[1:]})
            print(machine())
            print(f"{written / 1e9:.2f} GB, {records} records, {principals} principals, "
                  f"{exposed} series of requests: {took:.1f} s, "
                  f"{written / 1e9 / daemon.cpu_seconds():.2f} GB a CPU second")
            print(f"RSS: peak {daemon.memory_mib('VmHWM'):.1f} MiB, "
                  f"at the end {daemon.memory_mib('VmRSS'):.1f} MiB")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Peak memory through a backlog with many series, its speed, and CPU when idle afterwards.

    benches/rss.py [GIGABYTES] [SERIES] [IDLE_SECONDS]      10, 2000 and 60 without arguments
"""

import datetime
import json
import sys
import time

from common import Daemon, work_folder

PIECE_LINES = 100_000


def bedrock_line(number, series):
    """A Bedrock record of about 900 bytes; account and region make the series."""
    one = number % series
    at = datetime.datetime(2026, 6, 1) + datetime.timedelta(seconds=number // 50)
    return json.dumps({
        "timestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "accountId": "%012d" % (111_122_220_000 + one // 8),
        "identity": {"arn": "arn:aws:sts::111122223333:assumed-role/chat-backend/i-0aa1"},
        "region": ["us-east-1", "us-west-2", "eu-west-1", "eu-central-1"][one % 4],
        "requestId": "req-%016d" % number,
        "operation": "Converse",
        "modelId": ["amazon.nova-pro-v1:0", "amazon.nova-micro-v1:0"][one // 4 % 2],
        "input": {
            "inputContentType": "application/json",
            "inputBodyJson": {"messages": [{"role": "user", "content": [{"text": "word " * 60}]}]},
            "inputTokenCount": number % 9_000 + 1,
        },
        "output": {"outputContentType": "application/json", "outputTokenCount": number % 700 + 1},
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
    }, separators=(",", ":")) + "\n"


def main():
    arguments = [float(argument) for argument in sys.argv[1:]]
    gigabytes, series, idle_seconds = (arguments + [10, 2_000, 60][len(arguments):])[:3]
    with work_folder("rss") as folder:
        log = folder / "app.log"
        # One piece many times over, each time with other request ids of the same length.
        piece = "".join(bedrock_line(number, int(series)) for number in range(PIECE_LINES))
        written = pieces = 0
        with open(log, "w", buffering=1 << 20) as file:
            while written < gigabytes * 1e9:
                text = piece.replace('"requestId":"req-', f'"requestId":"r{pieces:04d}-')
                file.write(text)
                written += len(text)
                pieces += 1
        records = pieces * PIECE_LINES
        daemon = Daemon(folder, log)
        daemon.wait_ready()
        start = time.perf_counter()
        daemon.wait_requests(records, seconds=7200, pause=0.2)
        took = time.perf_counter() - start
        cpu = daemon.cpu_seconds()
        print(f"{written / 1e9:.2f} GB, {records} records, {series:.0f} series: {took:.1f} s, "
              f"{written / 1e9 / took:.2f} GB/s, {written / 1e9 / cpu:.2f} GB a CPU second")
        print(f"RSS: peak {daemon.memory_mib('VmHWM'):.1f} MiB, now {daemon.memory_mib('VmRSS'):.1f} MiB")
        before = daemon.cpu_seconds()
        time.sleep(idle_seconds)
        idle = (daemon.cpu_seconds() - before) / idle_seconds
        print(f"idle CPU over {idle_seconds:.0f} s: {idle * 100:.3f} % of a core")
        daemon.stop()


if __name__ == "__main__":
    main()

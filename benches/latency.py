#!/usr/bin/env python3
"""Time from the append of a line to its first sight in /metrics: median, p95, p99.

    benches/latency.py [LINES]      300 without an argument

One line at a time, 50 to 150 ms apart, and a poller that asks without a pause over one connection;
the answer is therefore too long by up to one scrape, whose own median is printed beside it.
"""

import random
import sys
import time

from common import line, machine, quantile, running, work_folder


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    rng = random.Random(1)
    latencies, scrapes = [], []
    with work_folder("latency") as folder:
        log = folder / "app.log"
        log.write_text(line(0))
        with running(folder, log) as daemon, open(log, "a", buffering=1) as file:
            daemon.wait_ready()
            daemon.wait_requests(1)
            for number in range(1, count + 1):
                time.sleep(rng.uniform(0.05, 0.15))
                start = time.perf_counter()
                file.write(line(number))
                while True:
                    asked = time.perf_counter()
                    seen = daemon.requests()
                    now = time.perf_counter()
                    scrapes.append(now - asked)
                    if seen > number:
                        break
                    if now - start > 30:
                        raise SystemExit(f"line {number} is not seen after 30 s")
                latencies.append(now - start)
    print(machine())
    print(f"append to visible, {count} lines: " + ", ".join(
        f"{name} {quantile(latencies, share) * 1000:.1f} ms"
        for name, share in (("median", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1))
    ))
    print(f"one scrape: median {quantile(scrapes, 0.5) * 1000:.1f} ms")


if __name__ == "__main__":
    main()

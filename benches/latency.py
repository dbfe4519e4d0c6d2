#!/usr/bin/env python3
"""Time from the append of a line to its first sight in /metrics: median, p95, p99.

    benches/latency.py [LINES]      500 without an argument

One line at a time at random moments, and a poller that asks without a pause; the answer is
therefore too long by up to one scrape, whose own median is printed beside it.
"""

import random
import sys
import time

from common import Daemon, line, quantile, work_folder


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    rng = random.Random(1)
    with work_folder("latency") as folder:
        log = folder / "app.log"
        log.write_text(line(0))
        daemon = Daemon(folder, log)
        daemon.wait_ready()
        daemon.wait_requests(1)
        latencies, scrapes = [], []
        with open(log, "a", buffering=1) as file:
            for number in range(1, count + 1):
                time.sleep(rng.uniform(0.02, 0.2))
                start = time.perf_counter()
                file.write(line(number))
                while True:
                    asked = time.perf_counter()
                    seen = daemon.requests()
                    now = time.perf_counter()
                    scrapes.append(now - asked)
                    if seen > number:
                        break
                latencies.append(now - start)
        daemon.stop()
    print(f"append to visible, {count} lines: " + ", ".join(
        f"{name} {quantile(latencies, share) * 1000:.1f} ms"
        for name, share in (("median", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1))
    ))
    print(f"one scrape: median {quantile(scrapes, 0.5) * 1000:.1f} ms")


if __name__ == "__main__":
    main()

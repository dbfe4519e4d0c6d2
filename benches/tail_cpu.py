#!/usr/bin/env python3
"""CPU time of the daemon for each tailed line at a steady rate, from /proc.

    benches/tail_cpu.py [LINES_PER_SECOND] [SECONDS]      2000 and 30 without arguments

Lines come in portions each 10 ms. Idle CPU of the same length is measured first and not taken off.
"""

import sys
import time

from common import Daemon, line, work_folder

PORTION_S = 0.01


def main():
    rate = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 30
    with work_folder("tail-cpu") as folder:
        log = folder / "app.log"
        log.write_text(line(0))
        daemon = Daemon(folder, log)
        daemon.wait_ready()
        daemon.wait_requests(1)
        idle_from = daemon.cpu_seconds()
        time.sleep(seconds)
        idle = daemon.cpu_seconds() - idle_from
        lines = [line(number) for number in range(1, rate * seconds + 1)]
        portion = max(1, int(rate * PORTION_S))
        before = daemon.cpu_seconds()
        start = time.perf_counter()
        with open(log, "a", buffering=1 << 20) as file:
            for at in range(0, len(lines), portion):
                pause = start + at / rate - time.perf_counter()
                if pause > 0:
                    time.sleep(pause)
                file.write("".join(lines[at : at + portion]))
                file.flush()
        took = time.perf_counter() - start
        daemon.wait_requests(len(lines) + 1)
        used = daemon.cpu_seconds() - before
        daemon.stop()
    print(f"{len(lines)} lines in {took:.1f} s ({len(lines) / took:.0f} a second)")
    print(f"CPU: {used / len(lines) * 1e6:.1f} µs a line; idle: {idle / seconds * 100:.3f} % of a core")


if __name__ == "__main__":
    main()

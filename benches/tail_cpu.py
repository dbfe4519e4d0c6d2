#!/usr/bin/env python3
"""CPU time of the daemon for each tailed line at a steady rate, then idle CPU, from /proc.

    benches/tail_cpu.py [LINES_PER_SECOND] [SECONDS] [IDLE_SECONDS]      2000, 20 and 30

One write for each line, evenly spaced. Idle CPU is measured afterwards and not taken off.
"""

import os
import sys
import time

from common import TICKS, line, machine, running, work_folder


def main():
    given = [int(argument) for argument in sys.argv[1:]]
    rate, seconds, idle_seconds = given + [2_000, 20, 30][len(given):]
    lines = [line(number).encode() for number in range(1, rate * seconds + 1)]
    with work_folder("tail-cpu") as folder:
        log = folder / "app.log"
        log.write_text(line(0))
        with running(folder, log) as daemon:
            daemon.wait_ready()
            daemon.wait_requests(1)
            file = os.open(log, os.O_WRONLY | os.O_APPEND)
            before = daemon.cpu_seconds()
            start = time.perf_counter()
            for at, one in enumerate(lines):
                pause = start + at / rate - time.perf_counter()
                if pause > 0:
                    time.sleep(pause)
                os.write(file, one)
            took = time.perf_counter() - start
            os.close(file)
            daemon.wait_requests(len(lines) + 1)
            used = daemon.cpu_seconds() - before
            time.sleep(2)  # What follows the last line is not idling.
            before = daemon.cpu_seconds()
            time.sleep(idle_seconds)
            idle = daemon.cpu_seconds() - before
    print(machine())
    print(f"{len(lines)} lines in {took:.1f} s ({len(lines) / took:.0f} a second): "
          f"{used / len(lines) * 1e6:.1f} µs CPU a line, {used / took * 100:.1f} % of a core")
    print(f"idle over {idle_seconds} s: {idle / idle_seconds * 100:.3f} % of a core "
          f"(the kernel counts in steps of {100 / TICKS / idle_seconds:.3f} %)")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""CPU of `run` through a backlog beside `scan --threads 1` on the same file; peak RSS of `run`.

    benches/run_backlog.py [--rounds N] FILE…

Both are pinned to one CPU and take turns. CPU is user and system time: of `run` from its start
until /metrics has counted every line, of `scan` as a whole process. /metrics is asked five times a
second, which `run` pays for. The ratio is the speed of `run` as a share of that of `scan`.
"""

import argparse
import pathlib
import statistics
import time

from common import count_lines, machine, running, work_folder
from scan import CPU, scan


def backlog(file, lines):
    with work_folder("backlog") as folder, running(folder, file, cpu=CPU) as daemon:
        daemon.wait_ready()
        daemon.wait_requests(lines, pause=0.2)
        took = time.perf_counter() - daemon.started
        return daemon.cpu_seconds(), took, daemon.memory_mib("VmHWM")


def measure(file, rounds):
    size, lines = file.stat().st_size / 1e9, count_lines(file)
    runs, scans = [], []
    for _ in range(rounds):
        runs.append(backlog(file, lines))
        scans.append(scan(file, 1)[1])
    share = [of_scan / run[0] for run, of_scan in zip(runs, scans)]
    cpu, took, memory = (statistics.median(column) for column in zip(*runs))
    print(f"| {file.name} | {cpu:.2f} | {statistics.median(scans):.2f} | "
          f"{statistics.median(share):.2f} ({min(share):.2f} to {max(share):.2f}) | "
          f"{size / took:.2f} | {memory:.0f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    options = parser.parse_args()
    print(f"{machine()}; medians of {options.rounds} rounds\n")
    print("| set | `run`, CPU s | `scan`, CPU s | speed of `run` / `scan` | `run`, GB/s | peak RSS, MiB |")
    print("|---|---|---|---|---|---|")
    for file in options.files:
        measure(file.resolve(), options.rounds)


if __name__ == "__main__":
    main()

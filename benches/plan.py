#!/usr/bin/env python3
"""`tollkeeper plan` over a year of hourly rollups.

    benches/plan.py [SERIES] [ROUNDS]      50 and 7 without arguments

The ledger is that of startup.py. Each round makes a plan of all of it, with an alternative, a capacity and a
machine, as JSON; `check ledger`, which reads the same rows and more, runs in turn with it for comparison.
"""

import json
import resource
import statistics
import subprocess
import sys
import time

from common import BINARY, machine, work_folder
from startup import year_of_rows

PLAN = """
[[plan.capacity]]
model = "meta.llama3-1-70b-instruct-v1:0"
input_tokens_per_minute = 100_000
[[plan.alternative]]
model = "us.amazon.nova-lite-v1:0"
[[plan.self_hosted]]
name = "machine"
hourly_usd = 4.1
input_tokens_per_second = 20_000
output_tokens_per_second = 2_000
"""


def timed(*arguments):
    """Seconds on the clock and of CPU, and what was printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    done = subprocess.run([BINARY, *arguments], check=True, stdout=subprocess.PIPE)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, done.stdout


def main():
    series = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 7
    with work_folder("plan") as folder:
        ledger, config, records = year_of_rows(folder, series)
        with open(config, "a") as file:
            file.write(PLAN)
        plans, checks = [], []
        for _ in range(rounds):
            options = ["--config", config, "--ledger", ledger, "--since", "367d", "--format", "json"]
            plans.append(timed("plan", *options))
            checks.append(timed("check", "ledger", ledger))
    plan = json.loads(plans[0][2])
    assert sum(one["requests"] for one in plan["traffic"]) == records, "not every record is in the plan"
    print(machine())
    print(f"{records} hourly rows of a year in {series} series, {len(plan['traffic'])} kinds of traffic")
    for name, runs in (("plan", plans), ("check ledger", checks)):
        walls, cpus = zip(*((wall, cpu) for wall, cpu, _ in runs))
        print(f"{name}, {rounds} rounds: median {statistics.median(walls) * 1000:.0f} ms, CPU median "
              f"{statistics.median(cpus) * 1000:.0f} ms, least {min(cpus) * 1000:.0f} ms")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Start to ready on a ledger that holds a year of hourly rollups.

    benches/startup.py [CALLS_AN_HOUR] [STARTS]      30 and 10 without arguments

The ledger is made by the daemon itself, which reads a year of application lines (every hour of 365
days up to yesterday, three models). Then it is started again and again; a start ends when /readyz
answers 200.
"""

import datetime
import statistics
import sys

from common import Daemon, MODELS, line, work_folder


def main():
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    starts = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None, minute=0, second=0)
    first = now - datetime.timedelta(days=366)
    with work_folder("startup") as folder:
        log = folder / "app.log"
        number = 0
        with open(log, "w", buffering=1 << 20) as file:
            for hour in range(365 * 24):
                for call in range(calls):
                    at = first + datetime.timedelta(hours=hour, seconds=call * 3600 // calls)
                    file.write(line(number, at, MODELS[call % len(MODELS)]))
                    number += 1
        daemon = Daemon(folder, log)
        daemon.wait_ready()
        daemon.wait_requests(number)
        daemon.stop()
        ledger = folder / "ledger"
        size = sum(path.stat().st_size for path in ledger.rglob("*") if path.is_file())
        times = []
        for _ in range(starts):
            daemon = Daemon(folder, log, ledger)
            times.append(daemon.wait_ready())
            assert daemon.requests() == number, "the ledger is not what it was"
            daemon.stop()
    print(f"{number} records over a year, {size / 1e6:.1f} MB of ledger, {starts} starts")
    print(f"start to ready: median {statistics.median(times) * 1000:.0f} ms, "
          f"slowest {max(times) * 1000:.0f} ms")


if __name__ == "__main__":
    main()

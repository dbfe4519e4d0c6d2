#!/usr/bin/env python3
"""Start to ready on a ledger that holds a year of hourly rollups.

    benches/startup.py [SERIES] [STARTS]      50 and 5 without arguments

The ledger is made by the daemon itself, from logs with one call for each series and hour of 365
days. Then it is started again and again; a start ends when /readyz answers 200.
"""

import datetime
import statistics
import sys

from common import machine, running, work_folder
from rss import CONFIG, MINUTE, ROUND, bedrock_line


def year_of_rows(folder, series):
    """Makes the ledger; returns it with its config and the number of its records."""
    first = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=366)
    hours = 365 * 24
    piece = "".join(bedrock_line(number, series) for number in range(series))
    with open(folder / "year.jsonl", "w", buffering=1 << 20) as file:
        for hour in range(hours):
            at = (first + datetime.timedelta(hours=hour)).strftime("%Y-%m-%dT%H:%M")
            file.write(piece.replace(MINUTE, at).replace(ROUND, f"{hour:010d}"))
    config = folder / "config.toml"
    config.write_text(CONFIG.format(folder=folder))
    with running(folder, config) as daemon:
        daemon.wait_ready()
        daemon.wait_requests(hours * series, pause=0.2)
    return folder / "ledger", config, hours * series


def main():
    series = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    starts = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    with work_folder("startup") as folder:
        ledger, config, records = year_of_rows(folder, series)
        size = sum(path.stat().st_size for path in ledger.rglob("*") if path.is_file())
        times = []
        for _ in range(starts):
            with running(folder, config, ledger) as daemon:
                times.append(daemon.wait_ready())
                assert daemon.requests() == records, "the ledger is not what it was"
    print(machine())
    print(f"{records} records over a year in {series} series, {size / 1e6:.1f} MB of ledger")
    print(f"start to ready, {starts} starts: median {statistics.median(times) * 1000:.0f} ms, "
          f"slowest {max(times) * 1000:.0f} ms")


if __name__ == "__main__":
    main()

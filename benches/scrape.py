#!/usr/bin/env python3
"""Time of one scrape of `/metrics`, and what scrapes take from `run` while it works through a backlog.

    benches/scrape.py [GROUPS] [GIGABYTES] [SECONDS] [ROUNDS]      2000, 2, 15 and 3 without arguments

GROUPS are principals by models; each has some fifty time series of Prometheus. First the page is asked for 30 times
of a daemon that has read everything; then backlogs are read, in turn with nobody who asks and with a scrape every
SECONDS.
"""

import json
import statistics
import sys
import threading
import time

from common import machine, quantile, running, work_folder
from rss import CONFIG, write_logs


def scrape(daemon):
    """Seconds until the last byte, and the page."""
    start = time.perf_counter()
    status, page = daemon.get("/metrics")
    if status != 200:
        raise SystemExit(f"/metrics answers {status}")
    return time.perf_counter() - start, page


def lines_read(daemon):
    sources = json.loads(daemon.get("/api/v1/sources")[1] or b'{"sources": []}')["sources"]
    return sum(sum(source["lines"].values()) for source in sources)


def backlog(folder, config, ledger, records, every):
    """Seconds and CPU seconds until everything is committed, and the times of the scrapes."""
    with running(folder, config, ledger=folder / ledger) as daemon:
        daemon.wait_ready()
        times, is_over = [], threading.Event()

        def scrapes():
            while not is_over.wait(every):
                times.append(scrape(other)[0])

        other = daemon.beside()
        thread = threading.Thread(target=scrapes)
        if every:
            thread.start()
        while lines_read(daemon) < records:
            time.sleep(0.05)
        took = time.perf_counter() - daemon.started
        is_over.set()
        if every:
            thread.join()
        return took, daemon.cpu_seconds(), times


def main():
    given = [float(text) for text in sys.argv[1:]]
    groups, gigabytes, every, rounds = (given + [2_000, 2, 15, 3][len(given):])[:4]
    with work_folder("scrape") as folder:
        _, records = write_logs(folder, gigabytes, int(groups))
        config = folder / "config.toml"
        config.write_text(CONFIG.format(folder=folder))
        print(machine())
        with running(folder, config) as daemon:
            daemon.wait_ready()
            while lines_read(daemon) < records:
                time.sleep(0.2)
            times, pages = zip(*(scrape(daemon) for _ in range(30)))
        page = pages[-1]
        series = sum(1 for line in page.splitlines() if line and not line.startswith(b"#"))
        print(f"{series} series, {len(page) / 1e6:.1f} MB: median {statistics.median(times) * 1e3:.1f} ms, "
              f"least {min(times) * 1e3:.1f}, p95 {quantile(times, 0.95) * 1e3:.1f}")
        plain, asked, scrapes = [], [], []
        for number in range(int(rounds)):
            plain.append(backlog(folder, config, f"plain-{number}", records, None))
            asked.append(backlog(folder, config, f"asked-{number}", records, every))
            scrapes += asked[-1][2]
        if scrapes:
            print(f"{len(scrapes)} scrapes while reading: median {statistics.median(scrapes) * 1e3:.1f} ms, "
                  f"longest {max(scrapes) * 1e3:.1f}")
        for place, what in enumerate(["time", "CPU"]):
            ratios = [with_[place] / without[place] for without, with_ in zip(plain, asked)]
            print(f"{what} of a backlog with a scrape every {every:g} s: "
                  f"{statistics.median(ratios):.3f} of that without (rounds: "
                  f"{', '.join(f'{ratio:.3f}' for ratio in ratios)})")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""CPU of `scan --threads 1` on CloudWatch Logs envelopes beside the same records without them.

    benches/envelope.py [--rounds N] FILE

FILE holds one record a line (`bedrock` of `benches/generate.rs`); twenty of them go into an envelope.
Both must come to the same sums.
"""

import argparse
import json
import pathlib
import statistics
import sys

from common import machine, work_folder
from scan import scan

EVENTS = 20


def wrap(plain, wrapped):
    with plain.open() as lines, wrapped.open("w") as out:
        number = 0
        while events := [
            {"id": f"{number + at:056}", "timestamp": 1788357601000, "message": line.rstrip("\n")}
            for at, line in zip(range(EVENTS), lines)
        ]:
            number += len(events)
            json.dump({"messageType": "DATA_MESSAGE", "owner": "111122223333", "logGroup": "g",
                       "logStream": "s", "subscriptionFilters": ["f"], "logEvents": events},
                      out, separators=(",", ":"))
            out.write("\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("file", type=pathlib.Path)
    options = parser.parse_args()
    with work_folder("envelope") as folder:
        wrapped = folder / "wrapped.jsonl"
        wrap(options.file, wrapped)
        rounds = [(scan(options.file, 1), scan(wrapped, 1)) for _ in range(options.rounds)]
        if any(bare[2] != within[2] for bare, within in rounds):
            sys.exit("the sums of the envelopes are not those of their records")
        print(f"{machine()}; medians of {options.rounds} rounds")
        for name, file, place in [("bare", options.file, 0), ("envelopes", wrapped, 1)]:
            cpu = statistics.median(both[place][1] for both in rounds)
            print(f"{name}: {file.stat().st_size / 1e9 / cpu:.2f} GB a CPU second, {cpu:.2f} s")


if __name__ == "__main__":
    main()

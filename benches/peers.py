#!/usr/bin/env python3
"""Measures `tollkeeper scan --threads 1` and its peers on the same files; called by benches/run.

Every round runs each program once, in turn, so that a slow moment of the machine hits all of them.
The time is the wall clock of the whole process, start included. The ratio is the median over the
rounds of (peer's time / our time) within one round. Files are read once before, so that they
are in the page cache.

What is compared: DuckDB computes the same sums per model (count, throttles, tokens) on one thread
with typed columns, so that it needs no type detection; it does not rate, and skips bodies. mtail
counts and sums with one regular expression for application lines and one for Bedrock lines.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
TOLLKEEPER = ROOT / "target/release/tollkeeper"

APPLICATION_SQL = """
SELECT model_id, count(*), sum(usage.input_tokens), sum(usage.output_tokens),
       sum(billing_estimate_usd)
FROM read_json('{file}', format='newline_delimited', maximum_object_size=67108864, columns={{
  timestamp: 'TIMESTAMP', model_id: 'VARCHAR', request_id: 'VARCHAR',
  usage: 'STRUCT(input_tokens UBIGINT, output_tokens UBIGINT, total_tokens UBIGINT)',
  billing_estimate_usd: 'DECIMAL(18,6)'}})
GROUP BY model_id
"""
BEDROCK_SQL = """
SELECT modelId, count(*), count(errorCode), sum("input".inputTokenCount),
       sum("input".cacheReadInputTokenCount), sum("input".cacheWriteInputTokenCount),
       sum("output".outputTokenCount)
FROM read_json('{file}', format='newline_delimited', maximum_object_size=67108864, columns={{
  timestamp: 'TIMESTAMP', accountId: 'VARCHAR', region: 'VARCHAR', requestId: 'VARCHAR',
  operation: 'VARCHAR', modelId: 'VARCHAR', errorCode: 'VARCHAR',
  identity: 'STRUCT(arn VARCHAR)',
  "input": 'STRUCT(inputTokenCount UBIGINT, cacheReadInputTokenCount UBIGINT,
                   cacheWriteInputTokenCount UBIGINT)',
  "output": 'STRUCT(outputTokenCount UBIGINT)'}})
GROUP BY modelId
"""


def duckdb_command(file):
    sql = (APPLICATION_SQL if "application" in file.name else BEDROCK_SQL).format(file=file)
    code = "import duckdb, sys\nc = duckdb.connect()\nc.execute('SET threads=1')\nprint(c.execute(sys.argv[1]).fetchall())"
    return [sys.executable, "-c", code, sql]


def commands(file, mtail):
    found = {}
    if TOLLKEEPER.exists():
        scan = [TOLLKEEPER, "scan", file, "--format", "json", "--plain"]
        found["tollkeeper, 1 thread"] = [*scan, "--threads", "1"]
        found["tollkeeper, 2 threads"] = [*scan, "--threads", "2"]
    found["DuckDB, 1 thread"] = duckdb_command(file)
    if mtail and mtail != "missing":
        program = HERE / ("application.mtail" if "application" in file.name else "bedrock.mtail")
        found["mtail"] = [
            "env", "GOMAXPROCS=1", mtail, "--one_shot", "--one_shot_format=json",
            "--progs", program, "--logs", file, "--logtostderr", "--stderrthreshold=FATAL",
        ]
    found["wc -l"] = ["wc", "-l", file]
    return found


def seconds(command):
    start = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    took = time.perf_counter() - start
    if done.returncode != 0:
        raise SystemExit(f"{command[:3]}: {done.returncode}\n{done.stderr.decode()[-2000:]}")
    return took


def measure(file, mtail, rounds):
    size = file.stat().st_size
    programs = commands(file, mtail)
    seconds(programs["wc -l"])  # Into the page cache.
    times = {name: [] for name in programs}
    for _ in range(rounds):
        for name, command in programs.items():
            times[name].append(seconds(command))
    ours = next(iter(times))
    print(f"\n{file.name}: {size / 1e9:.2f} GB, {rounds} rounds, ratio = time / time of {ours}")
    print(f"| program | GB/s, median | slowest to fastest | ratio |\n|---|---|---|---|")
    result = {"file": file.name, "bytes": size, "gb_per_s": {}}
    for name, took in times.items():
        speeds = sorted(size / 1e9 / value for value in took)
        ratio = statistics.median(a / b for a, b in zip(took, times[ours]))
        result["gb_per_s"][name] = statistics.median(speeds)
        print(f"| {name} | {statistics.median(speeds):.2f} | {speeds[0]:.2f} to {speeds[-1]:.2f} | {ratio:.2f} |")
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mtail")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=pathlib.Path, help="write the medians to this file too")
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    options = parser.parse_args()
    if not TOLLKEEPER.exists():
        print(f"skipped: tollkeeper: {TOLLKEEPER} is not built")
    results = [measure(file.resolve(), options.mtail, options.rounds) for file in options.files]
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()

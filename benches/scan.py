#!/usr/bin/env python3
"""Speed of `tollkeeper scan` beside DuckDB, mtail and `wc -l` on the same files.

    benches/scan.py [--rounds N] [--mtail PATH] FILE…

Every round runs each program once, in turn, so that a slow moment of the machine hits all of them.
Files are in the page cache. All but `scan --threads 2` are pinned to one CPU. The time of DuckDB is
taken inside its process, around the query alone; all others are the whole process, start included.
The sums of DuckDB and mtail are compared with ours: a program that counts something else is no peer.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

from common import BINARY, ROOT, count_lines, machine

CPU = "0"
APPLICATION_SQL = """
SELECT model_id, count(*), sum(usage.input_tokens), sum(usage.output_tokens),
       sum(billing_estimate_usd)
FROM read_json('{file}', format='newline_delimited', maximum_object_size=67108864, columns={{
  model_id: 'VARCHAR', usage: 'STRUCT(input_tokens UBIGINT, output_tokens UBIGINT)',
  billing_estimate_usd: 'DECIMAL(18,6)'}})
GROUP BY model_id
"""
BEDROCK_SQL = """
SELECT modelId, count(*), sum("input".inputTokenCount), sum("output".outputTokenCount),
       sum("input".cacheReadInputTokenCount), sum("input".cacheWriteInputTokenCount),
       count(errorCode)
FROM read_json('{file}', format='newline_delimited', maximum_object_size=67108864, columns={{
  modelId: 'VARCHAR', errorCode: 'VARCHAR',
  "input": 'STRUCT(inputTokenCount UBIGINT, cacheReadInputTokenCount UBIGINT,
                   cacheWriteInputTokenCount UBIGINT)',
  "output": 'STRUCT(outputTokenCount UBIGINT)'}})
GROUP BY modelId
"""
# Prints seconds, CPU seconds and the rows.
DUCKDB = """
import duckdb, json, sys, time
connection = duckdb.connect()
connection.execute("SET threads=1")
connection.execute("SET enable_progress_bar=false")  # It would be printed among the rows.
wall, cpu = time.perf_counter(), time.process_time()
rows = connection.execute(sys.argv[1]).fetchall()
took = time.perf_counter() - wall, time.process_time() - cpu
print(json.dumps([*took, [[str(value) for value in row] for row in rows]]))
"""
OURS = "tollkeeper scan --threads 1"


def is_application(file):
    return "application" in file.name


def run(command, pinned=True):
    """Seconds, CPU seconds and output of a process."""
    command = ["taskset", "-c", CPU, *command] if pinned else command
    before, start = os.times(), time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    took, after = time.perf_counter() - start, os.times()
    if done.returncode != 0:
        raise SystemExit(f"{command}: {done.returncode}\n{done.stderr.decode()[-2000:]}")
    cpu = (after.children_user - before.children_user) + (after.children_system - before.children_system)
    return took, cpu, done.stdout


def scan(file, threads):
    command = [BINARY, "scan", file, "--format", "json", "--threads", str(threads)]
    took, cpu, out = run(command, pinned=threads == 1)
    total = next(row for row in json.loads(out) if row.get("total"))
    return took, cpu, (total["requests"], total["tokens"]["input"], total["tokens"]["output"])


def duckdb(file):
    sql = (APPLICATION_SQL if is_application(file) else BEDROCK_SQL).format(file=file)
    took, cpu, rows = json.loads(run([sys.executable, "-c", DUCKDB, sql])[2])
    return took, cpu, tuple(sum(int(float(row[column])) for row in rows) for column in (1, 2, 3))


def mtail(file, program):
    took, cpu, out = run([
        "env", "GOMAXPROCS=1", program, "--one_shot", "--one_shot_format=json",
        "--progs", ROOT / "benches" / ("application.mtail" if is_application(file) else "bedrock.mtail"),
        "--logs", file, "--logtostderr", "--stderrthreshold=FATAL",
    ])
    sums = {}
    for name, metrics in json.loads(out).items():
        for value in (value for metric in metrics for value in metric["LabelValues"] or []):
            key = " ".join([name, *value["Labels"][1:]])
            sums[key] = sums.get(key, 0) + int(value["Value"]["Value"])
    return took, cpu, tuple(sums.get(name, 0) for name in ("requests", "tokens input", "tokens output"))


def programs(file, mtail_path):
    yield OURS, lambda: scan(file, 1)
    yield "tollkeeper scan --threads 2", lambda: scan(file, 2)
    yield "DuckDB, 1 thread", lambda: duckdb(file)
    if mtail_path and mtail_path != "missing":
        yield "mtail --one_shot", lambda: mtail(file, mtail_path)
    yield "wc -l", lambda: (*run(["wc", "-l", file])[:2], None)


def measure(file, mtail_path, rounds):
    size = file.stat().st_size / 1e9
    lines = count_lines(file)  # Reads the file into the page cache, too.
    taken, sums = {}, {}
    for _ in range(rounds):
        for name, program in programs(file, mtail_path):
            took, cpu, sums[name] = program()
            taken.setdefault(name, []).append((took, cpu))
    print(f"\n{file.name}: {size:.2f} GB, {lines} lines, {rounds} rounds\n")
    print(f"| program | GB/s | slowest to fastest | GB a CPU second | time / time of `{OURS}` |")
    print("|---|---|---|---|---|")
    for name, values in taken.items():
        speeds = sorted(size / took for took, _ in values)
        of_cpu = statistics.median(size / max(cpu, 0.001) for _, cpu in values)
        ratio = statistics.median(a / b for (a, _), (b, _) in zip(values, taken[OURS]))
        print(f"| {name} | {statistics.median(speeds):.2f} | {speeds[0]:.2f} to {speeds[-1]:.2f} "
              f"| {of_cpu:.2f} | {ratio:.2f} |")
    others = {name: found for name, found in sums.items() if found and found != sums[OURS]}
    if others or sums[OURS][0] != lines:
        print(f"\nSUMS DIFFER (requests, input, output): {lines} lines, ours {sums[OURS]}, {others}")
        return False
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mtail")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    options = parser.parse_args()
    print(f"{machine()}; medians")
    equal = [measure(file.resolve(), options.mtail, options.rounds) for file in options.files]
    sys.exit(0 if all(equal) else 1)


if __name__ == "__main__":
    main()

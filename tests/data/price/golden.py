#!/usr/bin/env python3
"""Writes golden.csv: every token price of litellm's Bedrock keys, as picodollars per token.

    python3 tests/data/price/golden.py CURRENT.json RETIRED.json > tests/data/price/golden.csv

It shares no code with src/price/book/convert.py and never sees the price files, so that an error
there has to be made twice to go unseen. One line for each key and priced field; bare keys are asked
for in us-east-1 and for an unknown region.
"""

import csv
import decimal
import json
import sys

GEO = "us-gov us eu apac jp au ca in".split()
FIRST_WORDS = [
    ("cache_creation_input_token_cost", "cache_write_5m"),
    ("cache_read_input_token_cost", "cache_read"),
    ("input_cost_per_token", "input"),
    ("output_cost_per_token", "output"),
]


def class_tier_size(field):
    for words, token_class in FIRST_WORDS:
        if field == words or field.startswith(words + "_"):
            flags = field.removeprefix(words).strip("_").replace("_tokens", "").replace("above_", "")
            tier, size = "standard", 0
            for flag in filter(None, flags.split("_")):
                if flag == "1hr":
                    token_class = "cache_write_1h"
                elif flag[:-1].isdigit() and flag.endswith("k"):
                    size = int(flag[:-1]) * 1000 + 1
                elif flag == "ultrafast":
                    return None
                else:
                    tier = {"batches": "batch", "flex": "flex", "priority": "priority"}[flag]
            return token_class, tier, size
    return None


def place(key, all_keys):
    provider = "aws.bedrock-mantle" if key.startswith("bedrock_mantle/") else "aws.bedrock"
    path = key.replace("bedrock_mantle/", "").replace("bedrock/", "").replace("invoke/", "").split("/")
    model, region = path[-1], path[0] if len(path) == 2 else None
    for prefix in GEO:
        if model.startswith(prefix + "."):
            return provider, model[len(prefix) + 1:], "geo", prefix, ["unknown"]
    if model.startswith("global."):
        return provider, model[len("global."):], "global", "global", ["unknown"]
    if region:
        return provider, model, "in_region", "", [region]
    root = "bedrock_mantle/" if provider != "aws.bedrock" else "bedrock/"
    own = f"{root}us-east-1/{model}" in all_keys
    return provider, model, "in_region", "", ["unknown"] if own else ["us-east-1", "unknown"]


def main():
    decimal.getcontext().traps[decimal.Inexact] = True
    current, retired = (json.load(open(name), parse_float=decimal.Decimal)["entries"] for name in sys.argv[1:3])
    entries = {**retired, **current}
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow("key provider model route geo region tier input_tokens class picodollars".split())
    for key in sorted(entries):
        if key == "anthropic.claude-3-7-sonnet-20240620-v1:0" or "-commitment/" in key or "-x-" in key:
            continue
        fields = {name: value for name, value in entries[key].items() if class_tier_size(name)}
        if not any(fields.values()):
            continue
        provider, model, route, geo, regions = place(key, entries)
        for name in sorted(fields):
            token_class, tier, size = class_tier_size(name)
            picodollars = decimal.Decimal(fields[name]) * 10**12
            assert picodollars == int(picodollars), (key, name)
            for region in regions:
                out.writerow([key, provider, model, route, geo, region, tier, size, token_class, int(picodollars)])


main()

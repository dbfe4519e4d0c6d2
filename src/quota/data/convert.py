#!/usr/bin/env python3
"""Makes `codes.toml` and `max_output.toml`.

    python3 src/quota/data/convert.py QUOTAS.csv CURRENT.json RETIRED.json

QUOTAS is metadata/quota-index.csv of awslabs/bedrock-usage-analyzer 0.5.1 (Apache-2.0); CURRENT and RETIRED
are the price maps of `src/price/book/convert.py`. The quota index pairs model ids with quotas by likeness, and
some pairs are wrong; the name of a quota is AWS's own word, so it decides the kind, the route and, where
CORRECTED says so, the model. Prints what it leaves out. The same input gives the same bytes.
"""

import csv
import json
import pathlib
import re
import sys

GEO_PREFIXES = {"us", "eu", "apac", "jp", "au", "ca", "in", "us-gov", "uk", "sa", "global"}
# Model text of a quota name -> the models that it is about, where the index says otherwise.
CORRECTED = {
    "Anthropic Claude 3.5 Sonnet V2": ["anthropic.claude-3-5-sonnet-20241022-v2:0"],
    "Anthropic Claude Haiku 4.5": ["anthropic.claude-haiku-4-5-20251001-v1:0"],
    "Anthropic Claude Sonnet 4.6": ["anthropic.claude-sonnet-4-6"],
    "Writer Palmyra Vision 7B": ["writer.palmyra-vision-7b"],
    "Amazon Titan Image Generator G1": ["amazon.titan-image-generator-v1"],
    # The 12B model is called Nemotron Nano 2 VL.
    "NVIDIA Nemotron Nano 2": ["nvidia.nemotron-nano-9b-v2"],
}
# Models that the index has no code for, by the names that AWS gives them in documents.
NAMES = {
    "Anthropic Claude Instant": ["anthropic.claude-instant-v1"],
    "Anthropic Claude V2": ["anthropic.claude-v2"],
    "Anthropic Claude V2.1": ["anthropic.claude-v2:1"],
    "Anthropic Claude 3 Opus": ["anthropic.claude-3-opus-20240229-v1:0"],
    "Anthropic Claude Opus 4.8": ["anthropic.claude-opus-4-8"],
    "Anthropic Claude Opus 5": ["anthropic.claude-opus-5"],
    "Anthropic Claude Opus 5.5": ["anthropic.claude-opus-5-5"],
    "Anthropic Claude Sonnet 5": ["anthropic.claude-sonnet-5"],
    "Anthropic Claude Sonnet 5.5": ["anthropic.claude-sonnet-5-5"],
    "Anthropic Claude Haiku 5.5": ["anthropic.claude-haiku-5-5"],
    "Anthropic Claude Fable 5": ["anthropic.claude-fable-5"],
    "Anthropic Claude Fable 5.1": ["anthropic.claude-fable-5-1"],
    "Anthropic Claude Mythos 5": ["anthropic.claude-mythos-5"],
    "Anthropic Claude Mythos 5.1": ["anthropic.claude-mythos-5-1"],
    "Amazon Titan Text Express": ["amazon.titan-text-express-v1"],
    "Amazon Titan Text Lite": ["amazon.titan-text-lite-v1"],
    "Amazon Titan Text Premier": ["amazon.titan-text-premier-v1:0"],
    "Cohere Embed Multilingual": ["cohere.embed-multilingual-v3"],
    "NVIDIA Nemotron Nano 2 VL": ["nvidia.nemotron-nano-12b-v2"],
    "OpenAI GPT-5.6 Sol": ["openai.gpt-5.6-sol"],
    "OpenAI GPT-5.6 Terra": ["openai.gpt-5.6-terra"],
    "OpenAI GPT-5.6 Luna": ["openai.gpt-5.6-luna"],
    "Writer Palmyra X4": ["writer.palmyra-x4-v1:0"],
    "Writer Palmyra X5": ["writer.palmyra-x5-v1:0"],
}
# Ids in the price map behind which there is no model (`src/price/book/convert.py` tells why).
NO_MODELS = {"anthropic.claude-3-7-sonnet-20240620-v1:0"}
NAME = re.compile(
    r"(?P<reach>Global cross-region|Cross-region|On-demand) model inference "
    r"(?P<what>tokens|requests) per (?P<span>minute|day) for (?P<model>.+)", re.I)
PER_DAY = re.compile(r"Model invocation max tokens per day for (?P<model>.+) \(doubled for cross-region calls\)")
REACHES = {"global cross-region": "global", "cross-region": "geo", "on-demand": "in_region"}


def quoted(texts):
    return "[" + ", ".join(f'"{text}"' for text in texts) + "]"


def codes(path):
    found, left_out = {}, set()
    lines = [line for line in open(path, encoding="utf-8") if not line.startswith("#")]
    for row in csv.DictReader(lines):
        code, name = row["quota_code"], row["quota_name"].strip()
        plain, per_day = NAME.fullmatch(name), PER_DAY.fullmatch(name)
        if plain:
            kind = f'{plain["what"]}_per_{plain["span"]}'
            reach, model = REACHES[plain["reach"].lower()], plain["model"]
        elif per_day:
            kind, reach, model = "tokens_per_day", "doubled", per_day["model"]
        else:
            left_out.add(f"{code} {name}")
            continue
        entry = found.setdefault(code, (kind, reach, model, name, set()))
        assert entry[:4] == (kind, reach, model, name), code
        entry[4].update(CORRECTED.get(model, [row["model_id"]]))
    for text in sorted(left_out):
        print("left out, of no kind that is tracked:", text)
    return found


def write_codes(path, found):
    names = dict(NAMES)
    for _, _, model, _, ids in found.values():
        known = names.setdefault(model, sorted(ids))
        assert set(known) == ids, (model, known, ids)
    out = [
        "# Made by convert.py: change that.",
        "#",
        "# Codes and names of quotas: metadata/quota-index.csv of awslabs/bedrock-usage-analyzer 0.5.1",
        "# (Apache-2.0), where wrong pairs of model and quota were set right. `reach` is what the name says:",
        "# `in_region` (on-demand), `geo` (cross-region), `global`, `doubled` (in the region, twice for geo).",
        "",
        "# How the names of quotas write a model, and its base ids.",
        "[models]",
    ]
    out += [f'"{name}" = {quoted(ids)}' for name, ids in sorted(names.items())]
    out += ["", "[codes]"]
    for code, (kind, reach, _, name, ids) in sorted(found.items()):
        out.append(f'{code} = {{ kind = "{kind}", reach = "{reach}", models = {quoted(sorted(ids))}, name = "{name}" }}')
    path.write_text("\n".join(out) + "\n", encoding="utf-8")


def base_id(key):
    parts = key.split("/")
    if parts[0] == "bedrock_mantle" or "@" in key or key in NO_MODELS:
        return None
    key = parts[-1]
    head, _, rest = key.partition(".")
    key = rest if head in GEO_PREFIXES else key
    return key if re.fullmatch(r"[a-z0-9]+\.[A-Za-z0-9.:-]+", key) else None


def write_max_output(path, files):
    found = {}
    for file in files:
        for key, entry in json.load(open(file, encoding="utf-8"))["entries"].items():
            tokens = entry.get("max_output_tokens", entry.get("max_tokens"))
            model = base_id(key)
            if model and tokens and entry.get("mode") in ("chat", "completion", "responses"):
                bare, others = found.setdefault(model, (set(), set()))
                (bare if key == model else others).add(int(tokens))
    out = [
        "# Made by convert.py: change that.",
        "#",
        "# The most tokens that a model writes, which is what a request without `max_tokens` reserves.",
        "# `max_output_tokens`, else `max_tokens`, of litellm 1.106.2, model_prices_and_context_window_backup.json,",
        "# and of 1.77.7 or 1.55.12 for retired models (MIT, Copyright (c) 2023 Berri AI). Kept by a community",
        "# and not by AWS. The entry of the bare id; where there is none, the largest of the others.",
        "",
    ]
    for model, (bare, others) in sorted(found.items()):
        out.append(f'"{model}" = {max(bare or others)}')
    path.write_text("\n".join(out) + "\n", encoding="utf-8")


def main():
    quotas, current, retired = sys.argv[1:]
    folder = pathlib.Path(__file__).parent
    write_codes(folder / "codes.toml", codes(quotas))
    write_max_output(folder / "max_output.toml", [current, retired])


main()

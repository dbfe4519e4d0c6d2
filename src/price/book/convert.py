#!/usr/bin/env python3
"""Makes the shipped price files from litellm's price map.

    python3 src/price/book/convert.py CURRENT.json RETIRED.json

CURRENT is the Bedrock part of litellm's model_prices_and_context_window_backup.json, RETIRED holds
the entries that older releases had and newer ones dropped (an entry that is in both is taken from
CURRENT). Writes one `<model provider>.toml` beside this script, sorted, and prints what it left out
and why. The same input gives the same bytes. Numbers stay decimal text from end to end.
"""

import json
import pathlib
import re
import sys
from decimal import Decimal

PUBLISHED = "2026-11-23"
SOURCE = "litellm 1.106.2, model_prices_and_context_window_backup.json"
SOURCE_RETIRED = "litellm 1.77.7 or 1.55.12; newer releases dropped the model"
# Bare keys carry the list price of these regions; elsewhere it is an assumption.
LIST_REGIONS = ["us-east-1", "us-west-2"]
BEDROCK, MANTLE = "aws.bedrock", "aws.bedrock-mantle"
GEO_PREFIXES = {"us", "eu", "apac", "jp", "au", "ca", "in", "us-gov", "uk", "sa"}
STEPS = ["100k", "128k", "200k", "256k", "272k"]
TIERS = {"": "standard", "priority": "priority", "flex": "flex", "batches": "batch"}
CLASS_ORDER = ["input", "cache_read", "cache_write_5m", "cache_write_1h", "output"]
ROUTE_ORDER = ["in_region", "geo", "global"]
TERMS = {"1-month-commitment": "1_month", "6-month-commitment": "6_months"}

LEFT_OUT_KEYS = {
    "anthropic.claude-3-7-sonnet-20240620-v1:0":
        "no such model: the date is that of 3.5 Sonnet, the price that of GovCloud",
}
# Prices that changed in place, with no date that anything backs: the present price holds, and says so.
NOTES = {
    "anthropic.claude-instant-v1": "input was 1.63 in older lists, date of change unknown",
    "anthropic.claude-v2": "11.02/32.68 before December 2023, exact day unknown",
    "mistral.mistral-large-2402-v1:0": "input was 8 in older lists, date of change unknown",
    "amazon.titan-text-express-v1": "input was 1.3 in older lists, date of change unknown",
    "meta.llama3-1-405b-instruct-v1:0": "5.32/16 in older lists, date of change unknown",
    "anthropic.claude-3-5-haiku-20241022-v1:0": "input was 1 in older lists, date of change unknown",
}
# Geographic prices that are known to differ between source regions of the same prefix.
GEO_ASSUMED = {("apac", f"amazon.nova-{size}-v1:0") for size in ("micro", "lite", "pro")}

PRICE_LIST_TOKYO = "AWS Price List API, ap-northeast-1, 2026-09, second hand"
EXTRA_PRICES = [
    ("amazon.nova-micro-v1:0", "ap-northeast-1", {"input": "0.042", "output": "0.168"}, PRICE_LIST_TOKYO),
    ("amazon.nova-lite-v1:0", "ap-northeast-1", {"input": "0.072", "output": "0.288"}, PRICE_LIST_TOKYO),
    ("amazon.titan-embed-text-v2:0", "ap-northeast-1", {"input": "0.029", "output": "0"}, PRICE_LIST_TOKYO),
]
PRICE_PAGE_2024 = "AWS price page of early 2024, second hand"
EXTRA_HOURLY = [
    ("amazon.titan-text-lite-v1", ("7.10", "6.40", "5.10")),
    ("amazon.titan-text-express-v1", ("20.50", "18.40", "14.80")),
    ("amazon.titan-embed-image-v1", ("9.38", "8.45", "6.75")),
    ("amazon.titan-image-generator-v1", ("23.40", "21.00", "16.85")),
    ("meta.llama2-13b-chat-v1", (None, "21.18", "13.08")),
    ("meta.llama2-70b-chat-v1", (None, "21.18", "13.08")),
    ("stability.stable-diffusion-xl-v1", (None, "49.86", "46.18")),
]

UNITS = {
    "input_cost_per_image": "input_image",
    "output_cost_per_image": "output_image",
    "input_cost_per_image_token": "input_image_token",
    "input_cost_per_query": "query",
    "input_cost_per_audio_token": "input_audio_token",
    "output_cost_per_audio_token": "output_audio_token",
    "input_cost_per_audio_per_second": "input_audio_second",
    "input_cost_per_video_per_second": "input_video_second",
}
BASES = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cache_read",
    "cache_creation_input_token_cost": "cache_write_5m",
}
SECONDS = {"cost_per_second", "input_cost_per_second", "output_cost_per_second"}


class Report:
    """What was left out, by reason."""

    def __init__(self):
        self.lines = []

    def add(self, key, reason):
        self.lines.append(f"left out: {key}: {reason}")


def plain(number):
    """A decimal without exponent and without trailing zeros."""
    text = format(number.normalize(), "f")
    return "0" if number == 0 else text


def parse_key(key):
    """-> dict with provider, model, route, geo, region (None = bare), term, variant."""
    where = dict(provider=BEDROCK, route="in_region", geo=None, region=None, term=None, variant=None)
    rest = key
    size = re.match(r"^((?:\d+-x-\d+|max-x-max)/(?:\d+|max)-steps)/(.*)$", rest)
    if size:
        where["variant"], rest = size.groups()
    parts = rest.split("/")
    if parts[0] == "bedrock_mantle":
        where["provider"] = MANTLE
    if parts[0] in ("bedrock", "bedrock_mantle"):
        parts = parts[1:]
    if parts[0] == "invoke":
        parts = parts[1:]
    if len(parts) > 1:
        where["region"], parts = parts[0], parts[1:]
    if len(parts) > 1:
        where["term"], parts = TERMS[parts[0]], parts[1:]
    (model,) = parts
    prefix, dot, base = model.partition(".")
    if dot and prefix in GEO_PREFIXES:
        where.update(route="geo", geo=prefix)
        model = base
    elif dot and prefix == "global":
        where.update(route="global")
        model = base
    where["model"] = model
    return where


def parse_token_field(field):
    """-> (tier table, class), or None if the field is no price of a token class that we have.

    The suffixes come in any order: `_above_1hr_above_200k_tokens`, `_above_272k_tokens_ultrafast`.
    """
    for base, token_class in BASES.items():
        if field.startswith(base):
            rest = field[len(base):]
            break
    else:
        return None
    step, tier = None, ""
    while rest:
        match = re.match(r"_above_(1hr)|_above_(\d+k)_tokens|_(batches|flex|priority)(?=_|$)", rest)
        if not match:
            return None
        hour, above, served = match.groups()
        if hour:
            if token_class != "cache_write_5m":
                return None
            token_class = "cache_write_1h"
        elif above:
            step = above
        else:
            tier = served
        rest = rest[match.end():]
    if step is not None and step not in STEPS:
        return None
    table = TIERS[tier] + (f"_above_{step}" if step else "")
    return table, token_class


def release_date(model):
    """The day in a model id (`claude-3-haiku-20240307`), if it has one."""
    match = re.search(r"-(20\d\d)(0[1-9]|1[0-2])([0-3]\d)(?=-|$)", model.replace("@", "-"))
    return "-".join(match.groups()) if match else None


def read_entry(key, entry, report):
    """-> (tables of token prices, unit prices, price of a second or None)."""
    tables, units, second = {}, {}, None
    for field, value in sorted(entry.items()):
        if "cost" not in field:
            continue
        token = parse_token_field(field)
        if token:
            table, token_class = token
            tables.setdefault(table, {})[token_class] = plain(value * 1_000_000)
        elif field in UNITS:
            units[UNITS[field]] = plain(Decimal(value))
        elif field in SECONDS:
            assert value == 0 or second in (None, value), (key, field)
            second = second or value
        elif field == "search_context_cost_per_query":
            (price,) = set(value.values())
            units["search_query"] = plain(price)
        elif field == "guardrail_cost_per_unit":
            for unit, price in value.items():
                snake = re.sub("([A-Z])", lambda found: "_" + found.group(1).lower(), unit)
                units[snake] = plain(Decimal(price))
        else:
            report.add(key, f"`{field}` is no tier that Bedrock's logs name")
    if all(price == "0" for table in tables.values() for price in table.values()):
        # An embedding or reranking model that is paid by the query: its tokens are not free.
        tables = {}
    return tables, units, second


def agree(one, other):
    """Whether two sets of tables name no price differently."""
    return all(
        other.get(table, {}).get(token_class, price) == price
        for table, prices in one.items()
        for token_class, price in prices.items()
    )


def union(one, other):
    merged = {table: dict(prices) for table, prices in one.items()}
    for table, prices in other.items():
        merged.setdefault(table, {}).update(prices)
    return merged


def collect(current, retired, report):
    """-> ({place: (tables, source)}, [hourly rows], [unit rows])."""
    prices, hourly, units = {}, [], {}
    entries = [(key, entry, None) for key, entry in sorted(current.items())]
    entries += [(key, entry, SOURCE_RETIRED) for key, entry in sorted(retired.items()) if key not in current]
    for key, entry, source in entries:
        if key in LEFT_OUT_KEYS:
            report.add(key, LEFT_OUT_KEYS[key])
            continue
        where = parse_key(key)
        tables, unit_prices, second = read_entry(key, entry, report)
        if where["term"]:
            per_hour = plain(second * 3600)
            hourly.append((where["model"], where["region"], where["term"], per_hour, source))
            continue
        place = tuple(where[name] for name in ("model", "provider", "route", "geo", "region"))
        for unit, usd in unit_prices.items():
            units.setdefault((*place, where["variant"] or "", unit), (usd, source))
        if not tables:
            if not unit_prices:
                report.add(key, "has no price at all")
            continue
        if place in prices:
            known, known_source = prices[place]
            assert agree(known, tables), f"two keys disagree about {place}"
            tables, source = union(known, tables), known_source
        prices[place] = (tables, source)
    fold_list_regions(prices)
    for model, region, table, source in EXTRA_PRICES:
        place = (model, BEDROCK, "in_region", None, region)
        assert place not in prices, place
        prices[place] = ({"standard": table}, source)
    for model, terms in EXTRA_HOURLY:
        for term, usd in zip(("none", "1_month", "6_months"), terms):
            if usd is not None:
                hourly.append((model, "*", term, plain(Decimal(usd)), PRICE_PAGE_2024))
    return prices, hourly, units


def fold_list_regions(prices):
    """Gives bare keys the regions whose list price they are.

    A key of its own for such a region mostly repeats the bare key with fewer fields: then the two
    become one. Where it disagrees it stays, and the bare key is not the price of that region.
    """
    for place, (tables, source) in sorted(prices.items(), key=lambda item: str(item[0])):
        model, provider, route, geo, region = place
        if route != "in_region" or region is not None:
            continue
        exact = []
        for named in LIST_REGIONS:
            own = prices.get((model, provider, route, geo, named))
            if own is None:
                exact.append(named)
            elif agree(own[0], tables):
                tables = union(tables, own[0])
                del prices[(model, provider, route, geo, named)]
                exact.append(named)
        del prices[place]
        prices[(model, provider, route, geo, (*exact, "*"))] = (tables, source)


def group(prices):
    """Joins places that have the same prices into one row each."""
    rows = {}
    for (model, provider, route, geo, region), (tables, source) in prices.items():
        regions = region if isinstance(region, tuple) else (region,) if region else ()
        if (geo, model) in GEO_ASSUMED:
            regions = ("*",)
        frozen = json.dumps(tables, sort_keys=True)
        joined_by = "geo" if route == "geo" else "region"
        same = (model, provider, route, joined_by == "geo" and regions, source, frozen)
        row = rows.setdefault(same, dict(model=model, provider=provider, route=route, geos=set(),
                                         regions=set(), tables=tables, source=source))
        row["geos"] |= {geo} if geo else set()
        row["regions"] |= set(regions)
    return sorted(rows.values(), key=lambda row: (
        row["model"], row["provider"], ROUTE_ORDER.index(row["route"]),
        sorted(row["geos"]), sorted(row["regions"], key=region_order)))


def region_order(region):
    return (region == "*", region)


def one_or_list(values):
    texts = [f'"{value}"' for value in values]
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


def table_order(table):
    tier, _, step = table.partition("_above_")
    return (["standard", "priority", "flex", "batch"].index(tier), step)


def price_line(row):
    model = row["model"]
    parts = [f'model = "{model}"']
    if row["provider"] != BEDROCK:
        parts.append(f'provider = "{row["provider"]}"')
    parts.append(f'route = "{row["route"]}"')
    if row["geos"]:
        parts.append(f'geo = {one_or_list(sorted(row["geos"]))}')
    if row["regions"]:
        parts.append(f'region = {one_or_list(sorted(row["regions"], key=region_order))}')
    if release_date(model):
        parts.append(f'from = "{release_date(model)}"')
    for table in sorted(row["tables"], key=table_order):
        prices = row["tables"][table]
        listed = [f'{name} = "{prices[name]}"' for name in CLASS_ORDER if name in prices]
        parts.append(f'{table} = {{ {", ".join(listed)} }}')
    source = row["source"]
    if model in NOTES:
        source = f"{source or SOURCE}; {NOTES[model]}"
    if source:
        parts.append(f'source = "{source}"')
    return f'  {{ {", ".join(parts)} }},'


def hourly_line(model, region, term, usd, source):
    tail = f', source = "{source}"' if source else ""
    return f'  {{ model = "{model}", region = "{region}", term = "{term}", usd_per_hour = "{usd}"{tail} }},'


def unit_line(place, priced):
    model, provider, route, geo, region, variant, unit = place
    usd, source = priced
    parts = [f'model = "{model}"']
    if provider != BEDROCK:
        parts.append(f'provider = "{provider}"')
    if route != "in_region":
        parts.append(f'route = "{route}"')
    for name, value in (("geo", geo), ("region", region), ("variant", variant)):
        if value:
            parts.append(f'{name} = "{value}"')
    parts += [f'unit = "{unit}"', f'usd = "{usd}"']
    if source:
        parts.append(f'source = "{source}"')
    return f'  {{ {", ".join(parts)} }},'


def file_of(model):
    if model.startswith("claude"):
        return "anthropic"
    if model == "guardrails":
        return "amazon"
    vendor = model.split(".", 1)[0]
    return {"moonshot": "moonshotai"}.get(vendor, vendor)


def main():
    current, retired = (
        json.loads(pathlib.Path(path).read_text(), parse_float=Decimal)["entries"] for path in sys.argv[1:3]
    )
    report = Report()
    prices, hourly, units = collect(current, retired, report)
    files = {}
    for row in group(prices):
        files.setdefault(file_of(row["model"]), ([], [], []))[0].append(price_line(row))
    for row in sorted(hourly, key=lambda row: row[:3]):
        files.setdefault(file_of(row[0]), ([], [], []))[1].append(hourly_line(*row))
    for place, priced in sorted(units.items(), key=lambda item: tuple(part or "" for part in item[0])):
        files.setdefault(file_of(place[0]), ([], [], []))[2].append(unit_line(place, priced))
    here = pathlib.Path(__file__).resolve().parent
    for name, sections in sorted(files.items()):
        lines = ["# Made by convert.py: change that, or put a price of your own into a file of your own.",
                 f'published = "{PUBLISHED}"', f'source = "{SOURCE}"']
        for title, rows in zip(("price", "hourly", "unit"), sections):
            if rows:
                lines += ["", f"{title} = ["] + rows + ["]"]
        (here / f"{name}.toml").write_text("\n".join(lines) + "\n")
    counts = [sum(len(sections[place]) for sections in files.values()) for place in range(3)]
    print("\n".join(sorted(report.lines)))
    print(f"{len(files)} files, {counts[0]} price rows, {counts[1]} hourly rows, {counts[2]} unit rows")


if __name__ == "__main__":
    main()

"""A benchmark's rows as a Markdown table, on the terminal and in a file, and as JSON."""

import dataclasses
import json

from nerf_talker.atomic import atomic_path

EXPLAINED = """\
Milliseconds are the shortest of the timed calls; a ratio says how many times as long the yardstick
took in the same run. *reference* is the back-end in pure torch (`NERF_TALKER_OPS=reference`), whose
dense grid levels use `grid_sample`; *plain gather* is the encoding written as its definition reads,
with torch's indexing; *op by op* is the same native operators called one by one; *layers* is a head
whose layers torch runs one by one, *compiled* the same after `torch.compile` (`train.compile`).

*speed against rate* is the time which the counted bytes, FLOP or random reads would take at the
rates above, whichever takes longest, over the time taken. The rates are torch's own copy, product
and `take`. For memory and arithmetic it is a share of what the machine can do; more than 100 %
means better than torch's copy or product, or a count that is too high: a network counts every
weight once for every sample, but one call for a whole frame folds what is constant and stops behind
opaque samples. For random reads it is no share but a multiple: `take` reads single numbers anywhere
in a table of 2 MB, and a lookup whose points lie close together may well be faster than that.
"""


def heading(machine, rates):
    """Machine and rates as Markdown."""
    where = f"{machine.cores} cores, {machine.threads} threads"
    where += "" if machine.gpu == "none" else f"; GPU {machine.gpu}"
    return "\n".join(
        [
            f"- processor: {machine.processor}, {where}",
            f"- torch {machine.torch}, Python {machine.python}; commit {machine.commit}; "
            f"load when it began: {machine.load}",
            f"- copy {rates.bandwidth / 1e9:.1f} GB/s; matrices float32 {rates.float32 / 1e9:.0f} "
            f"GFLOP/s, bfloat16 {rates.bfloat16 / 1e9:.0f} GFLOP/s; random reads of 4 bytes "
            f"{rates.gathers / 1e6:.0f} M/s",
        ]
    )


def section(title, rows, rates):
    """One table; a column of two numbers for each yardstick that any row has."""
    yardsticks = list(dict.fromkeys(n for row in rows for n in row.times if n != row.ours()[0]))
    columns = [title, "ours", "ms"]
    for name in yardsticks:
        columns += [f"{name}, ms", "ratio"]
    columns += ["M/s", "GB/s", "GFLOP/s", "speed against rate", "note"]
    lines = [_line(columns), _line(["---", "---", *["---:"] * (len(columns) - 3), "---"])]
    return "\n".join([*lines, *(_line(_cells(row, yardsticks, rates)) for row in rows)])


def _cells(row, yardsticks, rates):
    name, took = row.ours()
    kind, least = rates.longest(row)
    share = f"{least / took:.1f} ×" if kind == "random reads" else f"{least / took:.0%}"
    cells = [row.name, name, f"{took:.2f}"]
    for yardstick in yardsticks:
        ratio = row.ratio(yardstick)
        cells += ["", ""] if ratio is None else [f"{row.times[yardstick]:.2f}", f"{ratio:.1f}"]
    speeds = (row.items / 1e6, row.bytes / 1e9, row.flop / 1e9)
    cells += [f"{row.per_second(amount):.3g}" for amount in speeds]
    cells[-3] += f" {row.unit}"
    return [*cells, f"{share} {kind}", row.note]


def _line(cells):
    return "| " + " | ".join(cells) + " |"


def write_json(path, machine, rates, sections):
    """Everything measured and counted."""
    tables = {
        title: [
            {**dataclasses.asdict(row), "ratios": {n: row.ratio(n) for n in row.times}}
            for row in rows
        ]
        for title, rows in sections.items()
    }
    content = {
        "machine": dataclasses.asdict(machine),
        "rates": dataclasses.asdict(rates),
        "tables": tables,
    }
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")


def write_markdown(path, parts):
    """The parts below one another."""
    with atomic_path(path) as temporary:
        temporary.write_text("\n\n".join(["# Benchmarks", *parts, EXPLAINED]))

"""``make bench``: every operator, the training step and a frame against the reference.

Both sides of a ratio are measured in the same run; nothing is asserted. ``--avatar FOLDER`` adds
the head of a trained avatar, ``--json FILE`` writes the rows.
"""

import argparse
import dataclasses
import itertools
import json
from pathlib import Path

import torch

from nerf_talker.ops import backend
from tests.benchmarks.op_rows import op_rows
from tests.benchmarks.talker_rows import talker_rows
from tests.benchmarks.timing import REPEATS, roofline


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--avatar", type=Path)
    parser.add_argument("--size", type=int, default=256, help="width of the trained head's picture")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", choices=("ops", "talker"))
    return parser.parse_args()


def main():
    given = arguments()
    best = roofline()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, best of {REPEATS}")
    print(f"copy {best.bandwidth / 1e9:.1f} GB/s, float32 matrices {best.rate / 1e9:.0f} GFLOP/s")
    print(f"native library: {backend.fault('cpu') or 'found'}\n")
    print(f"{'what':<58}{'first':>10}{'last ms':>10}{'ratio':>8}{'M/s':>9}{'of floor':>10}")
    rows = []
    sources = []
    if given.only != "talker":
        sources.append(op_rows())
    if given.only != "ops":
        sources.append(talker_rows(given.avatar, given.size))
    for row in itertools.chain(*sources):
        first, *_, last = row.times.values()
        speed = row.items / row.fastest() / 1e6
        share = best.share(row)
        floor = f"{share:>10.0%}" if share else f"{'':>10}"
        print(f"{row.name:<58}{first:>10.2f}{last:>10.2f}{row.ratio():>8.1f}{speed:>9.2f}{floor}")
        rows.append({**dataclasses.asdict(row), "ratio": row.ratio()})
    if given.json:
        machine = dataclasses.asdict(best) | {"threads": torch.get_num_threads()}
        given.json.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()

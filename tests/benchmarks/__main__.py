"""``make bench``: every operator, the training step, a frame and the stages of a video.

Both sides of a ratio are measured in the same run; nothing is asserted. The table is Markdown.
"""

import argparse
import sys
from pathlib import Path

import torch

from nerf_talker.ops import backend
from tests.benchmarks.machine import machine, roofline
from tests.benchmarks.op_rows import here, op_rows
from tests.benchmarks.package_rows import absent, package_rows
from tests.benchmarks.report import EXPLAINED, heading, section, write_json, write_markdown
from tests.benchmarks.stage_rows import stage_section, stages
from tests.benchmarks.talker_rows import frame_rows, step_rows

ONLY = ("ops", "packages", "step", "frame", "stages")
PACKAGES = ("nerfacc", "tinycudann")


def arguments(argv):
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--avatar", type=Path, help="also the head of this trained avatar")
    parser.add_argument("--size", type=int, default=256, help="width of a frame, pixels")
    parser.add_argument("--rays", type=int, nargs="+", default=[4096], help="of a training step")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write rows and counts there")
    parser.add_argument("--only", choices=ONLY, action="append", help="leave out the rest")
    return parser.parse_args(argv)


def main(argv=None):
    given = arguments(argv)
    device = given.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    run(given, device)


def run(given, device):
    where, rates = machine(device), roofline(device)
    parts = [heading(where, rates)]
    print(parts[0])
    if len(here(device)) == 1:
        print(f"no native library: {backend.fault(device)}; the reference stands alone")
    made = {
        "ops": ("operator", lambda: on_device(device, op_rows())),
        "packages": ("other packages", lambda: on_device(device, package_rows())),
        "step": ("training step", lambda: step_rows(device, given.rays)),
        "frame": ("picture", lambda: frame_rows(device, given.avatar, given.size)),
    }
    sections = {}
    for name in given.only or ONLY:
        if name == "stages":
            parts.append(stage_section(*stages(device, given.avatar, given.size)))
            print(f"\n{parts[-1]}", flush=True)
            continue
        title, rows = made[name]
        if name == "packages":
            missing = [f"- {p} is not compared: {absent(p)}" for p in PACKAGES if absent(p)]
            parts.append("\n".join(missing))
            print(f"\n{parts[-1]}")
        sections[title] = list(announced(rows()))
        if sections[title]:
            parts.append(section(title, sections[title], rates))
            print(f"\n{parts[-1]}", flush=True)
    print(f"\n{EXPLAINED}")
    if given.markdown:
        write_markdown(given.markdown, parts)
    if given.json:
        write_json(given.json, where, rates, sections)


def announced(rows):
    """The rows, each named on stderr as it comes: a table's columns are known at its end only."""
    for row in rows:
        print(f"measured {row.name}", file=sys.stderr)
        yield row


def on_device(device, rows):
    """Rows whose tensors are made on a device."""
    with torch.device(device):
        yield from rows


if __name__ == "__main__":
    main()

"""Suites: every listed clip trained with every listed configuration and seed, in one table.

What is finished is kept by a fingerprint of clip, configuration, seed and code, so the same
command goes on after a kill, and a new configuration costs only its own cells.
"""

from nerf_talker.benchmark.gate import regressions
from nerf_talker.benchmark.run import Runner
from nerf_talker.benchmark.suite import Suite, load_suite
from nerf_talker.benchmark.table import Table, read_table

__all__ = ["Runner", "Suite", "Table", "load_suite", "read_table", "regressions"]

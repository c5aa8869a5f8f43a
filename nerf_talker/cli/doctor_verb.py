"""``nerf-talker doctor``: what this machine can do, and what to do about what it cannot."""

from __future__ import annotations

from dataclasses import dataclass

import tyro


@dataclass(frozen=True)
class Arguments:
    """Check this machine: packages, system libraries, encoders, model files, ops.

    Ends with 1 when something required is missing, and prints its cure.
    """


def run(argv: list[str]) -> int:
    """Run the verb; 0 when all that is required is there, else 1."""
    tyro.cli(Arguments, args=argv, prog="nerf-talker doctor")
    from nerf_talker.cli.doctor_checks import all_checks

    failed = 0
    for check in all_checks():
        print(f"{check.state:4}  {check.name}: {check.text}", flush=True)
        if check.state == "fail":
            failed += 1
            print(f"      cure: {check.cure}", flush=True)
    if failed:
        print(f"{failed} required {'thing is' if failed == 1 else 'things are'} not in order")
        return 1
    print("all that is required is in order")
    return 0

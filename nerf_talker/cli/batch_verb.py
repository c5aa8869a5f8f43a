"""``nerf-talker batch``: many videos from a table; what is done is not done again."""

import sys
from dataclasses import dataclass
from pathlib import Path

from nerf_talker.drive.batch import Job, Journal, read_jobs


def run(argv: list[str]) -> int:
    """Render the rows; see ``nerf-talker batch --help``."""
    import tyro

    @dataclass(frozen=True)
    class Arguments:
        """Render every row of a table; the same command goes on after an interruption.

        Columns: avatar, output, audio or text; voice and options (of render) where wanted.
        """

        jobs: tyro.conf.Positional[Path]
        """Table with a header line, as comma-separated values."""
        quiet: bool = False
        """No progress bars."""

    arguments = tyro.cli(Arguments, args=argv, prog="nerf-talker batch")
    jobs, journal = read_jobs(arguments.jobs), Journal(arguments.jobs)
    done = skipped = 0
    failed: list[int] = []
    for place, job in enumerate(jobs, 1):
        fingerprint = job.fingerprint()
        if journal.is_done(job, fingerprint):
            skipped += 1
            continue
        print(f"{place}/{len(jobs)}: line {job.line}, {job.output}", flush=True)
        code = render_row(job, arguments.quiet)
        if code == 130:
            return code
        if code:
            failed.append(job.line)
        else:
            journal.finish(job, fingerprint)
            done += 1
    lines = f" (lines {', '.join(map(str, failed))})" if failed else ""
    print(f"{done} done, {skipped} done before, {len(failed)} failed{lines}")
    return 1 if failed else 0


def render_row(job: Job, quiet: bool) -> int:
    """The exit code of a row; a fault of the program itself fails the row, not the batch."""
    from nerf_talker.cli import main

    try:
        return main(["render", *job.arguments, *(["--quiet"] if quiet else [])])
    except Exception as error:
        reason = " ".join(f"{type(error).__name__} {error}".split())[:200]
        print(f"error: line {job.line}: stopped unexpectedly ({reason})", file=sys.stderr)
        return 1

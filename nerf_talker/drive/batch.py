"""Many videos from a table: which rows there are, and which are done already.

``jobs.csv`` has a header line with the columns ``avatar``, ``output``, and ``audio`` or ``text``;
``voice`` and ``options`` (more options of ``nerf-talker render``, quoted as on a command line)
where they are wanted. Paths are those of the folder that the command runs in.

What is done is kept beside the table, in ``jobs.csv.journal.json``, with a fingerprint of the row
and of the content of all files it reads: a row is skipped while nothing of that has changed and its
video is there.
"""

from __future__ import annotations

import csv
import hashlib
import json
import shlex
from dataclasses import dataclass
from pathlib import Path

from nerf_talker import __version__
from nerf_talker.atomic import atomic_path
from nerf_talker.drive.coding import STANDARD_OUTPUT
from nerf_talker.errors import InputError

COLUMNS = ("avatar", "audio", "text", "voice", "output", "options")
# Options of render that name what is written, so that what a row made is no reason to make it anew.
_WRITTEN = ("-o", "--output", "--dump-driving")


@dataclass(frozen=True)
class Job:
    """One row.

    Attributes:
        line: Its line in the table, from 1.
        output: The video to write.
        arguments: Of ``nerf-talker render``.
    """

    line: int
    output: Path
    arguments: tuple[str, ...]

    def fingerprint(self) -> str:
        """Hash of the row and of the files it reads; another version renders anew."""
        digest = hashlib.sha256(f"{__version__}\0".encode())
        before = ""
        for argument in self.arguments:
            digest.update(f"{argument}\0".encode())
            option, _, value = argument.rpartition("=")
            if before not in _WRITTEN and option not in _WRITTEN:
                digest.update(_content(value).encode())
            before = argument
        return digest.hexdigest()[:32]


def read_jobs(path: Path) -> list[Job]:
    """The rows of a table.

    Raises:
        InputError: The table is missing, is none, or a row cannot be a job; the line is named.
    """
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, strict=True)
            rows = [(reader.line_num, row) for row in reader]
            columns = list(reader.fieldnames or [])
    except FileNotFoundError:
        raise InputError(f"{path}: no such table of jobs") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a table of comma-separated values ({error})") from None
    unknown = [name for name in columns if name not in COLUMNS]
    if unknown or "avatar" not in columns or "output" not in columns:
        seen = f"unknown column '{unknown[0]}'" if unknown else "no column avatar or output"
        raise InputError(f"{path}: {seen}; the columns are {', '.join(COLUMNS)}")
    if not rows:
        raise InputError(f"{path}: holds no rows under its header")
    jobs = [_job(path, line, row) for line, row in rows]
    _check_outputs(path, jobs)
    return jobs


def _job(path: Path, line: int, row: dict[str, str]) -> Job:
    if None in row or None in row.values():
        raise InputError(f"{path}: line {line} has not as many values as the header has columns")
    cell = {name: value.strip() for name, value in row.items()}
    for name in ("avatar", "output"):
        if not cell[name]:
            raise InputError(f"{path}: line {line} has no {name}")
    if cell["output"] == STANDARD_OUTPUT:
        raise InputError(f"{path}: line {line}: the output of a batch is a file or a folder, not -")
    if bool(cell.get("audio")) == bool(cell.get("text")):
        raise InputError(f"{path}: line {line} needs either audio or text")
    given = [f"--{name}={cell[name]}" for name in ("audio", "text", "voice") if cell.get(name)]
    try:
        options = shlex.split(cell.get("options", ""))
    except ValueError as error:
        raise InputError(f"{path}: line {line}: options: {error}") from None
    arguments = (cell["avatar"], *given, f"--output={cell['output']}", *options)
    return Job(line, Path(cell["output"]), arguments)


def _check_outputs(path: Path, jobs: list[Job]) -> None:
    lines: dict[Path, int] = {}
    for job in jobs:
        place = job.output.resolve()
        if place in lines:
            raise InputError(
                f"{path}: lines {lines[place]} and {job.line} write the same {job.output}"
            )
        lines[place] = job.line


class Journal:
    """What of a table is done; written after every row, so that a killed batch goes on."""

    def __init__(self, table: Path) -> None:
        """Read the journal beside ``table``; one that cannot be read says that nothing is done."""
        self.path = table.with_name(f"{table.name}.journal.json")
        self.done: dict[str, str] = {}
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return
        if isinstance(content, dict):
            self.done = {key: value for key, value in content.items() if isinstance(value, str)}

    def is_done(self, job: Job, fingerprint: str) -> bool:
        """Whether the row's video, or folder, is there and made of what the row names now."""
        return self.done.get(str(job.output)) == fingerprint and job.output.exists()

    def finish(self, job: Job, fingerprint: str) -> None:
        """The row's video is complete."""
        self.done[str(job.output)] = fingerprint
        with atomic_path(self.path) as temporary:
            temporary.write_text(json.dumps(self.done, indent=1) + "\n", encoding="utf-8")


def _content(value: str) -> str:
    """Digest of the file, or of the avatar in the run folder, that a value names; else nothing."""
    path = Path(value)
    try:
        path = path / "avatar.safetensors" if path.is_dir() else path
        if not value or not path.is_file():
            return ""
        digest = hashlib.sha256()
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
        return digest.hexdigest()
    except OSError:
        # A text too long for a path; and a file that cannot be read is said so when it is rendered.
        return ""

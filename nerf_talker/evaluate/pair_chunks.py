"""Measuring two videos in chunks: side by side in processes, and resumable.

A chunk is :data:`CHUNK` frames, whoever measures it, and no frame's figures depend on another
frame, so the numbers depend neither on the number of processes nor on where a run was stopped. A
finished chunk lies in a hidden folder of the report until the report is there.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from nerf_talker import __version__
from nerf_talker.atomic import atomic_path
from nerf_talker.errors import InputError
from nerf_talker.evaluate.alignment import Pairing
from nerf_talker.evaluate.boxes import REGIONS, Boxes
from nerf_talker.evaluate.film import SLOW_EVERY, Arrays, Film
from nerf_talker.evaluate.measurement import true_frame
from nerf_talker.evaluate.networks import NetworkFiles, open_networks
from nerf_talker.evaluate.rows import Row
from nerf_talker.evaluate.supplied import ReaderFiles
from nerf_talker.types import PixelBox
from nerf_talker.weights.checks import file_sha256

CHUNK = 60
WORTHWHILE = 3
"""Chunks from which on starting other processes pays."""

LAYOUT = 2
"""Changes when what a chunk holds or how it is measured changes."""


@dataclass(frozen=True)
class PairJob:
    """All that a process needs to measure a chunk.

    Attributes:
        pairing: Which frames to compare.
        networks: Where networks come from.
        pred_reader: What reads the prediction.
        truth_reader: What reads the truth.
    """

    pairing: Pairing
    networks: NetworkFiles
    pred_reader: ReaderFiles
    truth_reader: ReaderFiles

    def chunks(self) -> list[range]:
        """The measured frames in chunks."""
        count = len(self.pairing)
        return [range(k, min(k + CHUNK, count)) for k in range(0, count, CHUNK)]

    def digest(self) -> str:
        """Hex digest of everything that decides the numbers."""
        pairing = self.pairing
        files = [pairing.pred.path, pairing.truth.path, self.networks.fid, self.networks.identity]
        files += [self.pred_reader.landmarks, self.truth_reader.landmarks]
        parts = [__version__, str(LAYOUT), str(CHUNK), str(self.networks.models)]
        parts += ["none" if path is None else file_sha256(path) for path in files]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


class ChunkStore:
    """Finished chunks of one job in a hidden folder."""

    def __init__(self, folder: Path, job: PairJob) -> None:
        self.folder = folder / f".partial-{job.digest()[:16]}"
        for other in folder.glob(".partial-*"):
            if other != self.folder:
                shutil.rmtree(other, ignore_errors=True)
        self.folder.mkdir(exist_ok=True)

    def path(self, chunk: range) -> Path:
        """Where a chunk lies."""
        return self.folder / f"chunk_{chunk.start:07d}.npz"

    def write(self, chunk: range, arrays: Arrays) -> None:
        """Put a finished chunk down."""
        with atomic_path(self.path(chunk)) as temporary, temporary.open("wb") as stream:
            np.savez(stream, **arrays)  # type: ignore[arg-type]

    def read(self, chunk: range) -> Arrays | None:
        """A finished chunk, or None where there is none or it cannot be read."""
        try:
            with np.load(self.path(chunk), allow_pickle=False) as arrays:
                return {name: arrays[name] for name in arrays.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            return None

    def remove(self) -> None:
        """Delete the folder once the report is there."""
        shutil.rmtree(self.folder, ignore_errors=True)


def measure_chunk(job: PairJob, chunk: range) -> Arrays:
    """Measure the true frames ``chunk`` against their predicted ones."""
    # Whoever made the job has tried the network already.
    networks = open_networks(job.networks, fetch=False)
    film, row, boxes = Film(), Row(networks), []
    pairing = job.pairing
    matches = list(pairing.matches[chunk.start : chunk.stop])
    readers = [files.open(fetch=False) for files in (job.truth_reader, job.pred_reader)]
    with readers[0].video() as truth_eyes, readers[1].video() as pred_eyes:
        pairs = zip(
            chunk,
            pairing.truth.pictures(list(chunk)),
            matches,
            pairing.pred.pictures(matches),
            strict=True,
        )
        for number, picture, match, other in pairs:
            predicted = pairing.fitted(other)
            reading = truth_eyes.read(picture, number)
            seen = pred_eyes.read(predicted, match)
            slow = number % SLOW_EVERY == 0
            truth = true_frame(picture, reading, networks, slow, None)
            film.add(picture, reading, truth.boxes, networks, slow)
            row.add(predicted, truth, seen)
            boxes.append(truth.boxes)
    arrays = row.to_arrays("own.") | film.to_arrays("truth.")
    return arrays | {"boxes": _edges(boxes)}


def measure_all(job: PairJob, store: ChunkStore, workers: int) -> Iterator[range]:
    """Measure what the store lacks, yielding each chunk that is there.

    Args:
        job: What to measure.
        store: Where chunks go.
        workers: Processes; one measures in this very process.
    """
    todo = []
    for chunk in job.chunks():
        if store.read(chunk) is None:
            todo.append(chunk)
        else:
            yield chunk
    if workers < 2 or len(todo) < WORTHWHILE:
        for chunk in todo:
            store.write(chunk, measure_chunk(job, chunk))
            yield chunk
        return
    pool = ProcessPoolExecutor(
        min(workers, len(todo)), mp_context=get_context("spawn"), initializer=_one_thread
    )
    try:
        running = {pool.submit(measure_chunk, job, chunk): chunk for chunk in todo}
        for done in as_completed(running):
            store.write(running[done], done.result())
            yield running[done]
    except BrokenProcessPool:
        raise InputError(
            f"{job.pairing.pred.path}: a measuring process was ended from outside, perhaps for "
            "want of memory; the same command goes on where it was, with --workers 1 in one process"
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def gathered(job: PairJob, store: ChunkStore, row: Row, film: Film) -> list[Boxes]:
    """Put all chunks of a finished store together in ``row`` and ``film``; their boxes."""
    boxes: list[Boxes] = []
    for chunk in job.chunks():
        arrays = store.read(chunk) or measure_chunk(job, chunk)
        row.extend(arrays, "own.")
        film.extend(arrays, "truth.")
        for edges in arrays["boxes"].tolist():
            pairs = zip(REGIONS, edges, strict=True)
            boxes.append({name: PixelBox(*edge) for name, edge in pairs if edge[2] > 0})
    return boxes


def cores() -> int:
    """Processors this process may use, at most four."""
    if hasattr(os, "sched_getaffinity"):
        return min(len(os.sched_getaffinity(0)), 4)
    return min(os.cpu_count() or 1, 4)


def _one_thread() -> None:
    torch.set_num_threads(1)


def _edges(every: list[Boxes]) -> np.ndarray:
    """(T, 6, 4) top, left, height, width; zeros for a region that is not in the frame."""
    nothing = PixelBox(0, 0, 0, 0)
    chosen = [[boxes.get(name, nothing) for name in REGIONS] for boxes in every]
    return np.array([[(b.top, b.left, b.height, b.width) for b in row] for row in chosen], np.int32)

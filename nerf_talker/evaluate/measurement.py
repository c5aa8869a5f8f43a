"""The measuring loop: rendered frames stream by once, beside the truth and the baselines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain, islice
from time import perf_counter
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from nerf_talker.evaluate.baselines import mean_frame, nearest_frames
from nerf_talker.evaluate.boxes import Boxes, region_boxes
from nerf_talker.evaluate.film import SLOW_EVERY, Film
from nerf_talker.evaluate.gallery import Exhibit, Gallery
from nerf_talker.evaluate.kept import Shown
from nerf_talker.evaluate.networks import Networks
from nerf_talker.evaluate.player import Clip
from nerf_talker.evaluate.readers import FrameReader, LipReader, Reading
from nerf_talker.evaluate.rows import Row, TruthFrame, lpips_taps
from nerf_talker.types import ByteArray, FloatArray

if TYPE_CHECKING:
    from nerf_talker.data.dataset import Dataset

ROWS = ("own", "own_torso", "head_only", "mean_frame", "nearest_frame")
"""All rows but those of peers; ``own_torso`` only where frames have it."""

Witness = Callable[[str, ByteArray, int], None]
"""Told the name, picture and clip frame of every row's frames, the truth's first."""

Watcher = Callable[[ByteArray, ByteArray, ByteArray], None]
"""Told the truth, own and head-only picture of every frame, e.g. to write videos."""


@dataclass(frozen=True)
class Instruments:
    """What measures, shared by all rows.

    Attributes:
        reader: Reads lips from pictures.
        networks: Look at pictures; what is missing carries its reason.
    """

    reader: LipReader
    networks: Networks


@dataclass
class Measurement:
    """What one pass over the frames gathered.

    Attributes:
        frames: The frames of the clip that were measured.
        rows: Accumulators by row name.
        truth: The true frames' film.
        boxes: Regions of every frame.
        gallery: Pictures for the page.
        clip: The page's small video, empty without one.
        seconds: Spent in all.
    """

    frames: range
    rows: dict[str, Row]
    truth: Film
    gallery: Gallery
    clip: Clip = field(default_factory=Clip)
    boxes: list[Boxes] = field(default_factory=list)
    seconds: float = 0.0

    def add_truth(self, truth: TruthFrame, networks: Networks) -> None:
        """Take in a true frame, before the rows that are compared with it."""
        self.truth.add(truth.picture, truth.reading, truth.boxes, networks, truth.slow)
        self.boxes.append(truth.boxes)

    def show(
        self,
        frame: int,
        truth: TruthFrame,
        own: ByteArray,
        head_only: ByteArray | None,
        score: float,
    ) -> None:
        """Offer a frame of the row ``own`` to the gallery; ``score`` is its mouth's dB."""
        mouth = truth.boxes.get("mouth")
        self.gallery.consider(Exhibit(frame, truth.picture, own, head_only, mouth, score))


@dataclass
class _StillReader:
    """Reads a picture that never changes once."""

    reader: FrameReader
    known: list[Reading | None] = field(default_factory=list)

    def read(self, picture: ByteArray, frame: int) -> Reading | None:
        if not self.known:
            self.known.append(self.reader.read(picture, frame))
        return self.known[0]


def measure(
    dataset: Dataset,
    frames: range,
    compared: Iterable[Shown],
    instruments: Instruments,
    watchers: Sequence[Watcher] = (),
    peers: Mapping[str, Iterator[ByteArray]] = MappingProxyType({}),
    quiet: bool = True,
    witness: Witness | None = None,
) -> Measurement:
    """Compare rendered frames with the true ones in one pass and constant memory.

    Args:
        dataset: Where the truth and the baselines come from.
        frames: Frames of the clip, in order.
        compared: The compared pictures of every frame, in the same order; consumed as they are
            measured.
        instruments: What measures.
        watchers: Told every frame's pictures.
        peers: One picture per frame of each further row, by its name.
        quiet: No progress bar.
        witness: Told every row's pictures.
    """
    networks = instruments.networks
    train = dataset.manifest.range("train")
    average = mean_frame(dataset.frames, train)
    nearest = nearest_frames(dataset.track.landmarks, train, frames)
    start = perf_counter()
    ours, compared = _named(compared)
    rows = {name: Row(networks) for name in (*ours, "mean_frame", "nearest_frame", *peers)}
    done = Measurement(frames, rows, Film(), Gallery(frames))
    with ExitStack() as stack:
        readers = {
            name: stack.enter_context(instruments.reader.video()) for name in ("truth", *rows)
        }
        readers["mean_frame"] = _StillReader(readers["mean_frame"])
        for index, pair in enumerate(tqdm(compared, "evaluate", len(frames), disable=quiet)):
            frame = frames[index]
            picture = np.asarray(dataset.frames[frame])
            reading = readers["truth"].read(picture, frame)
            tracked = dataset.track.landmarks[frame]
            truth = true_frame(picture, reading, networks, index % SLOW_EVERY == 0, tracked)
            done.add_truth(truth, networks)
            pictures = {
                **pair.pictures(),
                "mean_frame": average,
                "nearest_frame": np.asarray(dataset.frames[nearest[index]]),
                **{name: next(shown) for name, shown in peers.items()},
            }
            for name, shown in pictures.items():
                rows[name].add(shown, truth, readers[name].read(shown, frame))
            if witness is not None:
                for name, shown in {"truth": picture, **pictures}.items():
                    witness(name, shown, frame)
            score = rows["own"].film.newest("psnr.mouth")
            done.show(frame, truth, pictures["own"], pictures["head_only"], score)
            for watch in watchers:
                watch(picture, pictures["own"], pictures["head_only"])
    done.seconds = perf_counter() - start
    return done


def told(*witnesses: Witness) -> Witness:
    """A witness that passes on to several."""

    def tell(row: str, picture: ByteArray, frame: int) -> None:
        for witness in witnesses:
            witness(row, picture, frame)

    return tell


def _named(compared: Iterable[Shown]) -> tuple[list[str], Iterator[Shown]]:
    """The rows that the first frame has pictures for, and all frames, the first one too."""
    stream = iter(compared)
    first = list(islice(stream, 1))
    return [name for shown in first for name in shown.pictures()], chain(first, stream)


def true_frame(
    picture: ByteArray,
    reading: Reading | None,
    networks: Networks,
    slow: bool,
    tracked: FloatArray | None,
) -> TruthFrame:
    """A true frame with all that rows need of it.

    Args:
        picture: (H, W, 3) uint8.
        reading: What the lip reader saw in it.
        networks: Look at pictures.
        slow: Whether the figures that are not taken on every frame are due.
        tracked: (478, 2 or more) landmarks for the regions where the reader knows none.
    """
    points = tracked if reading is None or reading.landmarks is None else reading.landmarks
    boxes = region_boxes(points, *picture.shape[:2])
    taps = lpips_taps(networks, picture, boxes) if slow else {}
    return TruthFrame(picture, boxes, reading, slow, taps)

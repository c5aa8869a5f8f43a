"""The measuring loop: rendered frames stream by once, beside the truth and the baselines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from nerf_talker.errors import AvatarError
from nerf_talker.evaluate.baselines import mean_frame, nearest_frames
from nerf_talker.evaluate.boxes import face_box, mouth_box
from nerf_talker.evaluate.composite import head_over_truth, own
from nerf_talker.evaluate.gallery import Exhibit, Gallery
from nerf_talker.evaluate.readers import FrameReader, LipReader, Reading
from nerf_talker.evaluate.rows import Motion, Row, TruthFrame, lpips_pair
from nerf_talker.types import ByteArray, PortraitFrame

if TYPE_CHECKING:
    from nerf_talker.data.dataset import Dataset
    from nerf_talker.evaluate.lpips import Lpips

ROWS = ("own", "head_only", "mean_frame", "nearest_frame")

LPIPS_EVERY = 5
"""LPIPS is taken on every fifth frame, first frame included; it moves by .001 against all."""

Watcher = Callable[[ByteArray, ByteArray, ByteArray], None]
"""Told the truth, own and head-only picture of every frame, e.g. to write videos."""


@dataclass(frozen=True)
class Instruments:
    """What measures, shared by all rows.

    Attributes:
        reader: Reads lips from pictures.
        lpips: The LPIPS network, None when its weights cannot be had.
        lpips_reason: Why not.
    """

    reader: LipReader
    lpips: Lpips | None
    lpips_reason: str | None = None


@dataclass
class Measurement:
    """What one pass over the frames gathered.

    Attributes:
        frames: The frames of the clip that were measured.
        rows: Accumulators by row name.
        truth: Motion of the true frames.
        gallery: Pictures for the page.
        render_seconds: Spent inside the renderer.
        seconds: Spent in all.
    """

    frames: range
    rows: dict[str, Row]
    truth: Motion
    gallery: Gallery
    render_seconds: float = 0.0
    seconds: float = 0.0


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
    rendered: Iterable[PortraitFrame],
    instruments: Instruments,
    watch: Watcher | None = None,
    quiet: bool = True,
) -> Measurement:
    """Compare rendered frames with the true ones in one pass and constant memory.

    Args:
        dataset: Where the truth and the baselines come from.
        frames: Frames of the clip, in order.
        rendered: One picture per frame, in the same order; consumed as it is measured.
        instruments: What measures.
        watch: Told every frame's pictures.
        quiet: No progress bar.

    Raises:
        AvatarError: The renderer gives another size, too few frames or non-finite pixels.
    """
    rows = {name: Row(instruments.lpips) for name in ROWS}
    done = Measurement(frames, rows, Motion(), Gallery(frames))
    train = dataset.manifest.range("train")
    average = mean_frame(dataset.frames, train)
    nearest = nearest_frames(dataset.track.landmarks, train, frames)
    start = perf_counter()
    with ExitStack() as stack:
        readers = {
            name: stack.enter_context(instruments.reader.video()) for name in ("truth", *ROWS)
        }
        readers["mean_frame"] = _StillReader(readers["mean_frame"])
        portraits = _timed(rendered, frames, dataset.manifest.size, done)
        for index, portrait in enumerate(tqdm(portraits, "evaluate", len(frames), disable=quiet)):
            frame = frames[index]
            picture = np.asarray(dataset.frames[frame])
            truth = _truth_frame(
                dataset, frame, picture, readers["truth"], instruments.lpips, index
            )
            done.truth.add(truth.reading)
            pictures = {
                "own": own(portrait),
                "head_only": head_over_truth(portrait, picture, dataset.head_mask(frame)),
                "mean_frame": average,
                "nearest_frame": np.asarray(dataset.frames[nearest[index]]),
            }
            for name, shown in pictures.items():
                rows[name].add(shown, truth, readers[name].read(shown, frame))
            _show(done, frame, truth, pictures)
            if watch is not None:
                watch(picture, pictures["own"], pictures["head_only"])
    done.seconds = perf_counter() - start
    return done


def _show(done: Measurement, frame: int, truth: TruthFrame, pictures: dict[str, ByteArray]) -> None:
    decibel = done.rows["own"].psnr_mouth[-1]
    done.gallery.consider(
        Exhibit(frame, truth.picture, pictures["own"], pictures["head_only"], truth.mouth, decibel)
    )


def _truth_frame(
    dataset: Dataset,
    frame: int,
    picture: ByteArray,
    reader: FrameReader,
    network: Lpips | None,
    index: int,
) -> TruthFrame:
    """The true frame; its boxes come from the track where the reader knows no landmarks."""
    reading = reader.read(picture, frame)
    points = dataset.track.landmarks[frame]
    if reading is not None and reading.landmarks is not None:
        points = reading.landmarks
    face, mouth = face_box(points, *picture.shape[:2]), mouth_box(points, *picture.shape[:2])
    features = lpips_pair(network, picture, face) if index % LPIPS_EVERY == 0 else (None, None)
    return TruthFrame(picture, face, mouth, reading, *features)


def _timed(
    rendered: Iterable[PortraitFrame], frames: range, size: int, done: Measurement
) -> Iterator[PortraitFrame]:
    """The renderer's frames, checked, while the time spent inside it is added up."""
    stream = iter(rendered)
    for frame in frames:
        start = perf_counter()
        portrait = next(stream, None)
        done.render_seconds += perf_counter() - start
        if portrait is None:
            raise AvatarError(
                f"the renderer stopped before frame {frame}, wanted are frames "
                f"{frames.start} to {frames.stop - 1}; train the avatar again"
            )
        if portrait.rgb.shape != (size, size, 3):
            height, width = portrait.rgb.shape[:2]
            raise AvatarError(
                f"the avatar renders {width}x{height} pixels but the dataset holds {size}x{size}; "
                f"evaluate it on the dataset it was trained on"
            )
        if not all(np.isfinite(part).all() for part in vars(portrait).values()):
            raise AvatarError(
                f"the avatar renders non-finite pixels in frame {frame}; train it again"
            )
        yield portrait

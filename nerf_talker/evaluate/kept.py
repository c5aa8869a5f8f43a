"""Rendered pictures of an evaluation that was stopped, so that no frame is rendered twice.

Rendering is what an evaluation of an avatar costs; measuring is quick and starts anew. The pictures
of a frame lie above each other in one lossless PNG in a hidden folder of the report, until the
report is there.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nerf_talker import __version__
from nerf_talker.atomic import atomic_path
from nerf_talker.data.manifest import DatasetFiles
from nerf_talker.evaluate.composite import head_over_truth, own, own_torso
from nerf_talker.train.driving import Drive
from nerf_talker.types import ByteArray, PortraitFrame
from nerf_talker.weights.checks import file_sha256

if TYPE_CHECKING:
    from nerf_talker.data.dataset import Dataset


@dataclass(frozen=True)
class Shown:
    """The pictures of a frame that are compared with the truth, (H, W, 3) uint8 each.

    Attributes:
        own: The talker's own picture.
        head_only: The head over the true frame.
        own_torso: As ``own`` with the torso driven by the clip's own motion track, None where the
            renderer gives none.
    """

    own: ByteArray
    head_only: ByteArray
    own_torso: ByteArray | None = None

    def pictures(self) -> dict[str, ByteArray]:
        """The pictures that there are by the names of their rows."""
        driven = {} if self.own_torso is None else {"own_torso": self.own_torso}
        return {"own": self.own, "head_only": self.head_only, **driven}


class KeptFrames:
    """A hidden folder of finished frames of one avatar on one dataset."""

    def __init__(self, report_dir: Path, avatar: Path, dataset: Dataset, drive: Drive) -> None:
        """Find what an earlier run on the very same inputs left; nothing is made yet.

        Args:
            report_dir: The report's folder.
            avatar: The avatar's file.
            dataset: The dataset whose frames are rendered.
            drive: What moves the mouth.
        """
        files = DatasetFiles(dataset.root)
        held = (files.manifest, files.track, files.audio_features, files.frames, files.labels)
        parts = [__version__, drive, *(_digest(path) for path in (avatar, *held))]
        digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
        self.folder = report_dir / f".frames-{digest[:16]}"
        self._size = dataset.manifest.size

    def prepare(self) -> None:
        """Make the folder and remove those of other inputs."""
        for other in self.folder.parent.glob(".frames-*"):
            if other != self.folder:
                shutil.rmtree(other, ignore_errors=True)
        self.folder.mkdir(exist_ok=True)

    def missing(self, frames: range) -> list[int]:
        """The frames that have yet to be rendered."""
        return [frame for frame in frames if self.read(frame) is None]

    def read(self, frame: int) -> Shown | None:
        """A finished frame, or None where there is none or it cannot be read."""
        import cv2

        path = self._path(frame)
        content = path.read_bytes() if path.is_file() else b""
        tower = (
            cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
        )
        size = self._size
        if tower is None or tower.shape not in [(n * size, size, 3) for n in (2, 3)]:
            return None
        rgb = np.asarray(cv2.cvtColor(tower, cv2.COLOR_BGR2RGB), np.uint8)
        return Shown(*(rgb[at : at + size] for at in range(0, len(rgb), size)))

    def write(self, frame: int, shown: Shown) -> None:
        """Put a finished frame down."""
        import cv2

        pictures = list(shown.pictures().values())
        tower = cv2.cvtColor(np.concatenate(pictures), cv2.COLOR_RGB2BGR)
        _, content = cv2.imencode(".png", tower, [cv2.IMWRITE_PNG_COMPRESSION, 1])
        with atomic_path(self._path(frame)) as temporary:
            temporary.write_bytes(content.tobytes())

    def remove(self) -> None:
        """Delete the folder once the report is there."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, frame: int) -> Path:
        return self.folder / f"frame_{frame:07d}.png"


def _digest(path: Path) -> str:
    return file_sha256(path) if path.is_file() else "none"


def shown_frames(
    dataset: Dataset,
    frames: range,
    rendered: Iterable[PortraitFrame],
    kept: KeptFrames | None,
) -> Iterator[Shown]:
    """The compared pictures of every frame, kept ones as they are, others from ``rendered``.

    Args:
        dataset: Where the truth comes from.
        frames: Frames of the clip, in order.
        rendered: A portrait of each frame that is not kept, in order.
        kept: What an earlier run left and where this one leaves its own, or None.
    """
    stream = iter(rendered)
    for frame in frames:
        known = None if kept is None else kept.read(frame)
        if known is not None:
            yield known
            continue
        portrait = next(stream)
        truth = np.asarray(dataset.frames[frame])
        over_truth = head_over_truth(portrait, truth, dataset.head_mask(frame))
        shown = Shown(own(portrait), over_truth, own_torso(portrait))
        if kept is not None:
            kept.write(frame, shown)
        yield shown

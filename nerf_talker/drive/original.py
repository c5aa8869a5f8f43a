"""The video an avatar was made of, and how the head was held in each of its frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nerf_talker.data.dataset import Dataset
from nerf_talker.data.manifest import CropTransform, clip_start
from nerf_talker.drive.replay import ping_pong
from nerf_talker.drive.resampling import between
from nerf_talker.drive.source import DrivingSource
from nerf_talker.drive.source_clip import SourceClip
from nerf_talker.errors import InputError
from nerf_talker.field.expression import upper_face
from nerf_talker.train.avatar import Avatar
from nerf_talker.types import ByteArray, Driving


@dataclass(frozen=True)
class Original:
    """A video with known poses.

    Attributes:
        clip: The video.
        crop: Where in it the avatar's pictures lie.
        poses: Driving of the known frames, on a clock of their own.
        start: Seconds after the video's first frame at which ``poses`` begin.
        head_alpha: (F, S, S) uint8 mattes of the head as filmed, one per pose, where kept.
    """

    clip: SourceClip
    crop: CropTransform
    poses: Driving
    start: float
    head_alpha: ByteArray | None = None

    @property
    def known(self) -> range:
        """The video's frames that have a pose."""
        fps, last = self.clip.fps, (len(self.poses) - 0.5) / self.poses.fps
        first = int(np.ceil(self.start * fps - 1e-3))
        stop = int(np.floor((self.start + last) * fps + 1e-3)) + 1
        return range(max(first, 0), min(stop, len(self.clip)))

    def places(self, numbers: Sequence[int]) -> Tensor:
        """Places among ``poses``, with fractions, of frames of the video."""
        seconds = torch.tensor([number / self.clip.fps for number in numbers]) - self.start
        return (seconds * self.poses.fps).clamp(0, len(self.poses) - 1)

    def walk(self, start: int, stop: int) -> list[int]:
        """Frames of the video for pictures [start, stop), to and fro through the known ones."""
        known = self.known
        steps = ping_pong(len(known), start, stop - start)
        return [known[step] for step in steps.tolist()]


def open_original(avatar: Avatar, path: Path, dataset: Path | None = None) -> Original:
    """The avatar's own video.

    Args:
        avatar: Made of it.
        path: The video, at the size that it had.
        dataset: Made of it too: poses and mattes of all its frames. Without, the frames that the
            avatar was trained on are known.

    Raises:
        InputError: The video cannot be read, has another size, or lacks the known frames.
        DatasetError: The dataset cannot be read.
    """
    clip, info = SourceClip.open(path), avatar.metadata
    crop, poses, mattes = info.crop, avatar.poses.to("cpu"), None
    begins = info.notes.get("clip_start")
    if dataset is not None:
        opened = Dataset.open(dataset)
        crop, mattes = opened.manifest.crop, opened.head_alpha
        poses, begins = _poses(opened, poses), clip_start(dataset)
    if (clip.width, clip.height) != (crop.source_width, crop.source_height):
        raise InputError(
            f"{path}: is {clip.width}x{clip.height}, but the avatar was made of a video of "
            f"{crop.source_width}x{crop.source_height}; give that very video"
        )
    start = 0.0 if begins is None else begins - clip.ticks[0] * clip.unit
    found = Original(clip, crop, poses, start, mattes)
    if not len(found.known):
        raise InputError(
            f"{path}: lasts {len(clip) / clip.fps:.1f} s, but the avatar knows its poses from "
            f"{start:.1f} s on; give the very video that it was made of"
        )
    return found


def _poses(dataset: Dataset, like: Driving) -> Driving:
    track = dataset.track
    return replace(
        like.select([0] * dataset.manifest.frames),
        expression=torch.from_numpy(upper_face(track.blendshapes)),
        camera_to_head=torch.from_numpy(track.camera_to_head.copy()),
        torso_motion=torch.from_numpy(dataset.torso_motion.copy()),
        torso_bend=None if like.torso_bend is None else torch.from_numpy(dataset.torso_bend.copy()),
        fps=track.fps,
    )


class PinnedSource:
    """Any motion of the mouth over the poses of the original video, at that video's rate."""

    def __init__(self, original: Original, inner: DrivingSource) -> None:
        """``inner`` moves the mouth; its rate may differ."""
        self.original, self.inner = original, inner

    @property
    def fps(self) -> float:
        """The video's rate."""
        return self.original.clip.fps

    def __len__(self) -> int:
        return max(round(len(self.inner) / self.inner.fps * self.fps), 1)

    def chunk(self, start: int, stop: int) -> Driving:
        """The mouth of the nearest instants with the poses of the video's frames."""
        rate = self.inner.fps / self.fps
        rows = [min(round(k * rate), len(self.inner) - 1) for k in range(start, stop)]
        mouth = self.inner.chunk(rows[0], rows[-1] + 1).select([row - rows[0] for row in rows])
        numbers = self.original.walk(start, stop)
        motion = between(self.original.poses, self.original.places(numbers))
        return replace(
            mouth,
            expression=motion.expression,
            camera_to_head=motion.camera_to_head,
            torso_motion=motion.torso_motion,
            torso_bend=motion.torso_bend,
            fps=self.fps,
        )

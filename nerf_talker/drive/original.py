"""The video an avatar was made of, and how the head was held in each of its frames."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

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

_MOST = 1 << 40  # pictures, more than any video has


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
        frames, near = range(len(self.clip)), 1e-3 / self.clip.fps
        end = self.start + (len(self.poses) - 0.5) / self.poses.fps
        first = bisect_left(frames, self.start - near, key=self.clip.seconds)
        return range(first, bisect_right(frames, end + near, key=self.clip.seconds))

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the video's pictures in which the avatar's lie."""
        top, left, side = (round(v) for v in (self.crop.top, self.crop.left, self.crop.side))
        return slice(top, top + side), slice(left, left + side)

    def places(self, numbers: Sequence[int]) -> Tensor:
        """Places among ``poses``, with fractions, of frames of the video."""
        seconds = [self.clip.seconds(number) - self.start for number in numbers]
        places = torch.tensor(seconds, dtype=torch.float64) * self.poses.fps
        return places.clamp(0, len(self.poses) - 1)

    def motion(self, numbers: Sequence[int]) -> Driving:
        """Driving without a mouth at frames of the video."""
        return between(self.poses, self.places(numbers))

    def walk(self, start: int, stop: int) -> list[int]:
        """Frames of the video for pictures [start, stop), to and fro through the known ones."""
        known = self.known
        steps = ping_pong(len(known), start, stop - start)
        return [known[step] for step in steps.tolist()]

    def shown(self, picture: int) -> float:
        """Seconds at which a picture of the walk is shown: each frame for as long as it was."""
        known, seconds = self.known, self.clip.seconds
        last = len(known) - 1
        if self.clip.is_even or not last:
            return picture / self.clip.fps
        turns, step = divmod(picture, 2 * last)
        begin, once = seconds(known[0]), seconds(known[-1]) - seconds(known[0])
        place = seconds(known[min(step, 2 * last - step)]) - begin
        return turns * 2 * once + (place if step <= last else 2 * once - place)


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
    """Any motion of the mouth over the poses of the original video, at its frames' own times."""

    def __init__(self, original: Original, inner: DrivingSource) -> None:
        """``inner`` moves the mouth; its rate may differ."""
        self.original, self.inner = original, inner

    @property
    def fps(self) -> float:
        """The video's mean rate."""
        return self.original.clip.fps

    def __len__(self) -> int:
        seconds = len(self.inner) / self.inner.fps
        if self.original.clip.is_even:
            return max(round(seconds * self.fps), 1)
        return max(bisect_left(range(_MOST), seconds - 1e-3, key=self.original.shown), 1)

    def chunk(self, start: int, stop: int) -> Driving:
        """The mouth of the nearest instants with the poses of the video's frames."""
        times = [self.original.shown(picture) for picture in range(start, stop)]
        rows = [min(round(time * self.inner.fps), len(self.inner) - 1) for time in times]
        mouth = self.inner.chunk(rows[0], rows[-1] + 1).select([row - rows[0] for row in rows])
        motion = self.original.motion(self.original.walk(start, stop))
        return replace(
            mouth,
            expression=motion.expression,
            camera_to_head=motion.camera_to_head,
            torso_motion=motion.torso_motion,
            torso_bend=motion.torso_bend,
            fps=self.fps,
        )

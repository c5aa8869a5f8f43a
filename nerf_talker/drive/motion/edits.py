"""Hand-made keys over driven frames: ``edits.json``.

.. code-block:: json

    {"version": 1, "tracks": [
        {"channel": "head.yaw", "keys": [[1.0, 0.0], [1.5, 12.0], [3.0, 12.0]], "ease": 0.3},
        {"channel": "eyeBlinkLeft", "keys": [[2.0, 0.6]], "add": false}
    ]}

A track pins one channel: between its keys the value eases from one to the next, in the ``ease``
seconds before the first and after the last it eases out of and back into what the frame does
anyway, and every other frame is left alone. With ``add`` the values are added instead.

Channels: ``head.yaw`` (degrees, to the image's left), ``head.pitch`` (chin down), ``head.roll``
(clockwise), ``head.x``, ``head.y``, ``head.z`` (metres, right, down, away); the expression's
``browDownLeft`` ... ``gazeUp`` (scores, see :data:`EXPRESSION`); ``lips.opening`` (0 closed, 1 wide
open); ``mouth.landmarks`` (K points of three metres each, canonical head space); ``torso.motion``
(6 numbers, see :class:`nerf_talker.types.Driving`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from nerf_talker.config import StrictModel, validate
from nerf_talker.drive.motion.chart import Values
from nerf_talker.drive.motion.mouth import LipOpening
from nerf_talker.drive.source import DrivingSource, WrappedSource
from nerf_talker.errors import InputError
from nerf_talker.field.mouth import MOUTH_POINTS
from nerf_talker.geometry.rotation import inverse_rigid, rigid
from nerf_talker.types import Driving

EXPRESSION = (
    *("browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
    *("eyeBlinkLeft", "eyeBlinkRight", "gazeAcross", "gazeUp"),
)
_HEAD = ("head.yaw", "head.pitch", "head.roll", "head.x", "head.y", "head.z")


class Track(StrictModel):
    """Keys of one channel: pairs of seconds and a value, or as many values as it has."""

    channel: str
    keys: list[tuple[float, float | list[float] | list[list[float]]]] = Field(min_length=1)
    ease: float = Field(default=0.2, ge=0)
    add: bool = False


class Edits(StrictModel):
    """The file."""

    version: Literal[1] = 1
    tracks: list[Track]


@dataclass(frozen=True)
class Channel:
    """How a channel is read from frames, as (T, width) numbers, and put into them."""

    width: int
    read: Callable[[Driving], Values]
    write: Callable[[Driving, Values], Driving]
    is_mouth: bool = False


@dataclass(frozen=True)
class PinnedTrack:
    """A checked track: (N,) seconds and (N, width) values in order of time."""

    channel: Channel
    times: Values
    values: Values
    ease: float
    add: bool

    def at(self, seconds: Values, frame: float) -> tuple[Values, Values]:
        """(T,) weight and (T, width) value at (T,) seconds; ``frame`` is the length of one."""
        # A key between two frames with no ease would else fall through.
        ease = max(self.ease, frame)
        before = 1 - (self.times[0] - seconds) / ease
        after = 1 - (seconds - self.times[-1]) / ease
        weight = _smooth(np.clip(np.minimum(before, after), 0, 1))
        if len(self.times) == 1:
            return weight, np.repeat(self.values, len(seconds), 0)
        left = np.clip(np.searchsorted(self.times, seconds, "right") - 1, 0, len(self.times) - 2)
        span = self.times[left + 1] - self.times[left]
        share = _smooth(np.clip((seconds - self.times[left]) / span, 0, 1))[:, None]
        return weight, self.values[left] * (1 - share) + self.values[left + 1] * share


class EditedSource(WrappedSource):
    """A source with pinned channels."""

    def __init__(self, base: DrivingSource, tracks: list[PinnedTrack], lips: LipOpening) -> None:
        """Tracks are applied in their order; where one moves the mouth, it comes as landmarks."""
        super().__init__(base)
        self.tracks, self.lips = tracks, lips
        self.moves_mouth = any(track.channel.is_mouth for track in tracks)

    def chunk(self, start: int, stop: int) -> Driving:
        """The base's frames [start, stop), edited."""
        driving = self.base.chunk(start, stop)
        if self.moves_mouth:
            driving = replace(driving, audio=None, landmarks=self.lips.landmarks(driving))
        seconds = np.arange(start, stop) / self.fps
        for track in self.tracks:
            weight, value = track.at(seconds, 1 / self.fps)
            if not weight.any():
                continue
            now = track.channel.read(driving)
            wanted = now + value if track.add else value
            share = weight[:, None]
            edited = track.channel.write(driving, now * (1 - share) + wanted * share)
            driving = _only_where(torch.from_numpy(weight > 0), edited, driving)
        return driving


def read_edits(path: Path, lips: LipOpening) -> list[PinnedTrack]:
    """Read and check a file of edits.

    Raises:
        InputError: No such file, or no JSON.
        ConfigError: An unknown key or a value of the wrong type; the key is named. Or a channel
            moves lips that know no landmarks.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file of edits") from None
    except (ValueError, OSError) as error:
        raise InputError(f"{path}: not a JSON file ({error})") from None
    edits, known = validate(Edits, content, str(path)), channels(lips)
    tracks = [_pinned(path, track, known) for track in edits.tracks]
    for track in edits.tracks:
        if known[track.channel].is_mouth:
            lips.talker.need_landmarks(f"{path}: channel {track.channel}")
    return tracks


def channels(lips: LipOpening) -> dict[str, Channel]:
    """All channels by name."""
    found = {name: _pose_channel(column) for column, name in enumerate(_HEAD)}
    found |= {name: _expression_channel(column) for column, name in enumerate(EXPRESSION)}
    points = len(MOUTH_POINTS)
    found["mouth.landmarks"] = Channel(
        3 * points,
        lambda d: lips.landmarks(d).double().numpy().reshape(len(d), -1),
        lambda d, v: replace(d, audio=None, landmarks=_float(v).reshape(len(d), points, 3)),
        is_mouth=True,
    )
    span = lips.widest - lips.closed
    found["lips.opening"] = Channel(
        1,
        lambda d: (lips.opening(lips.landmarks(d)).double().numpy()[:, None] - lips.closed) / span,
        lambda d, v: lips.opened(d, _float(v[:, 0] * span + lips.closed), lips.landmarks(d)),
        is_mouth=True,
    )
    found["torso.motion"] = Channel(
        6,
        lambda d: d.torso_motion.double().numpy(),
        lambda d, v: replace(d, torso_motion=_float(v)),
    )
    return found


def _expression_channel(column: int) -> Channel:
    def write(driving: Driving, values: Values) -> Driving:
        expression = driving.expression.clone()
        expression[:, column] = _float(values[:, 0])
        return replace(driving, expression=expression)

    return Channel(1, lambda d: d.expression[:, column, None].double().numpy(), write)


def _pose_channel(column: int) -> Channel:
    """One of yaw, pitch, roll (degrees), x, y and z (metres): where the head is in the camera."""
    from scipy.spatial.transform import Rotation

    def parts(driving: Driving) -> Values:
        pose = inverse_rigid(driving.camera_to_head.double().numpy())
        angles = Rotation.from_matrix(pose[:, :3, :3]).as_euler("YXZ", degrees=True)
        return np.concatenate([angles, pose[:, :3, 3]], 1)

    def write(driving: Driving, values: Values) -> Driving:
        place = parts(driving)
        place[:, column] = values[:, 0]
        rotation = Rotation.from_euler("YXZ", place[:, :3], degrees=True).as_matrix()
        return replace(driving, camera_to_head=_float(inverse_rigid(rigid(rotation, place[:, 3:]))))

    return Channel(1, lambda d: parts(d)[:, column, None], write)


def _pinned(path: Path, track: Track, known: dict[str, Channel]) -> PinnedTrack:
    if track.channel not in known:
        near = get_close_matches(track.channel, known, n=1, cutoff=0.4)
        hint = f"did you mean '{near[0]}'? " if near else ""
        raise InputError(
            f"{path}: no channel '{track.channel}'; {hint}known are {', '.join(known)}"
        )
    channel = known[track.channel]
    keys = sorted(track.keys, key=lambda key: key[0])
    rows = []
    for _, value in keys:
        flat = _flat(value)
        if len(flat) != channel.width:
            raise InputError(
                f"{path}: a key of '{track.channel}' has {len(flat)} values; "
                f"{channel.width} are wanted"
            )
        rows.append(flat)
    times = np.asarray([time for time, _ in keys], np.float64)
    if (np.diff(times) <= 0).any():
        raise InputError(f"{path}: two keys of '{track.channel}' are at the same time")
    return PinnedTrack(channel, times, np.stack(rows), track.ease, track.add)


def _flat(value: object) -> Values:
    """All numbers of a value; none where its lists differ in length."""
    try:
        return np.asarray(value, np.float64).reshape(-1)
    except ValueError:
        return np.zeros(0)


def _only_where(rows: Tensor, edited: Driving, free: Driving) -> Driving:
    """``edited`` in the given frames, ``free`` in the others."""
    changed: dict[str, Any] = {}
    for name, new in vars(edited).items():
        old = getattr(free, name)
        if isinstance(new, Tensor) and isinstance(old, Tensor) and new is not old:
            changed[name] = torch.where(rows.reshape(-1, *[1] * (new.dim() - 1)), new, old)
    return replace(edited, **changed)


def _smooth(share: Values) -> Values:
    return np.asarray(share * share * (3 - 2 * share))


def _float(values: Values) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))

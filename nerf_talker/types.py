"""The containers that cross module borders, and the conventions they share.

Letters: N rays, M packed samples, F frames of a clip, T driven frames, H and W pixels.
Cameras are OpenCV's: x right, y down, z forward. Canonical head space is right-handed, in metres,
its origin at the head's centre and its axes parallel to the camera's when the face looks straight
into it (x to the image's right, y down, z into the head, so the face looks along -z).
Pixel coordinates are continuous: pixel (row 0, column 0) covers [0, 1) x [0, 1).
Images are (H, W, 3), float in [0, 1] sRGB or uint8. ``x_to_y`` names every transform.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

FloatArray = npt.NDArray[np.float32]
ByteArray = npt.NDArray[np.uint8]
BoolArray = npt.NDArray[np.bool_]

TORSO_MODES = 8
"""K, the ways in which a torso may bend."""
TORSO_GRID = 16
"""G, points along each axis of the grid of displacements that is one such way."""


@dataclass(frozen=True)
class PixelBox:
    """An axis-aligned box in pixels: rows [top, top + height), columns [left, left + width)."""

    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True)
class Camera:
    """A pinhole camera without distortion.

    Attributes:
        focal: Focal length in pixels, equal for both axes.
        centre: Principal point (x, y) in pixels.
        height: Image height in pixels.
        width: Image width in pixels.
    """

    focal: float
    centre: tuple[float, float]
    height: int
    width: int

    def scaled(self, size: int) -> Camera:
        """The same view sampled at ``size`` pixels of width."""
        k = size / self.width
        return Camera(
            self.focal * k, (self.centre[0] * k, self.centre[1] * k), round(self.height * k), size
        )


@dataclass(frozen=True)
class RayBundle:
    """Rays in canonical head space.

    Attributes:
        origins: (N, 3) metres.
        directions: (N, 3) unit length.
        near: (N,) metres along the ray where it enters the field's box.
        far: (N,) metres where it leaves; ``far <= near`` marks a miss.
        pixels: (N, 2) int64 row, column.
        frame: (N,) int64 index of the row of ``Driving`` that conditions the ray.
    """

    origins: Tensor
    directions: Tensor
    near: Tensor
    far: Tensor
    pixels: Tensor
    frame: Tensor

    def __len__(self) -> int:
        return int(self.origins.shape[0])


@dataclass(frozen=True)
class RaySamples:
    """Packed samples, ray-major.

    Attributes:
        ray_indices: (M,) int64, non-decreasing.
        starts: (M,) metres along the ray.
        ends: (M,) metres along the ray.
        ray_offsets: (N, 2) int64 first sample and count of each ray.
    """

    ray_indices: Tensor
    starts: Tensor
    ends: Tensor
    ray_offsets: Tensor

    def __len__(self) -> int:
        return int(self.ray_indices.shape[0])

    def positions(self, rays: RayBundle) -> Tensor:
        """(M, 3) sample centres in canonical head space, metres."""
        middle = (self.starts + self.ends)[:, None] / 2
        return rays.origins[self.ray_indices] + rays.directions[self.ray_indices] * middle


@dataclass(frozen=True)
class FieldOutput:
    """What a field knows at M samples.

    Attributes:
        density: (M,) 1/m.
        rgb: (M, 3) in [0, 1].
        features: (M, C) named by the field's ``feature_names``.
    """

    density: Tensor
    rgb: Tensor
    features: Tensor


@dataclass(frozen=True)
class RenderOutput:
    """Composited rays.

    Attributes:
        rgb: (N, 3) premultiplied colour in [0, 1].
        opacity: (N,) in [0, 1].
        depth: (N,) metres, expected distance times opacity.
        features: (N, C) composited field features.
        samples: Packed samples M that were evaluated for them.
        along: Those samples and their (M,) rendering weights, where they were asked for.
    """

    rgb: Tensor
    opacity: Tensor
    depth: Tensor
    features: Tensor
    samples: int
    along: tuple[RaySamples, Tensor] | None = None


@dataclass(frozen=True)
class FrameTrack:
    """What tracking knows about each of F frames.

    Attributes:
        camera: One camera for the clip.
        camera_to_head: (F, 4, 4) float32, OpenCV camera to canonical head space, metres.
        landmarks: (F, 478, 3) float32 pixels; z in pixels too, relative, growing into the scene.
        canonical_landmarks: (F, 478, 3) float32 metres in canonical head space, with expression.
        blendshapes: (F, 52) float32 in [0, 1], MediaPipe's order (0 is ``_neutral``).
        valid: (F,) bool, False where the face was not seen and the values are interpolated.
        fps: Frames per second.
    """

    camera: Camera
    camera_to_head: FloatArray
    landmarks: FloatArray
    canonical_landmarks: FloatArray
    blendshapes: FloatArray
    valid: BoolArray
    fps: float


@dataclass(frozen=True)
class AudioFeatures:
    """Speech features on a regular clock.

    Attributes:
        values: (A, D) float32; row k describes the sound around ``offset + k / rate`` seconds.
        rate: Rows per second.
        extractor: Name of what computed them, e.g. ``logmel40``.
        offset: Time of row 0 in seconds of the clip.
    """

    values: FloatArray
    rate: float
    extractor: str
    offset: float = 0.0

    def window(self, time: float, width: int) -> FloatArray:
        """(width, D) rows centred on ``time`` seconds, zero-padded outside the sound."""
        return self.windows(np.asarray([time]), width)[0]

    def windows(self, times: npt.ArrayLike, width: int) -> FloatArray:
        """(T, width, D) windows centred on (T,) ``times`` in seconds, zero-padded outside."""
        rows = self.window_rows(times, width)
        inside = (rows >= 0) & (rows < len(self.values))
        picked = self.values[np.clip(rows, 0, len(self.values) - 1)]
        return np.where(inside[..., None], picked, 0.0).astype(np.float32)

    def window_rows(self, times: npt.ArrayLike, width: int) -> npt.NDArray[np.int64]:
        """(T, width) rows of the windows centred on (T,) ``times``, some outside the sound."""
        centre = np.round((np.asarray(times, np.float64) - self.offset) * self.rate)
        return centre.astype(np.int64)[:, None] + np.arange(width) - width // 2


@dataclass(frozen=True)
class Driving:
    """Everything that animates a talker for T frames, from a clip or from new speech.

    Attributes:
        audio: (T, W, D) normalised speech feature windows, or None.
        landmarks: (T, K, 3) canonical mouth landmarks in metres, or None.
        expression: (T, E) upper-face expression, standardised.
        camera_to_head: (T, 4, 4).
        torso_motion: (T, 6) 2-D affine, plate to frame, row-major 2x3 in units of the image size.
        appearance: (T,) int64 index of the appearance code.
        fps: Frames per second.
        torso_bend: (T, K) coefficients of the torso's modes, or None for a torso that is not bent.
        code: (T, C) mouth code where it is known already, before sound and landmarks; or None.
    """

    audio: Tensor | None
    landmarks: Tensor | None
    expression: Tensor
    camera_to_head: Tensor
    torso_motion: Tensor
    appearance: Tensor
    fps: float
    torso_bend: Tensor | None = None
    code: Tensor | None = None

    def __len__(self) -> int:
        return int(self.expression.shape[0])

    def select(self, rows: Tensor | list[int] | slice) -> Driving:
        """The same driving restricted to ``rows`` of its T frames."""
        return self._each(lambda value: value[rows])

    def to(self, device: torch.device | str) -> Driving:
        """The same driving on another device."""
        return self._each(lambda value: value.to(device))

    def _each(self, change: Callable[[Tensor], Tensor]) -> Driving:
        """The same driving with every tensor changed."""
        changed: dict[str, Any] = {
            name: change(value) for name, value in vars(self).items() if isinstance(value, Tensor)
        }
        return replace(self, **changed)


@dataclass(frozen=True)
class PortraitFrame:
    """One rendered picture and the head layer it was made from.

    Attributes:
        rgb: (H, W, 3) float32 in [0, 1], head over torso over background, all our own.
        head_rgb: (H, W, 3) float32, premultiplied head colour.
        head_opacity: (H, W) float32 in [0, 1].
    """

    rgb: FloatArray
    head_rgb: FloatArray
    head_opacity: FloatArray


@dataclass(frozen=True)
class FigureFrame(PortraitFrame):
    """A rendered picture that can be put over another background.

    Attributes:
        figure: (H, W, 4) float32, head over torso and nothing behind: premultiplied colour and
            opacity.
    """

    figure: FloatArray


@dataclass(frozen=True)
class SelfDrivenFrame(PortraitFrame):
    """A rendered picture of a frame whose torso was tracked.

    Attributes:
        torso_driven: (H, W, 3) float32, ``rgb`` with the torso where the clip's own track says.
        extra_seconds: Spent on it, which no rendering of new speech spends.
    """

    torso_driven: FloatArray
    extra_seconds: float = 0.0

"""One row of the table: a prediction's film and its differences from the truth, frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from nerf_talker.evaluate.boxes import Boxes, crop
from nerf_talker.evaluate.film import Arrays, Film
from nerf_talker.evaluate.lips import LagCurve, Series, lag_curve
from nerf_talker.evaluate.metrics.lpips import Lpips, large_enough
from nerf_talker.evaluate.metrics.ms_ssim import ms_ssim
from nerf_talker.evaluate.metrics.psnr import decibel
from nerf_talker.evaluate.metrics.sharpness import box_mean
from nerf_talker.evaluate.metrics.ssim import ssim_maps
from nerf_talker.evaluate.networks import Networks
from nerf_talker.evaluate.readers import Reading
from nerf_talker.types import ByteArray

VGG_REGIONS = ("frame", "face")
"""VGG16 costs ten times AlexNet, so it looks at the large regions only."""

Taps = dict[tuple[str, str], Sequence[Tensor]]
"""LPIPS features by network and region."""


@dataclass(frozen=True)
class TruthFrame:
    """A true frame and all that rows need of it.

    Attributes:
        picture: (H, W, 3) uint8.
        boxes: Its regions.
        reading: The reader's view of it, None without a face.
        slow: Whether the figures that are not taken on every frame are due.
        taps: LPIPS features, empty unless ``slow``.
    """

    picture: ByteArray
    boxes: Boxes
    reading: Reading | None
    slow: bool
    taps: Taps


@dataclass(frozen=True)
class Heard:
    """What the sound of the measured frames says, for lags against it.

    Attributes:
        energy: (T,) log energy per frame, None without sound.
        expected: (T,) lip gap expected by the speech expert, None without one.
    """

    energy: Series | None
    expected: Series | None

    def curves(self, gaps: Series) -> tuple[LagCurve | None, LagCurve | None]:
        """Lag curves of (T,) lip gaps against the energy and against the expectation."""
        against_energy = None if self.energy is None else lag_curve(gaps, self.energy)
        against_speech = None if self.expected is None else lag_curve(gaps, self.expected)
        return against_energy, against_speech


@dataclass
class Row:
    """A prediction beside the truth.

    Attributes:
        networks: What looks at pictures.
        film: What the prediction shows, with the columns that compare it.
        without_face: Frames in which the truth or the prediction shows no face.
    """

    networks: Networks
    film: Film = field(default_factory=Film)
    without_face: int = 0

    def add(self, picture: ByteArray, truth: TruthFrame, reading: Reading | None) -> None:
        """Compare one (H, W, 3) uint8 picture with the true frame."""
        self.film.add(picture, reading, truth.boxes, self.networks, truth.slow)
        if reading is None or truth.reading is None:
            self.without_face += 1
        a, b = picture.astype(np.float64), truth.picture.astype(np.float64)
        error = (a - b) ** 2
        luminance, structure = ssim_maps(a, b)
        likeness = luminance * structure
        for region, box in truth.boxes.items():
            self.film.note(f"psnr.{region}", decibel(box_mean(error, box)))
            self.film.note(f"ssim.{region}", box_mean(likeness, box))
            if truth.slow:
                pair = crop(picture, box), crop(truth.picture, box)
                self.film.note(f"ms_ssim.{region}", ms_ssim(*pair))
        self._add_lpips(picture, truth)

    def _add_lpips(self, picture: ByteArray, truth: TruthFrame) -> None:
        for (name, region), known in truth.taps.items():
            network = _networks(self.networks)[name]
            seen = network.features(crop(picture, truth.boxes[region]))
            self.film.note(f"{name}.{region}", network.distance(seen, known))

    def to_arrays(self, prefix: str) -> Arrays:
        """All of it as arrays, for an npz file."""
        gone = {f"{prefix}without_face": np.array(self.without_face)}
        return gone | self.film.to_arrays(prefix)

    def extend(self, arrays: Arrays, prefix: str) -> None:
        """Append what :meth:`to_arrays` of the frames that follow gave."""
        self.without_face += int(arrays[f"{prefix}without_face"])  # type: ignore[call-overload]
        self.film.extend(arrays, prefix)


def lpips_taps(networks: Networks, picture: ByteArray, boxes: Boxes) -> Taps:
    """LPIPS features of a true frame's regions, as far as LPIPS is defined on them."""
    taps: Taps = {}
    for name, network in _networks(networks).items():
        for region, box in boxes.items():
            inside = crop(picture, box)
            if large_enough(inside) and (name == "lpips" or region in VGG_REGIONS):
                taps[name, region] = network.features(inside)
    return taps


def _networks(networks: Networks) -> dict[str, Lpips]:
    both = {"lpips": networks.lpips, "lpips_vgg": networks.lpips_vgg}
    return {name: network for name, network in both.items() if network is not None}

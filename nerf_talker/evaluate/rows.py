"""One row of the table: figures gathered frame by frame in constant memory per frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from nerf_talker.evaluate.boxes import crop
from nerf_talker.evaluate.lips import (
    LagCurve,
    Series,
    correlation,
    jitter,
    lag_curve,
    mouth_landmark_distance,
    std_ratio,
)
from nerf_talker.evaluate.lpips import Lpips, large_enough
from nerf_talker.evaluate.psnr import mean_psnr, psnr
from nerf_talker.evaluate.readers import Reading
from nerf_talker.evaluate.schema import Metrics
from nerf_talker.evaluate.ssim import ssim
from nerf_talker.geometry.mesh import NOSE_BRIDGE
from nerf_talker.types import ByteArray, PixelBox

NO_POINT = (np.nan, np.nan)


@dataclass(frozen=True)
class TruthFrame:
    """A true frame and all that rows need of it.

    Attributes:
        picture: (H, W, 3) uint8.
        face: Face box.
        mouth: Mouth box.
        reading: The reader's view of it, None without a face.
        features: LPIPS features of the whole frame, on the frames where LPIPS is taken.
        face_features: The same of the face box, None also where the box is too small.
    """

    picture: ByteArray
    face: PixelBox
    mouth: PixelBox
    reading: Reading | None
    features: Sequence[Tensor] | None = None
    face_features: Sequence[Tensor] | None = None


@dataclass(frozen=True)
class Heard:
    """What the sound of the measured frames says, for lags against it.

    Attributes:
        energy: (T,) log energy per frame, None without sound.
        expected: (T,) lip gap expected by the speech expert.
    """

    energy: Series | None
    expected: Series

    def curves(self, gaps: Series) -> tuple[LagCurve | None, LagCurve | None]:
        """Lag curves of (T,) lip gaps against the energy and against the expectation."""
        against_energy = None if self.energy is None else lag_curve(gaps, self.energy)
        return against_energy, lag_curve(gaps, self.expected)


@dataclass
class Motion:
    """Lip gap and nose bridge over time, as read from one video."""

    gaps: list[float] = field(default_factory=list)
    nose: list[tuple[float, float]] = field(default_factory=list)

    def add(self, reading: Reading | None) -> None:
        """Append one frame's reading; NaN without a face."""
        points = None if reading is None else reading.landmarks
        self.gaps.append(np.nan if reading is None else reading.lip_gap)
        at = NO_POINT if points is None else (points[NOSE_BRIDGE, 0], points[NOSE_BRIDGE, 1])
        self.nose.append((float(at[0]), float(at[1])))

    def gap_series(self) -> Series:
        """(T,) lip gap."""
        return np.array(self.gaps, np.float64)

    def jitter(self, width: int) -> float | None:
        """See :func:`nerf_talker.evaluate.lips.jitter`."""
        return jitter(np.array(self.nose, np.float64), width)


@dataclass
class Row:
    """Accumulates what :class:`Metrics` reports; per-frame dB stay readable for charts."""

    lpips_network: Lpips | None
    motion: Motion = field(default_factory=Motion)
    psnr: list[float] = field(default_factory=list)
    psnr_face: list[float] = field(default_factory=list)
    psnr_mouth: list[float] = field(default_factory=list)
    ssim: list[float] = field(default_factory=list)
    lpips: list[float] = field(default_factory=list)
    lpips_face: list[float] = field(default_factory=list)
    lmd: list[float] = field(default_factory=list)
    without_face: int = 0

    def add(self, picture: ByteArray, truth: TruthFrame, reading: Reading | None) -> None:
        """Compare one (H, W, 3) uint8 picture with the true frame."""
        self.psnr.append(psnr(picture, truth.picture))
        for box, values in ((truth.face, self.psnr_face), (truth.mouth, self.psnr_mouth)):
            values.append(psnr(crop(picture, box), crop(truth.picture, box)))
        self.ssim.append(ssim(picture, truth.picture))
        self._add_lpips(picture, truth)
        self.motion.add(reading)
        if reading is None or truth.reading is None:
            self.without_face += 1
        elif reading.landmarks is not None and truth.reading.landmarks is not None:
            width = picture.shape[1]
            self.lmd.append(
                mouth_landmark_distance(reading.landmarks, truth.reading.landmarks, width)
            )

    def _add_lpips(self, picture: ByteArray, truth: TruthFrame) -> None:
        network = self.lpips_network
        if network is None:
            return
        if truth.features is not None:
            self.lpips.append(network.distance(network.features(picture), truth.features))
        if truth.face_features is not None:
            face = network.features(crop(picture, truth.face))
            self.lpips_face.append(network.distance(face, truth.face_features))

    def metrics(self, truth: Motion, heard: Heard, width: int, knows_faces: bool) -> Metrics:
        """The row's figures.

        Args:
            truth: The truth's motion.
            heard: What the sound says.
            width: Frame width in pixels.
            knows_faces: Whether the reader can tell that a frame shows no face.
        """
        gaps, true_gaps = self.motion.gap_series(), truth.gap_series()
        against_truth = lag_curve(gaps, true_gaps)
        against_sound, against_speech = heard.curves(gaps)
        return Metrics(
            psnr=mean_psnr(self.psnr),
            psnr_face=mean_psnr(self.psnr_face),
            psnr_mouth=mean_psnr(self.psnr_mouth),
            ssim=_mean(self.ssim),
            lpips=_mean(self.lpips),
            lpips_face=_mean(self.lpips_face),
            lmd=_mean(self.lmd),
            lipgap_corr=correlation(gaps, true_gaps),
            lipgap_corr_best=None if against_truth is None else against_truth.peak,
            lipgap_lag_frames=None if against_truth is None else against_truth.best_lag,
            lipgap_std_ratio=std_ratio(gaps, true_gaps),
            sync_offset_frames=None if against_sound is None else against_sound.best_lag,
            sync_confidence=None if against_sound is None else against_sound.confidence,
            speech_offset_frames=None if against_speech is None else against_speech.best_lag,
            speech_confidence=None if against_speech is None else against_speech.confidence,
            jitter=self.motion.jitter(width),
            frames_without_face=self.without_face if knows_faces else None,
        )


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None


def lpips_pair(
    network: Lpips | None, picture: ByteArray, face: PixelBox
) -> tuple[list[Tensor] | None, list[Tensor] | None]:
    """LPIPS features of a true frame and of its face box, None where LPIPS is not defined."""
    if network is None:
        return None, None
    inside = crop(picture, face)
    return (
        network.features(picture) if large_enough(picture) else None,
        network.features(inside) if large_enough(inside) else None,
    )

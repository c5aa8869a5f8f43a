"""LSE-C and LSE-D: what the user's SyncNet says of faces and sound.

Definitions of Chung and Zisserman (2016) as Wav2Lip uses them: for every lag of +-15 frames the
mean Euclidean distance between the embeddings of 5 face crops and of 0.2 s of sound, windows
outside the sound counting as zero vectors. LSE-D is the smallest, LSE-C the median less the
smallest. What differs from the published pipeline is the face box: it comes from landmarks, not
from the S3FD detector.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from nerf_talker.data.dataset import Dataset
from nerf_talker.evaluate.sound import Sound
from nerf_talker.evaluate.sync_curve import LAG_AXIS, SyncCurve
from nerf_talker.evaluate.sync_report import NO_LSE, LseVerdict
from nerf_talker.losses.sync_expert import LAGS
from nerf_talker.losses.sync_net import CEPSTRA, FPS, FRAMES, ROWS, SIDE, SyncNet, load_syncnet
from nerf_talker.types import ByteArray, FloatArray

WITHOUT_MARKS = "no face landmarks, which place SyncNet's crops"
SKIPPED = frozenset({"own_torso", "head_only", "mean_frame", "nearest_frame"})
"""Rows that are not worth a tenth of a second per frame: the same head again, or no talker's."""

LEAST_WINDOWS = LAGS + 1

_RATE = 16000
_ROWS_PER_FRAME = 100 // FPS
# The published crop: a square 1.4 times the face box, moved down by a fifth of it, on grey.
_MARGIN = 0.4
_GREY = 110
_STEADY = 13  # frames of the median that steadies the box


@dataclass(frozen=True)
class FacePlace:
    """Where SyncNet's crop lies in each of F frames.

    Attributes:
        centre: (F, 2) x and y of the face box in pixels.
        half: (F,) half its longer side in pixels.
    """

    centre: FloatArray
    half: FloatArray

    @classmethod
    def of(cls, landmarks: FloatArray) -> FacePlace:
        """Boxes around (F, 478, 2) landmarks in pixels, steadied over time."""
        from scipy.ndimage import median_filter

        low, high = landmarks.min(1), landmarks.max(1)
        centre = median_filter((low + high) / 2, (_STEADY, 1), mode="nearest")
        half = median_filter((high - low).max(1) / 2, _STEADY, mode="nearest")
        return cls(np.asarray(centre, np.float32), np.asarray(half, np.float32))

    def crop(self, picture: ByteArray, frame: int) -> ByteArray:
        """(224, 224, 3) uint8 BGR crop of an (H, W, 3) uint8 RGB picture of ``frame``."""
        import cv2

        half, (x, y) = float(self.half[frame]), self.centre[frame]
        zoom = SIDE / max(2 * half * (1 + _MARGIN), 1.0)
        left, top = float(x) - half * (1 + _MARGIN), float(y) - half
        # Half pixels: pixel (0, 0) of either picture covers [0, 1) x [0, 1).
        shift = [zoom * (0.5 - edge) - 0.5 for edge in (left, top)]
        matrix = np.array([[zoom, 0, shift[0]], [0, zoom, shift[1]]])
        cut = cv2.warpAffine(
            np.ascontiguousarray(picture[..., ::-1]),
            matrix,
            (SIDE, SIDE),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=(_GREY, _GREY, _GREY),
        )
        return np.asarray(cut, np.uint8)


@dataclass
class LseWitness:
    """Embeds the faces of rows while frames stream by, and judges them against the sound.

    Attributes:
        net: The user's SyncNet; None when nothing can be judged.
        place: Where the faces are; None without a net.
        reason: Why nothing can be judged.
    """

    net: SyncNet | None
    place: FacePlace | None
    reason: str | None = None
    _seen: dict[str, deque[ByteArray]] = field(
        default_factory=lambda: defaultdict(lambda: deque(maxlen=FRAMES))
    )
    _faces: dict[str, list[Tensor]] = field(default_factory=lambda: defaultdict(list))

    @torch.inference_mode()
    def see(self, row: str, picture: ByteArray, frame: int) -> None:
        """Take in an (H, W, 3) uint8 picture shown by ``row`` for clip ``frame``, in order."""
        if self.net is None or self.place is None or row in SKIPPED:
            return
        window = self._seen[row]
        window.append(self.place.crop(picture, frame))
        if len(window) == FRAMES:
            stacked = torch.from_numpy(np.stack(window)).permute(3, 0, 1, 2)[None]
            self._faces[row].append(self.net.embed_faces(stacked.float())[0])

    @torch.inference_mode()
    def judge(self, sound: Sound | None) -> LseVerdict:
        """What it says of every row, seen in the frames that ``sound`` begins with."""
        if self.net is None:
            return LseVerdict({}, self.reason)
        if sound is None:
            return LseVerdict({}, "there is no sound")
        # The published evaluation leaves the last window away.
        most = max((len(faces) for faces in self._faces.values()), default=0) - 1
        heard = cepstra_windows(sound, most)
        if len(heard) < LEAST_WINDOWS:
            wanted = LEAST_WINDOWS + FRAMES
            return LseVerdict({}, f"fewer than the {wanted} frames with sound that SyncNet needs")
        voices = torch.cat([self.net.embed_sound(part) for part in heard.split(256)])
        return LseVerdict(
            {
                row: lse_curve(torch.stack(faces[: len(voices)]), voices)
                for row, faces in self._faces.items()
            }
        )


def open_syncnet(file: Path | None, fps: float) -> tuple[SyncNet | None, str | None]:
    """SyncNet from a file for frames at ``fps``, or the reason why there is none.

    Raises:
        WeightsError: The file cannot be used.
    """
    if file is None:
        return None, NO_LSE.missing
    net = load_syncnet(file)
    if abs(fps - FPS) > 0.05:
        return None, f"SyncNet knows {FPS} frames per second only, these frames come at {fps:g}"
    return net, None


def open_lse(file: Path | None, dataset: Dataset) -> LseWitness:
    """What judges frames of a dataset, whose tracked landmarks place the faces.

    Raises:
        WeightsError: The file cannot be used.
    """
    net, reason = open_syncnet(file, dataset.manifest.fps)
    if net is None:
        return LseWitness(None, None, reason)
    return LseWitness(net, FacePlace.of(np.asarray(dataset.track.landmarks[:, :, :2], np.float32)))


def cepstra_windows(sound: Sound, most: int) -> Tensor:
    """(N, 1, 13, 20) coefficients of the sound of the first N <= ``most`` frames, 16-bit scale.

    Raises:
        ValueError: The sound has another rate than 16 kHz.
    """
    from python_speech_features import mfcc

    if sound.rate != _RATE:
        raise ValueError(f"sound at {sound.rate} Hz, wanted are {_RATE}")
    if len(sound.samples) < _RATE // FPS * FRAMES or most < 1:
        return torch.zeros(0, 1, CEPSTRA, ROWS)
    rows = np.asarray(mfcc(sound.samples, _RATE), np.float32)
    whole = (len(rows) - ROWS) // _ROWS_PER_FRAME + 1
    spoken = len(sound.samples) // (_RATE // FPS) - FRAMES
    starts = np.arange(max(min(most, whole, spoken), 0)) * _ROWS_PER_FRAME
    windows = rows[starts[:, None] + np.arange(ROWS)]
    return torch.from_numpy(windows).transpose(1, 2)[:, None]


def lse_curve(faces: Tensor, voices: Tensor) -> SyncCurve:
    """The published distance curve of (N, E) embeddings of consecutive frames."""
    padded = functional.pad(voices, (0, 0, LAGS, LAGS))
    distances = []
    for lag in LAG_AXIS.tolist():
        moved = padded[LAGS - lag : LAGS - lag + len(faces)]
        distances.append(float(functional.pairwise_distance(faces, moved).mean()))
    return SyncCurve(np.array(distances))

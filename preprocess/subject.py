"""Which of the faces in a frame is the subject's, from frame to frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nerf_talker.preprocess.faces import Box, face_box, overlap
from nerf_talker.preprocess.models import FaceReading
from nerf_talker.types import FloatArray

# A face whose box overlaps the expected one less is somebody else's.
_LEAST_OVERLAP = 0.25
# So long after the last sighting the face may be anywhere.
_LOST_SECONDS = 1.0


class Choice:
    """Which of the faces in a frame is the subject's."""

    def __init__(self, fps: float, splices: Sequence[int] = ()) -> None:
        """Start at a recording's first frame; ``splices``: frames before which time was cut out."""
        self._patience = round(_LOST_SECONDS * fps)
        self._splices = splices
        self._last: tuple[int, Box] | None = None
        self._strange: tuple[int, FaceReading] | None = None

    def pick(
        self, index: int, faces: list[FaceReading], expected: FloatArray | None
    ) -> list[tuple[int, FaceReading]]:
        """Frames of which this one makes sure, and the subject's face in each.

        It is the face at the expected box or, with none expected, where it was; else the largest.
        An only face elsewhere is the subject's once it has been there for two frames.

        Args:
            index: Number of the frame; they come in order.
            faces: All faces in it.
            expected: (4,) box, NaN where the subject is not seen; None where nobody knows.
        """
        boxes = [face_box(face.landmarks) for face in faces]
        target = self._target(index, boxes, expected)
        shares = [overlap(target, box) for box in boxes]
        sure: list[tuple[int, FaceReading]] = []
        if max(shares, default=0.0) >= _LEAST_OVERLAP:
            sure = [(index, faces[int(np.argmax(shares))])]
        elif expected is None:
            sure = self._elsewhere(index, faces)
        if sure:
            self._last = (index, face_box(sure[-1][1].landmarks))
        return sure

    def _target(self, index: int, boxes: list[Box], expected: FloatArray | None) -> Box:
        if expected is not None:
            left, top, right, bottom = expected.tolist()
            return left, top, right, bottom
        if (
            self._last is not None
            and index - self._last[0] <= self._patience
            and not any(self._last[0] < splice <= index for splice in self._splices)
        ):
            return self._last[1]
        return max(boxes, key=lambda box: box[3] - box[1], default=(0, 0, 0, 0))

    def _elsewhere(self, index: int, faces: list[FaceReading]) -> list[tuple[int, FaceReading]]:
        before, self._strange = self._strange, None
        if len(faces) != 1:
            return []
        now = self._strange = (index, faces[0])
        if before is None or before[0] != index - 1:
            return []
        alike = overlap(*(face_box(face.landmarks) for _, face in (before, now)))
        return [before, now] if alike >= _LEAST_OVERLAP else []

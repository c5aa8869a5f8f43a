"""MediaPipe's face landmarker, hair model and person model behind small, typed calls.

All three are Tasks-API graphs; they are closed by leaving the ``with`` block. Pictures are
(H, W, 3) uint8 RGB.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from nerf_talker.types import ByteArray, FloatArray
from nerf_talker.weights import resolve

FACE_MODEL = "face_landmarker.task"
HAIR_MODEL = "hair_segmentation.tflite"
PERSON_MODEL = "selfie_segmentation.tflite"

BLENDSHAPES = 52


@dataclass(frozen=True)
class FaceReading:
    """One face in one picture.

    Attributes:
        landmarks: (478, 3) pixels of the picture; z relative, growing into the scene.
        blendshapes: (52,) in [0, 1], MediaPipe's order.
    """

    landmarks: FloatArray
    blendshapes: FloatArray


class _Task:
    """Something MediaPipe opened that must be closed."""

    _task: Any

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._task.close()


class FaceLandmarker(_Task):
    """MediaPipe FaceLandmarker; with ``fps`` it follows a video, without it reads single pictures.

    Raises:
        WeightsError: The model file cannot be found.
    """

    def __init__(
        self, fps: float | None = None, faces: int = 1, models: Path | None = None
    ) -> None:
        """Load the model, looked for first in ``models``; at most ``faces`` faces are reported."""
        from mediapipe.tasks import python as tasks
        from mediapipe.tasks.python import vision

        path = resolve(FACE_MODEL, models)
        mode = vision.RunningMode.IMAGE if fps is None else vision.RunningMode.VIDEO
        options = vision.FaceLandmarkerOptions(
            base_options=tasks.BaseOptions(model_asset_path=str(path)),
            num_faces=faces,
            output_face_blendshapes=True,
            running_mode=mode,
        )
        self._task = vision.FaceLandmarker.create_from_options(options)
        self._fps = fps
        self._index = 0

    def __enter__(self) -> FaceLandmarker:
        return self

    def read(self, picture: ByteArray) -> list[FaceReading]:
        """The faces in a picture, or in the next frame of the video; empty when there are none."""
        import mediapipe as mp

        image = mp.Image(image_format=mp.ImageFormat.SRGB, data=np.ascontiguousarray(picture))
        if self._fps is None:
            result = self._task.detect(image)
        else:
            stamp = round(self._index * 1000 / self._fps)
            result = self._task.detect_for_video(image, stamp)
            self._index += 1
        height, width = picture.shape[:2]
        scale = np.array([width, height, width], np.float32)
        faces = []
        for points, scores in zip(result.face_landmarks, result.face_blendshapes, strict=True):
            landmarks = np.array([[p.x, p.y, p.z] for p in points], np.float32) * scale
            shapes = np.array([score.score for score in scores], np.float32)
            faces.append(FaceReading(landmarks, shapes))
        return faces


class _Segmenter(_Task):
    def __init__(self, name: str, models: Path | None) -> None:
        from mediapipe.tasks import python as tasks
        from mediapipe.tasks.python import vision

        options = vision.ImageSegmenterOptions(
            base_options=tasks.BaseOptions(model_asset_path=str(resolve(name, models))),
            output_category_mask=False,
            output_confidence_masks=True,
        )
        self._task = vision.ImageSegmenter.create_from_options(options)

    def _masks(self, data: npt.NDArray[Any], with_alpha: bool) -> list[FloatArray]:
        import mediapipe as mp

        kind = mp.ImageFormat.SRGBA if with_alpha else mp.ImageFormat.SRGB
        image = mp.Image(image_format=kind, data=np.ascontiguousarray(data))
        masks = self._task.segment(image).confidence_masks
        return [np.array(mask.numpy_view(), np.float32).squeeze() for mask in masks]


class HairModel(_Segmenter):
    """Probability of hair per pixel."""

    def __init__(self, models: Path | None = None) -> None:
        """Load the model, looked for first in ``models``."""
        super().__init__(HAIR_MODEL, models)

    def __enter__(self) -> HairModel:
        return self

    def read(self, picture: ByteArray) -> FloatArray:
        """(H, W) in [0, 1].

        The model's fourth input channel, a previous mask, is zero; its two outputs are logits.
        """
        empty = np.zeros_like(picture[..., :1])
        other, hair = self._masks(np.concatenate([picture, empty], -1), True)
        return np.asarray(1 / (1 + np.exp(other - hair)), np.float32)


class PersonModel(_Segmenter):
    """Probability of person per pixel."""

    def __init__(self, models: Path | None = None) -> None:
        """Load the model, looked for first in ``models``."""
        super().__init__(PERSON_MODEL, models)

    def __enter__(self) -> PersonModel:
        return self

    def read(self, picture: ByteArray) -> FloatArray:
        """(H, W) in [0, 1]."""
        return self._masks(picture, False)[0]

"""Face landmarks, hair and person masks behind small, typed calls.

Each runs on MediaPipe's Tasks API or, where that cannot be imported, on LiteRT
(:mod:`nerf_talker.preprocess.litert`) with the same model files. Objects are closed by leaving
their ``with`` block. Pictures are (H, W, 3) uint8 RGB.
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from nerf_talker.errors import InputError, WeightsError
from nerf_talker.preprocess import litert
from nerf_talker.types import ByteArray, FloatArray
from nerf_talker.weights import resolve

FACE_MODEL = "face_landmarker.task"
HAIR_MODEL = "hair_segmentation.tflite"
PERSON_MODEL = "selfie_segmentation.tflite"

BLENDSHAPES = 52

Runtime = Literal["mediapipe", "litert"]
Choice = Literal["auto", "mediapipe", "litert"]
Self = TypeVar("Self", bound="_Closing")


@dataclass(frozen=True)
class FaceReading:
    """One face in one picture.

    Attributes:
        landmarks: (478, 3) pixels of the picture; z relative, growing into the scene.
        blendshapes: (52,) in [0, 1], MediaPipe's order.
    """

    landmarks: FloatArray
    blendshapes: FloatArray


@lru_cache(maxsize=1)
def mediapipe_fault() -> str | None:
    """Why MediaPipe cannot be used here, or None when it can."""
    bindings = "mediapipe.tasks.python.core.mediapipe_c_bindings"
    try:
        importlib.import_module("mediapipe.tasks.python.vision")
        if importlib.util.find_spec(bindings) is not None:
            # The import alone does not load the native library, which may lack its own libraries.
            importlib.import_module(bindings).load_raw_library()
    except (ImportError, OSError) as error:
        return str(error).splitlines()[0] if str(error) else type(error).__name__
    return None


def choose_runtime(wanted: Choice = "auto") -> Runtime:
    """What runs the models: MediaPipe where it works, else LiteRT; or the one asked for.

    Raises:
        WeightsError: The one asked for, or each of them, is not installed.
    """
    fault = None if wanted == "litert" else mediapipe_fault()
    if wanted != "litert" and fault is None:
        return "mediapipe"
    if wanted == "mediapipe" or not litert.is_installed():
        lacks = f"MediaPipe cannot be used ({fault})" if fault else "LiteRT is not installed"
        if wanted == "auto":
            lacks += " and LiteRT is not installed"
        package = "mediapipe" if wanted == "mediapipe" else "nerf-talker[litert]"
        raise WeightsError(
            f"{lacks}; run 'pip install {package}', or supply --landmarks and --masks"
        )
    return "litert"


def check_model_folder(folder: Path | None) -> None:
    """Refuse a folder of model files that does not exist.

    Raises:
        InputError: It is given and is no folder.
    """
    if folder is not None and not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give one that holds model files")


class _Closing:
    """Something that may have to be closed."""

    _task: Any = None

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._task is not None:
            self._task.close()


class FaceLandmarker(_Closing):
    """478 points and 52 blendshapes of the faces in single pictures.

    Every picture is read by itself. MediaPipe's video mode is not used: its causal filter makes
    the lips 0.3 to 0.5 frames late, which no later step can mend.

    Raises:
        WeightsError: The model file cannot be found, or nothing is installed that can run it.
    """

    def __init__(
        self, faces: int = 1, models: Path | None = None, runtime: Choice = "auto"
    ) -> None:
        """Load the model, looked for first in ``models``; at most ``faces`` faces are reported."""
        self.runtime = choose_runtime(runtime)
        path = resolve(FACE_MODEL, models)
        if self.runtime == "litert":
            self._lite = litert.LiteFace(path, faces)
            return
        from mediapipe.tasks import python as tasks
        from mediapipe.tasks.python import vision

        options = vision.FaceLandmarkerOptions(
            base_options=tasks.BaseOptions(model_asset_path=str(path)),
            num_faces=faces,
            output_face_blendshapes=True,
            running_mode=vision.RunningMode.IMAGE,
        )
        self._task = vision.FaceLandmarker.create_from_options(options)

    def read(self, picture: ByteArray) -> list[FaceReading]:
        """The faces in a picture; empty when there are none."""
        picture = np.ascontiguousarray(picture)
        if self.runtime == "litert":
            return [FaceReading(*found) for found in self._lite.read(picture)]
        import mediapipe as mp

        result = self._task.detect(mp.Image(image_format=mp.ImageFormat.SRGB, data=picture))
        height, width = picture.shape[:2]
        scale = np.array([width, height, width], np.float32)
        faces = []
        for points, scores in zip(result.face_landmarks, result.face_blendshapes, strict=True):
            landmarks = np.array([[p.x, p.y, p.z] for p in points], np.float32) * scale
            shapes = np.array([score.score for score in scores], np.float32)
            faces.append(FaceReading(landmarks, shapes))
        return faces


class _Segmenter(_Closing):
    def __init__(self, name: str, models: Path | None) -> None:
        path = resolve(name, models)
        if choose_runtime() == "litert":
            self._lite = litert.LiteSegmenter(path)
            return
        from mediapipe.tasks import python as tasks
        from mediapipe.tasks.python import vision

        options = vision.ImageSegmenterOptions(
            base_options=tasks.BaseOptions(model_asset_path=str(path)),
            output_category_mask=False,
            output_confidence_masks=True,
        )
        self._task = vision.ImageSegmenter.create_from_options(options)

    def _masks(self, data: npt.NDArray[Any], with_alpha: bool) -> list[FloatArray]:
        data = np.ascontiguousarray(data)
        if self._task is None:
            return self._lite.read(data)
        import mediapipe as mp

        kind = mp.ImageFormat.SRGBA if with_alpha else mp.ImageFormat.SRGB
        masks = self._task.segment(mp.Image(image_format=kind, data=data)).confidence_masks
        return [np.array(mask.numpy_view(), np.float32).squeeze() for mask in masks]


class HairModel(_Segmenter):
    """Probability of hair per pixel."""

    def __init__(self, models: Path | None = None) -> None:
        """Load the model, looked for first in ``models``."""
        super().__init__(HAIR_MODEL, models)

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

    def read(self, picture: ByteArray) -> FloatArray:
        """(H, W) in [0, 1]."""
        return self._masks(picture, False)[0]

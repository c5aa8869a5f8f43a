"""The face, hair and person models run by LiteRT alone, for machines without MediaPipe.

The networks are those of MediaPipe's own files: the face bundle is a zip archive with a detector,
a 478-point mesh and a blendshape network in it. What MediaPipe's graph does between them is done
here as its published graph files describe it: BlazeFace anchors and weighted suppression
(Bazarevsky et al., "BlazeFace", 2019), a square turned upright by the eyes and widened by half,
the mesh in it (Kartynnik et al., "Real-time Facial Surface Geometry", 2019), and blendshapes from
146 of its points. Pictures are (H, W, 3) uint8 RGB.
"""

from __future__ import annotations

import importlib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nerf_talker.errors import WeightsError
from nerf_talker.geometry import mesh
from nerf_talker.preprocess.faces import overlap
from nerf_talker.types import ByteArray, FloatArray

RUNTIMES = ("ai_edge_litert.interpreter", "tflite_runtime.interpreter")

_DETECTOR = "face_detector.tflite"
_MESH = "face_landmarks_detector.tflite"
_BLENDSHAPES = "face_blendshapes.tflite"
_MEMBERS = (_DETECTOR, _MESH, _BLENDSHAPES)

# (cells per side, anchors per cell) of the short-range detector at 128 x 128: 896 in all.
_ANCHOR_GRIDS = ((16, 2), (8, 6))
_SURE = 0.5
_OVERLAP = 0.3
# The mesh sees a square 1.5 times the larger side of the detected box.
_WIDENED = 1.5
_MESH_SIDE = 256

# The mesh points the blendshape network was trained on.
_EXPRESSIVE = (
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65,
    66, 67, 70, 78, 80, 81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136,
    144, 145, 146, 148, 149, 150, 152, 153, 154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172,
    173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251, 263, 267, 269, 270, 276, 282, 283,
    284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318, 321, 323, 324,
    332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385,
    386, 387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472,
    473, 474, 475, 476, 477,
)  # fmt: skip


@dataclass(frozen=True)
class Detection:
    """A face box in pixels of the picture.

    Attributes:
        box: (4,) left, top, right, bottom.
        eyes: (2, 2) the image's left and right eye.
        score: In [0, 1].
    """

    box: npt.NDArray[np.float64]
    eyes: npt.NDArray[np.float64]
    score: float


class Network:
    """One tflite network on one CPU thread."""

    def __init__(self, content: bytes) -> None:
        """Load a network from the bytes of its file."""
        self._runner = _interpreter()(model_content=content, num_threads=1)
        self._runner.allocate_tensors()
        given = self._runner.get_input_details()[0]
        self.shape: tuple[int, ...] = tuple(int(side) for side in given["shape"])
        self._input = given["index"]
        self._outputs = [out["index"] for out in self._runner.get_output_details()]

    def __call__(self, values: npt.NDArray[Any]) -> list[FloatArray]:
        """The outputs for one input of the network's own shape."""
        self._runner.set_tensor(self._input, values.astype(np.float32).reshape(self.shape))
        self._runner.invoke()
        return [np.asarray(self._runner.get_tensor(index), np.float32) for index in self._outputs]


def is_installed() -> bool:
    """Whether a LiteRT runtime can be imported."""
    try:
        _interpreter()
    except WeightsError:
        return False
    return True


def _interpreter() -> Any:
    for name in RUNTIMES:
        try:
            return importlib.import_module(name).Interpreter
        except ImportError:
            continue
    raise WeightsError(
        "LiteRT is not installed; run 'pip install nerf-talker[litert]' or use --landmarker "
        "mediapipe"
    )


class LiteFace:
    """Faces in single pictures: detector, mesh and blendshapes."""

    def __init__(self, bundle: Path, faces: int) -> None:
        """Open ``face_landmarker.task``; at most ``faces`` faces are reported."""
        try:
            with zipfile.ZipFile(bundle) as archive:
                content = {name: archive.read(name) for name in _MEMBERS}
        except (zipfile.BadZipFile, KeyError) as error:
            raise WeightsError(f"{bundle}: not a face landmarker bundle ({error})") from None
        self._detector = Network(content[_DETECTOR])
        self._mesh = Network(content[_MESH])
        self._shapes = Network(content[_BLENDSHAPES])
        self._anchors = anchors()
        self._faces = faces

    def read(self, picture: ByteArray) -> list[tuple[FloatArray, FloatArray]]:
        """(478, 3) landmarks in pixels and (52,) blendshapes of each face, the surest first."""
        found = []
        for face in self.detect(picture)[: self._faces]:
            landmarks = self._landmarks(picture, square_about(face))
            if landmarks is not None:
                found.append((landmarks, self._expression(landmarks)))
        return found

    def detect(self, picture: ByteArray) -> list[Detection]:
        """Face boxes, the surest first."""
        import cv2

        height, width = picture.shape[:2]
        side = self._detector.shape[1]
        scale = side / max(height, width)
        shift = (side - scale * np.array([width, height])) / 2
        matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
        # Areas are averaged before they are sampled: a big picture would otherwise alias.
        small = cv2.warpAffine(_shrunk(picture, scale), _rescaled(matrix, scale), (side, side))
        values, scores = self._detector(small / np.float32(127.5) - 1)
        sure = 1 / (1 + np.exp(-np.clip(scores.reshape(-1), -50.0, 50.0)))
        kept = np.flatnonzero(sure >= _SURE)
        boxes = values.reshape(-1, 16)[kept].astype(np.float64) / side
        centre = boxes[:, :2] + self._anchors[kept]
        eyes = boxes[:, 4:8].reshape(-1, 2, 2) + self._anchors[kept][:, None]
        corners = np.concatenate([centre - boxes[:, 2:4] / 2, centre + boxes[:, 2:4] / 2], 1)
        points = np.concatenate([corners.reshape(-1, 2, 2), eyes], 1)
        return _merged((points * side - shift) / scale, sure[kept])

    def _landmarks(self, picture: ByteArray, square: npt.NDArray[np.float64]) -> FloatArray | None:
        """Mesh points in pixels, or None where the square holds no face.

        Args:
            picture: The picture.
            square: (2, 3) affine from the mesh's input to the picture.
        """
        import cv2

        how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        side = (_MESH_SIDE, _MESH_SIDE)
        patch = cv2.warpAffine(picture, square, side, flags=how, borderMode=cv2.BORDER_REPLICATE)
        points, presence, _ = self._mesh(patch / np.float32(255))
        if presence.item() < 0:
            return None
        flat = points.reshape(mesh.POINTS, 3).astype(np.float64)
        placed = flat[:, :2] @ square[:, :2].T + square[:, 2]
        depth = flat[:, 2:] * np.hypot(*square[:, 0])
        return np.concatenate([placed, depth], 1).astype(np.float32)

    def _expression(self, landmarks: FloatArray) -> FloatArray:
        return self._shapes(landmarks[list(_EXPRESSIVE), :2])[0].reshape(-1)


class LiteSegmenter:
    """An image-to-image network; what comes out is stretched back to the picture's size."""

    def __init__(self, path: Path) -> None:
        """Load the network."""
        self._network = Network(path.read_bytes())

    def read(self, data: npt.NDArray[Any]) -> list[FloatArray]:
        """One (H, W) plane per output channel, for (H, W, 3 or 4) uint8 input."""
        import cv2

        height, width = data.shape[:2]
        _, rows, columns, _ = self._network.shape
        small = cv2.resize(data, (columns, rows), interpolation=cv2.INTER_AREA)
        planes = self._network(small / np.float32(255))[0]
        planes = planes.reshape(rows, columns, -1)
        return [
            np.asarray(cv2.resize(planes[..., k], (width, height)), np.float32)
            for k in range(planes.shape[-1])
        ]


def anchors() -> npt.NDArray[np.float64]:
    """(896, 2) centres of the detector's anchors as x, y in [0, 1]."""
    found = []
    for cells, repeats in _ANCHOR_GRIDS:
        centres = (np.arange(cells) + 0.5) / cells
        y, x = np.meshgrid(centres, centres, indexing="ij")
        grid = np.stack([x.reshape(-1), y.reshape(-1)], 1)
        found.append(np.repeat(grid, repeats, axis=0))
    return np.concatenate(found)


def square_about(face: Detection) -> npt.NDArray[np.float64]:
    """(2, 3) affine from the mesh's 256 x 256 input to the picture, upright by the eyes."""
    left, top, right, bottom = face.box
    side = _WIDENED * max(right - left, bottom - top)
    along = face.eyes[1] - face.eyes[0]
    x, y = along / max(float(np.hypot(*along)), 1e-9)
    linear = side / _MESH_SIDE * np.array([[x, -y], [y, x]])
    centre = np.array([left + right, top + bottom]) / 2
    return np.concatenate([linear, (centre - linear @ np.full(2, _MESH_SIDE / 2))[:, None]], 1)


def _shrunk(picture: ByteArray, scale: float) -> ByteArray:
    import cv2

    height, width = picture.shape[:2]
    if scale >= 1:
        return picture
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))


def _rescaled(matrix: npt.NDArray[np.float64], scale: float) -> npt.NDArray[np.float64]:
    """``matrix`` for a picture that was shrunk by ``scale`` beforehand."""
    if scale >= 1:
        return matrix
    return np.concatenate([matrix[:, :2] / scale, matrix[:, 2:]], 1)


def _merged(points: npt.NDArray[np.float64], scores: npt.NDArray[Any]) -> list[Detection]:
    """Weighted suppression: boxes that overlap the surest one are averaged into it.

    Args:
        points: (K, 4, 2) two box corners and two eyes.
        scores: (K,) in [0, 1].
    """
    boxes = [(float(a[0]), float(a[1]), float(b[0]), float(b[1])) for a, b in points[:, :2]]
    rest = np.argsort(-scores)
    found = []
    while len(rest):
        alike = np.array([overlap(boxes[rest[0]], boxes[row]) > _OVERLAP for row in rest])
        alike[0] = True
        group = rest[alike]
        mean = np.average(points[group], axis=0, weights=scores[group])
        found.append(Detection(mean[:2].reshape(-1), mean[2:], float(scores[group[0]])))
        rest = rest[~alike]
    return found

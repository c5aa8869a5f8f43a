"""How the sample moves: head, shoulders, lids, brows and gaze over time, and the whole performance.

Poses are (F, 4, 4) matrices to the camera, metres; times are the middles of the frames in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nerf_talker.data.sample_face import FacePose
from nerf_talker.data.sample_speech import Speech, compose, mouth_tracks

Values = npt.NDArray[np.float64]

FPS = 25
_PLACE = np.array([0.0, -0.032, 0.88])
_NECK_PIVOT = np.array([0.0, 0.10, 0.05])
_HIP_PIVOT = np.array([0.0, 0.42, 0.05])


@dataclass(frozen=True)
class Performance:
    """Everything that changes in F frames.

    Attributes:
        speech: The utterance.
        faces: F face poses.
        head_to_camera: (F, 4, 4).
        body_to_camera: (F, 4, 4).
        vowels: F phone names.
    """

    speech: Speech
    faces: list[FacePose]
    head_to_camera: Values
    body_to_camera: Values
    vowels: list[str]

    def __len__(self) -> int:
        return len(self.faces)


def perform(seconds: float, seed: int) -> Performance:
    """The deterministic performance of ``seed``: round(25 * seconds) frames and their speech."""
    frames = max(1, round(seconds * FPS))
    rng = np.random.default_rng(seed)
    speech = compose(frames / FPS, rng)
    times = (np.arange(frames) + 0.5) / FPS
    mouth = mouth_tracks(speech, times)
    head = _head(times, mouth["loudness"], rng)
    body = _body(times, rng)
    blink = blink_track(times, rng)
    brow = 0.45 * _drift(times, rng, (0.15, 0.5)) + 0.55 * (mouth["loudness"] - 0.35)
    gaze = _gaze(times, head, rng)
    faces = [
        FacePose(
            gap=float(mouth["gap"][k]),
            jaw=float(mouth["jaw"][k]),
            width=float(mouth["width"][k]),
            protrusion=float(mouth["protrusion"][k]),
            blink=float(blink[k]),
            brow=float(np.clip(brow[k], -1, 1)),
            gaze=(float(gaze[k, 0]), float(gaze[k, 1])),
        )
        for k in range(frames)
    ]
    return Performance(speech, faces, head, body, speech.phone_at(times))


def _drift(times: Values, rng: np.random.Generator, band: tuple[float, float]) -> Values:
    """Smooth wandering in [-1, 1]: four sines with rates within ``band`` Hz."""
    rates = np.geomspace(*band, 4) * rng.uniform(0.9, 1.1, 4)
    phases, sizes = rng.uniform(0, 2 * np.pi, 4), rng.uniform(0.5, 1.0, 4) * (1.0, 0.8, 0.6, 0.4)
    waves = np.sin(2 * np.pi * rates[:, None] * times + phases[:, None])
    return np.asarray((sizes[:, None] * waves).sum(0) / sizes.sum())


def pose_matrices(turns: Values, shifts: Values, pivot: Values = _NECK_PIVOT) -> Values:
    """(F, 4, 4) poses from (F, 3) yaw, pitch, roll in degrees about ``pivot`` and (F, 3) metres."""
    from scipy.spatial.transform import Rotation

    matrices = np.tile(np.eye(4), (len(turns), 1, 1))
    rotation = Rotation.from_euler("YXZ", turns, degrees=True).as_matrix()
    matrices[:, :3, :3] = rotation
    matrices[:, :3, 3] = _PLACE + pivot - rotation @ pivot + shifts
    return matrices


def _head(times: Values, loudness: Values, rng: np.random.Generator) -> Values:
    nod = 0.9 * (loudness - 0.35)
    turns = np.stack(
        [
            8.0 * _drift(times, rng, (0.06, 0.32)),
            4.0 * _drift(times, rng, (0.08, 0.4)) + nod,
            3.0 * _drift(times, rng, (0.07, 0.35)),
        ],
        1,
    )
    shifts = np.stack([_drift(times, rng, (0.05, 0.25)) for _ in range(3)], 1)
    return pose_matrices(turns, shifts * (0.006, 0.003, 0.008))


def _body(times: Values, rng: np.random.Generator) -> Values:
    """The shoulders sway about the hips and breathe, on a clock of their own."""
    turns = np.stack([_drift(times, rng, (0.05, 0.22)) for _ in range(3)], 1) * (1.8, 0.6, 1.1)
    breath = np.sin(2 * np.pi * 0.27 * times + rng.uniform(0, 6))
    sway = 0.005 * _drift(times, rng, (0.06, 0.2))
    shifts = np.stack([sway, 0.0016 * breath, np.zeros_like(times)], 1)
    return pose_matrices(turns, shifts, _HIP_PIVOT)


def blink_track(times: Values, rng: np.random.Generator) -> Values:
    """(F,) lid closure in [0, 1], a blink every 2 to 5 s that is closed for one frame at least."""
    closure = np.zeros(len(times))
    moment = rng.uniform(0.7, 1.2)
    while moment < times[-1] + 0.2:
        since = times - moment
        shut = np.clip((since + 0.13) / 0.10, 0, 1)
        again = np.clip((0.17 - since) / 0.14, 0, 1)
        closure = np.maximum(closure, np.where(since < 0, shut, again))
        moment += rng.uniform(2.0, 5.0)
    return closure * closure * (3 - 2 * closure)


def _gaze(times: Values, head: Values, rng: np.random.Generator) -> Values:
    """(F, 2) right and up in radians: towards the camera, with small fixations elsewhere."""
    towards = np.einsum("fij,fi->fj", head[:, :3, :3], -head[:, :3, 3])
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    eye_contact = np.stack([np.arcsin(towards[:, 0]), np.arcsin(-towards[:, 1])], 1)
    count = int(times[-1]) + 2
    starts = np.cumsum(rng.uniform(0.5, 1.7, count)) - 0.5
    aims = rng.normal(0, (0.035, 0.02), (count, 2))
    fixed = aims[np.clip(np.searchsorted(starts, times), 0, count - 1)]
    return np.clip(0.85 * eye_contact + fixed, -0.25, 0.25)

"""Grading what a recording shows of the face: how many, how large, how turned, and the mouth."""

from __future__ import annotations

from math import inf

import numpy as np
import numpy.typing as npt

from nerf_talker.preprocess.findings import Finding, graded
from nerf_talker.preprocess.glance import Face, Glance

# Steps in which mouth shapes are told apart, as parts of the distance of the outer eye corners:
# about twice the landmarks' own noise.
GAP_STEP, WIDTH_STEP = 0.05, 0.04
# Inner lips nearer than this count as closed; landmarks put closed lips at 0.002 to 0.02.
CLOSED_GAP = 0.03


def grade(seen: Glance) -> list[Finding]:
    """Findings about the face."""
    faces = seen.faces
    if not faces:
        cure = "film one person facing the camera, near enough that the face is 200 px high"
        return [Finding("faces", "no face found", "fail", cure)]
    return [
        _alone(seen),
        _lost(seen),
        _size(seen, faces),
        _turned(faces),
        _sharpness(faces),
        _brightness(faces),
        _shapes(faces),
        _closed(faces, seen.seconds),
    ]


def _alone(seen: Glance) -> Finding:
    counts = np.array([look.faces for look in seen.spread])
    several = float((counts > 1).mean())
    value = f"one person in all of {len(counts)} frames looked at"
    if several:
        value = f"a second face in {several:.0%} of {len(counts)} frames looked at"
    # Preprocessing follows one of several through the clip.
    cure = "say whom to follow with preprocess --face left, right or x,y; by default the largest"
    return graded("faces", value, several, (0.1, inf), cure)


def _lost(seen: Glance) -> Finding:
    lost = [look.time for look in seen.spread if look.face is None]
    share = len(lost) / max(len(seen.spread), 1)
    value = "always seen"
    if lost:
        places = ", ".join(f"{time:.1f}" for time in lost[:6])
        value = f"not seen in {share:.0%} of the frames looked at (at {places} s)"
    # As preprocessing does, which bridges short gaps and leaves long ones out of training.
    cure = "keep hands and objects off the face and the face in the picture, or cut these parts out"
    return graded("occlusion", value, share, (0.02, 0.3), cure)


def _size(seen: Glance, faces: list[Face]) -> Finding:
    tall = _quantile(faces, "height", 50)
    value = f"{tall:.0f} px high in {seen.width}x{seen.height}"
    # 267 px in the studio clip of 512 px; at 159 px in a video of 288 px skin has no texture.
    cure = "move closer, or use --size 256; 200 px is good and 60 px the least"
    return graded("face size", value, tall, (130, 60), cure)


def _turned(faces: list[Face]) -> Finding:
    low, high = _quantile(faces, "yaw", 2), _quantile(faces, "yaw", 98)
    value = f"head turned {round(low)} to {round(high)} degrees"
    # Beyond 35 degrees one eye corner hides and landmarks slide; peers show artefacts there.
    cure = "face the camera; side views are learned badly"
    return graded("head turn", value, max(-low, high), (35, 60), cure)


def _sharpness(faces: list[Face]) -> Finding:
    fine = _quantile(faces, "sharpness", 50)
    # 12, 7.7, 5.4 and 7.2 on our clips; the studio clip blurred by 1.5 px of a face of 192 px
    # comes to 4, by 3 px to 2.
    cure = "focus on the face, more light, no beauty filter, a higher bit rate"
    return graded("sharpness", f"{fine:.1f} % fine detail", fine, (4.0, 1.5), cure)


def _brightness(faces: list[Face]) -> Finding:
    middle = _quantile(faces, "brightness", 50)
    value = f"face at {middle:.0f} of 255"
    if middle > 215:
        return Finding("light", value, "warn", "less light or exposure: skin is blown out", middle)
    # 119 to 174 on our clips.
    cure = "more light on the face, from the front"
    return graded("light", value, middle, (60, 20), cure)


def _shapes(faces: list[Face]) -> Finding:
    gaps, widths = _column(faces, "gap"), _column(faces, "mouth_width")
    cells = np.stack([gaps // GAP_STEP, widths // WIDTH_STEP], 1)
    times = np.unique(cells, axis=0, return_counts=True)[1]
    # Seen twice: one look may be a blunder of the landmarks.
    count = int((times > 1).sum())
    spread = float(np.percentile(gaps, 98) - np.percentile(gaps, 2))
    value = f"{count} shapes, opening by {spread:.2f} of the eyes' distance"
    # 12 to 19 on our clips, whatever their length; a mouth that only mumbles has 6.
    cure = "speak lively, read a text with all sounds, some of it loud"
    return graded("mouth shapes", value, count, (8, 2), cure)


def _closed(faces: list[Face], seconds: float) -> Finding:
    share = float((_column(faces, "gap") < CLOSED_GAP).mean())
    value = f"{share:.0%} of the time, about {share * seconds:.1f} s"
    # Without closed lips in the clip the avatar cannot close its own in silence, the commonest
    # complaint there is; our clips have 6 to 51 %.
    cure = "add five seconds of silence with closed lips"
    return graded("closed mouth", value, share, (0.08, -inf), cure)


def _column(faces: list[Face], name: str) -> npt.NDArray[np.float64]:
    return np.array([getattr(face, name) for face in faces], np.float64)


def _quantile(faces: list[Face], name: str, percent: float) -> float:
    return float(np.percentile(_column(faces, name), percent))

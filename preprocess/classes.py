"""The class of every pixel from the models, the landmarks and the colour of the face's own skin.

The models tell hair and person apart; lips and eyes are polygons of the face mesh; neck is what
has the colour of the face below it. On top, what looks like the certain part of the hair is hair.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nerf_talker.data.labels import TORSO_LABELS, Label
from nerf_talker.geometry import mesh
from nerf_talker.preprocess.headmask import PERSON_EDGE, HeadFrame, outline
from nerf_talker.types import BoolArray, ByteArray, FloatArray

# Loose bits of torso smaller than this share of the picture are mistakes.
SMALLEST_TORSO_PART = 0.004
# Skin: distance from the middle of the face's colours in their own spreads. Light and shade change
# the lightness of skin more than its hue.
_SKIN_REACH, _LEAST_SPREAD, _LIGHTNESS_SLACK = 3.0, (6.0, 3.0, 3.0), 2.5
# Where necks are: half face widths to the side, eye-to-chin heights below the eyes.
_NECK_SIDE, _NECK_ROWS = 1.3, (0.6, 2.4)
# Above this height colour tells hair from skin where the hair model is unsure.
_CROWN = -0.3
# Half the widest gap in hair that is still hair, in picture widths.
_GAP = 0.02
# Hair whose colours are taken for hair's, and how many pixels show a colour.
_CERTAIN_HAIR, _FEWEST = 0.7, 30


@dataclass(frozen=True)
class Classes:
    """What each pixel is if it is of the head, and what it is if it is not.

    Attributes:
        head: (S, S) uint8 of head labels.
        rest: (S, S) uint8 of torso labels and background.
    """

    head: ByteArray
    rest: ByteArray


def classes_of(
    picture: ByteArray, hair: FloatArray, person: FloatArray, landmarks: FloatArray
) -> Classes:
    """Classes from the models' probabilities.

    Args:
        picture: (S, S, 3) RGB.
        hair: (S, S) probability.
        person: (S, S) probability.
        landmarks: (478, 2 or more) pixels of the picture.
    """
    size = hair.shape[0]
    across, down = HeadFrame.of(landmarks).coordinates(size)
    inside = outline(landmarks, size) >= 0.5
    tones = _tones(picture, hair, inside & (down > 0.1) & (down < 0.9), landmarks)
    # Beards and shadows on the cheeks must not become hair.
    is_hair = ((hair >= 0.5) | ((down < _CROWN) & tones.hair)) & ~(inside & (down > _CROWN))
    closed = _closed(is_hair) & ~(inside & (down > _CROWN))
    head = np.where(closed, Label.HAIR, Label.FACE).astype(np.uint8)
    paint_features(head, landmarks)
    body = (person >= PERSON_EDGE[0]) | ((hair >= 0.5) & (down > 1.0))
    rest = np.where(body, Label.TORSO, Label.BACKGROUND).astype(np.uint8)
    low, high = _NECK_ROWS
    near = (np.abs(across) < _NECK_SIDE) & (down > low) & (down < high)
    rest[_largest(body & near & ~inside & tones.skin)] = Label.NECK
    return Classes(head, rest)


def paint_features(head: ByteArray, landmarks: FloatArray) -> None:
    """Draw lips and eyes of the face mesh into (S, S) head classes."""
    import cv2

    for label, rim in (
        (Label.LIPS, mesh.LIPS[:20]),
        (Label.EYES, mesh.RIGHT_EYE),
        (Label.EYES, mesh.LEFT_EYE),
    ):
        points = np.round((landmarks[list(rim), :2] - 0.5) * 16).astype(np.int32)
        cv2.fillPoly(head, [points], int(label), cv2.LINE_8, 4)


@dataclass(frozen=True)
class Colours:
    """The colours of a material: middle and spread (3,) in Lab, 8-bit units."""

    middle: FloatArray
    spread: FloatArray

    @classmethod
    def of(cls, lab: FloatArray, where: BoolArray) -> Colours | None:
        """The colours of (S, S, 3) ``lab`` at (S, S) ``where``; None when that is too little."""
        chosen = lab[where]
        if len(chosen) < _FEWEST:
            return None
        middle = np.median(chosen, 0)
        spread = 1.4826 * np.median(np.abs(chosen - middle), 0)
        return cls(middle, np.maximum(spread, _LEAST_SPREAD))

    def distance(self, lab: FloatArray, lightness_slack: float = 1.0) -> FloatArray:
        """(S, S) squared distances in spreads; lightness may vary so much more than it did."""
        scale = self.spread * np.array([lightness_slack, 1.0, 1.0], np.float32)
        return np.asarray((((lab - self.middle) / scale) ** 2).sum(-1), np.float32)

    def surprise(self, lab: FloatArray) -> FloatArray:
        """(S, S) twice the negative log density, up to a constant."""
        return self.distance(lab) + np.float32(2 * np.log(self.spread).sum())


@dataclass(frozen=True)
class _Tones:
    """Where the picture has the face's colours, and where it is rather hair than skin, (S, S)."""

    skin: BoolArray
    hair: BoolArray


def _tones(picture: ByteArray, hair: FloatArray, face: BoolArray, landmarks: FloatArray) -> _Tones:
    """Compare colours with those of ``face`` (lips and eyes left out) and of certain hair."""
    import cv2

    size = picture.shape[0]
    half = (max(size // 2, 1), max(size // 2, 1))
    small = cv2.resize(picture, half, interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float32)
    features = np.zeros(picture.shape[:2], np.uint8)
    paint_features(features, landmarks)

    def reduced(mask: BoolArray) -> BoolArray:
        kept = cv2.resize(mask.astype(np.uint8), half, interpolation=cv2.INTER_NEAREST)
        return np.asarray(kept > 0)

    def enlarged(mask: BoolArray) -> BoolArray:
        smooth = cv2.medianBlur(mask.astype(np.uint8), 5)
        return np.asarray(cv2.resize(smooth, (size, size), interpolation=cv2.INTER_NEAREST) > 0)

    skin_tone = Colours.of(lab, reduced(face & (features == 0)))
    hair_tone = Colours.of(lab, reduced(hair >= _CERTAIN_HAIR))
    if skin_tone is None:
        return _Tones(face, hair >= 0.5)
    skin = skin_tone.distance(lab, _LIGHTNESS_SLACK) < _SKIN_REACH**2
    if hair_tone is None:
        return _Tones(enlarged(skin), hair >= 0.5)
    return _Tones(enlarged(skin), enlarged(hair_tone.surprise(lab) < skin_tone.surprise(lab)))


def label_map(matte: FloatArray, classes: Classes) -> ByteArray:
    """(S, S) class ids: the head's where the matte is above one half, the others elsewhere."""
    head = matte >= 0.5
    body = np.isin(classes.rest, TORSO_LABELS)
    rest = np.where(_large_parts(body & ~head), classes.rest, Label.BACKGROUND)
    return np.where(head, classes.head, rest).astype(np.uint8)


def _large_parts(mask: BoolArray) -> BoolArray:
    """``mask`` without its small islands."""
    import cv2

    _, islands, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    large = stats[:, cv2.CC_STAT_AREA] >= SMALLEST_TORSO_PART * mask.size
    large[0] = False
    return np.asarray(large[islands])


def _closed(mask: BoolArray) -> BoolArray:
    """``mask`` without narrow gaps: a gloss on hair is as light as skin."""
    import cv2

    side = 2 * round(_GAP * mask.shape[0]) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    closed = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, disc)
    return np.asarray(closed > 0)


def _largest(mask: BoolArray) -> BoolArray:
    """The largest connected part of ``mask``."""
    import cv2

    count, islands, stats, _ = cv2.connectedComponentsWithStats(
        mask.astype(np.uint8), connectivity=4
    )
    if count < 2:
        return mask
    return np.asarray(islands == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])))

"""The class of every pixel from the models, the landmarks and the colour of the face's own skin.

The models tell hair and person apart; lips and eyes are outlines of the face mesh, see
:mod:`nerf_talker.preprocess.features`; neck is what has the colour of the face below it. On top,
what looks like the certain part of the hair is hair.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nerf_talker.data.labels import HEAD_LABELS, TORSO_LABELS, Label, is_head
from nerf_talker.preprocess.features import Feature, features_of
from nerf_talker.preprocess.headmask import (
    FACE_CORE,
    PERSON_EDGE,
    HeadFrame,
    largest_part,
    outline,
    parts_of,
)
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
        features: Small parts of the head that lie over its other classes.
    """

    head: ByteArray
    rest: ByteArray
    features: tuple[Feature, ...] = ()

    def resized(self, size: int) -> Classes:
        """The same at ``size`` x ``size`` pixels."""
        head, rest = (resized_labels(layer, size) for layer in (self.head, self.rest))
        return Classes(head, rest, tuple(feature.resized(size) for feature in self.features))


def resized_labels(labels: ByteArray, size: int) -> ByteArray:
    """(H, W) class ids at ``size`` x ``size`` pixels: of the head where it covers half of a pixel.

    There and elsewhere the class that covers most wins. Picking single ids, as resizing to the
    nearest pixel does, moves all edges by up to half a pixel.
    """
    import cv2

    height, width = labels.shape
    if (height, width) == (size, size):
        return labels
    how = cv2.INTER_AREA if size < min(height, width) else cv2.INTER_LINEAR

    def share(mask: BoolArray) -> FloatArray:
        small = cv2.resize(mask.astype(np.float32), (size, size), interpolation=how)
        return np.asarray(small, np.float32)

    shown = np.flatnonzero(np.bincount(labels.ravel()))
    best: dict[bool, tuple[ByteArray, FloatArray]] = {}
    for label in shown:
        own, group = share(labels == label), bool(label in HEAD_LABELS)
        ids, most = best.get(group, (np.zeros((size, size), np.uint8), np.zeros_like(own)))
        best[group] = np.where(own > most, np.uint8(label), ids), np.maximum(own, most)
    if len(best) == 1:
        return next(iter(best.values()))[0]
    return np.where(share(is_head(labels)) >= 0.5, best[True][0], best[False][0])


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
    features = features_of(picture, landmarks)
    skin = inside & (down > 0.1) & (down < 0.9)
    for feature in features:
        skin &= feature.share < 0.01
    tones = _tones(picture, hair, skin)
    # Beards and shadows on the cheeks, and brows, must not become hair; on the temples hair does.
    bare = inside & (down > _CROWN)
    bare &= (down > 0) | (outline(landmarks, size, FACE_CORE) >= 0.5)
    is_hair = ((hair >= 0.5) | ((down < _CROWN) & tones.hair)) & ~bare
    head = np.where(_closed(is_hair) & ~bare, Label.HAIR, Label.FACE).astype(np.uint8)
    body = (person >= PERSON_EDGE[0]) | ((hair >= 0.5) & (down > 1.0))
    rest = np.where(body, Label.TORSO, Label.BACKGROUND).astype(np.uint8)
    low, high = _NECK_ROWS
    near = (np.abs(across) < _NECK_SIDE) & (down > low) & (down < high)
    rest[largest_part(body & near & ~inside & tones.skin)] = Label.NECK
    return Classes(head, rest, features)


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
        away = (lab - self.middle) / scale
        return np.asarray(np.einsum("ijk,ijk->ij", away, away), np.float32)

    def surprise(self, lab: FloatArray) -> FloatArray:
        """(S, S) twice the negative log density, up to a constant."""
        return self.distance(lab) + np.float32(2 * np.log(self.spread).sum())


@dataclass(frozen=True)
class _Tones:
    """Where the picture has the face's colours, and where it is rather hair than skin, (S, S)."""

    skin: BoolArray
    hair: BoolArray


def _tones(picture: ByteArray, hair: FloatArray, face: BoolArray) -> _Tones:
    """Compare colours with those of the skin of ``face`` and of certain hair."""
    import cv2

    size = picture.shape[0]
    half = (max(size // 2, 1), max(size // 2, 1))
    small = cv2.resize(picture, half, interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float32)

    def reduced(mask: BoolArray) -> BoolArray:
        kept = cv2.resize(mask.astype(np.uint8), half, interpolation=cv2.INTER_NEAREST)
        return np.asarray(kept > 0)

    def enlarged(mask: BoolArray) -> BoolArray:
        smooth = cv2.medianBlur(mask.astype(np.uint8), 5)
        return np.asarray(cv2.resize(smooth, (size, size), interpolation=cv2.INTER_NEAREST) > 0)

    skin_tone = Colours.of(lab, reduced(face))
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
    of_head = classes.head.copy()
    for feature in classes.features:
        of_head[feature.share >= 0.5] = feature.label
    body = np.isin(classes.rest, TORSO_LABELS)
    rest = np.where(_large_parts(body & ~head), classes.rest, Label.BACKGROUND)
    return np.where(head, of_head, rest).astype(np.uint8)


def _large_parts(mask: BoolArray) -> BoolArray:
    """``mask`` without its small islands."""
    where, numbers, sizes = parts_of(mask)
    large = sizes >= SMALLEST_TORSO_PART * mask.size
    large[0] = False
    kept = np.zeros_like(mask)
    kept[where] = large[numbers]
    return kept


def _closed(mask: BoolArray) -> BoolArray:
    """``mask`` without narrow gaps: a gloss on hair is as light as skin."""
    import cv2

    side = 2 * round(_GAP * mask.shape[0]) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    closed = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, disc)
    return np.asarray(closed > 0)

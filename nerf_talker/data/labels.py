"""The classes every pixel of a frame belongs to, and which layer each class is part of."""

from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt


class Label(IntEnum):
    """Class ids in ``labels.mkv``.

    Head: HAIR (down to the jaw), FACE (skin, brows, nose, ears), LIPS (with all that shows between
    them), EYES (what shows between the lids), ACCESSORIES (glasses, hats, earrings). Torso layer:
    NECK (skin), TORSO (clothes, hands, long hair).
    """

    BACKGROUND = 0
    TORSO = 1
    HAIR = 2
    FACE = 3
    LIPS = 4
    EYES = 5
    NECK = 6
    ACCESSORIES = 7


HEAD_LABELS = (Label.HAIR, Label.FACE, Label.LIPS, Label.EYES, Label.ACCESSORIES)
TORSO_LABELS = (Label.TORSO, Label.NECK)


def is_head(labels: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Where class ids are of the head, in the shape of ``labels``."""
    return np.isin(labels, HEAD_LABELS)


def is_torso(labels: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Where class ids are of the torso layer, in the shape of ``labels``."""
    return np.isin(labels, TORSO_LABELS)

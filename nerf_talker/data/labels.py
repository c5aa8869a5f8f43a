"""The four classes every pixel of a frame belongs to."""

from enum import IntEnum


class Label(IntEnum):
    """Class ids in ``labels.mkv``; the head is HAIR and FACE, the torso layer is TORSO."""

    BACKGROUND = 0
    TORSO = 1
    HAIR = 2
    FACE = 3

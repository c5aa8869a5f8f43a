"""Index groups of MediaPipe's 478-point face mesh.

Numbers are those of the face landmarker's output; "left" and "right" are the image's when the
subject faces the camera. Points 468-477 are the irises.
"""

from __future__ import annotations

POINTS = 478

OUTER_EYES = (33, 263)
LIPS_INNER_GAP = (13, 14)
NOSE_BRIDGE = 168
FOREHEAD_TOP = 10
CHIN = 152
EAR_SIDES = (234, 454)
NOSE_BASE = 2

# Rims of the lids.
RIGHT_EYE = (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7)
LEFT_EYE = (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249)

# Closed outline of the face, clockwise in the image from the top of the forehead.
FACE_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip

# The outline from ear to ear along the jaw, image right to image left.
JAW_LINE = (
    454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234,
)  # fmt: skip

# Bone close under the skin: bridge and sides of the nose, its base, eye corners, temples,
# forehead, cheekbones. No lips, jaw, lids or brows, which move on their own.
RIGID = (
    6, 168, 197, 195, 5, 4, 122, 351, 196, 419, 3, 248, 174, 399, 188, 412, 193, 417,
    1, 19, 94, 2, 98, 327, 97, 326, 129, 358, 49, 279, 198, 420, 236, 456, 131, 360,
    33, 133, 362, 263, 243, 463, 130, 359, 226, 446,
    10, 151, 9, 8, 109, 338, 67, 297, 103, 332, 54, 284, 21, 251, 162, 389, 127, 356, 71, 301,
    234, 454, 93, 323, 116, 345, 117, 346, 123, 352, 227, 447, 34, 264, 143, 372,
)  # fmt: skip

# Left-right partners whose difference is the head's x axis.
MIRROR_PAIRS = (
    (33, 263), (133, 362), (127, 356), (234, 454), (93, 323), (162, 389), (21, 251), (54, 284),
    (103, 332), (67, 297), (109, 338), (129, 358), (98, 327), (116, 345), (123, 352), (71, 301),
)  # fmt: skip

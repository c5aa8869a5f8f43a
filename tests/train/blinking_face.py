"""The tiny dataset with eyes that blink on their own clock, and landmarks where a face has them."""

import numpy as np

from nerf_talker.data.manifest import DatasetFiles
from nerf_talker.field.mouth import JAW
from nerf_talker.field.regions import BROWS, UPPER_POINTS
from nerf_talker.geometry.mesh import INNER_LIPS, LIPS, NOSE_BASE
from tests.builders import (
    SIZE,
    canonical_face,
    head_pictures,
    projected,
    write_dataset,
    write_video,
)

FRAMES = 160
EYES = ((26, 24), (26, 40))  # row, column
EYE_PLACES = ((-0.045, -0.03), (0.045, -0.03))  # metres, where those pixels look


def write_blinking_face(root):
    """Write the dataset and return its folder."""
    write_dataset(root, FRAMES)
    files, time = DatasetFiles(root), np.arange(FRAMES)
    opening = np.abs(np.sin(time * 0.4))
    blink = np.clip(1.5 * np.sin(time * 0.83) - 0.5, 0, 1)
    pictures, _ = head_pictures(opening)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    for frame, shut in enumerate(blink):
        for row, column in EYES:
            tall = 0.3 + 2.7 * (1 - shut)
            eye = ((columns - column) / 4) ** 2 + ((rows - row) / tall) ** 2 < 1
            pictures[frame][eye] = (235, 235, 245)
    write_video(files.frames, pictures, "libx264", "yuv444p", "rgb24", {"crf": "5"})
    track = dict(np.load(files.track))
    shape, canonical = canonical_face(opening)
    place_features(shape)
    fixed = [point for point in range(len(shape)) if point not in LIPS]
    canonical[:, fixed] = shape[fixed]
    for point, side in zip(INNER_LIPS, (-1, 1), strict=True):
        canonical[:, point, :2] = np.stack([0 * opening, 0.04 + 0.02 * side * opening], -1)
    scores = np.zeros((FRAMES, 52), np.float32)
    scores[:, 9] = scores[:, 10] = blink
    track |= {"mean_shape": shape, "canonical_landmarks": canonical, "blendshapes": scores}
    track["landmarks"] = projected(canonical)
    np.savez(files.track, **track)
    return root


def place_features(shape):
    """Jaw below the lips, the nose's base between mouth and eyes, brows and lids above."""
    across = np.linspace(-0.06, 0.06, len(JAW))
    shape[list(JAW), :2] = np.stack([across, 0.08 - 8 * across**2], -1)
    shape[NOSE_BASE, :2] = (0.0, 0.003)
    for index, point in enumerate(UPPER_POINTS):
        x, y = EYE_PLACES[index % 2]
        turn = index * 0.7
        up = 0.02 if point in BROWS else 0.0
        shape[point, :2] = (x + 0.02 * np.cos(turn), y - up + 0.01 * np.sin(turn))

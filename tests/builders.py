"""A tiny dataset written straight to disk: an ellipse that opens its mouth when the sound is loud.

No renderer, tracker or model file is involved, so that what fails in a test is what it tests.
"""

import numpy as np

from nerf_talker.data.labels import Label
from nerf_talker.data.manifest import (
    CameraModel,
    CropTransform,
    DatasetFiles,
    Manifest,
    contiguous_splits,
    write_manifest,
)
from nerf_talker.geometry.mesh import EYE_CORNERS, LIPS

SIZE = 64
DISTANCE = 0.8
FOCAL = 2.0 * SIZE


def write_video(path, pictures, codec, pixel_format, source_format, options=None):
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width = pictures.shape[1:3]
        stream.pix_fmt, stream.options = pixel_format, options or {}
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(picture, format=source_format)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def head_pictures(opening):
    """(F, S, S, 3) pictures and (F, S, S) labels for (F,) mouth openings in [0, 1]."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    pictures = np.full((len(opening), SIZE, SIZE, 3), (40, 90, 200), np.uint8)
    labels = np.zeros((len(opening), SIZE, SIZE), np.uint8)
    body = rows > 50
    head = ((columns - 32) / 16) ** 2 + ((rows - 28) / 20) ** 2 < 1
    for frame, gap in enumerate(opening):
        mouth = ((columns - 32) / 6) ** 2 + ((rows - 38) / (1 + 4 * gap)) ** 2 < 1
        for mask, colour, label in (
            (body, (30, 30, 30), Label.TORSO),
            (head, (200, 150, 120), Label.FACE),
            (mouth, (90, 20, 20), Label.FACE),
        ):
            pictures[frame][mask], labels[frame][mask] = colour, label
    return pictures, labels


def canonical_face(opening):
    """(F, 478, 3) metres: points on the front of the ellipse, lips that part vertically."""
    generator = np.random.default_rng(0)
    angle, radius = generator.random(478) * 2 * np.pi, np.sqrt(generator.random(478))
    shape = np.stack(
        [0.1 * radius * np.cos(angle), 0.12 * radius * np.sin(angle) - 0.02, np.full(478, -0.08)],
        -1,
    )
    turn = np.linspace(0, 2 * np.pi, len(LIPS), endpoint=False)
    shape[list(LIPS), :2] = np.stack([0.04 * np.cos(turn), 0.04 + 0.01 * np.sin(turn)], -1)
    shape[list(EYE_CORNERS), :2] = [(-0.045, -0.03), (0.045, -0.03)]
    shape[1] = (0, 0, -0.1)
    moved = np.repeat(shape[None], len(opening), 0)
    side = np.sign(moved[:, list(LIPS), 1] - 0.04)
    moved[:, list(LIPS), 1] += 0.02 * side * np.asarray(opening)[:, None]
    return shape.astype(np.float32), moved.astype(np.float32)


def projected(canonical):
    """(F, 478, 3) pixels and depth of canonical landmarks seen from the front."""
    landmarks = canonical.copy()
    landmarks[..., :2] = canonical[..., :2] / (canonical[..., 2:] + DISTANCE) * FOCAL + SIZE / 2
    return landmarks


def write_dataset(root, frames=200):
    """Write a dataset of ``frames`` frames and return its folder."""
    root.mkdir(parents=True, exist_ok=True)
    files = DatasetFiles(root)
    opening = np.abs(np.sin(np.arange(frames) * 0.4))
    pictures, labels = head_pictures(opening)
    alpha = (labels >= Label.HAIR).astype(np.uint8) * 255
    write_video(files.frames, pictures, "libx264", "yuv444p", "rgb24", {"crf": "5"})
    write_video(files.labels, labels, "ffv1", "gray", "gray")
    write_video(files.head_alpha, alpha, "ffv1", "gray", "gray")
    write_plates(files)
    shape, canonical = canonical_face(opening)
    poses = np.tile(np.eye(4, dtype=np.float32), (frames, 1, 1))
    poses[:, 2, 3] = -DISTANCE
    motion = np.tile(np.asarray([1, 0, 0, 0, 1, 0], np.float32), (frames, 1))
    np.savez(
        files.track,
        camera_to_head=poses,
        landmarks=projected(canonical),
        canonical_landmarks=canonical,
        mean_shape=shape,
        blendshapes=np.random.default_rng(1).random((frames, 52)).astype(np.float32),
        valid=np.ones(frames, bool),
        torso_motion=motion,
    )
    loud = np.repeat(opening, 2)[:, None] * np.linspace(0.5, 1.5, 40)
    np.savez(
        files.audio_features,
        values=loud.astype(np.float32),
        rate=50.0,
        extractor="logmel40",
        offset=0.0,
    )
    write_manifest(root, manifest(frames))
    return root


def write_plates(files):
    import cv2

    cv2.imwrite(str(files.background), np.full((SIZE, SIZE, 3), (200, 90, 40), np.uint8))
    torso = np.zeros((SIZE, SIZE, 4), np.uint8)
    torso[46:] = (30, 30, 30, 255)
    cv2.imwrite(str(files.torso), torso)


def manifest(frames):
    return Manifest(
        subject="ellipse",
        source="ellipse.mp4",
        frames=frames,
        fps=25,
        size=SIZE,
        camera=CameraModel(focal=FOCAL, centre=(SIZE / 2, SIZE / 2), height=SIZE, width=SIZE),
        crop=CropTransform(left=0, top=0, side=SIZE, source_width=SIZE, source_height=SIZE),
        splits=contiguous_splits(frames),
        extractor="logmel40",
    )

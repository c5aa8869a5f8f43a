"""A small video of what preprocessing believes: landmarks, tracked head, masks, with the sound."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from nerf_talker.audio.sound import RATE, read_sound
from nerf_talker.data.manifest import DatasetFiles, Manifest
from nerf_talker.geometry import mesh
from nerf_talker.preprocess.contact_sheet import TINTS
from nerf_talker.preprocess.media import read_video
from nerf_talker.types import BoolArray, ByteArray, FloatArray

Follow = Callable[[Iterable[Any], str, int | None], Iterable[Any]]

SIZE = 320
LARGEST_BYTES = 3_000_000
# Aimed at: the encoder keeps its bound only on average.
_AIM_BYTES = 2_300_000
_SOUND_BITS = 24_000
_MOST_BITS = 600_000
# Longer clips are shown with fewer pictures, so that each keeps its share of the bits.
_FULL_RATE_SECONDS = 90
_OUTLINES = (mesh.FACE_OVAL, mesh.RIGHT_EYE, mesh.LEFT_EYE, mesh.LIPS[:20], mesh.LIPS[20:])
_WHITE, _GREEN, _RED = (255, 255, 255), (60, 255, 120), (255, 40, 40)
_AXES = ((0, (255, 80, 80)), (1, (90, 255, 90)), (2, (90, 150, 255)))
_AXIS_METRES = 0.05


def overlay_video(files: DatasetFiles, manifest: Manifest, follow: Follow) -> bytes:
    """An mp4 of at most 3 MB: H.264 pictures of 320 px and the clip's sound.

    Args:
        files: The dataset's files.
        manifest: What they hold.
        follow: Shows progress.
    """
    seconds = manifest.frames / manifest.fps
    step = 1 + int(seconds / _FULL_RATE_SECONDS)
    for part in (1.0, 0.5, 0.25):
        bits = round(part * min(8 * _AIM_BYTES / seconds - _SOUND_BITS, _MOST_BITS))
        content = _encode(files, manifest, _pictures(files, manifest, step, follow), step, bits)
        if len(content) <= LARGEST_BYTES:
            break
    return content


def _encode(
    files: DatasetFiles, manifest: Manifest, pictures: Iterable[ByteArray], step: int, bits: int
) -> bytes:
    import av

    target = io.BytesIO()
    exact = {"fflags": "+bitexact"}
    rate = Fraction(manifest.fps).limit_denominator(1000) / step
    with av.open(target, "w", format="mp4", container_options=exact) as container:
        video = container.add_stream("libx264", rate=rate)
        side = _side(manifest)
        video.width = video.height = side
        video.pix_fmt = "yuv420p"
        limit = {"maxrate": str(bits), "bufsize": str(2 * bits)}
        # One thread: the same bytes on every machine.
        video.options = {"crf": "27", "preset": "veryfast", "threads": "1", **limit}
        sound = container.add_stream("aac", rate=RATE, layout="mono")
        sound.bit_rate = _SOUND_BITS
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        samples = read_sound(files.sound)
        for start in range(0, len(samples), 1024):
            block = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(samples[None, start : start + 1024]), "fltp", "mono"
            )
            block.sample_rate, block.pts = RATE, start
            container.mux(sound.encode(block))
        container.mux(sound.encode(None))
    return target.getvalue()


def _side(manifest: Manifest) -> int:
    return min(SIZE, manifest.size) // 2 * 2


def _pictures(
    files: DatasetFiles, manifest: Manifest, step: int, follow: Follow
) -> Iterator[ByteArray]:
    with np.load(files.track) as track:
        landmarks, valid = track["landmarks"], track["valid"]
        shape = track["mean_shape"].astype(np.float64)
        pose = np.linalg.inv(track["camera_to_head"].astype(np.float64))
    rows = range(0, manifest.frames, step)
    frames = read_video(files.frames, False, rows)
    labels = read_video(files.labels, True, rows)
    camera = manifest.camera.camera()
    side = _side(manifest)
    scale = side / manifest.size
    shown = zip(rows, frames, labels, strict=True)
    for row, picture, classes in follow(shown, "overlay", len(rows)):
        axes = np.concatenate([np.zeros((1, 3)), _AXIS_METRES * np.eye(3)]) + shape[mesh.NOSE_BASE]
        rigid = np.concatenate([shape[list(mesh.RIGID)], axes])
        place = rigid @ pose[row, :3, :3].T + pose[row, :3, 3]
        pixels = camera.focal * place[:, :2] / place[:, 2:] + np.array(camera.centre)
        yield _draw(
            picture, classes, side, landmarks[row] * scale, pixels * scale, bool(valid[row])
        )


def _draw(
    picture: ByteArray,
    classes: ByteArray,
    side: int,
    landmarks: FloatArray,
    tracked: FloatArray,
    valid: bool,
) -> ByteArray:
    """Mask borders in their tints, detected outlines in white, tracked head in green and axes."""
    import cv2

    canvas = np.ascontiguousarray(
        cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA), np.uint8
    )
    small = cv2.resize(classes, (side, side), interpolation=cv2.INTER_NEAREST)
    for label, tint in TINTS.items():
        cv2.drawContours(canvas, _borders(small == label), -1, tint, 1)
    for outline in _OUTLINES:
        points = np.round(landmarks[list(outline), :2] * 8).astype(np.int32)
        cv2.polylines(canvas, [points], True, _WHITE, 1, cv2.LINE_AA, 3)
    for x, y in np.round(tracked[:-4] * 8).astype(int):
        cv2.circle(canvas, (int(x), int(y)), 7, _GREEN, -1, cv2.LINE_AA, 3)
    start, *ends = np.round(tracked[-4:] * 8).astype(int)
    for axis, colour in _AXES:
        first, last = (tuple(int(v) for v in point) for point in (start, ends[axis]))
        cv2.line(canvas, first, last, colour, 2, cv2.LINE_AA, 3)
    if not valid:
        cv2.rectangle(canvas, (0, 0), (side - 1, side - 1), _RED, 6)
    return canvas


def _borders(mask: BoolArray) -> Any:
    import cv2

    return cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)[0]

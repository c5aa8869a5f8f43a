"""The pictures that are compared with the truth; one function makes each, for every run alike.

``own`` is the talker's own picture and pastes in no true pixel; ``own_torso`` neither, but its
torso is driven by the clip's own motion track instead of the head pose. ``head_only`` is the
rendered head over the true frame whose own head was painted out first: the inpainting covers
exactly the binary head mask, since growing the mask by two pixels alone moves the figure by 3 dB.
"""

from __future__ import annotations

import numpy as np

from nerf_talker.types import BoolArray, ByteArray, FloatArray, PortraitFrame, SelfDrivenFrame

INPAINT_RADIUS = 3.0
"""Pixels around each masked pixel from which Telea's method draws."""


def own(frame: PortraitFrame) -> ByteArray:
    """(H, W, 3) uint8: the talker's own head, torso and background."""
    return _bytes(frame.rgb * 255)


def own_torso(frame: PortraitFrame) -> ByteArray | None:
    """(H, W, 3) uint8: ``own`` with the torso driven by the clip's track, if it has one."""
    return _bytes(frame.torso_driven * 255) if isinstance(frame, SelfDrivenFrame) else None


def head_over_truth(frame: PortraitFrame, truth: ByteArray, head_mask: BoolArray) -> ByteArray:
    """(H, W, 3) uint8: premultiplied head + (1 - opacity) * (truth with its head painted out).

    Args:
        frame: What the talker rendered.
        truth: (H, W, 3) uint8 true frame.
        head_mask: (H, W) bool, the true head, not dilated.
    """
    behind = without_head(truth, head_mask).astype(np.float32)
    return _bytes(frame.head_rgb * 255 + (1 - frame.head_opacity[..., None]) * behind)


def without_head(truth: ByteArray, head_mask: BoolArray) -> ByteArray:
    """The true frame inpainted inside ``head_mask`` (Telea, 2004)."""
    import cv2

    mask = np.ascontiguousarray(head_mask, np.uint8) * 255
    if not mask.any():
        return truth
    painted = cv2.inpaint(np.ascontiguousarray(truth), mask, INPAINT_RADIUS, cv2.INPAINT_TELEA)
    return np.where(head_mask[..., None], painted, truth).astype(np.uint8)


def _bytes(picture: FloatArray) -> ByteArray:
    return np.clip(np.round(picture), 0, 255).astype(np.uint8)

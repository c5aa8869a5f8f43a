"""Whether a video is the one that an avatar was made of, by what both show at the same instants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from nerf_talker.drive.original import Original
from nerf_talker.errors import InputError
from nerf_talker.render.portrait import PortraitRenderer
from nerf_talker.train.avatar import Avatar
from nerf_talker.types import BoolArray, FloatArray

# Instants compared, how many at least where they are chosen to be read fast, and the width of the
# pictures compared, pixels.
INSTANTS, FEWEST, WIDTH = 8, 4, 64
# Correlation below which pictures show something else: a trained avatar has 0.99 with its own clip,
# one of a few seconds' training 0.76, and 0.1 to 0.3 with a clip of somebody else's.
ALIKE = 0.5
# Opacity from which a pixel is the head's, and the part of the picture that has to be it at all
# instants for motion to be compared there: what moves behind a person tells nothing.
SOLID, LEAST_HEAD = 0.5, 0.02
# Correlation of the heads' means over the instants from which an avatar is trained well enough to
# compare its motion: 0.99 of a trained one, wherever the clip begins, 0.4 after 60 steps.
TRAINED = 0.8
# Correlation of how both heads differ from their mean over the instants: 0.93 in the right clip,
# 0.7 two seconds elsewhere, 0 where it begins eight seconds elsewhere.
MOVED_ALIKE = 0.5
# Part of the head's picture that changes over the instants, by which there is motion to compare.
MOVED = 0.2


@torch.no_grad()
def check_original(avatar: Avatar, original: Original, path: Path) -> None:
    """Refuse a video that shows something else than the avatar at the instants of its poses.

    Args:
        avatar: Rendered at the poses of some frames, its mouth closed.
        original: The video with the poses.
        path: Named in the error.

    Raises:
        InputError: The video is another one, or begins elsewhere; or it cannot be decoded.
    """
    numbers = _instants(original)
    (rendered, solid), filmed = _rendered(avatar, original, numbers), _filmed(original, numbers)
    likeness = float((_normalised(rendered) * _normalised(filmed)).sum(1).mean())
    if likeness < ALIKE:
        raise InputError(
            f"{path}: shows something else than the avatar (likeness {likeness:.2f} at the same "
            f"instants, {ALIKE} is the least); give the very video that it was made of"
        )
    head = solid.all(0)
    if head.mean() < LEAST_HEAD:
        return
    ours, theirs = (_normalised(pictures[:, head]) for pictures in (rendered, filmed))
    if _correlation(ours.mean(0), theirs.mean(0)) < TRAINED:
        return
    ours, theirs = ours - ours.mean(0), theirs - theirs.mean(0)
    spread, alike = float(np.sqrt((theirs**2).sum(1).mean())), _correlation(ours, theirs)
    if spread > MOVED and alike < MOVED_ALIKE:
        raise InputError(
            f"{path}: moves otherwise than the avatar's clip (likeness of motion {alike:.2f}, "
            f"{MOVED_ALIKE} is the least); give the very video that it was made of, with nothing "
            "cut off its beginning"
        )


def _instants(original: Original) -> list[int]:
    """Frames of the video with a pose, spread over it; such as are read fast, if there are some."""
    known: Sequence[int] = original.known
    fast = [number for number in original.clip.keys if number in original.known]
    if len(fast) >= FEWEST:
        known = fast
    places = np.linspace(0, len(known) - 1, min(INSTANTS, len(known))).round().astype(int)
    return [known[place] for place in places]


def _rendered(
    avatar: Avatar, original: Original, numbers: list[int]
) -> tuple[FloatArray, BoolArray]:
    """(N, W, W, 3) pictures of the avatar at frames of the video; (N, W, W) where its head is."""
    talker = avatar.talker
    driving = original.motion(numbers).to(talker.background.device)
    driving = replace(driving, code=talker.audio.closed.expand(len(numbers), -1))
    frames = list(PortraitRenderer(talker, size=WIDTH).frames(driving))
    solid = np.stack([frame.head_opacity for frame in frames]) > SOLID
    return np.stack([frame.rgb for frame in frames]), solid


def _filmed(original: Original, numbers: list[int]) -> FloatArray:
    """(N, W, W, 3) crops of frames of the video."""
    import cv2

    pictures = []
    for number in numbers:  # one by one, since the reader seeks to the first only
        crop = next(original.clip.forward([number]))[original.window]
        small = cv2.resize(crop, (WIDTH, WIDTH), interpolation=cv2.INTER_AREA)
        pictures.append(small.astype(np.float32))
    return np.stack(pictures)


def _normalised(pictures: FloatArray) -> FloatArray:
    """(N, P) of (N, ..., 3) pictures without mean, of length 1: products are correlations."""
    stack = pictures.reshape(len(pictures), -1, 3).astype(np.float64)
    stack = (stack - stack.mean(1, keepdims=True)).reshape(len(stack), -1)
    return np.asarray(stack / np.maximum(np.linalg.norm(stack, axis=1, keepdims=True), 1e-9))


def _correlation(one: FloatArray, other: FloatArray) -> float:
    """Of arrays of the same shape without a mean; 0 where one is nothing."""
    length = np.linalg.norm(one) * np.linalg.norm(other)
    return float((one * other).sum() / max(length, 1e-9))

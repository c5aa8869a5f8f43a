"""Whether a video is the one that an avatar was made of, by what both show at the same instants."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from nerf_talker.drive.original import Original
from nerf_talker.errors import InputError
from nerf_talker.render.portrait import PortraitRenderer
from nerf_talker.train.avatar import Avatar
from nerf_talker.types import FloatArray

# Instants compared, and the width of the pictures compared, pixels.
INSTANTS, WIDTH = 8, 64
# Correlation below which pictures show something else: a trained avatar has 0.99 with its own clip,
# one of a few seconds' training 0.76, and 0.1 to 0.3 with a clip of somebody else's.
ALIKE = 0.5
# Correlation of how both differ from their mean over the instants: 0.95 in the right clip, 0.2 at
# most where it begins eight seconds or more elsewhere.
MOVED_ALIKE = 0.5
# Part of a picture that changes over the instants, by which there is motion to compare.
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
    known = original.known
    places = np.linspace(0, len(known) - 1, min(INSTANTS, len(known))).round().astype(int)
    numbers = [known[place] for place in places]
    rendered, filmed = _rendered(avatar, original, numbers), _filmed(original, numbers)
    likeness = float((rendered * filmed).sum(1).mean())
    if likeness < ALIKE:
        raise InputError(
            f"{path}: shows something else than the avatar (likeness {likeness:.2f} at the same "
            f"instants, {ALIKE} is the least); give the very video that it was made of"
        )
    ours, theirs = rendered - rendered.mean(0), filmed - filmed.mean(0)
    spread = float(np.sqrt((theirs**2).sum(1).mean()))
    alike = float((ours * theirs).sum() / max(np.linalg.norm(ours) * np.linalg.norm(theirs), 1e-9))
    if spread > MOVED and alike < MOVED_ALIKE:
        raise InputError(
            f"{path}: moves otherwise than the avatar's clip (likeness of motion {alike:.2f}, "
            f"{MOVED_ALIKE} is the least); give the very video that it was made of, with nothing "
            "cut off its beginning"
        )


def _rendered(avatar: Avatar, original: Original, numbers: list[int]) -> FloatArray:
    """(N, P) normalised pictures of the avatar at frames of the video."""
    talker = avatar.talker
    closed = talker.mouth.landmarks(talker.audio.closed.expand(len(numbers), -1))
    driving = replace(original.motion(numbers), landmarks=closed.cpu())
    driving = driving.to(talker.background.device)
    frames = PortraitRenderer(talker, size=WIDTH).frames(driving)
    return _normalised([frame.rgb for frame in frames])


def _filmed(original: Original, numbers: list[int]) -> FloatArray:
    """(N, P) normalised crops of frames of the video."""
    import cv2

    pictures = []
    for number in numbers:  # one by one, since the reader seeks to the first only
        crop = next(original.clip.forward([number]))[original.window]
        small = cv2.resize(crop, (WIDTH, WIDTH), interpolation=cv2.INTER_AREA)
        pictures.append(small.astype(np.float32))
    return _normalised(pictures)


def _normalised(pictures: list[FloatArray]) -> FloatArray:
    """(N, P) pictures without mean of each colour and with length 1: products are correlations."""
    stack = np.stack(pictures).astype(np.float64)
    stack = (stack - stack.mean((1, 2), keepdims=True)).reshape(len(stack), -1)
    return np.asarray(stack / np.maximum(np.linalg.norm(stack, axis=1, keepdims=True), 1e-9))

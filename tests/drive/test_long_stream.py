"""Ten minutes of sound through a stream: what it holds does not grow, and no picture is lost."""

from collections import deque

import numpy as np
import pytest
import torch

from nerf_talker.audio.sound import RATE
from nerf_talker.drive.stream import SpeechStream
from nerf_talker.render.portrait import PortraitRenderer
from nerf_talker.train.avatar import load_avatar

from .moving import Silent
from .test_silence import humming

MINUTES = 10
# What is the avatar's and no stream's.
SHARED = ("_renderer", "_poses", "_make", "_extractor", "extractor", "network")


def held(thing, seen):
    """Numbers that an object keeps, with all that it leads to."""
    if id(thing) in seen:
        return 0
    seen.add(id(thing))
    if isinstance(thing, np.ndarray):
        return max(thing.size, 0 if thing.base is None else held(thing.base, seen))
    if isinstance(thing, torch.Tensor):
        return thing.untyped_storage().nbytes() // thing.element_size()
    if isinstance(thing, dict):
        return sum(held(value, seen) for key, value in thing.items() if key not in SHARED)
    if isinstance(thing, (list, tuple, set, deque)):
        return len(thing) + sum(held(value, seen) for value in thing)
    return held(vars(thing), seen) if hasattr(thing, "__dict__") else 1


class Counting:
    """What moves the avatar, at no cost; notes what it was given."""

    def __init__(self):
        self.rows = 0

    def __call__(self, poses, features, openness):
        self.rows = max(self.rows, len(features.values))
        return Silent(poses, len(openness))


def speech(minute):
    """A minute of words and pauses of many lengths, its own loudness in each."""
    random = np.random.default_rng(minute)
    sound = humming(60, 0.02 + 0.1 * random.random())
    at = 0
    while at < len(sound):
        at += round(random.uniform(0.5, 6) * RATE)
        pause = round(random.uniform(0.1, 2) * RATE)
        sound[at : at + pause] *= 1e-4
        at += pause
    return sound


@pytest.fixture(scope="module")
def avatar(ellipse_run):
    return load_avatar(ellipse_run)


def test_ten_minutes_hold_no_more_than_one(avatar, monkeypatch):
    monkeypatch.setattr(PortraitRenderer, "frames", lambda self, driving: iter(range(len(driving))))
    source = Counting()
    stream = SpeechStream(avatar, make_source=source)
    shown, most = 0, []
    for minute in range(MINUTES):
        sound, kept = speech(minute), []
        for at in range(0, len(sound), 2 * RATE):
            done = stream.push(sound[at : at + 2 * RATE])
            assert done.first == shown
            shown += len(done.pictures)
            kept.append(held(stream, set()))
        most.append(max(kept))
        late = 60 * (minute + 1) - shown / stream.fps
        assert late <= stream.look_ahead + 1 / stream.fps
    assert max(most[1:]) <= most[0], most
    assert shown + len(stream.finish().pictures) == MINUTES * 60 * 25
    assert source.rows < 8 * 50
    assert most[0] < 60 * RATE / 4, "less than the sound of a quarter minute"

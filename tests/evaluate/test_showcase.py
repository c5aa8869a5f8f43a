import io

import numpy as np
import pytest

from nerf_talker.evaluate.gallery import MOMENT, MOUTHS, SHOWN, WORST, Exhibit, Gallery, heat
from nerf_talker.evaluate.player import BUDGET, LONGEST, TALLEST, Player
from nerf_talker.evaluate.sound import Sound
from nerf_talker.types import PixelBox

BOX = PixelBox(4, 4, 8, 12)


def exhibit(frame, score, mouth=BOX):
    picture = np.full((32, 32, 3), frame % 256, np.uint8)
    return Exhibit(frame, picture, picture, None, mouth, score)


def test_gallery_keeps_spaced_frames_and_separate_worst_moments():
    scores = np.full(300, 30.0)
    scores[[40, 41, 42]] = (12, 10, 11)
    scores[[100, 150, 200, 250]] = (15, 14, 13, 29)
    gallery = Gallery(range(300))
    for frame, score in enumerate(scores):
        gallery.consider(exhibit(frame, score))
    assert [e.frame for e in gallery.worst] == [41, 200, 150, 100]
    assert len(gallery.spaced) == SHOWN and gallery.spaced[-1].frame == 299
    assert len(gallery.mouths) == MOUTHS and len(gallery.worst) == WORST
    assert np.diff(sorted(e.frame for e in gallery.worst)).min() >= MOMENT


def test_gallery_of_a_short_faceless_video():
    gallery = Gallery(range(2))
    for frame in range(2):
        gallery.consider(exhibit(frame, 20.0, None))
    assert len(gallery.spaced) == 2 and gallery.mouths == [] and gallery.spaced[0].mouths() == []


def test_heat_is_black_where_equal_and_bright_where_not():
    truth = np.full((8, 8, 3), 100, np.uint8)
    wrong = truth.copy()
    wrong[:4] += 60
    colours = heat(wrong, truth).astype(int).sum(-1)
    assert colours[4:].max() < 20 < 500 < colours[:4].min()


def noise(count, height, width):
    rng = np.random.default_rng(0)
    for _ in range(count):
        yield rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_player_holds_three_panes_and_the_sound_in_step():
    import av

    sound = Sound(np.zeros(16000, np.int16), 16000)
    with Player(20, 25.0, sound) as player:
        for picture in noise(20, 50, 70):
            player.add(picture, picture)
    assert player.clip.pane == (70, 50) and player.clip.frames == 20
    with av.open(io.BytesIO(player.clip.content)) as container:
        video, voice = container.streams.video[0], container.streams.audio[0]
        assert (video.width, video.height) == (210, 50) and voice.rate == 16000
        shown = [f.to_ndarray(format="rgb24") for f in container.decode(video)]
    assert len(shown) == 20
    assert shown[3][:, 150:].mean() < 8  # equal pictures: the pane of errors is black
    assert np.abs(shown[3][:, :70].astype(int) - shown[3][:, 70:140]).mean() < 30


def test_player_stays_within_its_budget_whatever_comes():
    with Player(120, 25.0, None) as player:
        for picture in noise(120, 300, 300):
            player.add(picture, picture[::-1])
    assert player.clip.pane == (TALLEST, TALLEST)
    assert 0 < len(player.clip.content) < BUDGET / 2


def test_player_shows_the_beginning_of_a_long_clip():
    with Player(100_000, 2.0, None) as player:
        for picture in noise(int(2 * LONGEST) + 5, 16, 16):
            player.add(picture, picture)
    assert player.clip.frames == int(2 * LONGEST)


def test_player_without_frames_or_with_an_error_is_empty():
    with Player(5, 25.0, None) as player:
        pass
    assert player.clip.content == b""
    broken = Player(5, 25.0, None)
    with pytest.raises(ValueError, match="stop"), broken:
        broken.add(*noise(2, 16, 16))
        raise ValueError("stop")
    assert broken.clip.content == b""

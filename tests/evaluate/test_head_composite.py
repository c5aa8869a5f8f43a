import numpy as np
import pytest

from nerf_talker.evaluate.baselines import mean_frame, nearest_frames
from nerf_talker.evaluate.composite import head_over_truth, own, without_head
from nerf_talker.types import PortraitFrame

SIZE = 24


@pytest.fixture
def scene():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    mask = np.zeros((SIZE, SIZE), bool)
    mask[8:16, 6:14] = True
    return truth, mask


def portrait(opacity, colour=0.5):
    opacity = np.broadcast_to(np.float32(opacity), (SIZE, SIZE)).copy()
    return PortraitFrame(
        np.full((SIZE, SIZE, 3), 0.2, np.float32),
        np.float32(colour) * opacity[..., None] * np.ones(3, np.float32),
        opacity,
    )


def test_no_head_gives_the_painted_truth(scene):
    truth, mask = scene
    shown = head_over_truth(portrait(0), truth, mask)
    assert np.array_equal(shown, without_head(truth, mask))
    assert np.array_equal(shown[~mask], truth[~mask])
    assert not np.array_equal(shown[mask], truth[mask])


def test_no_true_head_pixel_survives_inside_the_mask(scene):
    truth, mask = scene
    other = truth.copy()
    other[mask] = 255 - other[mask]
    for opacity in (0, 0.3):
        a, b = (head_over_truth(portrait(opacity), t, mask) for t in (truth, other))
        assert np.array_equal(a, b)


def test_opaque_head_hides_everything(scene):
    truth, mask = scene
    assert np.all(head_over_truth(portrait(1, 0.4), truth, mask) == 102)


def test_half_opaque_head_is_the_mean_of_both(scene):
    truth, mask = scene
    shown = head_over_truth(portrait(0.5, 1.0), truth, mask).astype(float)
    wanted = 127.5 + 0.5 * without_head(truth, mask)
    assert np.abs(shown - wanted).max() <= 0.5


def test_without_mask_the_truth_stays(scene):
    truth, _ = scene
    assert np.array_equal(without_head(truth, np.zeros((SIZE, SIZE), bool)), truth)


def test_own_pastes_nothing_in():
    assert np.all(own(portrait(0.5)) == 51)
    bright = PortraitFrame(
        np.full((2, 2, 3), 1.7, np.float32), np.zeros((2, 2, 3)), np.zeros((2, 2))
    )
    assert np.all(own(bright) == 255)


def test_mean_frame_uses_the_training_frames_only():
    frames = np.zeros((4, 2, 2, 3), np.uint8)
    frames[0], frames[1], frames[2:] = 10, 31, 255
    assert np.all(mean_frame(frames, range(0, 2)) == 20)


def test_nearest_frame_is_a_training_frame_and_never_itself():
    landmarks = np.zeros((6, 478, 3), np.float32)
    landmarks[:, :, 0] = np.array([0, 10, 20, 11, 19, 1])[:, None]
    landmarks[:, :, 2] = np.arange(6)[:, None] * 1e4
    assert nearest_frames(landmarks, range(0, 3), range(3, 6)) == [1, 2, 0]
    assert nearest_frames(landmarks, range(0, 3), range(0, 3)) == [1, 0, 1]

import numpy as np
import pytest

from nerf_talker.audio.sound import write_wav
from nerf_talker.errors import DatasetError
from nerf_talker.evaluate.boxes import crop, face_box, mouth_box
from nerf_talker.evaluate.lips import (
    LAGS,
    correlation,
    jitter,
    lag_curve,
    std_ratio,
)
from nerf_talker.evaluate.metrics.landmark_distance import landmark_distance
from nerf_talker.evaluate.sound import Sound, log_energy, read_sound
from nerf_talker.geometry.mesh import LIPS, lip_gap
from nerf_talker.types import PixelBox
from tests.evaluate.toy_face import FPS, gap_signal, landmarks_of, write_speech


def test_lip_points_are_mediapipes_forty():
    connections = pytest.importorskip("mediapipe.tasks.python.vision").FaceLandmarksConnections
    ends = {end for c in connections.FACE_LANDMARKS_LIPS for end in (c.start, c.end)}
    assert set(LIPS) == ends and len(LIPS) == 40


def test_lip_gap_is_in_units_of_the_eyes_and_free_of_similarity():
    gaps = np.array([0.0, 0.1, 0.3])
    points = landmarks_of(gaps)[..., :2]
    assert lip_gap(points) == pytest.approx(gaps, abs=1e-6)
    turn = np.array([[0.8, -0.6], [0.6, 0.8]])
    assert lip_gap(3 * points @ turn.T + 7) == pytest.approx(gaps, abs=1e-6)


def mouth_landmark_distance(predicted, truth, width):
    return float(landmark_distance(predicted[None], truth[None], LIPS)[0]) * 512 / width


def test_lmd_ignores_where_the_mouth_is_and_scales_to_512():
    points = landmarks_of(np.array([0.1]))[0]
    assert mouth_landmark_distance(points + 5, points, 64) == pytest.approx(0, abs=1e-4)
    wider = points.copy()
    half = list(LIPS[:20])
    wider[half, 1] += 2
    # Half the points move by 2 px: less the mean of 1 px, every point is 1 px off, times 512/64.
    assert mouth_landmark_distance(wider, points, 64) == pytest.approx(8, abs=1e-4)


@pytest.mark.parametrize("late", range(-3, 4))
def test_planted_lag_is_recovered_with_its_sign(late):
    truth = gap_signal(120)
    predicted = np.roll(truth, late)
    curve = lag_curve(predicted, truth)
    assert curve.best_lag == late
    assert curve.peak == pytest.approx(1, abs=0.05)
    assert curve.confidence > 0.5
    assert correlation(predicted, truth) == pytest.approx(curve.correlation[LAGS == 0][0])


def test_lag_survives_missing_frames():
    truth = gap_signal(120)
    predicted = np.roll(truth, 2)
    predicted[30:40] = np.nan
    assert lag_curve(predicted, truth).best_lag == 2


def test_figures_of_a_still_mouth_are_undefined_not_zero():
    truth, still = gap_signal(60), np.full(60, 0.123)
    assert correlation(still, truth) is None
    assert lag_curve(still, truth) is None
    assert std_ratio(still, truth) == pytest.approx(0, abs=1e-9)
    assert std_ratio(truth, still) is None
    assert correlation(truth[:5], truth[:5]) is None
    assert lag_curve(np.full(60, np.nan), truth) is None


def test_std_ratio_shows_a_muted_mouth():
    truth = gap_signal(60)
    assert std_ratio(0.5 * truth + 0.2, truth) == pytest.approx(0.5)


def test_jitter_of_uniform_motion_is_zero_and_of_an_alternation_closed_form():
    time = np.arange(20.0)
    assert jitter(np.stack([3 * time, -time], 1), 512) == pytest.approx(0, abs=1e-9)
    zigzag = np.stack([np.zeros(20), time % 2], 1)
    assert jitter(zigzag, 256) == pytest.approx(2 * 512 / 256)
    assert jitter(np.full((20, 2), np.nan), 512) is None


@pytest.mark.parametrize("late", [-2, 0, 3])
def test_audio_lag_is_positive_when_the_mouth_is_late(tmp_path, late):
    gaps = gap_signal(150)
    write_speech(tmp_path / "a.wav", gaps, seconds_late=-late / FPS)
    energy = log_energy(read_sound(tmp_path / "a.wav"), range(150), FPS)
    assert lag_curve(gaps, energy).best_lag == late


def test_sound_is_cut_padded_and_written_exactly(tmp_path):
    sound = Sound(np.arange(100, dtype=np.int16), 100)
    assert list(sound.slice(0.1, 0.13).samples) == [10, 11, 12]
    assert list(sound.slice(0.98, 1.01).samples) == [98, 99, 0]
    write_wav(tmp_path / "a.wav", sound.levels(), sound.rate)
    again = read_sound(tmp_path / "a.wav")
    assert again.rate == 100 and np.array_equal(again.samples, sound.samples)
    assert [p.name for p in tmp_path.iterdir()] == ["a.wav"]


def test_bad_sound_is_one_sentence(tmp_path):
    with pytest.raises(DatasetError, match="missing"):
        read_sound(tmp_path / "a.wav")
    (tmp_path / "a.wav").write_bytes(b"junk")
    with pytest.raises(DatasetError, match="damaged"):
        read_sound(tmp_path / "a.wav")


def test_boxes_hold_their_points_with_their_margins():
    points = landmarks_of(np.array([0.1]), 512)[0]
    face, mouth = face_box(points, 512, 512), mouth_box(points, 512, 512)
    low, high = points[:, :2].min(0) - 2, points[:, :2].max(0) + 2
    assert face == PixelBox(
        int(np.floor(low[1])),
        int(np.floor(low[0])),
        int(np.ceil(high[1])) - int(np.floor(low[1])),
        int(np.ceil(high[0])) - int(np.floor(low[0])),
    )
    lips = points[list(LIPS), :2]
    assert mouth.left == int(np.floor(lips[:, 0].min() - 6))
    half = mouth_box(points / 2, 256, 256)
    assert abs(half.width - mouth.width / 2) <= 1 and abs(half.top - mouth.top / 2) <= 1


def test_boxes_stay_inside_the_frame():
    points = landmarks_of(np.array([0.1]), 64, shift=(40, -60))[0]
    for box in (face_box(points, 64, 64), mouth_box(points, 64, 64)):
        assert box.top >= 0 and box.top + box.height <= 64
        assert box.left >= 0 and box.left + box.width <= 64
        assert box.height >= 1 and box.width >= 1
        assert crop(np.zeros((64, 64, 3), np.uint8), box).shape[:2] == (box.height, box.width)

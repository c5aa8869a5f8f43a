"""The offset through the stages: mended where it is sure, left alone where the user says so."""

import wave

import numpy as np
import pytest

from nerf_talker.audio.sound import read_sound
from nerf_talker.data.dataset import read_audio_features
from nerf_talker.data.sample_motion import perform
from nerf_talker.data.sample_speech import RATE
from nerf_talker.data.synthetic import sample_sound
from nerf_talker.errors import InputError
from nerf_talker.geometry import mesh
from nerf_talker.geometry.bundle import project
from nerf_talker.preprocess import pipeline
from nerf_talker.preprocess.options import PreprocessOptions
from nerf_talker.preprocess.progress import Journey
from nerf_talker.preprocess.stage import StageContext, publish
from tests.geometry.heads import CAMERA, head_motion, head_shape

from .clips import Kind, write_clip

FRAMES = 300
LATE = 0.12


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A clip whose sound comes 120 ms late, with landmarks of its lips, after the first stages."""
    root = tmp_path_factory.mktemp("late")
    performance = perform(FRAMES / 25, 3)
    sound = sample_sound(performance, 3)
    marks = project(CAMERA, head_motion(FRAMES).in_camera(head_shape())) / 8
    marks[:, mesh.INNER_LIPS[1]] = marks[:, mesh.INNER_LIPS[0]]
    marks[:, mesh.INNER_LIPS[1], 1] += [300 * face.gap for face in performance.faces]
    np.savez(root / "marks.npz", landmarks=marks.astype(np.float32))
    grey = np.full((64, 64, 3), 120, np.uint8)
    times = np.arange(len(sound)) / RATE
    kind = Kind(suffix="mkv", sound="flac", late=LATE)
    write_clip(
        root / "a.mkv", lambda t: grey, kind, FRAMES / 25, lambda t: np.interp(t, times, sound)
    )
    for stage in pipeline.STAGES[:2]:
        finish(stage, root)
    return root, sound


def finish(stage, root, **chosen):
    options = PreprocessOptions(size=64, landmarks=root / "marks.npz", quiet=True, **chosen)
    scratch = root / "work" / f"{stage.name}.partial"
    scratch.mkdir(parents=True, exist_ok=True)
    notes = stage.run(StageContext(root / "a.mkv", root, scratch, options, Journey()))
    publish(stage, scratch, root)
    return notes


def lateness(root, sound):
    """Seconds by which the dataset's sound is behind the performance's."""
    with wave.open(str(root / "audio.wav")) as file:
        assert file.getnframes() == round(FRAMES / 25 * 16000)
    found = read_sound(root / "audio.wav")
    first = np.interp(np.arange(len(found)) / 16000, np.arange(len(sound)) / RATE, sound)
    # By loudness over 10 ms: sample by sample, pitch periods would be confused.
    first, found = (np.convolve(np.abs(part), np.ones(160), "same") for part in (first, found))
    grid = range(-4000, 4001, 16)
    scores = [np.dot(first[4000:-4000:4], np.roll(found, -k)[4000:-4000:4]) for k in grid]
    return grid[int(np.argmax(scores))] / 16000


def test_late_sound_is_moved_and_said(folder):
    root, sound = folder
    notes = finish(pipeline.STAGES[2], root)
    assert notes["av_offset_sure"]
    assert notes["av_offset_ms"] == pytest.approx(120, abs=12)
    assert notes["av_corrected_ms"] == notes["av_offset_ms"]
    assert "ms too late for the lips and was moved" in notes["warnings"][0]
    assert abs(lateness(root, sound)) < 0.012
    features = read_audio_features(root / "audio_features.npz")
    assert len(features.values) == 2 * FRAMES


def test_the_users_word_stands(folder):
    root, sound = folder
    notes = finish(pipeline.STAGES[2], root, av_offset=0.0)
    assert notes["av_corrected_ms"] == 0 and notes["warnings"] == []
    assert lateness(root, sound) == pytest.approx(LATE, abs=0.004)
    notes = finish(pipeline.STAGES[2], root, av_offset=-80.0)
    assert notes["av_corrected_ms"] == -80
    assert lateness(root, sound) == pytest.approx(LATE + 0.08, abs=0.004)


def test_features_from_a_file_are_not_moved_unasked(folder):
    root, _ = folder
    np.save(root / "f.npy", np.zeros((2 * FRAMES, 4), np.float32))
    given = f"npy:{root / 'f.npy'}@50"
    with pytest.raises(
        InputError, match=r"1[12]\d ms too late .*npy:4@50 cannot follow; .*-offset 1[12]\d "
    ):
        finish(pipeline.STAGES[2], root, audio_features=given)
    for wish in (0.0, 120.0):
        assert (
            finish(pipeline.STAGES[2], root, audio_features=given, av_offset=wish)[
                "av_corrected_ms"
            ]
            == wish
        )

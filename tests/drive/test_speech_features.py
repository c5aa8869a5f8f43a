"""An avatar hears new speech through the features it was trained on, or says which it lacks."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from nerf_talker.audio.logmel import log_mel
from nerf_talker.audio.sound import read_sound
from nerf_talker.drive.speech import render_speech
from nerf_talker.errors import AvatarError
from nerf_talker.train.avatar import load_avatar

from .test_drive import write_tone


@pytest.fixture(scope="module")
def avatar(ellipse_run):
    return load_avatar(ellipse_run)


def remembering(avatar, extractor):
    return replace(avatar, metadata=avatar.metadata.model_copy(update={"extractor": extractor}))


def pictures(path):
    import av

    with av.open(str(path)) as video:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)])


def test_features_from_a_file_drive_like_those_computed_here(avatar, tmp_path):
    speech = write_tone(tmp_path / "a.wav", 0.4)
    np.save(tmp_path / "f.npy", log_mel(read_sound(speech), 16000).values)
    render_speech(avatar, speech, tmp_path / "one.mp4")
    made = remembering(avatar, "npy:40@50")
    source = f"npy:{tmp_path / 'f.npy'}@50"
    render_speech(made, speech, tmp_path / "two.mp4", audio_features=source)
    np.testing.assert_array_equal(pictures(tmp_path / "one.mp4"), pictures(tmp_path / "two.mp4"))


@pytest.mark.parametrize(
    ("remembered", "given", "sentence"),
    [
        ("logmel40", "mfcc26", "trained on the speech features 'logmel40', not on 'mfcc26'"),
        ("npy:40@50", None, "come from files of yours"),
        ("hf:hubert-base:9:0a1b2c3d", None, "--audio-features hf:FOLDER"),
        ("articulograph", None, "'articulograph', which this version cannot compute"),
    ],
)
def test_other_features_are_refused_by_name(avatar, tmp_path, remembered, given, sentence):
    speech = write_tone(tmp_path / "a.wav", 0.4)
    made = remembering(avatar, remembered)
    with pytest.raises(AvatarError, match=sentence):
        render_speech(made, speech, tmp_path / "out.mp4", audio_features=given)
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


def test_a_dataset_with_other_features_is_not_evaluated_by_sound(
    ellipse_run, ellipse_folder, tmp_path
):
    from nerf_talker.data.manifest import DatasetFiles
    from nerf_talker.evaluate import EvaluateOptions, evaluate

    root = shutil.copytree(ellipse_folder, tmp_path / "d", ignore=shutil.ignore_patterns("cache"))
    path = DatasetFiles(root).audio_features
    arrays = {**np.load(path), "extractor": np.array("mfcc26")}
    np.savez(path, **arrays)
    with pytest.raises(AvatarError, match=r"'logmel40', but .* holds 'mfcc26'"):
        evaluate(ellipse_run, root, tmp_path / "report", EvaluateOptions(quiet=True))

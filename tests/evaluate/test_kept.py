import itertools

import numpy as np
import pytest

from nerf_talker.evaluate import EvaluateOptions, Report, evaluate_frames
from nerf_talker.evaluate.kept import KeptFrames
from nerf_talker.evaluate.portraits import TimedPortraits
from nerf_talker.types import SelfDrivenFrame
from tests.evaluate.toy_face import portraits


@pytest.fixture(autouse=True)
def no_models(monkeypatch, tmp_path):
    monkeypatch.setattr("nerf_talker.weights.lookup._sources", lambda model: [])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NERF_TALKER_MODELS", str(tmp_path / "models"))


@pytest.fixture
def avatar(tmp_path):
    path = tmp_path / "avatar.safetensors"
    path.write_bytes(b"weights")
    return path


def softened(toy, frames, stop_after=None):
    """A talker without chance: what it renders depends on the frame alone."""
    for count, portrait in enumerate(portraits(toy, frames, late=1)):
        if count == stop_after:
            raise KeyboardInterrupt
        true = toy.frames[frames[count]] / np.float32(255)
        yield SelfDrivenFrame(**vars(portrait), torso_driven=(portrait.rgb + true) / 2)


def test_the_second_torso_does_not_count_as_rendering(toy, monkeypatch):
    clock = itertools.count()
    monkeypatch.setattr("nerf_talker.evaluate.portraits.perf_counter", lambda: next(clock))
    rendered = (
        SelfDrivenFrame(**vars(portrait), torso_driven=portrait.rgb, extra_seconds=0.25)
        for portrait in portraits(toy, range(3))
    )
    timed = TimedPortraits(rendered, range(3), toy.manifest.size)
    assert len(list(timed)) == 3
    assert timed.seconds == 3 * (1 - 0.25) and timed.fps == 3 / timed.seconds


def run(toy, avatar, out, stop_after=None, drive="audio"):
    kept = KeptFrames(out, avatar, toy, drive)
    missing = kept.missing(toy.manifest.range("test"))
    rendered = softened(toy, missing, stop_after)
    return evaluate_frames(toy, rendered, out, EvaluateOptions(drive=drive), {}, kept), missing


def test_a_stopped_run_renders_no_frame_again_and_ends_alike(toy, avatar, tmp_path):
    whole, every = run(toy, avatar, tmp_path / "whole")
    out = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        run(toy, avatar, out, stop_after=4)
    assert not (out / "report.json").exists() and len(list(out.glob(".frames-*/*.png"))) == 4
    again, missing = run(toy, avatar, out)
    assert missing == every[4:]
    assert again.metrics == whole.metrics and again.head_only == whole.head_only
    assert again.own_torso == whole.own_torso and whole.own_torso.psnr > whole.metrics.psnr + 3
    assert list(whole.rows())[:3] == ["own", "own_torso", "head_only"]
    assert (out / "frames.csv").read_text() == (tmp_path / "whole" / "frames.csv").read_text()
    assert {p.name for p in out.iterdir()} == {"report.json", "report.html", "frames.csv"}


def test_a_run_stopped_after_its_last_frame_says_why_it_has_no_speed(
    toy, avatar, tmp_path, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr("nerf_talker.evaluate.evaluation.write_report", lambda *given: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run(toy, avatar, tmp_path / "out")
    report, missing = run(toy, avatar, tmp_path / "out")
    assert missing == [] and report.speed.render_fps is None
    assert "earlier run" in report.not_measured["speed.render_fps"]
    text = (tmp_path / "out" / "report.json").read_text()
    assert Report.model_validate_json(text) == report


def test_frames_of_other_inputs_and_damaged_ones_are_rendered_anew(toy, avatar, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        run(toy, avatar, out, stop_after=3)
    kept = sorted(out.glob(".frames-*/*.png"))
    kept[1].write_bytes(kept[1].read_bytes()[:50])
    every = list(toy.manifest.range("test"))
    assert KeptFrames(out, avatar, toy, "audio").missing(range(every[0], every[3])) == [every[1]]
    avatar.write_bytes(b"other weights")
    assert KeptFrames(out, avatar, toy, "audio").missing(range(every[0], every[3])) == every[:3]
    _, missing = run(toy, avatar, out, drive="landmarks")
    assert missing == every and not list(out.glob(".frames-*"))


def test_kept_pictures_are_exact(toy, avatar, tmp_path):
    from nerf_talker.evaluate.kept import Shown

    kept = KeptFrames(tmp_path, avatar, toy, "audio")
    kept.prepare()
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (64, 64, 3), dtype=np.uint8) for _ in range(2)]
    kept.write(7, Shown(*pictures))
    back = kept.read(7)
    assert np.array_equal(back.own, pictures[0]) and np.array_equal(back.head_only, pictures[1])
    assert back.own_torso is None
    kept.write(8, Shown(*pictures, pictures[0][::-1]))
    assert np.array_equal(kept.read(8).own_torso, pictures[0][::-1])

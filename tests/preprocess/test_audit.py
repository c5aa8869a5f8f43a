"""Grades of recordings with planted faults: no model file, the looks are made up."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from nerf_talker.audio.sound import write_wav
from nerf_talker.data.sample_motion import perform
from nerf_talker.errors import InputError
from nerf_talker.preprocess import audit as audit_module
from nerf_talker.preprocess.audit import audit
from nerf_talker.preprocess.audit_page import write_html, write_json
from nerf_talker.preprocess.findings import graded
from nerf_talker.preprocess.glance import Face, Glance, Look, sharpness
from nerf_talker.preprocess.media import VideoInfo

FPS = 25


def face(time, **changes):
    talking = 0.06 + 0.06 * np.sin(9 * time)
    usual = {
        "box": (100.0, 100.0, 300.0, 340.0),
        "yaw": 5.0,
        "pitch": 3.0,
        "gap": max(float(talking), 0.0),
        "mouth_width": 0.55 + 0.08 * float(np.sin(7 * time)),
        "sharpness": 8.0,
        "brightness": 130.0,
    }
    return Face(**{**usual, **changes})


def glance_of(seconds=80.0, lost=(), second=(), **changes):
    """A good recording, but for what is asked for."""
    rng = np.random.default_rng(0)
    spread = [
        Look(t, 2 if i in second else int(i not in lost), None if i in lost else face(t, **changes))
        for i, t in enumerate(np.linspace(0, seconds, 120))
    ]
    stretch = [Look(t, 1, face(t, **changes)) for t in np.arange(500) / FPS + 20]
    thumbs = np.clip(120 + rng.normal(size=(400, 24, 32)), 0, 255).astype(np.uint8)
    empty = np.zeros((24, 32), bool)
    empty[:8] = True
    info = VideoInfo(round(seconds * FPS), seconds, FPS, True)
    times = np.arange(round(seconds * FPS) + 1) / FPS
    return Glance(info, times, 512, 512, spread, stretch, thumbs, empty)


@pytest.fixture
def graded_clip(tmp_path, monkeypatch):
    """A function from a glance, and a sound, to the findings by name."""
    rng = np.random.default_rng(0)

    def grade(seen, samples=None):
        if samples is None:
            speaks = (np.arange(80 * 16000) // 8000) % 2
            samples = 0.1 * rng.normal(size=len(speaks)) * speaks + 1e-3 * rng.normal(
                size=len(speaks)
            )
        write_wav(tmp_path / "clip.wav", samples)
        monkeypatch.setattr(audit_module, "glance", lambda *_: seen)
        found = audit(tmp_path / "clip.wav")
        return {finding.name: finding for finding in found.findings}

    return grade


def test_a_good_recording_passes_everything(graded_clip):
    found = graded_clip(glance_of())
    assert {name for name, finding in found.items() if finding.grade != "pass"} == set()
    assert all(finding.cure == "" for finding in found.values())


def thumbs_with(change):
    return replace(glance_of(), thumbs=change(glance_of().thumbs.astype(np.float64)).astype("u1"))


def flickering(thumbs):
    return thumbs * (1 + 0.02 * (-1) ** np.arange(len(thumbs)))[:, None, None]


def panned(thumbs):
    scene = 120 + 60 * np.sin(np.arange(400) * 0.7)
    return np.stack([np.tile(scene[k // 2 : k // 2 + 32], (24, 1)) for k in range(len(thumbs))])


@pytest.mark.parametrize(
    ("seen", "name", "grade"),
    [
        (glance_of(seconds=8.0), "length", "warn"),
        (glance_of(seconds=1.0), "length", "fail"),
        (glance_of(brightness=30.0), "light", "warn"),
        (glance_of(brightness=235.0), "light", "warn"),
        (glance_of(sharpness=3.0), "sharpness", "warn"),
        (glance_of(sharpness=1.0), "sharpness", "fail"),
        (glance_of(box=(0.0, 0.0, 40.0, 50.0)), "face size", "fail"),
        (glance_of(box=(0.0, 0.0, 80.0, 100.0)), "face size", "warn"),
        (glance_of(yaw=-48.0), "head turn", "warn"),
        (glance_of(gap=0.08), "closed mouth", "warn"),
        (glance_of(gap=0.01, mouth_width=0.5), "mouth shapes", "fail"),
        (glance_of(lost=range(5)), "occlusion", "warn"),
        (glance_of(lost=range(30)), "occlusion", "warn"),
        (glance_of(lost=range(40)), "occlusion", "fail"),
        (glance_of(second=range(20)), "faces", "warn"),
        (glance_of(second=range(120)), "faces", "warn"),
        (replace(glance_of(), cuts=(20.0,)), "scenes", "warn"),
        (replace(glance_of(), cuts=(20.0, 50.0)), "scenes", "fail"),
        (replace(glance_of(lost=range(36, 120)), cuts=(25.0,)), "scenes", "fail"),
        (replace(glance_of(), spread=[], stretch=[]), "faces", "fail"),
        (replace(glance_of(), info=VideoInfo(2000, 95.0, FPS, True)), "length", "fail"),
        (replace(glance_of(), info=VideoInfo(2000, 80.0, 15.0, True)), "frame rate", "warn"),
        (replace(glance_of(), times=np.delete(glance_of().times, range(50, 60))), "frame rate",
         "warn"),
        (replace(glance_of(), info=VideoInfo(2000, 80.0, FPS, False)), "sound", "fail"),
        (replace(glance_of(), info=VideoInfo(2000, 80.0, FPS, True, True)), "colours", "warn"),
        (thumbs_with(flickering), "flicker", "warn"),
        (thumbs_with(lambda t: t * np.linspace(0.8, 1.1, len(t))[:, None, None]), "light drift",
         "warn"),
        (thumbs_with(panned), "background", "fail"),
        (replace(glance_of(), background=None), "background", "warn"),
    ],
)  # fmt: skip
def test_a_planted_fault_is_found_with_a_cure(graded_clip, seen, name, grade):
    finding = graded_clip(seen)[name]
    assert finding.grade == grade, finding
    assert finding.cure


def test_light_that_changes_is_not_taken_for_motion(graded_clip):
    found = graded_clip(thumbs_with(lambda t: t * np.linspace(0.7, 1.2, len(t))[:, None, None]))
    assert found["background"].grade == "pass"


@pytest.mark.parametrize(
    ("change", "name", "grade"),
    [
        (lambda x: x * 0, "sound", "fail"),
        (lambda x: x * 0.02, "sound", "warn"),
        (lambda x: x + 0.03 * np.random.default_rng(1).normal(size=len(x)), "noise", "warn"),
        (lambda x: np.clip(8 * x, -1, 1), "clipping", "warn"),
        (lambda x: x[: 40 * 16000], "sound length", "fail"),
        (lambda x: x[: 70 * 16000], "sound length", "warn"),
    ],
)
def test_a_planted_fault_of_the_sound_is_found(graded_clip, change, name, grade):
    rng = np.random.default_rng(0)
    speaks = (np.arange(80 * 16000) // 8000) % 2
    usual = 0.1 * rng.normal(size=len(speaks)) * speaks + 1e-3 * rng.normal(size=len(speaks))
    finding = graded_clip(glance_of(), change(usual))[name]
    assert (finding.grade, bool(finding.cure)) == (grade, True), finding


@pytest.fixture(scope="module")
def spoken():
    """Lip gap per frame of 28 s of the sample's speech, and the sound at 16 kHz."""
    from scipy.signal import resample_poly

    from nerf_talker.data.synthetic import sample_sound

    performance = perform(28.0, 0)
    gaps = [face.gap for face in performance.faces]
    return gaps, resample_poly(sample_sound(performance, 0), 2, 3)


@pytest.mark.parametrize(("late", "grade"), [(0, "pass"), (4, "warn"), (-3, "warn")])
def test_sound_out_of_step_with_the_lips_is_found(graded_clip, spoken, late, grade):
    gaps, sound = spoken
    looks = [Look(k / FPS, 1, face(k / FPS, gap=gaps[k])) for k in range(100, 600)]
    seen = replace(glance_of(seconds=28.0), stretch=looks)
    finding = graded_clip(seen, np.roll(sound, late * 640))["lip sync"]
    assert (finding.grade, finding.figure is not None) == (grade, True), finding
    assert finding.figure == pytest.approx(40 * abs(late), abs=25)


def test_limits_work_in_both_directions():
    more = [graded("a", "", x, (20, 6), "cure").grade for x in (25, 10, 3)]
    fewer = [graded("a", "", x, (0.1, 0.5), "cure").grade for x in (0.05, 0.3, 0.7)]
    assert more == fewer == ["pass", "warn", "fail"]
    assert graded("a", "", -99, (20, -np.inf), "cure").grade == "warn"


def test_sharpness_falls_with_blur_and_ignores_light_and_size():
    import cv2

    noise = np.random.default_rng(0).normal(size=(300, 240, 3))
    skin = cv2.GaussianBlur(noise, (0, 0), 1.2)
    skin = np.clip(128 + 90 * skin / np.abs(skin).max(), 0, 255).astype(np.uint8)
    figures = [sharpness(cv2.GaussianBlur(skin, (0, 0), s) if s else skin) for s in (0, 1, 2, 4)]
    assert figures == sorted(figures, reverse=True) and figures[0] > 2 * figures[-1]
    assert sharpness(skin // 2) == pytest.approx(figures[0], rel=0.05)
    larger = cv2.resize(skin, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    assert sharpness(larger) == pytest.approx(figures[0], rel=0.25)
    assert np.isfinite(sharpness(np.zeros((1, 1, 3), np.uint8)))


def test_json_and_page_hold_the_findings_and_nothing_from_outside(graded_clip, tmp_path):
    graded_clip(glance_of(sharpness=3.0))
    found = audit(tmp_path / "clip.wav")
    write_json(tmp_path / "i.json", tmp_path / "clip.wav", found)
    write_html(tmp_path / "i.html", tmp_path / "a<b>.mp4", found)
    content = json.loads((tmp_path / "i.json").read_text())
    assert content["usable"] is True
    assert {entry["name"] for entry in content["findings"]} == {f.name for f in found.findings}
    page = (tmp_path / "i.html").read_text()
    assert "a&lt;b&gt;.mp4" in page and "a<b>" not in page
    assert page.index("sharpness") < page.index("frame rate"), "what is wrong comes first"
    assert not re.search(r"https?://|src=\"(?!data:)|@import|url\(", page)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"", "not a video"), (b"words " * 999, "not a video"), (None, "no such file")],
)
def test_bad_files_are_refused_in_one_sentence(tmp_path, content, sentence):
    path = tmp_path / "clip.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=sentence):
        audit(path)


def test_a_folder_without_models_is_refused(tmp_path):
    with pytest.raises(InputError, match="none: no such folder; give one that holds model files"):
        audit(tmp_path / "clip.mp4", tmp_path / "none")


def test_where_nothing_can_be_written_is_said_first(tmp_path, capsys):
    from nerf_talker.cli import main

    assert main(["inspect", "a.mp4", "--json", str(tmp_path / "none" / "x.json")]) == 1
    assert "none: no such folder; make it, or write x.json elsewhere" in capsys.readouterr().err
    assert main(["inspect", "a.mp4", "--html", str(tmp_path)]) == 1
    assert "is a folder; give the path of a file" in capsys.readouterr().err

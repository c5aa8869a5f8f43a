"""Ordinary recordings with ordinary faults: a dataset with a report, or one plain sentence."""

import json
from fractions import Fraction

import numpy as np
import pytest

from nerf_talker.errors import InputError
from nerf_talker.preprocess import pipeline
from nerf_talker.preprocess.glance import glance
from nerf_talker.preprocess.media import probe
from nerf_talker.preprocess.models import FACE_MODEL
from nerf_talker.preprocess.options import PreprocessOptions
from nerf_talker.preprocess.progress import Journey
from nerf_talker.preprocess.stage import StageContext, publish
from nerf_talker.preprocess.survey import look_again, survey
from nerf_talker.weights import locate

from .clips import Kind, beeps, write_clip

SLOW = Kind(fps=Fraction(10))


@pytest.fixture(autouse=True)
def _model():
    if locate(FACE_MODEL) is None:
        pytest.skip("face_landmarker.task is not at hand")


@pytest.fixture
def at(performer):
    """The sample person's picture at a time; the short take runs to and fro."""
    there_and_back = [*performer, *performer[-2:0:-1]]
    return lambda second: there_and_back[round(second * 25) % len(there_and_back)]


def taken(clip, root, **chosen):
    """Run the stages up to the sound; returns their notes, the record and the landmarks file."""
    options = PreprocessOptions(**{"size": 128, "quiet": True, **chosen})
    notes = {}
    for stage in pipeline.STAGES[:3]:
        scratch = root / "work" / f"{stage.name}.partial"
        scratch.mkdir(parents=True)
        notes[stage.name] = stage.run(StageContext(clip, root, scratch, options, Journey()))
        publish(stage, scratch, root)
    record = json.loads((root / "work" / "clip.json").read_text())
    warnings = [*record["warnings"], *(w for n in notes.values() for w in n.get("warnings", []))]
    with np.load(root / "work" / "landmarks.npz") as archive:
        return record, " | ".join(warnings), dict(archive)


def test_blank_frames_are_bridged_and_long_gaps_kept_in_time(at, tmp_path):
    black = np.zeros((128, 128, 3), np.uint8)
    gone = [(0.8, 1.0), (2.0, 2.8)]

    def shown(second):
        return black if any(a <= second < b for a, b in gone) else at(second)

    write_clip(tmp_path / "b.mp4", shown, Kind(), sound_at=beeps)
    record, warnings, marks = taken(tmp_path / "b.mp4", tmp_path / "e")
    assert record["frames"] == 100
    assert list(np.flatnonzero(~marks["valid"])) == [*range(20, 25), *range(50, 70)]
    assert "no face in 5 frames (0.80-1.00 s); interpolated" in warnings
    assert "20 frames (2.00-2.80 s); kept in time, not learned from" in warnings
    assert np.isfinite(marks["landmarks"]).all()
    gone[1] = (2.0, 3.9)
    write_clip(tmp_path / "c.mp4", shown, Kind(), sound_at=beeps)
    with pytest.raises(InputError, match=r"no face in 5\d% of the frames \(0.80-1.00 s, 2.00-"):
        taken(tmp_path / "c.mp4", tmp_path / "f")


def warmer(picture):
    """Somebody with another skin."""
    return np.round(picture * [1.0, 0.8, 0.6]).astype(np.uint8)


@pytest.mark.parametrize(("wish", "to_the_right"), [("84,128", True), ("240,120", False)])
def test_the_chosen_of_two_who_cross_is_kept(at, tmp_path, wish, to_the_right):
    def shown(second):
        canvas = np.full((256, 320, 3), (90, 110, 100), np.uint8)
        going = round(152 * np.clip(second - 1, 0, 1))
        back, front = 172 - going, 20 + going
        canvas[64:192, back + 20 : back + 108] = warmer(at(second + 0.3))[:, 20:108]
        canvas[64:192, front + 20 : front + 108] = at(second)[:, 20:108]
        return canvas

    write_clip(tmp_path / "a.mp4", shown, Kind(), 3.0, beeps)
    record, warnings, marks = taken(tmp_path / "a.mp4", tmp_path / "d", face=wish)
    assert record["frames"] == 75 and "2 people are in the clip" in warnings
    with np.load(tmp_path / "d" / "work" / "speaker.npz") as archive:
        middles = archive["boxes"][:, [0, 2]].mean(1)
    expected = 84 + 152 * np.clip(np.arange(75) / 25 - 1, 0, 1)
    expected = expected if to_the_right else 320 - expected
    seen = np.isfinite(middles)
    assert seen.mean() > 0.7
    assert np.abs(middles - expected)[seen].max() < 20
    assert (marks["valid"] <= seen).all() and marks["valid"].mean() > 0.7


def test_a_tall_picture_is_cropped_about_the_face(at, tmp_path):
    def shown(second):
        canvas = np.full((1920, 1080, 3), (90, 110, 100), np.uint8)
        canvas[500:1140, 200:840] = np.kron(at(second), np.ones((5, 5, 1), np.uint8))
        return canvas

    write_clip(tmp_path / "a.mp4", shown, SLOW, 2.2, beeps)
    record, _, marks = taken(tmp_path / "a.mp4", tmp_path / "d")
    crop = record["crop"]
    assert (crop["source_width"], crop["source_height"], record["frames"]) == (1080, 1920, 55)
    assert crop["left"] <= 330 and crop["left"] + crop["side"] >= 710
    assert crop["top"] <= 600 and 1000 <= crop["top"] + crop["side"] <= 1920
    assert marks["valid"].all()


def test_a_tiny_head_in_a_large_picture_is_found(at, tmp_path):
    canvas = np.full((2160, 3840, 3), (90, 110, 100), np.uint8)

    def shown(second):
        canvas[700:828, 2600:2728] = at(second)
        return canvas

    write_clip(tmp_path / "a.mp4", shown, Kind(fps=Fraction(5)), 2.2, beeps)
    record, warnings, marks = taken(tmp_path / "a.mp4", tmp_path / "d", size=256)
    crop = record["crop"]
    assert 2500 < crop["left"] < 2700 and 600 < crop["top"] < 800 and crop["side"] < 220
    assert marks["valid"].all()
    assert "px wide in the clip and was enlarged to 256 px" in warnings


def test_the_longest_scene_of_a_cut_clip_is_used(at, tmp_path):
    def shown(second, edges=(2.4,)):
        scene = sum(second >= edge for edge in edges)
        return at(second) if scene % 2 == 0 else at(second)[:, ::-1] // 3 + 150

    write_clip(tmp_path / "a.mp4", shown, Kind(), 4.4, beeps)
    record, warnings, marks = taken(tmp_path / "a.mp4", tmp_path / "d")
    assert (record["first"], record["frames"], record["whole"]) == (0, 60, 110)
    assert (
        "cut into 2 scenes (1: 0.00 to 2.38 s, 2: 2.38 to 4.40 s); only scene 1 was used"
        in warnings
    )
    assert marks["valid"].all() and not len(marks["splices"])
    record, _, _ = taken(tmp_path / "a.mp4", tmp_path / "e", scene=2)
    assert (record["first"], record["frames"], record["start"]) == (60, 50, 2.4)
    with pytest.raises(InputError, match=r"--scene 3: there are only 2 scenes in .*; choose"):
        taken(tmp_path / "a.mp4", tmp_path / "f", scene=3)
    write_clip(tmp_path / "b.mp4", lambda s: shown(s, (1.4, 2.8)), Kind(), 4.2, beeps)
    with pytest.raises(
        InputError, match=r"3 scenes \(1: 0.00 to 1.38 s, .*none holds half.*--scene"
    ):
        taken(tmp_path / "b.mp4", tmp_path / "g")


def test_silent_sound_is_refused_like_none(at, tmp_path):
    write_clip(tmp_path / "a.mp4", at, Kind(), 2.4, lambda t: np.zeros_like(t))
    with pytest.raises(InputError, match=r"the sound is silent from 0\.0 s on.*--audio"):
        taken(tmp_path / "a.mp4", tmp_path / "d")
    write_clip(tmp_path / "b.mp4", at, Kind(), 2.4)
    with pytest.raises(InputError, match=r"no sound track.*--audio"):
        taken(tmp_path / "b.mp4", tmp_path / "e")
    write_clip(tmp_path / "c.mp4", at, Kind(), 2.4, beeps)
    record, _, _ = taken(tmp_path / "b.mp4", tmp_path / "f", audio=tmp_path / "c.mp4")
    assert record["frames"] == 60


def test_a_panned_background_is_one_scene(at, tmp_path):
    rng = np.random.default_rng(0)
    wide = np.kron(rng.integers(0, 255, (8, 40, 3), np.uint8), np.ones((16, 16, 1), np.uint8))

    def shown(second):
        picture, start = wide[:, round(80 * second) :][:, :128].copy(), 24
        picture[30:, start:104] = at(second)[30:, start:104]
        return picture

    write_clip(tmp_path / "a.mp4", shown, Kind(), 2.4, beeps)
    _, warnings, marks = taken(tmp_path / "a.mp4", tmp_path / "d")
    assert marks["valid"].mean() > 0.9 and "cut" not in warnings


def test_a_picture_of_nobody_is_refused(tmp_path):
    y, x = np.mgrid[0:96, 0:160]
    hills = np.stack([x, 120 + y // 2, 255 - y], -1).astype(np.uint8)
    write_clip(tmp_path / "a.mp4", lambda second: hills, SLOW, 2.4, beeps)
    with pytest.raises(InputError, match="no face found in any frame"):
        taken(tmp_path / "a.mp4", tmp_path / "d")


def test_inspect_finds_what_preprocess_finds(at, tmp_path):
    def shown(second):
        canvas = np.full((720, 1280, 3), (90, 110, 100), np.uint8)
        if second >= 1.6:
            canvas[:] = np.linspace(0, 255, 1280, dtype=np.uint8)[None, :, None]
        canvas[300:428, 900:1028] = at(second)
        return canvas

    write_clip(tmp_path / "a.mp4", shown, SLOW, 2.4, beeps)
    seen = glance(tmp_path / "a.mp4")
    assert all(look.faces == 1 for look in (*seen.spread, *seen.stretch))
    assert all(900 < face.box[0] < face.box[2] < 1028 for face in seen.faces)
    assert seen.cuts == pytest.approx([1.6], abs=0.01)


def test_a_short_scene_is_looked_at_closely(at, tmp_path):
    """Its second person is there between the looks of the first pass."""

    def shown(second):
        canvas = np.full((128, 256, 3), (90, 110, 100), np.uint8)
        if second < 20:
            canvas[:] = np.linspace(0, 255, 256, dtype=np.uint8)[None, :, None]
        canvas[:, 20:108] = at(second)[:, 20:108]
        if 20.6 <= second < 21.0:
            canvas[:, 148:236] = warmer(at(second + 0.3))[:, 20:108]
        return canvas

    write_clip(tmp_path / "a.mp4", shown, SLOW, 22.4, beeps)
    context = StageContext(
        tmp_path / "a.mp4", tmp_path, tmp_path, PreprocessOptions(size=128, scene=2), Journey()
    )
    found = survey(context, probe(context.clip), True)
    scene = found.scenes[1]
    assert len(scene.looks) < 8
    again = look_again(context, found, scene, (500, None))
    assert len(again.looks) == 48 and max(map(len, again.looks)) == 2
    assert look_again(context, found, found.scenes[0], (0, 500)) is found.scenes[0]

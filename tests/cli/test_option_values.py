"""An option's value that is refused is named beside the option, in one sentence."""

import pytest

from nerf_talker.cli import main
from tests.drive.test_drive import write_tone


@pytest.mark.parametrize(
    ("option", "value", "wanted"),
    [
        ("--head-motion", "nan", "should be a finite number"),
        ("--head-motion", "-1", "should be greater than or equal to 0"),
        ("--brows", "inf", "should be a finite number"),
        ("--lip-opening", "5.5", "should be less than or equal to 5"),
        ("--seed", "-3", "should be greater than or equal to 0"),
        ("--size", "4", "this avatar was trained at 64 pixels and renders from 16 to 256"),
        ("--crf", "99", "h264 takes 0 (best) to 51 (smallest)"),
    ],
)
def test_of_render(ellipse_run, tmp_path, capsys, option, value, wanted):
    speech = write_tone(tmp_path / "a.wav", 0.2)
    given = ["render", str(ellipse_run), "--audio", str(speech), "-o", str(tmp_path / "b.mp4")]
    assert main([*given, option, value]) == 1
    assert capsys.readouterr().err == f"error: {option} {value}: {wanted}\n"
    assert not (tmp_path / "b.mp4").exists()


@pytest.mark.parametrize(
    ("option", "value", "wanted"),
    [
        ("--av-offset", "nan", "should be a finite number"),
        ("--av-offset", "2500", "should be less than or equal to 2000"),
        ("--size", "65", "should be a multiple of 2"),
        ("--fps", "5", "should be greater than or equal to 10"),
        ("--face", "middle", "'middle' is none of largest, left, right and x,y"),
        ("--scene", "0", "should be greater than or equal to 1"),
    ],
)
def test_of_preprocess(tmp_path, capsys, option, value, wanted):
    given = ["preprocess", str(tmp_path / "a.mp4"), "-o", str(tmp_path / "made")]
    assert main([*given, option, value]) == 1
    assert capsys.readouterr().err == f"error: {option} {value}: {wanted}\n"
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(("option", "value"), [("--seconds", "nan"), ("--size", "33")])
def test_of_demo_is_not_remembered(tmp_path, capsys, option, value):
    assert main(["demo", "-o", str(tmp_path / "made"), option, value]) == 1
    error = capsys.readouterr().err
    assert value in error and option[2:] in error and error.count("\n") == 1
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--train.steps", "-5"), "train: steps: found -5, should be greater than 0"),
        (
            ("--train.poses.learning-rate", "nan"),
            "train.poses: learning_rate: found nan, should be a finite number",
        ),
        (
            ("--train.net-weight-decay", "inf"),
            "train: net_weight_decay: found inf, should be a finite number",
        ),
        (("--train.poses.focal",), "train.poses: focal learns with the poses: set refine too"),
        (("--talker.head.hidden", "x"), "--talker.head.hidden: invalid literal for int"),
    ],
)
def test_of_train(tmp_path, capsys, options, said):
    given = ["train", str(tmp_path / "none"), "-o", str(tmp_path / "made"), *options]
    assert main(given) == 2
    error = " ".join(capsys.readouterr().err.replace("│", "").split())
    assert f"Error parsing {said}" in error and "pydantic" not in error
    assert not (tmp_path / "made").exists()

"""New backgrounds: nothing of the old one is left, and none of the figure is lost."""

from dataclasses import replace

import numpy as np
import pytest

from nerf_talker.cli import main
from nerf_talker.drive.background import figure_of, filled, make_background
from nerf_talker.drive.options import RenderOptions
from nerf_talker.drive.source_clip import SourceClip
from nerf_talker.drive.speech import render_speech
from nerf_talker.errors import InputError
from nerf_talker.train.avatar import load_avatar
from nerf_talker.types import FigureFrame
from tests.builders import write_video

from .test_drive import write_tone
from .test_outputs import read_png

RED, BLUE = np.array([0.8, 0.2, 0.1]), np.array([0.1, 0.3, 0.9])


@pytest.fixture(scope="module")
def spoken(ellipse_run, tmp_path_factory):
    """A function from a background to the first 8-bit picture over it."""
    folder = tmp_path_factory.mktemp("backgrounds")
    avatar, speech = load_avatar(ellipse_run), write_tone(folder / "a.wav", 0.08)

    def render(background):
        out = folder / str(abs(hash(background)))
        render_speech(avatar, speech, f"{out}/", options=RenderOptions(background=background))
        return read_png(out / "000000.png")

    return render


def disc(blur, stain=0.0, size=128):
    """A red disc before blue: premultiplied figure whose soft edge is stained with blue."""
    rows, columns = np.mgrid[:size, :size] + 0.5
    distance = np.hypot(rows - size / 2, columns - size / 2) - size / 4
    alpha = np.clip(0.5 - distance / blur, 0, 1)[..., None]
    near = np.clip(1 + distance / 3, 0, 1)[..., None] * stain
    colour = (1 - near) * RED + near * BLUE
    figure = np.concatenate([colour * alpha, alpha], -1).astype(np.float32)
    rgb = figure[..., :3] + (1 - alpha) * BLUE
    return FigureFrame(rgb.astype(np.float32), figure[..., :3], alpha[..., 0], figure=figure)


def test_the_edge_is_the_same_over_any_colour(spoken):
    colours = {name: spoken(name).astype(float) for name in ("magenta", "black", "#000000")}
    np.testing.assert_array_equal(colours["black"], colours["#000000"])
    clear = spoken("transparent").astype(float)
    alpha = clear[..., 3:] / 255
    edge = (alpha[..., 0] >= 0.5) & (alpha[..., 0] < 1)
    assert edge.sum() > 20 and (alpha == 1).any() and (alpha == 0).any()
    behind = {"magenta": np.array([255, 0, 255.0]), "black": np.zeros(3)}
    bare = {
        name: (colours[name] - (1 - alpha) * behind[name]) / np.maximum(alpha, 0.5)
        for name in behind
    }
    assert np.abs(bare["magenta"] - bare["black"])[edge].max() <= 2
    assert np.abs(bare["black"] - clear[..., :3])[edge].max() <= 2


@pytest.mark.parametrize("blur", [3.0, 8.0])
def test_no_rim_of_the_old_background_is_left(blur):
    stained = disc(blur, stain=0.6, size=256)
    white = make_background("white", (256, 256), 25).picture(stained, 0)
    alpha = figure_of(stained)[..., 3:]
    assert np.abs(white - (alpha * RED + 1 - alpha)).max() < 0.02


def test_a_clean_edge_stays_as_it_is():
    clean = disc(6.0)
    found = figure_of(clean)
    seen = found[..., 3] > 0
    assert np.abs(found[..., :3] - RED)[seen].max() < 1e-3
    assert np.abs(found[..., 3] - clean.figure[..., 3]).max() < 0.021


def test_colours_go_on_beyond_the_edge():
    found = figure_of(disc(3.0))
    just_outside = (found[..., 3] == 0) & (figure_of(disc(16.0))[..., 3] > 0)
    assert just_outside.sum() > 50
    assert np.abs(found[just_outside][:, :3] - RED).max() < 1e-3


def test_a_picture_fills_the_frame_and_loses_what_overhangs(tmp_path, spoken):
    import cv2

    wide = np.zeros((30, 90, 3), np.uint8)
    wide[:, :30], wide[:, 30:60], wide[:, 60:] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    assert (filled(wide, 64, 64)[5:60, 5:60] == [0, 1, 0]).all()
    cv2.imwrite(str(tmp_path / "b.png"), wide[..., ::-1])
    found, clear = spoken(str(tmp_path / "b.png")), spoken("transparent")
    empty = clear[..., 3] == 0
    empty[:, :4] = empty[:, -4:] = False
    assert empty.any() and (found[empty] == [0, 255, 0]).all()


def test_a_video_plays_behind_and_begins_anew(tmp_path):
    shades = np.arange(0, 250, 50)
    clip = np.broadcast_to(shades[:, None, None, None], (5, 32, 32, 3)).astype(np.uint8)
    write_video(tmp_path / "b.mkv", clip, "ffv1", "bgr0", "rgb24")
    nothing = disc(1.0)
    nothing = replace(nothing, figure=0 * nothing.figure)
    for fps, first, wanted in (
        (25, 0, [0, 50, 100, 150, 200, 0, 50]),
        (25, 3, [150, 200, 0]),
        (50, 0, [0, 0, 50, 100, 100]),
    ):
        moving = make_background(str(tmp_path / "b.mkv"), (128, 128), fps, first)
        seen = [moving.picture(nothing, n).mean() * 255 for n in range(len(wanted))]
        assert seen == pytest.approx(wanted, abs=1)


@pytest.mark.parametrize("numbers", [[0, 1, 2, 2, 1, 0, 1], [4, 3, 2, 1], [0, 4, 0, 2], [3]])
def test_a_clip_is_read_to_and_fro(tmp_path, numbers):
    clip = np.zeros((5, 32, 32, 3), np.uint8) + np.arange(0, 250, 50)[:, None, None, None]
    write_video(tmp_path / "b.mkv", clip.astype(np.uint8), "ffv1", "bgr0", "rgb24", {"g": "2"})
    source = SourceClip.open(tmp_path / "b.mkv")
    assert len(source) == 5 and (source.width, source.height, source.fps) == (32, 32, 25)
    assert [int(picture.mean()) // 50 for picture in source.walk(numbers)] == numbers


def test_a_background_that_cannot_be_read_is_named(ellipse_run, tmp_path, capsys):
    speech = write_tone(tmp_path / "a.wav", 0.1)
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty.mp4").write_bytes(b"")
    write_tone(tmp_path / "sound.wav", 0.1)
    for name in ("text.png", "empty.mp4", "sound.wav"):
        given = ["--background", str(tmp_path / name), "-o", str(tmp_path / "out.mp4")]
        assert main(["render", str(ellipse_run), "--audio", str(speech), *given]) == 1
        error = capsys.readouterr().err
        assert error.startswith("error: ") and name in error and error.count("\n") == 1
        assert not list(tmp_path.glob("*out*")) and not list(tmp_path.glob(".*"))
    with pytest.raises(InputError, match="neither a file nor a colour"):
        make_background("greenish", (8, 8), 25)

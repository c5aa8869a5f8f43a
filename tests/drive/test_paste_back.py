"""The head back in the original: nothing else changes, no border shows, pose and rate are kept."""

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from nerf_talker.cli import main
from nerf_talker.data.manifest import CropTransform
from nerf_talker.drive.options import RenderOptions
from nerf_talker.drive.original import Original, PinnedSource, open_original
from nerf_talker.drive.paste_back import PasteBack, blended, soft_mask
from nerf_talker.drive.pixels import ColourTags
from nerf_talker.drive.resampling import between
from nerf_talker.drive.source_clip import SourceClip
from nerf_talker.drive.speech import render_speech
from nerf_talker.errors import ConfigError, InputError
from nerf_talker.geometry.rotation import exponential
from nerf_talker.train.avatar import load_avatar, save_avatar
from nerf_talker.types import PortraitFrame

from .media import pictures, times
from .test_drive import write_tone
from .test_outputs import read_png

CROP = CropTransform(left=40, top=30, side=256, source_width=320, source_height=300)
WINDOW = (slice(30, 286), slice(40, 296))
HELD = 12  # frames of the original


def write_original(path, dataset, rate=25, frames=HELD, shown=None):
    """The dataset's pictures, four times as large, in a larger picture of slow shades.

    ``shown`` are the milliseconds of frames at uneven times.
    """
    import av
    import cv2

    rows, columns = np.mgrid[:300, :320]
    canvas = np.stack([rows / 2, columns / 2, (rows + columns) / 4], -1).astype(np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=rate)
        stream.height, stream.width, stream.pix_fmt = 300, 320, "bgr0"
        if shown is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for number in range(frames if shown is None else len(shown)):
            full = canvas.copy()
            place = number * 25 / rate if shown is None else shown[number] / 40
            picture = np.asarray(dataset.frames[round(place)])
            full[WINDOW] = cv2.resize(picture, (256, 256), interpolation=cv2.INTER_CUBIC)
            frame = av.VideoFrame.from_ndarray(full, format="rgb24")
            if shown is not None:
                frame.pts, frame.time_base = shown[number], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def cropped_avatar(run):
    """The run's avatar, as if its clip were the crop of a larger original."""
    made = load_avatar(run)
    return replace(made, metadata=made.metadata.model_copy(update={"crop": CROP}))


@pytest.fixture(scope="module")
def avatar(ellipse_run):
    return cropped_avatar(ellipse_run)


@pytest.fixture(scope="module")
def original(ellipse, tmp_path_factory):
    return write_original(tmp_path_factory.mktemp("original") / "original.mkv", ellipse)


@pytest.fixture(scope="module")
def pasted(avatar, original, tmp_path_factory):
    """Pictures of 0.4 s pasted back, the filmed ones, and those of the avatar alone."""
    folder = tmp_path_factory.mktemp("pasted")
    speech = write_tone(folder / "a.wav", 0.4)
    render_speech(avatar, speech, f"{folder}/b/", options=RenderOptions(paste_back=original))
    render_speech(avatar, speech, f"{folder}/c/")
    made = [
        np.stack([read_png(path) for path in sorted((folder / name).glob("*.png"))]).astype(float)
        for name in "bc"
    ]
    return made[0], pictures(original)[:10].astype(float), made[1]


def test_outside_the_head_not_one_value_changes(pasted):
    found, filmed, _ = pasted
    changed = (found != filmed).any(-1)
    assert changed.any(0)[WINDOW].mean() > 0.2
    rows, columns = np.mgrid[:300, :320]
    # The ellipse of tests/builders.py, and as far around it as the mask may reach.
    reach = 256 * (0.02 + 0.07 + 0.05) + 6
    head = ((columns - 40 - 128) / (64 + reach)) ** 2 + ((rows - 30 - 112) / (80 + reach)) ** 2 < 1
    assert not changed[:, ~head].any()


def test_the_head_is_the_rendered_one(pasted):
    import cv2

    found, filmed, rendered = pasted
    large = np.stack([cv2.resize(p, (256, 256), interpolation=cv2.INTER_CUBIC) for p in rendered])
    own = large[:, 70:150, 95:160]
    error = np.abs(found[:, 100:180, 135:200] - own).mean()
    assert error < 8 and error < 0.8 * np.abs(filmed[:, 100:180, 135:200] - own).mean() + 4


@pytest.mark.parametrize("shade", [0.0, 1.0, None])
def test_no_border_shows_however_unlike_the_pictures_are(shade):
    import cv2

    generator = np.random.default_rng(0)
    rendered = generator.random((96, 96, 3)) if shade is None else np.full((96, 96, 3), shade)
    filmed = np.full((300, 300, 3), 100, np.uint8)
    rows, columns = np.mgrid[:96, :96]
    mask = soft_mask((np.hypot(rows - 50, columns - 48) < 25).astype(np.float32), (True,) * 4)
    change = blended(filmed, rendered.astype(np.float32), mask).astype(float) - filmed
    inside = cv2.resize(mask, (300, 300), interpolation=cv2.INTER_LINEAR) > 0
    assert (change[~inside] == 0).all() and np.abs(change).max() > 50
    for axis in (0, 1):
        border = np.diff(inside, axis=axis)
        step = np.abs(np.diff(change, axis=axis)).max(-1)
        assert border.sum() > 100 and step[border].max() <= 2


def test_colours_are_matched_where_they_meet():
    rows, columns = np.mgrid[:128, :128]
    head = (np.hypot(rows - 64, columns - 64) < 30).astype(np.float32)
    mask = soft_mask(head, (True,) * 4)
    filmed = np.full((256, 256, 3), 100, np.uint8)
    rendered = np.full((128, 128, 3), 118 / 255, np.float32)
    found = blended(filmed, rendered, mask).astype(float)
    assert np.abs(found - 100).max() <= 1, "one shade all over is one shade"
    assert mask[64, 64] == 1 and mask[0].max() == 0 and (mask[head > 0] == 1).all()


@pytest.mark.parametrize("sides", [(True, True, True, True), (False, False, False, False)])
def test_the_mask_ends_at_the_crop_only_inside_the_picture(sides):
    mask = soft_mask(np.ones((64, 64), np.float32), sides)
    edges = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    assert edges.max() == 0 if all(sides) else edges.min() == 1
    assert soft_mask(np.zeros((8, 8), np.float32), sides).max() == 0


def test_size_rate_and_tags_are_the_originals(avatar, ellipse, tmp_path):
    clip = write_original(tmp_path / "o.mkv", ellipse, Fraction(30000, 1001))
    options = RenderOptions(paste_back=clip)
    made = render_speech(
        avatar, write_tone(tmp_path / "a.wav", 1.0), tmp_path / "b.mp4", options=options
    )
    assert made.fps == pytest.approx(30000 / 1001) and made.frames == 30
    assert pictures(tmp_path / "b.mp4").shape == (30, 300, 320, 3)
    np.testing.assert_allclose(times(tmp_path / "b.mp4"), np.arange(30) * 1001 / 30000, atol=1e-3)
    tags = SourceClip.open(clip).tags
    assert SourceClip.open(tmp_path / "b.mp4").tags.matrix == tags.matrix


class Mouth:
    """Ten frames at 25 fps whose sound windows hold the frame's number."""

    fps = 25.0

    def __init__(self, poses):
        self.poses = poses.select([0] * 10)

    def __len__(self):
        return 10

    def chunk(self, start, stop):
        numbers = torch.arange(start, stop, dtype=torch.float32).reshape(-1, 1, 1)
        return replace(self.poses.select(slice(start, stop)), audio=numbers)


def test_poses_are_pinned_to_the_filmed_frames(avatar, original):
    poses = avatar.poses
    found = open_original(avatar, original)
    assert list(found.known) == list(range(HELD))
    source = PinnedSource(found, Mouth(poses))
    driving = source.chunk(0, 10)
    np.testing.assert_array_equal(driving.camera_to_head, poses.camera_to_head[:10])
    np.testing.assert_array_equal(driving.expression, poses.expression[:10])
    assert driving.audio.flatten().tolist() == list(range(10))
    assert found.walk(0, 25)[HELD - 2 : HELD + 2] == [10, 11, 10, 9]
    late = replace(found, start=0.2)
    assert late.known == range(5, HELD) and late.places([5]).tolist() == pytest.approx([0])


def turn(*vector):
    return torch.from_numpy(exponential(np.array([vector]))[0]).float()


def test_between_two_poses_the_head_stays_rigid(avatar):
    turned = avatar.poses.select([0, 1])
    matrices = turned.camera_to_head.clone()
    matrices[1, :3, :3] = turn(0.0, 0.3, 0.1)
    turned = replace(turned, camera_to_head=matrices)
    middle = between(turned, torch.tensor([0.5, 1.0]))
    rotation = middle.camera_to_head[0, :3, :3]
    torch.testing.assert_close(rotation @ rotation.T, torch.eye(3), atol=1e-5, rtol=0)
    half = turn(0.0, 0.15, 0.05)
    torch.testing.assert_close(rotation, half, atol=5e-3, rtol=0)
    torch.testing.assert_close(middle.camera_to_head[1], matrices[1], atol=1e-5, rtol=0)
    wanted = turned.expression.mean(0)
    torch.testing.assert_close(middle.expression[0], wanted)


def test_a_dataset_knows_all_frames_and_the_filmed_head(avatar, ellipse, ellipse_folder, tmp_path):
    clip = write_original(tmp_path / "o.mkv", ellipse, frames=200)
    known = open_original(avatar, clip).known
    assert known == range(len(avatar.poses))
    whole = avatar.metadata.crop.model_copy(update={"left": 0, "top": 0, "side": 64})
    small = whole.model_copy(update={"source_width": 64, "source_height": 64})
    made = replace(avatar, metadata=avatar.metadata.model_copy(update={"crop": small}))
    found = open_original(made, ellipse_folder / "frames.mkv", ellipse_folder)
    assert found.known == range(200) and found.head_alpha is not None
    nothing = np.zeros((64, 64), np.float32)
    frame = PortraitFrame(np.zeros((64, 64, 3), np.float32), np.zeros((64, 64, 3)), nothing)
    pasted = PasteBack(found, 1).picture(frame, 0)
    filmed = next(found.clip.forward([0]))
    assert (pasted != filmed).any(-1).mean() > 0.2, "the filmed head is replaced too"
    bare = PasteBack(replace(found, head_alpha=None), 1).picture(frame, 0)
    np.testing.assert_array_equal(bare, filmed)


def test_motion_that_the_original_pins_is_refused(avatar, original, tmp_path, capsys):
    path, speech = tmp_path / "avatar.safetensors", write_tone(tmp_path / "a.wav", 0.2)
    save_avatar(path, avatar.talker, avatar.poses, avatar.metadata)
    for name, channel in (("head", "head.yaw"), ("lips", "lips.opening")):
        track = {"channel": channel, "keys": [[0, 0.5]]}
        (tmp_path / f"{name}.json").write_text(json.dumps({"tracks": [track]}))
    begin = ["render", str(path), "--audio", str(speech), "--paste-back", str(original)]
    for given in (
        ("--pose", "idle"),
        ("--eyes", "idle"),
        ("--drive-video", str(original)),
        ("--head-motion", "0.5"),
        ("--brows", "2"),
        ("--edit", str(tmp_path / "head.json")),
    ):
        assert main([*begin, "-o", str(tmp_path / "out.mp4"), *given]) == 1
        error = capsys.readouterr().err
        assert given[0] in error and "--paste-back takes head" in error and error.count("\n") == 1
    assert not list(tmp_path.glob("*out*"))
    chosen = ("--eyes", "source", "--edit", str(tmp_path / "lips.json"), "--lip-opening", "0.5")
    assert main([*begin, "-o", f"{tmp_path}/made/", *chosen]) == 0


def test_another_video_is_refused(avatar, ellipse, ellipse_run, original, tmp_path, capsys):
    path = tmp_path / "avatar.safetensors"
    save_avatar(path, avatar.talker, avatar.poses, avatar.metadata)
    speech = write_tone(tmp_path / "a.wav", 0.2)
    begin = ["render", str(path), "--audio", str(speech), "-o", str(tmp_path / "out.mp4")]
    for given, sentence in (
        (tmp_path / "none.mp4", "no such file"),
        (speech, "has no pictures"),
    ):
        assert main([*begin, "--paste-back", str(given)]) == 1
        error = capsys.readouterr().err
        assert error.startswith("error: ") and sentence in error and error.count("\n") == 1
    with pytest.raises(InputError, match="is 320x300, but the avatar was made of a video of 64x64"):
        open_original(load_avatar(ellipse_run), original)
    late = avatar.metadata.model_copy(update={"notes": {"clip_start": 99.0}})
    with pytest.raises(InputError, match=r"knows its poses from 99\.0 s on"):
        open_original(replace(avatar, metadata=late), original)
    for options in (
        RenderOptions(paste_back=original, background="white"),
        RenderOptions(dataset=tmp_path),
    ):
        with pytest.raises(ConfigError):
            render_speech(avatar, speech, tmp_path / "out.mp4", options=options)
    assert isinstance(SourceClip.open(original).tags, ColourTags)
    assert isinstance(open_original(avatar, original), Original)
    assert not list(tmp_path.glob("*out*"))

"""Every kind of output: what is in it, what it says of itself, and what is refused."""

import io
import json
import struct
import subprocess
import sys
import wave

import numpy as np
import pytest

from nerf_talker.cli import main
from nerf_talker.drive.coding import video_coding
from nerf_talker.drive.options import RenderOptions
from nerf_talker.drive.provenance import avatar_identity
from nerf_talker.drive.sinks import Behind, RawFrames
from nerf_talker.drive.speech import render_speech
from nerf_talker.drive.video import SpeechVideo
from nerf_talker.errors import ConfigError, InputError
from nerf_talker.train.avatar import load_avatar

from .media import picture_bytes, pictures, sound_seconds, times, transparent_pictures
from .test_drive import write_tone

SECONDS, FRAMES = 0.4, 10


@pytest.fixture(scope="module")
def avatar(ellipse_run):
    return load_avatar(ellipse_run)


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    return write_tone(tmp_path_factory.mktemp("speech") / "a.wav", SECONDS)


@pytest.fixture(scope="module")
def rendered(avatar, speech, tmp_path_factory):
    """The 8-bit pictures of the speech, as a folder of PNG files."""
    folder = tmp_path_factory.mktemp("png") / "frames"
    render_speech(avatar, speech, f"{folder}/")
    return folder


def read_png(path):
    import cv2

    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    return picture[..., [2, 1, 0, 3][: picture.shape[2]]]


def png_texts(content):
    at, found = 8, {}
    while at < len(content):
        (length,) = struct.unpack(">I", content[at : at + 4])
        if content[at + 4 : at + 8] == b"iTXt":
            key, _, rest = content[at + 8 : at + 8 + length].partition(b"\0")
            found[key.decode()] = rest[4:].decode()
        at += 12 + length
    return found


@pytest.mark.parametrize(
    ("name", "codec", "encoded", "heard"),
    [
        ("a.mp4", "auto", "h264", "aac"),
        ("a.mp4", "hevc", "hevc", "aac"),
        ("a.mkv", "auto", "h264", "aac"),
        ("a.mov", "prores", "prores", "pcm_s16le"),
        ("a.webm", "auto", "vp9", "opus"),
    ],
)
def test_each_container_holds_pictures_sound_and_mark(
    avatar, speech, rendered, tmp_path, name, codec, encoded, heard
):
    import av

    render_speech(avatar, speech, tmp_path / name, options=RenderOptions(codec=codec))
    with av.open(str(tmp_path / name)) as video:
        stream = video.streams.video[0]
        assert stream.codec_context.name.startswith(encoded)
        assert video.streams.audio[0].codec_context.name == heard
        tags = {key.lower(): text for key, text in video.metadata.items()}
        context = stream.codec_context
        assert (context.colorspace, context.color_primaries, context.color_trc) == (1, 1, 1)
    assert "SYNTHETIC" in tags["comment"] and avatar_identity(avatar) in tags["comment"]
    assert avatar.metadata.consent in tags["comment"]
    np.testing.assert_allclose(times(tmp_path / name), np.arange(FRAMES) / 25, atol=1e-3)
    assert sound_seconds(tmp_path / name) == pytest.approx(SECONDS, abs=0.04)
    wanted = np.stack([read_png(path) for path in sorted(rendered.glob("*.png"))])
    assert np.abs(pictures(tmp_path / name).astype(float) - wanted).mean() < 6
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_folder_of_png_files_has_sound_and_says_what_it_is(avatar, rendered):
    names = sorted(path.name for path in rendered.iterdir())
    assert names == [f"{n:06d}.png" for n in range(FRAMES)] + ["provenance.json", "sound.wav"]
    said = json.loads((rendered / "provenance.json").read_text())
    assert said["synthetic"] is True and said["avatar"] == avatar_identity(avatar)
    texts = png_texts((rendered / "000003.png").read_bytes())
    assert "SYNTHETIC" in texts["Comment"] and avatar.metadata.consent in texts["Comment"]
    with wave.open(str(rendered / "sound.wav")) as sound:
        assert sound.getnframes() == round(SECONDS * 48_000)


def test_a_foreign_folder_is_not_filled(avatar, speech, rendered, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match=r"holds thesis\.txt"):
        render_speech(avatar, speech, f"{tmp_path}/")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    before = (rendered / "000000.png").read_bytes()
    render_speech(avatar, speech, f"{rendered}/")
    assert (rendered / "000000.png").read_bytes() == before


def test_a_folder_that_stays_in_place_is_not_filled(avatar, speech, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "here")
    render_speech(avatar, speech, f"{tmp_path}/link/")
    assert len(list((tmp_path / "here").glob("*.png"))) == FRAMES
    monkeypatch.chdir(tmp_path / "here")
    for output in ("./", "../", f"{tmp_path}/here/", f"{tmp_path}/link/"):
        with pytest.raises(InputError, match="is where the program runs"):
            render_speech(avatar, speech, output)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here", "link"]


def test_frames_on_standard_output(ellipse_run, speech, rendered):
    arguments = [str(ellipse_run), "--audio", str(speech), "-o", "-", "--codec", "raw"]
    done = subprocess.run(
        [sys.executable, "-m", "nerf_talker", "render", *arguments],
        capture_output=True,
        check=True,
    )
    found = np.frombuffer(done.stdout, np.uint8).reshape(FRAMES, 64, 64, 3)
    wanted = np.stack([read_png(path) for path in sorted(rendered.glob("*.png"))])
    np.testing.assert_array_equal(found, wanted)
    assert b"10 frames" in done.stderr


def test_y4m_is_what_its_header_says(tmp_path):
    import av

    content = io.BytesIO()
    picture = np.full((64, 48, 3), (200, 60, 40), np.uint8)
    with RawFrames(content, "y4m", 30000 / 1001, None) as sink:
        for _ in range(3):
            sink.write(picture)
    (tmp_path / "a.y4m").write_bytes(content.getvalue())
    with av.open(str(tmp_path / "a.y4m")) as video:
        stream = video.streams.video[0]
        assert (stream.width, stream.height) == (48, 64)
        assert stream.average_rate.numerator == 30000
        frames = list(video.decode(stream))
    assert len(frames) == 3
    luma = 16 + 219 * (0.2126 * 200 + 0.7152 * 60 + 0.0722 * 40) / 255
    assert frames[2].to_ndarray()[:64].mean() == pytest.approx(luma, abs=1.5)


def test_the_size_can_be_chosen(avatar, speech, rendered, tmp_path):
    import cv2

    render_speech(avatar, speech, f"{tmp_path}/big/", options=RenderOptions(size=128))
    found = read_png(tmp_path / "big" / "000002.png")
    assert found.shape == (128, 128, 3)
    small = cv2.resize(found, (64, 64), interpolation=cv2.INTER_AREA).astype(float)
    assert np.abs(small - read_png(rendered / "000002.png")).mean() < 6
    for size in (8, 257):
        with pytest.raises(ConfigError, match="from 16 to 256"):
            render_speech(avatar, speech, tmp_path / "a.mp4", options=RenderOptions(size=size))


def test_a_visible_mark_changes_its_corner_alone(avatar, speech, rendered, tmp_path):
    options = RenderOptions(visible_mark=True, size=256)
    render_speech(avatar, speech, f"{tmp_path}/marked/", options=options)
    render_speech(avatar, speech, f"{tmp_path}/plain/", options=RenderOptions(size=256))
    marked = read_png(tmp_path / "marked" / "000001.png").astype(int)
    changed = np.abs(marked - read_png(tmp_path / "plain" / "000001.png")).max(-1) > 0
    assert changed[200:, :160].sum() > 200 and changed.sum() == changed[200:, :160].sum()


def test_quality_and_bit_rate_decide_how_much_is_written(tmp_path, speech):
    noise = np.random.default_rng(0).integers(0, 255, (FRAMES, 64, 64, 3), np.uint8)
    written = {}
    for name, options in (
        ("best", RenderOptions(crf=10)),
        ("worst", RenderOptions(crf=45)),
        ("wide", RenderOptions(bitrate="4M")),
        ("thin", RenderOptions(bitrate="100k")),
    ):
        out = tmp_path / f"{name}.mp4"
        with SpeechVideo(out, speech, 25, {}, video_coding(out, options)) as video:
            for picture in noise:
                video.write(picture)
        written[name] = picture_bytes(out)
    assert written["worst"] < 0.5 * written["best"] and written["thin"] < 0.5 * written["wide"]


@pytest.mark.parametrize(
    ("output", "options", "sentence"),
    [
        ("a.xyz", (), "end the name with one of .mp4"),
        ("a", (), "no known kind of output"),
        ("a.mp4", ("--codec", "vp9"), "cannot hold vp9; leave --codec out or choose h264 or hevc"),
        ("a.mp4", ("--background", "transparent"), "cannot be transparent; write a .webm"),
        ("a.mp4", ("--crf", "99"), "takes 0 (best) to 51"),
        ("a.mov", ("--codec", "prores", "--crf", "9"), "prores has no constant quality"),
        ("a.mov", ("--codec", "prores", "--bitrate", "4M"), "prores has one rate of its own"),
        ("a/", ("--crf", "9"), "png has no constant quality"),
        ("-", ("--bitrate", "4M"), "y4m has one rate of its own"),
        ("a.mp4", ("--crf", "20", "--bitrate", "4M"), "choose one"),
        ("a.mp4", ("--bitrate", "much"), "as 4M or 800k"),
        ("a.mp4", ("--background", "nosuch.png"), "neither a file nor a colour"),
        ("-", ("--resume",), "cannot be gone on with"),
        ("-", ("--codec", "y4m", "--background", "transparent"), "choose raw"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(
    ellipse_run, speech, tmp_path, capsys, output, options, sentence
):
    out = output if output == "-" else f"{tmp_path}/{output}"
    assert main(["render", str(ellipse_run), "--audio", str(speech), "-o", out, *options]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and len(error.strip().splitlines()) == 1, error
    assert sentence in error
    assert not list(tmp_path.iterdir())


def test_a_damaged_sound_and_a_newer_avatar_are_named(ellipse_run, speech, tmp_path, capsys):
    from safetensors import safe_open
    from safetensors.torch import save_file

    damaged = tmp_path / "damaged.wav"
    damaged.write_bytes(speech.read_bytes()[:30] + b"\xff" * 200)
    with safe_open(ellipse_run / "avatar.safetensors", framework="pt") as archive:
        header = json.loads(archive.metadata()["nerf_talker"]) | {"format": 99}
        tensors = {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118
    newer = tmp_path / "newer.safetensors"
    save_file(tensors, newer, {"nerf_talker": json.dumps(header)})
    for avatar, sound, sentence in (
        (ellipse_run, damaged, "damaged.wav: "),
        (newer, speech, "made by a newer version (format 99"),
    ):
        out = tmp_path / "out.mp4"
        assert main(["render", str(avatar), "--audio", str(sound), "-o", str(out)]) == 1
        error = capsys.readouterr().err
        assert error.startswith("error: ") and sentence in error and error.count("\n") == 1
        assert not list(tmp_path.glob("*out*")) and not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("name", ["a.webm", "a.mov"])
def test_transparency_survives_in_a_video(tmp_path, speech, name):
    picture = np.zeros((64, 64, 4), np.uint8)
    picture[..., :3] = (200, 60, 40)
    picture[16:48, 16:48, 3] = 255
    coding = video_coding(tmp_path / name, RenderOptions(background="transparent"))
    with SpeechVideo(tmp_path / name, speech, 25, {}, coding) as video:
        for _ in range(4):
            video.write(picture)
    if name == "a.mov":
        found = pictures(tmp_path / name, "rgba")
    else:
        found = transparent_pictures(tmp_path / name)
    assert found.shape == (4, 64, 64, 4)
    assert np.abs(found[2, ..., 3].astype(int) - picture[..., 3]).mean() < 2
    assert np.abs(found[2, 20:44, 20:44, :3].astype(int) - (200, 60, 40)).max() < 12


def test_an_error_behind_comes_up_and_stops_the_rest():
    done = []

    def fail_at_two(item):
        if item == 2:
            raise InputError("two")
        done.append(item)

    with pytest.raises(InputError, match="two"), Behind(fail_at_two, waiting=1) as behind:
        for item in range(50):
            behind(item)
    assert done[:2] == [0, 1] and len(done) < 10

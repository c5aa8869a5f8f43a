import dataclasses
import math
import wave

import numpy as np
import pytest
import torch

from nerf_talker.cli import main
from nerf_talker.drive.replay import ping_pong
from nerf_talker.drive.self_driven import render_frames
from nerf_talker.drive.speech import render_speech
from nerf_talker.drive.video import SpeechVideo
from nerf_talker.errors import AvatarError
from nerf_talker.train.avatar import load_avatar


def write_tone(path, seconds, rate=16_000):
    times = np.arange(round(seconds * rate)) / rate
    samples = (0.3 * np.sin(2 * np.pi * 200 * times) * (np.sin(7 * times) > 0) * 32767).astype(
        "<i2"
    )
    with wave.open(str(path), "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(rate)
        stream.writeframes(samples.tobytes())
    return path


@pytest.mark.parametrize("count", [1, 2, 5, 40])
def test_ping_pong_never_jumps_and_visits_all(count):
    walk = ping_pong(count, 3, 200)
    assert int(walk.min()) == 0 and int(walk.max()) == count - 1
    assert int((walk[1:] - walk[:-1]).abs().max()) <= 1
    joined = torch.cat([ping_pong(count, 3, 77), ping_pong(count, 80, 123)])
    assert torch.equal(walk, joined)


@pytest.mark.parametrize("seconds", [0.5, 2.53])
def test_speech_becomes_a_video_of_its_length(ellipse_run, tmp_path, seconds):
    import av

    speech, out = write_tone(tmp_path / "a b.wav", seconds), tmp_path / "out.mp4"
    assert main(["render", str(ellipse_run), "--audio", str(speech), "-o", str(out)]) == 0
    with av.open(str(out)) as video:
        pictures = [frame for frame in video.decode(video=0)]
        assert abs(len(pictures) - seconds * 25) <= 1
        assert pictures[0].format.name == "yuv420p"
        assert "SYNTHETIC" in video.metadata["comment"]
    with av.open(str(out)) as video:
        heard = sum(frame.samples / frame.sample_rate for frame in video.decode(audio=0))
    assert heard == pytest.approx(seconds, abs=0.06)
    content = out.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat"), "not faststart"
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_the_mark_can_be_left_out(ellipse_run, tmp_path):
    import av

    speech, out = write_tone(tmp_path / "a.wav", 0.2), tmp_path / "out.mp4"
    render_speech(load_avatar(ellipse_run), speech, out, mark=False)
    with av.open(str(out)) as video:
        assert "comment" not in video.metadata


def bad_speech(tmp_path):
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "text.wav").write_text("hello")
    write_tone(tmp_path / "none.wav", 0)
    write_tone(tmp_path / "short.wav", 0.001)
    return ("empty.wav", "text.wav", "none.wav", "short.wav", "missing.wav")


def test_bad_speech_leaves_nothing_behind(ellipse_run, tmp_path, capsys):
    out = tmp_path / "made" / "out.mp4"
    for name in bad_speech(tmp_path):
        path = tmp_path / name
        assert main(["render", str(ellipse_run), "--audio", str(path), "-o", str(out)]) == 1, name
        error = capsys.readouterr().err
        assert error.startswith("error: ") and len(error.strip().splitlines()) == 1, error
        assert name in error
        assert not list(tmp_path.rglob("*.mp4")) and not list(tmp_path.rglob(".*"))


def test_output_that_is_a_folder_is_refused(ellipse_run, tmp_path, capsys):
    speech = write_tone(tmp_path / "a.wav", 0.2)
    assert main(["render", str(ellipse_run), "--audio", str(speech), "-o", str(tmp_path)]) == 1
    assert "is a folder" in capsys.readouterr().err


def test_self_driven_frames_look_like_the_clip(ellipse, ellipse_run):
    talker = load_avatar(ellipse_run).talker
    test = ellipse.manifest.range("test")
    for drive in ("audio", "landmarks"):
        pictures = list(render_frames(talker, ellipse, test, drive))
        assert len(pictures) == len(test)
        errors = [
            np.mean((picture.rgb - ellipse.frames[frame] / 255.0) ** 2)
            for frame, picture in zip(test, pictures, strict=True)
        ]
        assert -10 * math.log10(np.mean(errors)) > 15


def test_the_tracked_torso_moves_under_the_same_head(ellipse_run, ellipse):
    talker = load_avatar(ellipse_run).talker
    motion = ellipse.torso_motion.copy()
    motion[:, 5] += 0.15  # down
    lowered = dataclasses.replace(ellipse, torso_motion=motion)
    frame = ellipse.manifest.range("test")[0]
    (plain,) = render_frames(talker, ellipse, [frame], "landmarks")
    (shown,) = render_frames(talker, lowered, [frame], "landmarks")
    assert np.array_equal(shown.rgb, plain.rgb)  # new speech would know no such track
    apart = np.abs(shown.torso_driven - shown.rgb).max(-1)
    assert apart[50:56].max() > 0.1
    assert (apart <= 1 - shown.head_opacity + 1e-4).all()
    assert np.abs(plain.torso_driven - plain.rgb).max() < 0.02


def test_colours_survive_the_video(tmp_path):
    import av

    colour = np.asarray([200, 60, 40])
    picture = np.broadcast_to((colour / 255).astype(np.float32), (64, 64, 3))
    out = tmp_path / "out.mp4"
    with SpeechVideo(out, write_tone(tmp_path / "a.wav", 0.4), 25, {}) as video:
        for _ in range(10):
            video.write(picture)
    with av.open(str(out)) as container:
        frame = next(container.decode(video=0))
        assert (frame.colorspace, frame.color_range) == (1, 1), "not tagged BT.709, limited range"
        planes = [float(np.frombuffer(plane, np.uint8)[:8].mean()) for plane in frame.planes]
    red, green, blue = colour / 255
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    chroma = [(blue - luma) / 1.8556, (red - luma) / 1.5748]
    expected = [16 + 219 * luma, *(128 + 224 * value for value in chroma)]
    assert planes == pytest.approx(expected, abs=2)


def test_pictures_that_are_not_finite_are_refused(tmp_path):
    out = tmp_path / "out.mp4"
    speech = write_tone(tmp_path / "a.wav", 0.4)
    with pytest.raises(AvatarError, match="frame 0"), SpeechVideo(out, speech, 25, {}) as video:
        video.write(np.full((32, 32, 3), np.nan, np.float32))
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]

import numpy as np
import pytest

from nerf_talker.errors import InputError
from nerf_talker.evaluate import PairOptions, evaluate_videos
from nerf_talker.evaluate.alignment import Pairing
from nerf_talker.evaluate.supplied import SuppliedReader
from nerf_talker.evaluate.video_file import VideoFile
from tests.evaluate.sample_pair import write_video


def numbered(count, height=32, width=48):
    """Frames whose grey level is their number."""
    levels = np.arange(count, dtype=np.uint8)[:, None, None, None]
    return np.broadcast_to(levels, (count, height, width, 3)).copy()


def pairing(tmp_path, pred, truth, pred_fps=25, truth_fps=25):
    write_video(tmp_path / "a.mkv", pred, pred_fps)
    write_video(tmp_path / "b.mkv", truth, truth_fps)
    return Pairing.of(*(VideoFile.open(tmp_path / name) for name in ("a.mkv", "b.mkv")))


def test_a_video_is_read_from_any_frame_on(tmp_path):
    write_video(tmp_path / "a.mkv", numbered(40))
    video = VideoFile.open(tmp_path / "a.mkv")
    assert (len(video), video.fps, video.width, video.height) == (40, 25, 48, 32)
    wanted = [7, 8, 8, 8, 11, 39]
    assert [int(p[0, 0, 0]) for p in video.pictures(wanted)] == wanted


def test_a_compressed_video_with_few_key_frames_too(tmp_path):
    import av

    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": "4", "bf": "3", "g": "250"}
        for picture in numbered(120, 64, 64):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture * 2, format="rgb24")))
        container.mux(stream.encode())
    video = VideoFile.open(tmp_path / "a.mp4")
    assert len(video) == 120 and video.times()[0] == 0
    found = [int(p[0, 0, 0]) for p in video.pictures([30, 60, 119])]
    assert found == pytest.approx([60, 120, 238], abs=2)


def test_equal_clocks_pair_frame_by_frame(tmp_path):
    pair = pairing(tmp_path, numbered(30), numbered(30))
    assert pair.matches == tuple(range(30)) and pair.described().notes == []


@pytest.mark.parametrize("pred_fps, truth_fps", [(30, 25), (25, 30), (50, 25), (23.976, 25)])
def test_other_rates_show_what_is_on_screen(tmp_path, pred_fps, truth_fps):
    pair = pairing(tmp_path, numbered(60), numbered(40), pred_fps, truth_fps)
    middles = (np.arange(len(pair)) + 0.5) / truth_fps
    assert np.abs(pair.matches - np.floor(middles * pred_fps)).max() <= 1
    assert np.abs(pair.matches - middles * pred_fps + 0.5).max() < 0.6
    assert "frames per second" in pair.described().notes[0]


def test_the_common_length_counts_and_is_noted(tmp_path):
    shorter = pairing(tmp_path, numbered(20), numbered(30))
    assert len(shorter) == 20 and "shorter: 20 of the truth's 30" in shorter.described().notes[0]
    longer = pairing(tmp_path, numbered(30), numbered(20))
    assert len(longer) == 20 and "last 10 frames" in longer.described().notes[0]


def test_another_size_is_resized_and_noted(tmp_path):
    pair = pairing(tmp_path, numbered(10, 64, 96), numbered(10))
    assert pair.fitted(numbered(1, 64, 96)[0]).shape == (32, 48, 3)
    assert "resized from 96x64 to 48x32" in pair.described().notes[0]
    assert pair.fitted(numbered(1, 16, 24)[0]).shape == (32, 48, 3)


def test_a_resized_prediction_keeps_its_landmarks(tmp_path):
    points = np.random.default_rng(0).uniform(0, 90, (10, 478, 2)).astype(np.float32)
    np.save(tmp_path / "p.npy", points)
    reader = SuppliedReader(tmp_path / "p.npy", 10, 0.5)
    assert reader.read(None, 3).landmarks == pytest.approx(points[3] / 2)


def test_another_shape_is_refused_by_name(tmp_path):
    with pytest.raises(InputError, match=r"48x48 pixels cannot be compared with .* 48x32"):
        pairing(tmp_path, numbered(10, 48, 48), numbered(10))


@pytest.mark.parametrize(
    "content, why",
    [(None, "no such file"), (b"", "cannot be read"), (b"junk" * 99, "cannot be read")],
)
def test_what_is_no_video_is_one_sentence(tmp_path, content, why):
    if content is not None:
        (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(InputError, match=why):
        VideoFile.open(tmp_path / "a.mp4")


def test_sound_alone_and_a_single_frame_are_refused(tmp_path):
    from nerf_talker.audio.sound import write_wav

    write_wav(tmp_path / "a.wav", np.zeros(1600))
    with pytest.raises(InputError, match="no picture track"):
        VideoFile.open(tmp_path / "a.wav")
    write_video(tmp_path / "one.mkv", numbered(1))
    with pytest.raises(InputError, match="give a longer video"):
        VideoFile.open(tmp_path / "one.mkv")


@pytest.mark.parametrize(
    "arrays, why",
    [
        ({"points": np.zeros((10, 478, 2))}, "no array 'landmarks'"),
        ({"landmarks": np.zeros((10, 68, 2))}, r"shape \(10, 68, 2\)"),
        ({"landmarks": np.zeros((4, 478, 2))}, "4 rows for 10 frames"),
        (None, "no such file"),
    ],
)
def test_landmarks_that_do_not_fit_are_one_sentence(tmp_path, arrays, why):
    write_video(tmp_path / "a.mkv", numbered(10))
    if arrays is not None:
        np.savez(tmp_path / "p.npz", **arrays)
    options = PairOptions(pred_landmarks=tmp_path / "p.npz")
    with pytest.raises(InputError, match=why):
        evaluate_videos(tmp_path / "a.mkv", tmp_path / "a.mkv", tmp_path / "out", options)
    assert not (tmp_path / "out").exists()

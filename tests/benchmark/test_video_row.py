from nerf_talker.benchmark.video_row import measure_video
from nerf_talker.evaluate.videos import lossless_video


def test_the_true_frames_as_a_video_are_perfect(ellipse, ellipse_folder, monkeypatch, tmp_path):
    monkeypatch.setattr("nerf_talker.weights.lookup._sources", lambda model: [])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NERF_TALKER_MODELS", str(tmp_path / "models"))
    frames = ellipse.manifest.range("test")
    with lossless_video(tmp_path / "peer.mkv", ellipse.manifest.size, 25) as write:
        for frame in frames:
            write(ellipse.frames[frame])
    report = measure_video(tmp_path / "peer.mkv", ellipse_folder, tmp_path / "row", None, True)
    assert report.frames == len(frames) and report.metrics.psnr == 100
    assert (tmp_path / "row" / "report" / "report.json").is_file()


def test_two_writes_of_the_same_frames_are_equal_bytes(ellipse, tmp_path):
    contents = []
    for name in ("one.mkv", "two.mkv"):
        with lossless_video(tmp_path / name, ellipse.manifest.size, 25) as write:
            for frame in range(3):
                write(ellipse.frames[frame])
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1]

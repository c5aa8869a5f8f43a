"""The dataset's page: whole, self-contained, honest about warnings, and alive in a browser."""

import base64
import io
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from nerf_talker.audio.articulation import COLUMNS, Hearing
from nerf_talker.audio.phonetics import CLASS_NAMES, CURVES
from nerf_talker.data.labels import Label
from nerf_talker.data.manifest import DatasetFiles, read_manifest
from nerf_talker.preprocess import overlay
from nerf_talker.preprocess.charts import Curve, plot, waveform
from nerf_talker.preprocess.contact_sheet import TINTS
from nerf_talker.preprocess.overlay import overlay_video
from nerf_talker.preprocess.pipeline import preprocess
from nerf_talker.preprocess.report import _LEGEND, named_features, spans_of
from nerf_talker.preprocess.speech_plots import speech_plots
from nerf_talker.preprocess.survey import Scene, Survey, choose_scene
from nerf_talker.types import AudioFeatures

from .tiny import FRAMES, options


def plainly(items, text, total):
    return items


@pytest.fixture(scope="module")
def gappy(tiny, tmp_path_factory):
    """A dataset of a clip that lost the face for three frames."""
    folder = tmp_path_factory.mktemp("gappy")
    landmarks = np.load(tiny.landmarks)["landmarks"]
    landmarks[20:23] = np.nan
    np.savez(folder / "gaps.npz", landmarks=landmarks)
    preprocess(tiny.clip, folder / "<b>anna", options(tiny, landmarks=folder / "gaps.npz"))
    return folder / "<b>anna"


@pytest.fixture
def page(gappy):
    return DatasetFiles(gappy).report.read_text()


class Tags(HTMLParser):
    """Counts tags and checks that they nest."""

    void = {"meta", "img", "br", "link", "line", "rect"}

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.void:
            assert self.open.pop() == tag


def test_it_nests_and_nothing_is_fetched(page):
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    names = [tag for tag, _ in tags.seen]
    assert names.count("video") == 1 and names.count("h2") == 4
    for _, attributes in tags.seen:
        assert attributes.get("src", "data:").startswith("data:")
        assert "href" not in attributes
    assert not re.search(r"https?://|@import|url\(", page)
    assert "&lt;b&gt;anna" in page and "<b>anna" not in page


def test_every_warning_is_shown_with_its_time(gappy, page):
    warnings = read_manifest(gappy).warnings
    assert any("0.80-0.92 s" in text for text in warnings)
    assert page.count("<li>") == len(warnings)
    assert '<button data-time="0.80">0.80-0.92 s</button>' in page
    assert page.count('<rect x="333.3"') >= 4, "0.80 of 2.40 s is marked in the plots"


def test_every_stage_is_in_the_table(gappy, page):
    for name, record in read_manifest(gappy).stages.items():
        assert f"{name} <small>version {record.version}</small>" in page
        assert f'<span class="badge {record.status}">' in page


def film_of(page):
    return base64.b64decode(re.search(r'video/mp4;base64,([^"]+)"', page)[1])


def test_the_film_shows_every_frame_with_the_sound(page):
    import av

    content = film_of(page)
    assert len(content) < overlay.LARGEST_BYTES
    with av.open(io.BytesIO(content)) as film:
        assert film.streams.video[0].codec_context.name == "h264"
        pictures = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    with av.open(io.BytesIO(content)) as film:
        heard = sum(frame.samples for frame in film.decode(audio=0)) / 16000
    assert len(pictures) == FRAMES and heard == pytest.approx(FRAMES / 25, abs=0.2)
    red = [picture[:3, :, 0].mean() - picture[:3, :, 1].mean() for picture in pictures]
    assert set(np.flatnonzero(np.array(red) > 100)) == {20, 21, 22}, "lost frames are framed"


def test_a_long_clip_gets_fewer_pictures_and_a_noisy_one_fewer_bits(made, monkeypatch):
    import av

    files, manifest = DatasetFiles(made), read_manifest(made)
    monkeypatch.setattr(overlay, "_FULL_RATE_SECONDS", 1.0)
    content = overlay_video(files, manifest, plainly)
    with av.open(io.BytesIO(content)) as film:
        assert len(list(film.decode(video=0))) == FRAMES // 3
        assert float(film.streams.video[0].duration * film.streams.video[0].time_base) == (
            pytest.approx(FRAMES / 25, abs=0.01)
        )
    asked = []
    encode = overlay._encode
    monkeypatch.setattr(overlay, "LARGEST_BYTES", 10)
    monkeypatch.setattr(overlay, "_encode", lambda *a: asked.append(a[-1]) or encode(*a))
    overlay_video(files, manifest, plainly)
    assert len(asked) == 3 and asked == sorted(asked, reverse=True)


def test_times_in_warnings_are_read():
    text = "no face in 9 frames (12.00-12.40 s, 0.80-0.92 s and 3 more); 5-6 s, 1.5 s"
    assert spans_of(text) == [(12.0, 12.4), (0.8, 0.92)]


def test_times_of_the_clips_scenes_are_not_taken_for_the_datasets():
    scenes = [Scene(0.0, 6.0, [], [[(0.0, 0.0, 9.0, 9.0)]]), Scene(6.0, 10.0, [], [])]
    _, (warning,) = choose_scene(Path("a.mp4"), Survey(0.0, 10.0, 250, 64, 64, scenes), None)
    assert "1: 0.00 to 6.00 s" in warning and spans_of(warning) == []


def test_the_legend_names_every_border():
    names = {Label.TORSO: "torso", Label.HAIR: "hair", Label.FACE: "face", Label.LIPS: "lips",
             Label.EYES: "eyes", Label.NECK: "neck", Label.ACCESSORIES: "accessories"}  # fmt: skip
    assert set(names) == set(TINTS)
    assert all(name in _LEGEND for name in names.values())


def test_long_curves_keep_their_extremes_and_gaps():
    values = np.zeros(20000)
    values[777], values[9000:9400] = 5.0, np.nan
    svg = plot("x", 800.0, [Curve("x", values)])
    points = re.findall(r"[ML]([\d.]+) ([\d.]+)", svg)
    assert 400 < len(points) < 1100
    assert min(float(y) for _, y in points) == 6.0, "the one peak is drawn at the top"
    assert svg.count("M") == 2, "the pen is lifted over the gap"
    assert "nan" not in plot("x", 1.0, [Curve("x", np.full(9, np.nan))])
    assert "nan" not in waveform("x", 1.0, np.zeros(0, np.float32), ())


def strips_of(html):
    import cv2

    found = re.findall(r'height:(\d+)px" src="data:image/jpeg;base64,([^"]+)"', html)
    pictures = [np.frombuffer(base64.b64decode(content), np.uint8) for _, content in found]
    return [int(high) for high, _ in found], [
        cv2.imdecode(p, cv2.IMREAD_GRAYSCALE) for p in pictures
    ]


def test_heard_sounds_and_articulation_are_shown_by_name():
    values = np.zeros((200, len(COLUMNS)), np.float32)
    row = CLASS_NAMES.index("m")
    values[100:150, row] = 1
    values[:, COLUMNS.index("opening")] = np.sin(np.arange(200) / 7)
    gap = np.sin((np.arange(100) + 0.5) * 2 / 7 - 0.5 / 7)
    page = speech_plots(AudioFeatures(values, 50.0, "articulation39"), 4.0, gap)
    Tags().feed(page)
    assert all(f">{name}</b>" in page for name in CLASS_NAMES)
    assert all(name.replace("_", " ") in page for name in CURVES)
    (height,), (strip,) = strips_of(page)
    assert strip.shape == (height, 200)
    middle = round(height * (1 - (row + 0.5) / len(CLASS_NAMES)))
    assert strip[middle, 125] > strip[middle, 50] + 80
    assert strip[middle, 125] > strip[middle - height // 4, 125] + 80
    seen, heard = re.findall(r'<path class="c[01]" d="([^"]+)"', page)[-2:]
    far = [abs(float(a) - float(b)) for a, b in zip(*(p.split()[1::2] for p in (
        seen.replace("L", " "), heard.replace("L", " "))), strict=True)]  # fmt: skip
    assert np.median(far) < 3, "lips that were heard as they are seen give one curve"


@pytest.mark.parametrize(
    ("extractor", "dims"), [("logmel40", 40), ("npy:anna", 3), ("phones40", 40)]
)
def test_other_features_are_a_strip(extractor, dims):
    values = np.random.default_rng(0).normal(size=(3000, dims)).astype(np.float32)
    page = speech_plots(AudioFeatures(values, 50.0, extractor), 60.0, np.zeros(1500))
    (height,), (strip,) = strips_of(page)
    assert strip.shape == (height, 1400) and strip.std() > 5
    assert (">ZH</b>" in page) == (extractor == "phones40")


PROBE = """<script>
video.addEventListener("loadedmetadata", () => {
  const plot = plots[3], box = plot.getBoundingClientRect();
  plot.dispatchEvent(new PointerEvent("pointerdown", {clientX: box.left + box.width / 2}));
  const heads = plots.map(p => p.querySelector("i").style.left).join(" ");
  document.querySelector("button[data-time]").click();
  document.body.dataset.probe =
    [video.videoWidth, video.duration.toFixed(1), heads, video.currentTime].join("|");
}); video.load();</script></body>"""


def test_what_the_hidden_layer_holds_is_said_in_words():
    sound = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)
    told = named_features(Hearing().features(sound), sound)
    assert told.extractor == "articulation39" and len(told.values) == 50
    other = AudioFeatures(np.zeros((50, 40), np.float32), 50.0, "logmel40")
    assert named_features(other, sound) is other


def test_it_lives_in_a_browser_without_a_complaint(page, tmp_path):
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if browser is None:
        pytest.skip("chromium is not installed")
    (tmp_path / "page.html").write_text(page.replace("</body>", PROBE))
    quiet = ["quic", "gpu", "background-networking", "component-update", "sync"]
    done = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--no-first-run", "--enable-logging=stderr",
         *(f"--disable-{name}" for name in quiet), f"--user-data-dir={tmp_path / 'profile'}",
         "--virtual-time-budget=5000", "--dump-dom", f"file://{tmp_path / 'page.html'}"],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert "CONSOLE" not in done.stderr
    width, seconds, heads, now = re.search(r'data-probe="([^"]+)"', done.stdout)[1].split("|")
    assert (width, seconds, now) == ("64", "2.4", "0.8")
    assert {round(float(head.rstrip("%"))) for head in heads.split()} == {50}

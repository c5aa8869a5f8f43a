"""The pages in a real browser: opened from a file, they draw, answer and complain of nothing."""

import json
import queue
import shutil
import subprocess
import threading
import urllib.parse
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest

from nerf_talker.evaluate import PairOptions, compare_reports, evaluate_videos
from tests.evaluate.sample_pair import sample, write_landmarks, write_video

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--enable-logging=stderr", "--window-size=1280,2600",
]  # fmt: skip
FRAMES = 40

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")

# Uses the page as a person does and tells the test what it saw. In real time: a virtual clock
# runs ahead of a video that is still being decoded.
VISIT = """<script>
addEventListener("load", async () => {
  const wait = until => new Promise(done => {
    const started = Date.now();
    const over = () => until() || Date.now() - started > 60000;
    (function look() { over() ? done() : setTimeout(look, 20); })();
  });
  const seen = {}, find = style => document.querySelector(style);
  const player = find(".player"), canvases = [...player.querySelectorAll("canvas")];
  const video = player.querySelector("video");
  const light = canvas => {
    const { width, height } = canvas;
    const data = canvas.getContext("2d").getImageData(0, 0, width, height).data;
    return data.reduce((sum, value) => sum + value, 0) / data.length;
  };
  await wait(() => player.dataset.drawn);
  seen.panes = canvases.map(light);
  seen.wide = canvases.map(canvas => canvas.width);
  const scrub = player.querySelector(".scrub");
  scrub.value = 30; scrub.dispatchEvent(new Event("input"));
  const clock = player.querySelector(".clock");
  await wait(() => video.currentTime > 1.1 && !video.seeking && /frame 30/.test(clock.textContent));
  seen.clock = clock.textContent;
  seen.time = video.currentTime;
  seen.playhead = find("figure.curve .playhead").getAttribute("x1");
  for (const [style, value] of [[".zoom", "mouth"], [".view", "wipe"]]) {
    const select = player.querySelector(style);
    select.value = value; select.dispatchEvent(new Event("change"));
  }
  seen.zoomed = [canvases[0].width, canvases[0].height];
  seen.hidden = [...player.querySelectorAll("figure")].map(figure => figure.hidden);
  const curve = find("figure.curve"), box = curve.querySelector("svg").getBoundingClientRect();
  const at = { clientX: box.left + box.width / 2, clientY: box.top + 20, bubbles: true };
  curve.dispatchEvent(new MouseEvent("mousemove", at));
  seen.tip = curve.querySelector(".tip").textContent;
  curve.dispatchEvent(new MouseEvent("click", at));
  await wait(() => Math.abs(video.currentTime - 0.8) < 0.1 && !video.seeking);
  seen.clicked = video.currentTime;
  new Image().src = "LISTENER/?" + encodeURIComponent(JSON.stringify(seen));
});
</script></body>"""


def browse(page, folder, *more):
    """What Chromium prints on a page, and what its console held."""
    command = [BROWSER, *FLAGS, f"--user-data-dir={folder / 'profile'}", *more, page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@contextmanager
def listener():
    """A server on loopback: its address, and the queue of what was asked of it."""
    heard = queue.Queue()

    class Listener(BaseHTTPRequestHandler):
        def do_GET(self):
            heard.put(json.loads(urllib.parse.unquote(self.path.removeprefix("/?"))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            """Nothing on the test's error stream."""

    server = HTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", heard
    finally:
        server.shutdown()
        server.server_close()


def visit(page, folder, heard):
    """What the page saw of its visitor, and what the console held."""
    with (folder / "browser.log").open("w+") as log:
        more = [f"--user-data-dir={folder / 'profile'}", "--remote-debugging-port=0"]
        browser = subprocess.Popen([BROWSER, *FLAGS, *more, page.as_uri()], stderr=log)
        try:
            seen = heard.get(timeout=240)
        except queue.Empty:
            seen = None
        finally:
            stop(browser)
        log.seek(0)
        console = [line for line in log if "CONSOLE" in line]
    assert seen is not None, f"the visit did not come to its end; the console holds {console}"
    return seen, console


def stop(process):
    process.terminate()
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The report on a late and soft copy of the sample clip."""
    import cv2

    folder = tmp_path_factory.mktemp("browser")
    frames, points = (part[:FRAMES] for part in sample()[:2])
    soft = np.stack([cv2.GaussianBlur(frame, (0, 0), 1.5) for frame in np.roll(frames, 2, 0)])
    write_video(folder / "pred.mkv", soft)
    write_video(folder / "truth.mkv", frames, sound=sample()[2])
    marks = write_landmarks(folder / "p.npz", points)
    options = PairOptions(pred_landmarks=marks, truth_landmarks=marks, workers=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nerf_talker.weights.lookup._sources", lambda model: [])
        for name in ("one", "two"):
            evaluate_videos(folder / "pred.mkv", folder / "truth.mkv", folder / name, options)
    return folder


def test_a_visitor_plays_scrubs_zooms_wipes_and_points(report, tmp_path):
    page = tmp_path / "visit.html"
    text = (report / "one" / "report.html").read_text()
    assert len(text) < 6_000_000
    with listener() as (address, heard):
        page.write_text(text.replace("</body>", VISIT.replace("LISTENER", address)))
        seen, console = visit(page, tmp_path, heard)
    assert console == []
    truth, prediction, error = seen["panes"]
    assert truth > 90 and prediction > 90 and 64 < error < 130 and len(set(seen["wide"])) == 1
    assert "frame 30" in seen["clock"] and 1.2 <= seen["time"] < 1.24
    assert 600 < float(seen["playhead"]) < 948
    assert seen["hidden"] == [False, True, True] and seen["zoomed"][0] > seen["zoomed"][1]
    assert "truth" in seen["tip"] and "own" in seen["tip"] and "–" not in seen["tip"]
    assert abs(seen["clicked"] - 0.8) < 0.1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_no_blank_sheet(report, tmp_path, scheme):
    import cv2

    compare_reports([report / "one", report / "two"], tmp_path / "both")
    for page in (report / "one" / "report.html", tmp_path / "both" / "compare.html"):
        picture = tmp_path / f"{page.stem}.png"
        dark = ["--blink-settings=preferredColorScheme=0"] if scheme == "dark" else []
        more = [f"--screenshot={picture}", "--virtual-time-budget=5000", *dark]
        _, console = browse(page, tmp_path, *more)
        assert console == []
        shot = cv2.imread(str(picture))
        assert shot.shape[:2] == (2600, 1280)
        paper = np.median(shot[:, :12].reshape(-1, 3), 0)
        drawn = (np.abs(shot.astype(int) - paper).max(-1) > 12).mean()
        assert 0.02 < drawn < 0.95
        assert (paper.mean() < 60) == (scheme == "dark")

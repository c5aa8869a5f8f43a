"""The back-ends the operator tests run on, and what is compared with what."""

import contextlib

import pytest
import torch

from nerf_talker.ops import backend

NAMES = ("reference", *backend.NATIVE)


@contextlib.contextmanager
def running(name):
    """Run on a back-end, or skip and say why it is not here."""
    fault = backend.fault(name)
    if fault:
        pytest.skip(f"back-end {name}: {fault}")
    with backend.using(name):
        yield


def device_of(name):
    return "cpu" if name == "reference" else backend.NATIVE[name][0]


def computes(name, dtype):
    return name == "reference" or dtype in backend._found(name)[0].dtypes


def tolerance(dtype):
    # 1e-12 is a few thousand roundings of float64, 1e-5 about a hundred of float32.
    return 1e-12 if dtype == torch.float64 else 1e-5


def triplane_tolerance(name, dtype):
    # In single precision the reference's grid_sample rounds a position among 400 corners to 3e-5
    # of a cell. An exact lookup in torch takes 3.5 times as long, and it is the last fallback.
    single = name == "reference" and dtype == torch.float32
    return 1e-4 if single else tolerance(dtype)


def assert_near(found, wanted, relative):
    """Largest difference against the largest wanted entry.

    Behind an opaque sample gradients cancel; the floor is the size of the cancelled terms.
    """
    assert found.shape == wanted.shape
    if not wanted.numel():
        return
    scale = max(float(wanted.detach().abs().max()), 0.1)
    difference = float((found.detach().cpu().double() - wanted.detach().double()).abs().max())
    assert difference <= relative * scale, f"{difference:.3g} of {scale:.3g}"

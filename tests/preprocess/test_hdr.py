"""Pictures in PQ and HLG come out in the colours they show."""

import av
import numpy as np
import pytest

from nerf_talker.preprocess import hdr
from nerf_talker.preprocess.media import Shot, upright
from nerf_talker.preprocess.stages import ingest

COLOURS = np.array([[225, 175, 150], [80, 50, 30], [128, 128, 128], [150, 90, 80], [255, 255, 255]])
CELL = 16
# Colours of BT.709 as light of BT.2020's primaries, and BT.2020's luma.
TO_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
LUMA = np.array([0.2627, 0.6780, 0.0593])
PAPER = 203.0


def light():
    """cd/m2 of the colours by sRGB's curve, (N, 3) in BT.2020's primaries."""
    code = COLOURS / 255
    linear = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    return PAPER * linear @ TO_2020.T


def pq(nits):
    power = (nits / 10000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def hlg(nits):
    """Of a display of 1000 cd/m2, whose system gamma is 1.2."""
    shown = nits / 1000
    scene = shown * ((shown @ LUMA) ** (1 / 1.2 - 1))[:, None]
    high = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), high)


def coded(curve):
    """A 10-bit frame of one cell of each colour."""
    code = {16: pq, 18: hlg}[curve](light())
    luma = code @ LUMA
    blue, red = (code[:, 2] - luma) / 1.8814, (code[:, 0] - luma) / 1.4746
    frame = av.VideoFrame(CELL * len(COLOURS), CELL, "yuv420p10le")
    planes = (64 + 876 * luma, CELL), (512 + 896 * blue, CELL // 2), (512 + 896 * red, CELL // 2)
    for plane, (values, times) in zip(frame.planes, planes, strict=True):
        content = np.zeros((plane.height, plane.line_size // 2), np.uint16)
        content[:, : times * len(values)] = np.repeat(np.round(values).astype(np.uint16), times)
        plane.update(content.tobytes())
    frame.color_trc, frame.color_primaries, frame.colorspace, frame.color_range = curve, 9, 9, 1
    frame.pts = 0
    return frame


@pytest.mark.parametrize("curve", hdr.CURVES)
def test_colours_are_those_that_were_filmed(curve):
    if not hdr.can_convert():
        pytest.skip("this libav does not convert HDR")
    picture = upright(Shot(coded(curve), 1.0))
    shown = picture[CELL // 2, CELL // 2 :: CELL].astype(int)
    assert np.abs(shown - COLOURS).max() <= 6
    again = upright(Shot(coded(curve), 1.0))
    np.testing.assert_array_equal(again, picture)


def test_without_the_conversion_pictures_are_taken_as_they_are(monkeypatch):
    monkeypatch.setattr(hdr, "_graph", lambda *_: None)
    frame = coded(16)
    assert hdr.standard_range(frame) is frame
    assert "pip install -U av" in ingest._hdr_warning()


def test_standard_pictures_are_left_alone():
    frame = coded(16)
    frame.color_trc = 1
    assert hdr.standard_range(frame) is frame

"""Pictures of high dynamic range as the usual kind, by libav's own conversion.

PQ and HLG (ITU-R BT.2100) code more light and wider colours than sRGB. White paper, 203 cd/m2
(BT.2408), becomes white and colours become those of BT.709; what is brighter is cut off.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import Any

# Transfer characteristics of ITU-T H.273 and their names in libav: SMPTE ST 2084 (PQ) and ARIB
# STD-B67 (HLG).
CURVES = {16: "smpte2084", 18: "arib-std-b67"}


def standard_range(frame: Any) -> Any:
    """A PyAV frame as RGB of standard range; others, and all where libav cannot, as they are."""
    curve = getattr(frame, "color_trc", None)
    if curve not in CURVES:
        return frame
    graph = _graph(frame.width, frame.height, frame.format.name, curve)
    if graph is None:
        return frame
    graph.push(frame)
    return graph.pull()


def can_convert() -> bool:
    """Whether the installed libav converts HDR (FFmpeg 8 and later)."""
    return _graph(16, 16, "yuv420p10le", 16) is not None


@lru_cache(maxsize=4)
def _graph(width: int, height: int, pixels: str, curve: int) -> Any | None:
    """The conversion; building it takes seconds, so passes over a clip share one."""
    import av
    from av.filter import Graph

    told = f"in_transfer={CURVES[curve]}:in_primaries=bt2020:in_color_matrix=bt2020nc"
    wanted = "out_transfer=iec61966-2-1:out_primaries=bt709"
    graph = Graph()
    try:
        kind = av.VideoFormat(pixels, width, height)
        source = graph.add_buffer(
            width=width, height=height, format=kind, time_base=Fraction(1, 1000)
        )
        steps = [
            graph.add("scale", f"{told}:{wanted}"),
            graph.add("format", "rgb24"),
            graph.add("buffersink"),
        ]
        for first, second in zip([source, *steps], steps, strict=False):
            first.link_to(second)
        graph.configure()
    except (av.FFmpegError, ValueError):
        return None
    return graph

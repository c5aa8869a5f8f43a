"""What one rendered frame costs, stage by stage, and how near its arithmetic is to the machine's.

Stages are timed with the operators one by one, in which a frame can be taken apart; where the
native library renders a head in one call, that call is timed beside them and is what the product
uses. Arithmetic is counted from the layers' sizes and the samples that the occupancy grid leaves;
the one call stops rays early and does less. The peak is a large product of matrices, measured here.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from fractions import Fraction
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import nn

from nerf_talker.evaluate.figure_groups import FrameCost
from nerf_talker.field.conditioning import FilmNetwork
from nerf_talker.field.head import HeadField
from nerf_talker.geometry.cameras import pixel_rays
from nerf_talker.render.portrait import PortraitRenderer
from nerf_talker.render.renderer import sample_rays
from nerf_talker.types import Driving, FloatArray, RayBundle, RaySamples

REPEATS = 3
"""A stage's time is the least of so many: others on the machine only ever add to it."""

MATRIX = 1024
PEAK_SECONDS = 0.3


@torch.no_grad()
def frame_cost(renderer: PortraitRenderer, driving: Driving) -> FrameCost:
    """Cost of the first frame of ``driving``, whose T frames are encoded together.

    Args:
        renderer: Of the talker, in the precision it renders in.
        driving: T frames on the talker's device.
    """
    talker = renderer.talker
    wait = _waiter(driving.camera_to_head.device)
    condition, encode = _timed(lambda: talker.condition(driving), wait)
    frame, whole = _timed(lambda: next(iter(renderer.frames(driving.select([0])))), wait)
    fused = None
    if renderer.fused is not None:
        _, fused = _timed(lambda: renderer.head(driving.camera_to_head, condition, 0), wait)
    (rays, samples), march = _timed(lambda: _march(renderer, driving), wait)
    autocast = torch.autocast(
        rays.origins.device.type, renderer.autocast, enabled=renderer.autocast is not None
    )
    with autocast:
        field, networks = _timed(
            lambda: talker.head(
                samples.positions(rays),
                rays.directions,
                condition,
                samples.ray_indices,
                rays.frame[samples.ray_indices],
            ),
            wait,
        )
    steps = samples.ends - samples.starts
    where = (samples.ray_indices, samples.ray_offsets)
    _, composite = _timed(
        lambda: talker.rays.composite(field.density, field.rgb, steps, *where), wait
    )
    pose, motion = driving.camera_to_head[:1], driving.torso_motion[:1]
    bend = None if driving.torso_bend is None else driving.torso_bend[:1]
    _, torso = _timed(lambda: talker.torso(renderer.points, pose, motion, bend), wait)
    _, write = _timed(lambda: _encoded(frame.rgb), wait)
    work = len(samples) * flops_per_sample(talker.head) / 1e9
    peak = peak_gflops(driving.camera_to_head.device, renderer.autocast)
    return FrameCost(
        frame_ms=1e3 * whole,
        head_in_one_call_ms=None if fused is None else 1e3 * fused,
        encode_ms=1e3 * encode / len(driving),
        march_ms=1e3 * march,
        networks_ms=1e3 * networks,
        composite_ms=1e3 * composite,
        torso_ms=1e3 * torso,
        write_ms=1e3 * write,
        samples=len(samples),
        gflop=work or None,
        peak_gflops=peak,
        share_of_peak=work / networks / peak if work else None,
    )


def flops_per_sample(head: HeadField) -> int:
    """Multiplications and additions of the head's linear layers for one sample; 0 if it has none.

    What is computed once per frame is left out: FiLM's network, and what a concatenated code adds
    to the first layer. The grid's look-ups, activations and the direction's encoding are not
    counted either.
    """
    nets = [net for net in head.children() if not isinstance(net, FilmNetwork)]
    layers = [part for net in nets for part in net.modules() if isinstance(part, nn.Linear)]
    once = head.joined * head.config.hidden if layers else 0
    return 2 * (sum(layer.in_features * layer.out_features for layer in layers) - once)


def peak_gflops(device: torch.device, dtype: torch.dtype | None) -> float:
    """Measured 10^9 operations per second of a product of square matrices."""
    size = MATRIX if device.type == "cpu" else 4 * MATRIX
    a = torch.randn(size, size, device=device, dtype=dtype or torch.float32)
    wait, best, until = _waiter(device), float("inf"), perf_counter() + PEAK_SECONDS
    while best == float("inf") or perf_counter() < until:
        best = min(best, _timed(lambda: a @ a, wait, 1)[1])
    return 2 * size**3 / best / 1e9


def _march(renderer: PortraitRenderer, driving: Driving) -> tuple[RayBundle, RaySamples]:
    """The frame's rays that meet the head's box, and their samples."""
    talker, pixels = renderer.talker, renderer.pixels
    frame = torch.zeros(len(pixels), dtype=torch.long, device=pixels.device)
    poses = driving.camera_to_head
    rays = pixel_rays(talker.camera, poses, pixels, frame, renderer.bounds)
    met = rays.far > rays.near
    rays = pixel_rays(talker.camera, poses, pixels[met], frame[met], renderer.bounds)
    return rays, sample_rays(talker, rays, torch.full_like(rays.near, 0.5))


def _encoded(rgb: FloatArray) -> None:
    """One picture as H.264 in memory, as a video's frames are written."""
    import av

    content = io.BytesIO()
    with av.open(content, "w", format="mp4") as container:
        stream: Any = container.add_stream("libx264", rate=Fraction(25))
        stream.height, stream.width = rgb.shape[:2]
        stream.pix_fmt, stream.options = "yuv420p", {"crf": "16"}
        picture = np.round(np.clip(rgb, 0, 1) * 255).astype(np.uint8)
        for packet in (av.VideoFrame.from_ndarray(picture, format="rgb24"), None):
            container.mux(stream.encode(packet))


def _timed(work: Callable[[], Any], wait: Callable[[], None], repeats: int = REPEATS) -> Any:
    """What the last repetition gives, and the seconds of the fastest."""
    best, found = float("inf"), None
    for _ in range(repeats):
        wait()
        start = perf_counter()
        found = work()
        wait()
        best = min(best, perf_counter() - start)
    return found, best


def _waiter(device: torch.device) -> Callable[[], None]:
    """Waits for the device to be done, where it works by itself."""
    return torch.cuda.synchronize if device.type == "cuda" else lambda: None

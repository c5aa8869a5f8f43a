"""Each operator on every fast back-end against the reference in the same run."""

import torch

from nerf_talker import ops
from nerf_talker.ops import backend
from tests.benchmarks.timing import Row, best_ms

SAMPLES = 2**18
RAYS = 4096
GRIDS = {
    "12x1, 64 to 512, 2^14": (12, 64, 512, 14, 1),
    "12x2, 16 to 400, 2^18": (12, 16, 400, 18, 2),
}


def compared(name, action, **counted):
    """A row: the reference, then the native library of the processor."""
    return Row(name, best_ms({one: on(one, action) for one in here()}), **counted)


def here():
    """The reference, and the native library of the processor if it can be had."""
    return [name for name in ("reference", "cpu") if backend.fault(name) is None]


def on(name, action):
    """The action on one back-end."""

    def run():
        with backend.using(name):
            return action()

    return run


LATTICES = {
    "3-D 16x2, 16 to 2048, 2^16 hashed": (16, 16, 2048, 16, 2, 3, False),
    "3-D 16x4, 32 to 2048, 2^16 tiled": (16, 32, 2048, 16, 4, 3, True),
}


def encoders():
    """Name, layout, its operator, and the corners that a lookup reads."""
    for name, grid in GRIDS.items():
        yield f"encode {name}", ops.GridLayout.geometric(*grid), ops.triplane_encode, 4
    for name, grid in LATTICES.items():
        yield f"grid {name}", ops.LatticeLayout.geometric(*grid), ops.grid_encode, 8


def encoding_rows():
    points = torch.rand(SAMPLES, 3)
    for name, layout, encode, corners in encoders():
        table = torch.randn(layout.table_shape, requires_grad=True)
        moved = points.clone().requires_grad_()
        out = layout.width * 4 * SAMPLES  # written once; the table is read from the cache
        lookup = SAMPLES * layout.width * 2 * corners  # a product and a sum for each corner
        gradient = torch.randn(SAMPLES, layout.width)

        def forward(points=points, table=table, layout=layout, encode=encode):
            return encode(points, table, layout)

        def both(points=points, forward=forward, gradient=gradient):
            forward(points).backward(gradient)

        items = {"items": SAMPLES, "unit": "points"}
        with torch.no_grad():
            yield compared(f"{name}: forward", forward, bytes=out, flop=lookup, **items)
        yield compared(
            f"{name}: + backward to table", both, bytes=3 * out, flop=2 * lookup, **items
        )
        yield compared(
            f"{name}: + backward to points",
            lambda moved=moved, both=both: both(moved),
            bytes=4 * out,
            flop=4 * lookup,
            **items,
        )


def ray_rows():
    generator = torch.Generator().manual_seed(0)
    directions = torch.nn.functional.normalize(torch.randn(SAMPLES, 3, generator=generator), dim=-1)
    yield compared(
        "spherical harmonics",
        lambda: ops.spherical_harmonics(directions),
        items=SAMPLES,
        unit="directions",
    )
    yield compared(
        "frequency encoding, 3-D, 6 octaves",
        lambda: ops.frequency_encode(directions, 6),
        items=SAMPLES,
        unit="points",
    )
    origins = torch.tensor([[0.0, 0.0, -3.0]]).repeat(RAYS, 1)
    spread = torch.randn(RAYS, 3, generator=generator) * 0.2
    directions = torch.nn.functional.normalize(spread + torch.tensor([0.0, 0.0, 1.0]), dim=-1)
    box = torch.tensor([[-1.0] * 3, [1.0] * 3])
    near, far = ops.ray_box(origins, directions, box)
    cells = torch.rand(64, 64, 64, generator=generator) < 0.2
    jitter = torch.rand(RAYS, generator=generator)
    yield compared(
        "ray/box", lambda: ops.ray_box(origins, directions, box), items=RAYS, unit="rays"
    )
    yield compared(
        "march, 64^3 cells, a fifth set",
        lambda: ops.march(origins, directions, near, far, cells, box, 0.04, jitter),
        items=RAYS,
        unit="rays",
    )


def composite_rows():
    counts = torch.full((RAYS,), 16)
    offsets = torch.stack([counts.cumsum(0) - counts, counts], -1)
    ray = torch.repeat_interleave(torch.arange(RAYS), counts)
    density = (torch.rand(len(ray)) * 50).requires_grad_()
    values = torch.rand(len(ray), 6, requires_grad=True)
    steps = torch.full_like(density, 0.006).detach()

    def forward():
        return ops.composite(density, values, steps, ray, offsets)

    items = {"items": len(ray), "unit": "samples"}
    with torch.no_grad():
        yield compared("composite 6 channels: forward", forward, bytes=len(ray) * 32, **items)
    yield compared(
        "composite 6 channels: + backward",
        lambda: forward()[0].sum().backward(),
        bytes=len(ray) * 96,
        **items,
    )


def distortion_rows():
    counts = torch.full((RAYS,), 16)
    offsets = torch.stack([counts.cumsum(0) - counts, counts], -1)
    ray = torch.repeat_interleave(torch.arange(RAYS), counts)
    weights = torch.rand(len(ray), requires_grad=True)
    middles = torch.arange(len(ray)) * 0.006
    lengths = torch.full_like(middles, 0.006)

    def both():
        ops.ray_distortion(weights, middles, lengths, ray, offsets).sum().backward()

    yield compared("distortion along rays: + backward", both, items=len(ray), unit="samples")


def op_rows():
    yield from encoding_rows()
    yield from ray_rows()
    yield from composite_rows()
    yield from distortion_rows()

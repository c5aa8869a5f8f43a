"""Each operator on every fast back-end against the reference in the same run."""

import torch

from nerf_talker import ops
from nerf_talker.ops import backend
from tests.benchmarks import counts
from tests.benchmarks.timing import Row, best_ms
from tests.ops import plain_gather

SAMPLES = 2**18
RAYS = 4096
GRIDS = {
    "12x1, 64 to 512, 2^14": (12, 64, 512, 14, 1),
    "12x2, 16 to 400, 2^18": (12, 16, 400, 18, 2),
}


def compared(name, action, plain=None, **counted):
    """A row: the reference, another yardstick where there is one, then the native library."""
    first, *rest = here()
    actions = {first: on(first, action)}
    if plain is not None:
        actions["plain gather"] = plain
    actions |= {one: on(one, action) for one in rest}
    return Row(name, best_ms(actions), **counted)


def here(device=None):
    """The reference, and the native library of a device (the default one) if it can be had."""
    device = device or torch.get_default_device().type
    native = [name for name in ("cpu", "cuda") if backend.NATIVE[name][0] == device]
    return [name for name in ("reference", *native) if backend.fault(name) is None]


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
    """Name, layout, its operator, a plain form of it, a cell's corners, and how many points."""
    plain = plain_gather.triplane_encode
    for name, grid in GRIDS.items():
        layout = ops.GridLayout.geometric(*grid)
        yield f"encode {name}", layout, ops.triplane_encode, plain, 4, SAMPLES
    for name, grid in LATTICES.items():  # fewer: the reference takes seconds
        layout = ops.LatticeLayout.geometric(*grid)
        yield f"grid {name}", layout, ops.grid_encode, None, 8, SAMPLES // 8


def encoding_rows():
    for name, layout, encode, plain, corners, count in encoders():
        points = torch.rand(count, 3)
        table = torch.randn(layout.table_shape, requires_grad=True)
        moved = points.clone().requires_grad_()
        gradient = torch.randn(count, layout.width)

        def action(encode, points=points, table=table, layout=layout):
            return lambda: encode(points, table, layout)

        def both(encode, points=points, action=action, gradient=gradient):
            return lambda: action(encode, points)().backward(gradient)

        sizes = (count, layout, corners)

        def row(what, made, name=name, forms=(encode, plain), sizes=sizes, **passes):
            counted = counts.encode(*sizes, **passes)
            ours, other = (form and made(form) for form in forms)
            text = f"{name}: {what}"
            return compared(text, ours, other, items=sizes[0], unit="points", **counted)

        with torch.no_grad():
            yield row("forward", action)
        yield row("+ backward to table", both, backward=True)
        yield row(
            "+ backward to points",
            lambda encode, moved=moved, both=both: both(encode, moved),
            backward=True,
            to_points=True,
        )


def ray_rows():
    generator = torch.Generator(torch.get_default_device()).manual_seed(0)
    directions = torch.nn.functional.normalize(torch.randn(SAMPLES, 3, generator=generator), dim=-1)
    yield compared(
        "spherical harmonics",
        lambda: ops.spherical_harmonics(directions),
        items=SAMPLES,
        unit="directions",
        **counts.harmonics(SAMPLES),
    )
    yield compared(
        "frequency encoding, 3-D, 6 octaves",
        lambda: ops.frequency_encode(directions, 6),
        items=SAMPLES,
        unit="points",
        **counts.frequencies(SAMPLES, 6),
    )
    origins = torch.tensor([[0.0, 0.0, -3.0]]).repeat(RAYS, 1)
    spread = torch.randn(RAYS, 3, generator=generator) * 0.2
    directions = torch.nn.functional.normalize(spread + torch.tensor([0.0, 0.0, 1.0]), dim=-1)
    box = torch.tensor([[-1.0] * 3, [1.0] * 3])
    near, far = ops.ray_box(origins, directions, box)
    cells = torch.rand(64, 64, 64, generator=generator) < 0.2
    jitter = torch.rand(RAYS, generator=generator)

    def march():
        return ops.march(origins, directions, near, far, cells, box, 0.04, jitter)

    yield compared(
        "ray/box",
        lambda: ops.ray_box(origins, directions, box),
        items=RAYS,
        unit="rays",
        **counts.ray_box(RAYS),
    )
    yield compared(
        "march, 64^3 cells, a fifth set",
        march,
        items=RAYS,
        unit="rays",
        **counts.march(RAYS, len(march().starts)),
    )


def composite_rows():
    each = torch.full((RAYS,), 16)
    offsets = torch.stack([each.cumsum(0) - each, each], -1)
    ray = torch.repeat_interleave(torch.arange(RAYS), each)
    density = (torch.rand(len(ray)) * 50).requires_grad_()
    values = torch.rand(len(ray), 6, requires_grad=True)
    steps = torch.full_like(density, 0.006).detach()

    def forward():
        return ops.composite(density, values, steps, ray, offsets)

    items = {"items": len(ray), "unit": "samples"}
    sizes = (RAYS, len(ray), 6)
    with torch.no_grad():
        counted = counts.composite(*sizes)
        yield compared("composite 6 channels: forward", forward, **counted, **items)
    yield compared(
        "composite 6 channels: + backward",
        lambda: forward()[0].sum().backward(),
        **counts.composite(*sizes, backward=True),
        **items,
    )


def distortion_rows():
    each = torch.full((RAYS,), 16)
    offsets = torch.stack([each.cumsum(0) - each, each], -1)
    ray = torch.repeat_interleave(torch.arange(RAYS), each)
    weights = torch.rand(len(ray), requires_grad=True)
    middles = torch.arange(len(ray)) * 0.006
    lengths = torch.full_like(middles, 0.006)

    def both():
        ops.ray_distortion(weights, middles, lengths, ray, offsets).sum().backward()

    counted = counts.distortion(RAYS, len(ray))
    items = {"items": len(ray), "unit": "samples"}
    yield compared("distortion along rays: + backward", both, **counted, **items)


def op_rows():
    yield from encoding_rows()
    yield from ray_rows()
    yield from composite_rows()
    yield from distortion_rows()

"""nerfacc's and tiny-cuda-nn's parts beside ours, on a GPU, where they are installed."""

import torch

from nerf_talker import ops
from nerf_talker.errors import BackendError
from nerf_talker.field.head import HeadFieldConfig, mlp
from nerf_talker.field.tiny_head import KEY, TinyHeadField, TinyNetwork
from nerf_talker.ops.optional import cuda_package
from nerf_talker.render import nerfacc_rays
from tests.benchmarks import counts, op_rows
from tests.benchmarks.timing import Row, best_ms

BOX = torch.tensor([[-1.0] * 3, [1.0] * 3])


def absent(name):
    """Why a package is not compared here; None when it is."""
    try:
        cuda_package(name, "backend")
    except BackendError as error:
        return str(error).split(", which ", 1)[1].rsplit(", or ", 1)[0].rsplit("; set", 1)[0]
    return None


def package_rows():
    """Rows of the packages that are here."""
    if absent("nerfacc") is None:
        yield from nerfacc_rows()
    if absent("tinycudann") is None:
        yield from tiny_rows()


def against(name, package, ours, **counted):
    """A row: a package's way, then our fastest back-end's."""
    best = op_rows.here()[-1]
    return Row(name, best_ms({**package, best: op_rows.on(best, ours)}), **counted)


def nerfacc_rows():
    rays = op_rows.RAYS
    origins = torch.tensor([[0.0, 0.0, -3.0]]).repeat(rays, 1)
    spread = torch.randn(rays, 3) * 0.2 + torch.tensor([0.0, 0.0, 1.0])
    directions = torch.nn.functional.normalize(spread, dim=-1)
    box = BOX.to(origins.device)
    near, far = ops.ray_box(origins, directions, box)
    cells = torch.rand(64, 64, 64) < 0.2
    given = (origins, directions, near, far, cells, box, 0.04, torch.rand(rays))
    found = ops.march(*given)
    kept = len(found.starts)
    yield against(
        "march, 64^3 cells, a fifth set",
        {"nerfacc": lambda: nerfacc_rays.march(*given)},
        lambda: ops.march(*given),
        items=rays,
        unit="rays",
        **counts.march(rays, kept),
    )
    density = (torch.rand(kept) * 50).requires_grad_()
    values = torch.rand(kept, 6, requires_grad=True)
    where = (torch.full((kept,), 0.04), found.ray_indices, found.ray_offsets)

    def both(composite):
        return lambda: composite(density, values, *where)[0].sum().backward()

    yield against(
        "composite 6 channels: + backward",
        {"nerfacc": both(nerfacc_rays.composite)},
        both(ops.composite),
        items=kept,
        unit="samples",
        **counts.composite(rays, kept, 6, backward=True),
    )


def tiny_rows():
    config = HeadFieldConfig(backend="tinycudann")
    box = BOX.to(torch.get_default_device())
    head = TinyHeadField(config, codes=16, expressions=9, box=box, mouth=box)
    points = torch.rand(op_rows.SAMPLES, 3)
    layout = head.layout
    table = torch.randn(layout.table_shape, requires_grad=True)
    gradient = torch.randn(len(points), layout.width)
    items = {"items": len(points), "unit": "samples"}
    yield against(
        "encode of the head: + backward to table",
        {"tinycudann": lambda: head.encode(points).backward(gradient.to(torch.half))},
        lambda: ops.triplane_encode(points, table, layout).backward(gradient),
        **counts.encode(len(points), layout, backward=True),
        **items,
    )
    widths = (layout.width + 25, config.hidden, config.hidden, 1 + config.geometry)
    net = mlp(*widths)
    tiny = TinyNetwork(cuda_package("tinycudann", KEY), net)
    inputs = torch.rand(len(points), widths[0])

    def layers():
        with torch.autocast(points.device.type, torch.bfloat16):
            out = net(inputs)
        out.float().square().mean().backward()

    yield against(
        f"network {'-'.join(map(str, widths))} in half precision: + backward",
        {"tinycudann": lambda: tiny(inputs).float().square().mean().backward()},
        layers,
        bytes=0,
        flop=3 * len(points) * counts.networks(net),
        dtype="bfloat16",
        **items,
    )

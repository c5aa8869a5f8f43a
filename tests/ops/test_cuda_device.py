"""What only a GPU can show of the CUDA kernels; skipped, with the reason, where there is none.

The operators' own comparison with the reference runs on a GPU through tests/ops/test_backends.py.
"""

import pytest
import torch

from nerf_talker import ops
from nerf_talker.ops import backend
from nerf_talker.ops.cuda_fused import FoldedHead, Rays, Scene, fused_render
from tests.ops.test_emulated_fused import CONFIGS, LIBRARY, STEP, largest_difference, setting
from tests.train.test_train import trainer

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="torch sees no CUDA GPU: no kernel was run on one"
)
BOX = torch.tensor([[-1.0, -1.0, -1.0], [1.0, 1.25, 1.0]])


@pytest.fixture
def kernels():
    fault = backend.fault("cuda")
    if fault:
        pytest.skip(fault)
    return backend._found("cuda")[0]


def on_gpu(value):
    """A dataclass of tensors on the GPU."""
    moved = {k: v.cuda() if isinstance(v, torch.Tensor) else v for k, v in vars(value).items()}
    assert isinstance(value, (Rays, Scene, FoldedHead))
    return type(value)(**moved)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_both_fused_forms_render_what_the_emulated_ones_render(kernels, config, generator):
    _, folded, scene, rays, _ = setting(config, generator, 500)
    for options in ({"tensor_cores": False}, {"tensor_cores": True}):
        wanted = fused_render(
            LIBRARY(),
            scene,
            folded,
            rays,
            STEP,
            tensor_cores=False,
            round_to_half=options["tensor_cores"],
        )
        moved = (on_gpu(scene), on_gpu(folded), on_gpu(rays))
        found = [value.cpu() for value in fused_render(kernels, *moved, STEP, **options)]
        assert largest_difference(found, wanted) <= 5e-4


def test_a_graph_holds_march_encode_and_composite(kernels, generator):
    origins = (
        torch.randn(500, 3, generator=generator) * 0.5 - torch.tensor([0.0, 0.0, 4.0])
    ).cuda()
    targets = (torch.rand(500, 3, generator=generator) * 2 - 1).cuda()
    directions = torch.nn.functional.normalize(targets - origins, dim=-1)
    box, cells = BOX.cuda(), (torch.rand(16, 16, 16, generator=generator) < 0.3).cuda()
    jitter = torch.rand(500, generator=generator).cuda()
    layout = ops.GridLayout.geometric(4, 8, 64, 10, 2)
    table = torch.randn(layout.table_shape, generator=generator).cuda()

    def render():
        near, far = ops.ray_box(origins, directions, box)
        given = (origins, directions, near, far, cells, box, 0.05, jitter, 20_000)
        found = ops.march_packed(*given)
        middle = found.starts + 0.025
        points = origins[found.ray_indices] + directions[found.ray_indices] * middle[:, None]
        values = ops.triplane_encode((points - box[0]) / (box[1] - box[0]), table, layout)
        steps = 0.05 * found.used()
        density = values[:, 0].abs()
        return ops.composite(density, values, steps, found.ray_indices, found.ray_offsets)[0]

    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with backend.using("cuda"):
        with torch.cuda.stream(side):
            wanted = render()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            captured = render()
    graph.replay()
    torch.cuda.synchronize()
    torch.testing.assert_close(captured, wanted)


def test_block_sums_equal_plain_atomics(kernels, generator):
    layout = ops.GridLayout.geometric(6, 8, 200, 16, 2)  # coarse levels fit a block, fine do not
    table = torch.randn(layout.table_shape, generator=generator)
    points = torch.rand(20_000, 3, generator=generator)
    gradients = []
    for name, device in (("emulated", "cpu"), ("cuda", "cuda")):
        leaf = table.to(device).requires_grad_()
        with backend.using(name):
            ops.triplane_encode(points.to(device), leaf, layout).square().sum().backward()
        gradients.append(leaf.grad.cpu())
    scale = float(gradients[0].abs().max())
    assert float((gradients[0] - gradients[1]).abs().max()) <= 1e-5 * scale


def test_a_training_step_waits_for_nothing(kernels, ellipse, tmp_path):
    with backend.using("cuda"):
        made = trainer(ellipse, tmp_path, device="cuda", log_interval=1000)
        made._move()
        assert made.budget is not None
        for _ in range(3):  # the first counts its samples, which has to wait
            made._take_step()
        torch.cuda.synchronize()
        torch.cuda.set_sync_debug_mode("error")
        try:
            made._take_step()
        finally:
            torch.cuda.set_sync_debug_mode("default")
    assert made._settled({"step": made.step})["samples_dropped"] == 0

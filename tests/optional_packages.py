"""Stand-ins for packages that run on a GPU only.

They take the arguments of the real functions, and compute the same on the processor with what this
project has. They show that ours are called and understood rightly; that the real ones run, and
agree, only a GPU can show (tests/ops/test_cuda_packages.py).
"""

from types import ModuleType, SimpleNamespace

import torch
from torch import nn

from nerf_talker.ops import reference


def traverse_grids(
    rays_o,
    rays_d,
    binaries,
    aabbs,
    near_planes=None,
    far_planes=None,
    step_size=1e-3,
    cone_angle=0.0,
    traverse_steps_limit=None,
    over_allocate=False,
    rays_mask=None,
    t_sorted=None,
    t_indices=None,
    hits=None,
):
    assert binaries.dtype == torch.bool and binaries.dim() == 4 and aabbs.shape == (1, 6)
    box = torch.stack([aabbs[0, :3], aabbs[0, 3:]])
    none = torch.zeros_like(near_planes)
    found = reference.march(
        rays_o, rays_d, near_planes, far_planes, binaries[0], box, step_size, none
    )
    ray, starts, offsets = found
    middle = starts + step_size / 2
    return None, SimpleNamespace(ray_indices=ray, vals=middle, packed_info=offsets), far_planes


def render_weight_from_density(
    t_starts, t_ends, sigmas, packed_info=None, ray_indices=None, n_rays=None, prefix_trans=None
):
    ray = torch.repeat_interleave(torch.arange(len(packed_info)), packed_info[:, 1])
    weights = reference.render_weights(sigmas, t_ends - t_starts, ray, packed_info)
    return weights, None, None


def accumulate_along_rays(weights, values=None, ray_indices=None, n_rays=None):
    values = torch.ones_like(weights)[:, None] if values is None else values
    assert weights.dim() == 1 and values.dim() == 2
    return weights.new_zeros(n_rays, values.shape[1]).index_add(
        0, ray_indices, weights[:, None] * values
    )


def nerfacc():
    made = ModuleType("nerfacc")
    for function in (traverse_grids, render_weight_from_density, accumulate_along_rays):
        setattr(made, function.__name__, function)
    return made


class Encoding(nn.Module):
    """A learned map of the grid's width, in float16 like the real one's output."""

    def __init__(self, n_input_dims, encoding_config, seed=1337, dtype=None):
        super().__init__()
        self.config = encoding_config
        width = encoding_config["n_levels"] * encoding_config["n_features_per_level"]
        self.params = nn.Parameter(torch.randn(n_input_dims * width) * 0.1)
        self.n_input_dims, self.n_output_dims = n_input_dims, width

    def forward(self, x):
        assert x.shape[1] == self.n_input_dims
        return (x.float() @ self.params.reshape(self.n_input_dims, -1)).half()


class Network(nn.Module):
    """Linear layers without biases, in float16 like the real one's output."""

    def __init__(self, n_input_dims, n_output_dims, network_config, seed=1337):
        super().__init__()
        self.config = network_config
        hidden = [network_config["n_neurons"]] * network_config["n_hidden_layers"]
        self.widths = [n_input_dims, *hidden, n_output_dims]
        sizes = [a * b for a, b in zip(self.widths, self.widths[1:], strict=False)]
        self.params = nn.Parameter(torch.randn(sum(sizes)) * 0.1)
        self.sizes = sizes

    def forward(self, x):
        assert x.shape[1] == self.widths[0]
        values, last = x.float(), len(self.sizes) - 1
        for index, part in enumerate(self.params.split(self.sizes)):
            values = values @ part.reshape(self.widths[index], self.widths[index + 1])
            values = values if index == last else values.relu()
        return values.half()


def tinycudann():
    made = ModuleType("tinycudann")
    made.Encoding, made.Network = Encoding, Network
    return made

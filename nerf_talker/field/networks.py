"""The linear layers the fields share, and what a frame's constants do to them.

Whatever depends on the frame alone enters a network only through its linear layers: as an addition
to the first layer, or as a scale and a shift of a hidden one. With many frames in a batch that is
done row by row; with one frame it is folded into the weights and costs nothing (:func:`folded`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nerf_talker.ops.cuda_fused import Layers

# Samples are padded to a multiple of this. oneDNN compiles and keeps a kernel for every new shape:
# with counts as they come, memory grew by 20 MB a step and a step took 1.4-2 times as long.
SAMPLE_BLOCK = 4096


def mlp(*widths: int) -> nn.Sequential:
    """Linear layers with ReLU between them."""
    layers: list[nn.Module] = []
    for index in range(len(widths) - 1):
        if index:
            layers.append(nn.ReLU())
        layers.append(nn.Linear(widths[index], widths[index + 1]))
    return nn.Sequential(*layers)


@torch.no_grad()
def start_at_zero(net: nn.Sequential) -> None:
    """Zero the last layer, so that a fresh net adds nothing."""
    last = net[-1]
    assert isinstance(last, nn.Linear)
    last.weight.zero_()
    last.bias.zero_()


def layer_dtype(values: Tensor) -> torch.dtype:
    """What linear layers compute in here: the autocast dtype where it is on."""
    device = values.device.type
    if torch.is_autocast_enabled(device):
        return torch.get_autocast_dtype(device)
    return values.dtype


def linear_layers(net: nn.Sequential) -> Layers:
    """(weight, bias) of the linear layers of a network, in order."""
    return [(part.weight, part.bias) for part in net if isinstance(part, nn.Linear)]


def run_layers(layers: Layers, values: Tensor) -> Tensor:
    """(M, O) of linear layers with ReLU between them."""
    (weight, bias), *rest = layers
    values = F.linear(values, weight, bias)
    for weight, bias in rest:
        values = F.linear(torch.relu(values), weight, bias)
    return values


def padded_samples(*values: Tensor) -> tuple[Tensor, ...]:
    """(M, ...) tensors with zeros appended up to a multiple of :data:`SAMPLE_BLOCK` rows."""
    missing = -len(values[0]) % SAMPLE_BLOCK
    return tuple(F.pad(value, (0, 0) * (value.dim() - 1) + (0, missing)) for value in values)


@dataclass(frozen=True)
class Modulation:
    """What T frames do to one network; without entries, nothing.

    Attributes:
        code: (T, L) further inputs of the first layer, after those of each sample; or None.
        film: (T, H) scale and (T, H) shift of each hidden layer before its ReLU, or nothing.
    """

    code: Tensor | None = None
    film: Sequence[tuple[Tensor, Tensor]] = ()


def modulated(net: nn.Sequential, inputs: Tensor, change: Modulation, frame: Tensor) -> Tensor:
    """A network as the frames change it.

    Args:
        net: Linear layers with ReLU between them.
        inputs: (M, I) what each sample brings.
        change: Of T frames.
        frame: (M,) row of ``change`` of each sample.

    Returns:
        (M, O) outputs.
    """
    if change.code is None and not change.film:
        return net(inputs)
    values = inputs
    layers = linear_layers(net)
    for index, (weight, bias) in enumerate(layers):
        if index == 0 and change.code is not None:
            own, theirs = weight.split([inputs.shape[1], change.code.shape[1]], 1)
            # A frame's part once per frame instead of once per sample.
            added = F.linear(change.code, theirs, bias)
            values = F.linear(values, own) + added[frame].to(values.dtype)
        else:
            values = F.linear(values, weight, bias)
        if index + 1 == len(layers):
            return values
        if change.film:
            scale, shift = change.film[index]
            # Indexed before the cast: the gradient of a row sums thousands of samples.
            values = values * (1 + scale[frame]).to(values.dtype) + shift[frame].to(values.dtype)
        values = torch.relu(values)
    return values


def folded(layers: Layers, change: Modulation) -> Layers:
    """Layers that compute what :func:`modulated` computes for the one frame of ``change``."""
    found = list(layers)
    if change.code is not None:
        weight, bias = found[0]
        own, theirs = weight.split([weight.shape[1] - change.code.shape[1], len(change.code[0])], 1)
        found[0] = (own, bias + theirs @ change.code[0])
    for index, (scale, shift) in enumerate(change.film):
        weight, bias = found[index]
        gain = 1 + scale[0]
        found[index] = (weight * gain[:, None], bias * gain + shift[0])
    return found

"""Numeric self-test of the public ops: float32 on a back-end against the float64 reference.

Each case draws its inputs from a fixed seed, rounds them to float32, and runs the public op on
them in float32 and the pure-torch reference in float64. Values may differ by 1e-4 of the largest
value, gradients by 1e-3 of the largest gradient: single precision with room for another order of
summation, far below any wrong index or sign.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType

import torch
from torch import Tensor

VALUE_TOLERANCE = 1e-4
GRADIENT_TOLERANCE = 1e-3
SEED = 20240607

STEP = 0.05
_COUNTS = (3, 0, 17, 1, 40)

Run = Callable[[ModuleType, Sequence[Tensor]], tuple[Tensor, ...]]


@dataclass(frozen=True)
class Case:
    """One op with inputs.

    Attributes:
        name: Of the op.
        inputs: Draws floating inputs with a generator; those of the first ``differentiable`` ones
            get gradients.
        differentiable: How many.
        public: Runs :mod:`nerf_talker.ops` on the inputs.
        reference: Runs :mod:`nerf_talker.ops.reference` on the same inputs.
        slack: Absolute difference of values that is no error, for counts of samples.
    """

    name: str
    inputs: Callable[[torch.Generator], tuple[Tensor, ...]]
    differentiable: int
    public: Run
    reference: Run
    slack: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """How far one op is from the reference, relative to the largest entry."""

    name: str
    value_error: float
    gradient_error: float

    @property
    def passed(self) -> bool:
        """Whether both errors are in tolerance; a NaN is not."""
        values = self.value_error <= VALUE_TOLERANCE
        return values and self.gradient_error <= GRADIENT_TOLERANCE


def selftest(device: str, backend: str = "auto") -> list[Outcome]:
    """Run every case on ``cpu`` or ``cuda`` with one back-end of the operators."""
    from nerf_talker.ops.backend import using

    with using(backend):
        return [_outcome(case, device) for case in _cases()]


def _outcome(case: Case, device: str) -> Outcome:
    from nerf_talker import ops
    from nerf_talker.ops import reference

    drawn = case.inputs(torch.Generator().manual_seed(SEED))
    single = [value.to(torch.float32).to(device) for value in drawn]
    double = [value.cpu().to(torch.float64) for value in single]
    values, gradients = _values_and_gradients(case, case.public, ops, single)
    wanted, wanted_gradients = _values_and_gradients(case, case.reference, reference, double)
    return Outcome(
        case.name,
        max(_apart(a, b, case.slack) for a, b in zip(values, wanted, strict=True)),
        max(
            (_apart(a, b, 0) for a, b in zip(gradients, wanted_gradients, strict=True)),
            default=0.0,
        ),
    )


def _values_and_gradients(
    case: Case, run: Run, module: ModuleType, inputs: list[Tensor]
) -> tuple[list[Tensor], list[Tensor]]:
    """Outputs, and gradients of their sum weighted by fixed random numbers."""
    leaves = [
        value.clone().requires_grad_(k < case.differentiable) for k, value in enumerate(inputs)
    ]
    outputs = run(module, leaves)
    gradients: list[Tensor] = []
    if case.differentiable:
        generator = torch.Generator().manual_seed(SEED + 1)
        weights = [torch.randn(value.shape, generator=generator) for value in outputs]
        total = sum((o * w.to(o)).sum() for o, w in zip(outputs, weights, strict=True))
        wanted = leaves[: case.differentiable]
        gradients = list(torch.autograd.grad(total, wanted))  # type: ignore[arg-type]
    return [value.detach() for value in outputs], gradients


def _apart(value: Tensor, wanted: Tensor, slack: float) -> float:
    if value.shape != wanted.shape:
        return float("inf")
    difference = (value.cpu().to(torch.float64) - wanted).abs().max().item()
    scale = max(wanted.abs().max().item(), 1e-12)
    return max(difference - slack, 0.0) / scale if difference == difference else float("inf")


def _packed(device: torch.device) -> tuple[Tensor, Tensor]:
    counts = torch.tensor(_COUNTS, device=device)
    offsets = torch.stack([counts.cumsum(0) - counts, counts], -1)
    return torch.repeat_interleave(torch.arange(len(counts), device=device), counts), offsets


def _rays(generator: torch.Generator) -> tuple[Tensor, ...]:
    """128 rays, most of which hit the box; one starts inside, one points away."""
    origins = torch.randn(128, 3, generator=generator) + torch.tensor([0.0, 0.0, -4.0])
    targets = torch.rand(128, 3, generator=generator) * 2.4 - 1.2
    directions = torch.nn.functional.normalize(targets - origins, dim=-1)
    origins[0], directions[1] = torch.tensor([0.1, 0.2, 0.3]), -directions[1]
    box = torch.tensor([[-1.0, -0.9, -0.8], [1.0, 1.1, 0.9]])
    return origins, directions, box, torch.rand(128, generator=generator)


def _samples(generator: torch.Generator) -> tuple[Tensor, ...]:
    count = sum(_COUNTS)
    density = torch.rand(count, generator=generator) * 20
    values = torch.randn(count, 5, generator=generator)
    return density, torch.rand(count, generator=generator) * 0.1 + 0.01, values


def _march(module: ModuleType, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Length of kept samples per ray; a sample on a border may fall to either side."""
    origins, directions, box, jitter = inputs
    near, far = module.ray_box(origins, directions, box)
    generator = torch.Generator().manual_seed(SEED)
    occupancy = (torch.rand(8, 8, 8, generator=generator) < 0.5).to(origins.device)
    found = module.march(origins, directions, near, far, occupancy, box, STEP, jitter)
    offsets = found[2] if isinstance(found, tuple) else found.ray_offsets
    return (offsets[:, 1].to(origins.dtype) * STEP,)


def _march_packed(module: ModuleType, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """As :func:`_march`, with room for every sample."""
    origins, directions, box, jitter = inputs
    near, far = module.ray_box(origins, directions, box)
    generator = torch.Generator().manual_seed(SEED)
    occupancy = (torch.rand(8, 8, 8, generator=generator) < 0.5).to(origins.device)
    given = (origins, directions, near, far, occupancy, box, STEP, jitter)
    found = module.march_packed(*given, capacity=len(origins) * 200)
    return (found.ray_offsets[:, 1].to(origins.dtype) * STEP,)


def _cases() -> list[Case]:
    from nerf_talker.cli import field_selftest as field

    fused = Case("fused_field", field.draw, 4, field.fused, field.layers)
    return [*_encoding_cases(), *_ray_cases(), *_bit_cases(), fused]


def _bit_cases() -> list[Case]:
    def draw(generator: torch.Generator) -> tuple[Tensor, ...]:
        return (torch.randn(61, generator=generator),)

    def packed(module: ModuleType, given: Sequence[Tensor]) -> tuple[Tensor, ...]:
        return (module.pack_bits(given[0] > 0).to(given[0]),)

    def summed(module: ModuleType, given: Sequence[Tensor]) -> tuple[Tensor, ...]:
        bits = torch.nn.functional.pad((given[0] > 0).to(given[0]), (0, 3)).reshape(-1, 8)
        return (bits @ 2 ** torch.arange(8).to(bits),)

    def there_and_back(module: ModuleType, given: Sequence[Tensor]) -> tuple[Tensor, ...]:
        cells = given[0] > 0
        return (module.unpack_bits(module.pack_bits(cells), len(cells)).to(given[0]),)

    def kept(module: ModuleType, given: Sequence[Tensor]) -> tuple[Tensor, ...]:
        return ((given[0] > 0).to(given[0]),)

    return [
        Case("pack_bits", draw, 0, packed, summed),
        Case("unpack_bits", draw, 0, there_and_back, kept),
    ]


def _encoding_cases() -> list[Case]:
    from nerf_talker.ops import GridLayout, LatticeLayout

    lattice = LatticeLayout.geometric(levels=4, base=4, finest=60, log2_entries=10, features=2)
    planes = GridLayout.geometric(levels=4, base=8, finest=64, log2_entries=10, features=2)

    def points_and(shape: tuple[int, ...]) -> Callable[[torch.Generator], tuple[Tensor, ...]]:
        def draw(generator: torch.Generator) -> tuple[Tensor, ...]:
            table = torch.randn(shape, generator=generator)
            return torch.rand(96, 3, generator=generator), table

        return draw

    def directions(generator: torch.Generator) -> tuple[Tensor, ...]:
        return (torch.nn.functional.normalize(torch.randn(64, 3, generator=generator), dim=-1),)

    def waves(module: ModuleType, given: Sequence[Tensor]) -> tuple[Tensor, ...]:
        return (module.frequency_encode(given[0], 6, True),)

    def harmonics(module: ModuleType, given: Sequence[Tensor]) -> tuple[Tensor, ...]:
        return (module.spherical_harmonics(given[0]),)

    return [
        Case(
            "triplane_encode",
            points_and(planes.table_shape),
            2,
            lambda module, given: (module.triplane_encode(given[0], given[1], planes),),
            lambda module, given: (
                module.triplane_encode(given[0], given[1], planes.resolutions, planes.entries),
            ),
        ),
        Case(
            "grid_encode",
            points_and(lattice.table_shape),
            2,
            lambda module, given: (module.grid_encode(given[0], given[1], lattice),),
            lambda module, given: (
                module.grid_encode(given[0], given[1], lattice.resolutions, lattice.entries),
            ),
        ),
        Case(
            "landmark_encode",
            points_and(lattice.table_shape),
            2,
            lambda module, given: (
                module.landmark_encode(given[0].reshape(4, 24, 3), given[1], lattice),
            ),
            lambda module, given: (
                module.grid_encode(
                    given[0], given[1], lattice.resolutions, lattice.entries
                ).reshape(4, -1),
            ),
        ),
        Case("spherical_harmonics", directions, 1, harmonics, harmonics),
        Case("frequency_encode", directions, 1, waves, waves),
    ]


def _ray_cases() -> list[Case]:
    def weights(module: ModuleType, given: Sequence[Tensor]) -> tuple[Tensor, ...]:
        return (module.render_weights(given[0], given[1], *_packed(given[0].device)),)

    def composite(module: ModuleType, given: Sequence[Tensor]) -> tuple[Tensor, ...]:
        density, steps, values = given
        return tuple(module.composite(density, values, steps, *_packed(density.device)))

    def spread(module: ModuleType, given: Sequence[Tensor]) -> tuple[Tensor, ...]:
        shares, lengths = given[0] / 20, given[1]
        middles = torch.arange(len(shares), device=shares.device).to(shares) * 0.01
        return (module.ray_distortion(shares, middles, lengths, *_packed(shares.device)),)

    def box_hits(module: ModuleType, given: Sequence[Tensor]) -> tuple[Tensor, ...]:
        near, far = module.ray_box(*given[:3])
        hit = far > near
        return torch.where(hit, near, 0), torch.where(hit, far, 0), hit.to(near.dtype)

    return [
        Case("render_weights", _samples, 2, weights, weights),
        Case("composite", _samples, 3, composite, composite),
        Case("ray_distortion", _samples, 1, spread, spread),
        Case("ray_box", _rays, 0, box_hits, box_hits),
        Case("march", _rays, 0, _march, _march, slack=STEP * 1.001),
        Case("march_packed", _rays, 0, _march_packed, _march, slack=STEP * 1.001),
    ]

"""How many samples a march may keep where waiting for the exact number would cost too much."""

from __future__ import annotations

import torch
from torch import Tensor

from nerf_talker.errors import BackendError
from nerf_talker.ops import march, march_packed
from nerf_talker.ops.backend import library_for
from nerf_talker.ops.march import PackedSamples
from nerf_talker.ops.register_rays import endless_text
from nerf_talker.types import RayBundle, RaySamples

MARGIN = 1.25
"""Room above what the last known march wanted; batches of random rays differ by a few percent."""

BLOCK = 4096
"""Capacities are multiples of this, so that memory is found again from step to step."""

FADING = 0.98
"""The wanted samples per ray sink no faster than this a step, so that one thin batch costs none."""


class SampleBudget:
    """Marches into buffers sized from earlier steps, and counts what did not fit.

    Only the first march waits. Later ones take their capacity from the newest report that has
    arrived from the device; what is dropped is summed there and known after :meth:`settle`.
    """

    def __init__(self) -> None:
        self._per_ray = 0.0
        self._sums: Tensor | None = None  # samples dropped and endless rays so far, on the device
        self._report: Tensor | None = None  # wanted by the last march, and the sums; on the host
        self._rays = 0  # of that march
        self._arrival: torch.cuda.Event | None = None

    @classmethod
    def where_it_helps(cls, device: torch.device) -> SampleBudget | None:
        """A budget for a GPU with native kernels; None where the exact number costs nothing."""
        if device.type != "cuda" or library_for(torch.empty(0, device=device)) is None:
            return None
        return cls()

    def capacity(self, rays: int) -> int:
        """Samples that a march of ``rays`` rays may keep now."""
        wanted = int(rays * self._per_ray * MARGIN)
        return max(-(-wanted // BLOCK), 1) * BLOCK

    def sample(
        self, rays: RayBundle, cells: Tensor, box: Tensor, step: float, jitter: Tensor
    ) -> RaySamples:
        """March as :func:`nerf_talker.ops.march`; samples beyond the last one have no length.

        Raises:
            BackendError: An earlier march met rays without an end.
        """
        given = (rays.origins, rays.directions, rays.near, rays.far, cells, box, step, jitter)
        if self._report is None and not self._per_ray:
            self._per_ray = len(march(*given).starts) / max(len(rays), 1)
        elif self._arrival is None or self._arrival.query():
            self._read()
        found = march_packed(*given, self.capacity(len(rays)))
        self._send(found, len(rays))
        ends = found.starts + step * found.used()
        return RaySamples(found.ray_indices, found.starts, ends, found.ray_offsets)

    def settle(self) -> int:
        """Wait for the last march; samples dropped so far.

        Raises:
            BackendError: A march met rays without an end.
        """
        if self._sums is None:
            return 0
        dropped, endless = self._sums.tolist()
        _refuse(endless)
        return int(dropped)

    @torch.no_grad()
    def _send(self, found: PackedSamples, rays: int) -> None:
        """Add a march to the sums and start sending them to the host."""
        faults = found.totals[1:]
        self._sums = faults.clone() if self._sums is None else self._sums + faults
        if self._report is not None and self._arrival is not None and not self._arrival.query():
            return  # the sums keep what an unread report would have said
        cuda = faults.is_cuda
        if self._report is None:
            self._report = torch.zeros(3, dtype=torch.int64, pin_memory=cuda)
        self._report.copy_(torch.cat([found.totals[:1], self._sums]), non_blocking=True)
        self._rays = rays
        if cuda:
            self._arrival = torch.cuda.Event()
            self._arrival.record()

    def _read(self) -> None:
        """Take the report that has arrived."""
        if self._report is None:
            return
        wanted, _, endless = self._report.tolist()
        _refuse(endless)
        self._per_ray = max(wanted / max(self._rays, 1), FADING * self._per_ray)


def _refuse(endless: int) -> None:
    if endless:
        raise BackendError(f"march: {endless_text(endless)}")

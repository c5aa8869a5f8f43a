"""The tri-plane encoding as its definition reads: a loop over planes, levels and corners.

A second oracle, which shares nothing with the reference back-end (that looks dense levels up with
``grid_sample``), and the plainest thing to write in torch: the benchmarks' second yardstick.
"""

import torch

PLANES = ((0, 1), (1, 2), (0, 2))
PRIME = 2_654_435_761


def triplane_encode(points, table, layout):
    """(M, planes x levels x features) of (M, 3) points; arguments as ``ops.triplane_encode``."""
    columns = []
    for plane, (across, along) in enumerate(PLANES):
        first = 0
        for resolution in layout.resolutions:
            held = min(resolution**2, layout.entries)
            scaled = points[:, [across, along]].clamp(0, 1) * (resolution - 1)
            cell = scaled.detach().floor().clamp(max=resolution - 2)
            right, down = (scaled - cell).unbind(1)
            column, row = cell.long().unbind(1)
            total = 0
            for i, j in ((0, 0), (1, 0), (0, 1), (1, 1)):
                weight = (right if i else 1 - right) * (down if j else 1 - down)
                if held == resolution**2:
                    entry = (row + j) * resolution + column + i
                else:
                    entry = ((column + i) ^ ((row + j) * PRIME)) % held
                total = total + table[plane, first + entry] * weight[:, None]
            columns.append(total)
            first += held
    return torch.cat(columns, 1)

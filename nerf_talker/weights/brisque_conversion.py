"""Convert BRISQUE's regression, as the brisque package carries it, to ``brisque_live.npz``.

The package holds the support vector machine of BRISQUE's authors in libsvm's text format, trained
on the LIVE database, and a pickle with the ranges that features are scaled from.
"""

from __future__ import annotations

from pathlib import Path
from typing import IO

import numpy as np

from nerf_talker.errors import WeightsError
from nerf_talker.weights.lpips_conversion import read_arrays

FEATURES = 36


def convert(svm: IO[bytes], ranges: IO[bytes], target: Path) -> None:
    """Write the npz with ``vectors`` (V, 36), ``weights`` (V,), ``gamma``, ``rho``.

    ``low`` and ``high`` (36,) are the ranges that features are scaled from.

    Raises:
        WeightsError: The files do not hold the expected regression.
    """
    scaling = read_arrays(ranges)
    try:
        head, _, body = svm.read().decode("ascii").partition("\nSV\n")
        facts = dict(line.split(maxsplit=1) for line in head.splitlines())
        if (facts["svm_type"], facts["kernel_type"]) != ("epsilon_svr", "rbf"):
            raise ValueError("not a regression with radial basis functions")
        rows = [line.split() for line in body.splitlines()]
        vectors = np.zeros((len(rows), FEATURES))
        for row, (_, *entries) in zip(vectors, rows, strict=True):
            for place, value in (entry.split(":") for entry in entries):
                row[int(place) - 1] = float(value)
        arrays = {
            "vectors": vectors,
            "weights": np.array([float(row[0]) for row in rows]),
            "gamma": np.array(float(facts["gamma"])),
            "rho": np.array(float(facts["rho"])),
            "low": np.asarray(scaling["min_"], np.float64).reshape(FEATURES),
            "high": np.asarray(scaling["max_"], np.float64).reshape(FEATURES),
        }
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise WeightsError(f"not BRISQUE's regression ({error})") from None
    with target.open("wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]

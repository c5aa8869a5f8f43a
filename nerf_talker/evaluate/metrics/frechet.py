"""Distances between the feature distributions of two videos: FID and KID.

FID (Heusel et al., 2017): |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) of the means and unbiased
covariances of network features. 0 is equality; lower is better; few frames bias it upward, so the
count is part of the figure. The trace of the root is the sum of the singular values of A1^T A2 with
S = A A^T from the centred features, which needs no root of a near-singular product.

KID (Binkowski et al., 2018): unbiased squared maximum mean discrepancy with the kernel
(x.y / D + 1)^3 over all frames in one block. 0 in expectation at equality (it may be slightly
negative); lower is better.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Features = npt.NDArray[np.float64]


def fid(predicted: Features, truth: Features) -> float:
    """FID of (N, D) and (M, D) features, two or more of each."""
    apart = predicted.mean(0) - truth.mean(0)
    one, other = _root(predicted), _root(truth)
    traces = float((one * one).sum() + (other * other).sum())
    shared = float(np.linalg.svd(one @ other.T, compute_uv=False).sum())
    return float(max(apart @ apart + traces - 2 * shared, 0.0))


def kid(predicted: Features, truth: Features) -> float:
    """KID of (N, D) and (M, D) features, two or more of each."""
    within = _off_diagonal_mean(_kernel(predicted, predicted))
    within += _off_diagonal_mean(_kernel(truth, truth))
    return float(within - 2 * _kernel(predicted, truth).mean())


def _root(features: Features) -> Features:
    """(N, D) rows whose Gram matrix is the unbiased covariance."""
    return np.asarray((features - features.mean(0)) / np.sqrt(len(features) - 1))


def _kernel(a: Features, b: Features) -> Features:
    return np.asarray((a @ b.T / a.shape[1] + 1) ** 3)


def _off_diagonal_mean(kernel: Features) -> float:
    count = len(kernel)
    return float((kernel.sum() - np.trace(kernel)) / (count * (count - 1)))

"""Loss terms: pure and unreduced; their weights live in the training config."""

from nerf_talker.losses.patch_terms import dissimilarity, gradient_pyramid
from nerf_talker.losses.terms import (
    charbonnier,
    distortion,
    gate_sparsity,
    lip_consistency,
    neighbour_distance,
    opacity_entropy,
)

__all__ = [
    "charbonnier",
    "dissimilarity",
    "distortion",
    "gate_sparsity",
    "gradient_pyramid",
    "lip_consistency",
    "neighbour_distance",
    "opacity_entropy",
]

"""Loss terms: pure and unreduced; their weights live in the training config."""

from nerf_talker.losses.terms import charbonnier, distortion, opacity_entropy

__all__ = ["charbonnier", "distortion", "opacity_entropy"]

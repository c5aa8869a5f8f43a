"""The numeric operators of the field and the renderer, one public function each.

The functions check their arguments, document shapes and units, and call the back-end that
:mod:`nerf_talker.ops.backend` chooses: a native library, found or compiled on first use, or the
mathematics in pure torch of :mod:`nerf_talker.ops.reference`.
"""

from nerf_talker.ops.bits import pack_bits, unpack_bits
from nerf_talker.ops.composite import composite, render_weights
from nerf_talker.ops.direction import frequency_encode, spherical_harmonics
from nerf_talker.ops.distortion import ray_distortion
from nerf_talker.ops.grid import LANDMARK_LAYOUT, LatticeLayout, grid_encode, landmark_encode
from nerf_talker.ops.march import PackedSamples, Samples, march, march_packed, ray_box
from nerf_talker.ops.triplane import GridLayout, triplane_encode

__all__ = [
    "LANDMARK_LAYOUT",
    "GridLayout",
    "LatticeLayout",
    "PackedSamples",
    "Samples",
    "composite",
    "frequency_encode",
    "grid_encode",
    "landmark_encode",
    "march",
    "march_packed",
    "pack_bits",
    "ray_box",
    "ray_distortion",
    "render_weights",
    "spherical_harmonics",
    "triplane_encode",
    "unpack_bits",
]

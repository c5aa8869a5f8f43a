"""What each operator cannot do without: bytes from and to memory, FLOP, random reads.

Float32 unless said otherwise. A multiplication, an addition, an exponential, a minimum count as one
FLOP each. Inputs are read once and results written once; a grid's table counts as random reads, not
as bytes, since the tables used here fit the caches.
"""

from torch import nn

from nerf_talker.ops import GridLayout

CORNERS = 4  # of a cell of a plane; a cell in space has eight
HARMONICS = 16


def encode(points, layout, corners=CORNERS, backward=False, to_points=False):
    """Lookup in planes or in space; the backward adds what it reads to the table's gradient."""
    planes_levels = layout.width // layout.features
    once = points * layout.width * 2 * corners  # a product and a sum for each corner and feature
    passes = 1 + backward + (corners.bit_length() - 1) * to_points  # one for each coordinate
    # A corner's features lie together: one read each, and one more for the sum in the backward.
    reads = points * planes_levels * corners * (1 + backward + to_points)
    moved = points * (12 + layout.width * 4) * (1 + backward) + points * 12 * to_points
    return {"bytes": moved, "flop": once * passes, "gathers": reads}


def harmonics(directions):
    """The 16 spherical harmonics: 43 products and sums as they are written in the reference."""
    return {"bytes": directions * 4 * (3 + HARMONICS), "flop": directions * 43}


def ray_box(rays):
    """Six differences, six quotients, twelve minima and maxima; 8 floats of a ray."""
    return {"bytes": rays * 4 * 8, "flop": rays * 24}


def frequencies(points, octaves):
    """A sine and a cosine of each octave of three coordinates, a product before them."""
    return {"bytes": points * 4 * 3 * (2 + 2 * octaves), "flop": points * 3 * octaves * 3}


def march(rays, kept):
    """Where a kept sample's centre lies (6) and in which cell (9); nine floats and offsets a ray.

    Steps through empty cells are not counted: how many there are depends on who marches.
    """
    return {"bytes": rays * (9 * 4 + 16) + kept * (8 + 4), "flop": kept * 15}


def composite(rays, samples, channels, backward=False):
    """Optical depth, its exponential, transmittance, weight and opacity, and each channel's sum."""
    once = samples * (5 + 2 * channels)
    read = samples * 4 * (2 + channels) + rays * 16
    return {
        "bytes": read * (1 + backward)
        + samples * 4 * (1 + channels) * backward
        + rays * 4 * (1 + channels) * (1 + backward),
        "flop": once * (1 + 2 * backward),
    }


def distortion(rays, samples):
    """Two running sums and a square, and as much again for the gradient; eight floats a sample."""
    return {"bytes": samples * 4 * 8 + rays * (16 + 8), "flop": samples * 20}


def networks(module):
    """FLOP of the linear layers inside a module for one sample."""
    layers = [part for part in module.modules() if isinstance(part, nn.Linear)]
    return 2 * sum(layer.weight.numel() for layer in layers)


def head(field, samples):
    """The head field at some samples; its networks' weights stay in the caches."""
    corners = CORNERS if isinstance(field.layout, GridLayout) else 8
    found = encode(samples, field.layout, corners)
    return {
        "bytes": 0,
        "flop": found["flop"] + samples * networks(field),
        "gathers": found["gathers"],
    }


def step(field, rays, samples):
    """A training step: the head and both its gradients, AdamW's seven passes over parameters."""
    once = head(field, samples)
    parameters = sum(value.numel() for value in field.parameters())
    return {
        "bytes": 7 * 4 * parameters + rays * 4 * (8 + 8),
        "flop": 3 * once["flop"],
        "gathers": 3 * once["gathers"],
    }


def frame(field, pixels, samples):
    """A frame of the head: its samples, and a colour and an opacity for every pixel."""
    return head(field, samples) | {"bytes": pixels * 4 * 4}

"""Small head fields of every shipped composition, and of all parts at once."""

import numpy as np
import torch

from nerf_talker.experiment import load_config
from nerf_talker.field.head import HeadCondition, HeadField, HeadFieldConfig
from nerf_talker.field.mouth import MOUTH_POINTS, MouthCode, MouthCodeConfig

BOX = torch.tensor([[-0.1, -0.1, -0.1], [0.1, 0.1, 0.1]])
MOUTH = torch.tensor([[0.0, 0.04, -0.05], [0.08, 0.07, 0.09]])
CODES, EXPRESSIONS = 4, 3
PRESETS = ("portrait", "synctalk", "concat", "r2talker")
SMALL = {
    "grid": {"levels": 3, "base": 4, "finest": 16, "log2_entries": 9},
    "landmarks": {"levels": 2, "base": 4, "finest": 8, "log2_entries": 8},
    "hidden": 12,
    "geometry": 7,
    "gate_hidden": 6,
    "film_hidden": 8,
    "motion_hidden": 9,
}
ALL_PARTS = {
    "encoding": "grid3d",
    "conditioners": ("mouth", "expression", "landmarks"),
    "fusion": ("concat", "gated", "film"),
    "region_prior": 0.5,
}
COMPOSITIONS = (*PRESETS, "all parts")


def small_config(name):
    """The parts of a composition at small sizes; features a level as they are."""
    if name == "all parts":
        return HeadFieldConfig.model_validate(SMALL | ALL_PARTS)
    wanted = load_config(name).talker.head
    sizes = {key: value for key, value in SMALL.items() if isinstance(value, int)}
    grids = {
        key: getattr(wanted, key).model_copy(update=SMALL[key]) for key in ("grid", "landmarks")
    }
    return wanted.model_copy(update=sizes | grids)


def face_shape():
    """(478, 3) a flat face: lips and jaw below, eyes and brows above, the rest between."""
    from nerf_talker.field.regions import UPPER_POINTS

    random = np.random.default_rng(3)
    shape = random.uniform((-0.05, -0.01, -0.08), (0.05, 0.01, -0.07), (478, 3))
    shape[list(MOUTH_POINTS), 1] += 0.05
    shape[list(UPPER_POINTS), 1] -= 0.05
    return shape.astype(np.float32)


def mouth_and_landmarks(frames=40):
    """A fitted mouth code, and the (F, K, 3) landmarks it was fitted to."""
    random = np.random.default_rng(0)
    modes = random.normal(0, 0.004, (CODES, len(MOUTH_POINTS), 3))
    amount = random.normal(0, 1, (frames, CODES))
    rest = face_shape()[list(MOUTH_POINTS)]
    points = (rest + np.einsum("fk,kpc->fpc", amount, modes)).astype(np.float32)
    code = MouthCode(MouthCodeConfig(components=CODES))
    code.fit(points, np.ones(frames, bool))
    return code, points


def small_field(name, dtype=torch.float64):
    """A field that knows a face, with weights at which every part takes part."""
    torch.manual_seed(0)
    field = HeadField(small_config(name), CODES, EXPRESSIONS, BOX, MOUTH)
    mouth, points = mouth_and_landmarks()
    field.know_face(mouth, points, np.ones(len(points), bool), face_shape())
    with torch.no_grad():
        for table in field.tables():
            table.uniform_(-1, 1)
        if field.motion is not None:
            field.motion.net[-1].weight.normal_(0, 0.3)
        if field.film is not None:
            field.film.net[-1].weight.normal_(0, 0.3)
    return field.to(dtype)


def samples(count, dtype=torch.float64, rays=20, frames=3):
    """Points, directions, condition, ray and frame, as a field takes them."""
    generator = torch.Generator().manual_seed(1)
    points = (torch.rand(count, 3, generator=generator) - 0.5) * 0.19
    directions = torch.nn.functional.normalize(torch.randn(rays, 3, generator=generator), dim=-1)
    sizes = (CODES, EXPRESSIONS, 4)
    rows = [torch.randn(frames, n, generator=generator).to(dtype) for n in sizes]
    ray = torch.randint(rays, (count,), generator=generator)
    return points.to(dtype), directions.to(dtype), HeadCondition(*rows), ray, (ray * 7) % frames

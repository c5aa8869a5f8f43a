"""The whole training step, and a frame: operators one by one against one call."""

import tempfile
from dataclasses import replace
from pathlib import Path

import torch

from nerf_talker.data.dataset import Dataset
from nerf_talker.experiment import ExperimentConfig
from nerf_talker.field.head import HeadCondition
from nerf_talker.geometry.cameras import pixel_rays
from nerf_talker.ops import backend
from nerf_talker.render.portrait import PortraitRenderer
from nerf_talker.render.renderer import sample_rays
from nerf_talker.train.avatar import load_avatar
from nerf_talker.train.run_folder import RunFolder
from nerf_talker.train.trainer import Trainer
from nerf_talker.types import Driving
from tests.benchmarks.op_rows import here, on
from tests.benchmarks.timing import Row, best_ms
from tests.builders import write_dataset

FRAME_REPEATS = 3


def talker_rows(avatar=None, size=256):
    """Rows of a fresh head on the tiny dataset, and of a trained one where it is given."""
    with tempfile.TemporaryDirectory() as folder:
        dataset = Dataset.open(write_dataset(Path(folder) / "dataset"))
        trainers = {p: trainer(dataset, Path(folder) / p, p) for p in ("float32", "bfloat16")}
        for precision, made in trainers.items():
            yield step_row(made, precision)
        made = trainers["float32"]
        one = replace(made.driving.select([0]), audio=None)
        yield from frame_rows("a fresh head, 64x64", made.talker, one)
    if avatar is not None:
        talker = load_avatar(avatar).talker.eval()
        talker.camera = talker.camera.scaled(size)
        yield from head_rows(talker)


def trainer(dataset, folder, precision):
    run = RunFolder(folder)
    run.start(precision)
    config = ExperimentConfig()
    train = config.train.model_copy(update={"precision": precision})
    return Trainer(dataset, run, config.talker, train, quiet=True)


def step_row(made, precision):
    batch = made.sampler.draw(made.generator)
    driving = made.driving.select(batch.frames)
    box = made.talker.occupancy.bounds()
    rays = pixel_rays(made.talker.camera, driving.camera_to_head, batch.pixels, batch.frame, box)
    count = len(sample_rays(made.talker, rays, torch.rand(len(rays))))
    times = best_ms({name: on(name, made._take_step) for name in here()})
    text = f"training step, {precision}, {count / len(rays):.1f} samples a ray"
    return Row(text, times, items=len(rays), unit="rays")


def renderers(talker):
    """Back-end and renderer of each way to render, the fused one last."""
    made = {"reference": ("reference", PortraitRenderer(talker))}
    if backend.fault("cpu") is None:
        made["op by op"] = ("cpu", PortraitRenderer(talker))
        made["op by op, bfloat16"] = ("cpu", PortraitRenderer(talker, torch.bfloat16))
    for _, renderer in made.values():
        renderer.fused = None
    with backend.using("cpu" if backend.fault("cpu") is None else "reference"):
        made["fused"] = ("cpu", PortraitRenderer(talker))
    if made["fused"][1].fused is None:
        del made["fused"]
    return made


def against_fused(text, talker, times):
    """The fused call against each other way."""
    pixels = talker.camera.height * talker.camera.width
    for name in times:
        if name != "fused" and "fused" in times:
            pair = {name: times[name], "fused": times["fused"]}
            yield Row(f"{text}: {name} | fused", pair, items=pixels, unit="rays")


def frame_rows(text, talker, driving: Driving):
    actions = {
        name: on(place, lambda r=renderer: next(r.frames(driving)))
        for name, (place, renderer) in renderers(talker).items()
    }
    yield from against_fused(f"frame of {text}", talker, best_ms(actions, FRAME_REPEATS))


def head_rows(talker):
    """The head layer alone, seen from the front by a random mouth."""
    generator = torch.Generator().manual_seed(0)
    widths = (16, 9, talker.config.head.appearance)
    condition = HeadCondition(*(torch.randn(1, w, generator=generator) for w in widths))
    pose = torch.eye(4)[None].clone()
    pose[0, 2, 3] = -0.8
    actions = {
        name: on(place, lambda r=renderer: r.head(pose, condition, 0))
        for name, (place, renderer) in renderers(talker).items()
    }
    with torch.no_grad():
        times = best_ms(actions, FRAME_REPEATS)
    size = f"{talker.camera.width}x{talker.camera.height}"
    yield from against_fused(f"trained head {size}", talker, times)

"""The whole training step, and a frame: operators one by one against one call."""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import torch

from nerf_talker.data.dataset import Dataset
from nerf_talker.errors import ConfigError
from nerf_talker.experiment import load_config
from nerf_talker.field.head import HeadCondition
from nerf_talker.geometry.cameras import pixel_rays
from nerf_talker.ops import backend
from nerf_talker.render.portrait import PortraitRenderer
from nerf_talker.render.renderer import sample_rays
from nerf_talker.train.avatar import load_avatar
from nerf_talker.train.run_folder import RunFolder
from nerf_talker.train.sampler import SamplerConfig
from nerf_talker.train.trainer import Trainer
from tests.benchmarks import counts
from tests.benchmarks.op_rows import here, on
from tests.benchmarks.shell_head import occupy_shell, pose, shell_head
from tests.benchmarks.timing import Row, best_ms
from tests.builders import write_dataset

STEP_REPEATS, FRAME_REPEATS = 5, 3
LAYERED = ("concat", "synctalk", "r2talker")  # compositions that do not run in one native call
PRECISIONS = ("float32", "bfloat16")


def step_rows(device, rays=(4096,)):
    """Steps of a fresh head, all cells set, and of one whose shell alone is left."""
    with tempfile.TemporaryDirectory() as folder:
        dataset = Dataset.open(write_dataset(Path(folder) / "dataset"))
        for count in rays:
            shells = {}
            for precision in PRECISIONS:
                run = Path(folder) / f"{precision}-{count}"
                made = trainer(dataset, run, device, count, precision=precision)
                yield step_row(made, f"all cells, {precision}", precision, step_ms(made))
                occupy_shell(made.talker)
                text = f"a shell of cells, {precision}"
                shells[precision] = step_row(made, text, precision, step_ms(made))
                yield shells[precision]
            yield mixed_row(shells)
            for preset in (*LAYERED, *(("portrait",) if device == "cuda" else ())):
                yield from compiled_row(dataset, Path(folder) / preset, device, preset, count)


def compiled_row(dataset, folder, device, preset, rays):
    """Steps of a head whose layers run one by one, as they are and as torch compiles them."""
    made = {}
    for name in ("layers", "compiled"):
        settings = {"precision": "auto", "compile": name == "compiled"}
        try:
            made[name] = trainer(
                dataset, folder / f"{name}-{rays}", device, rays, preset, **settings
            )
        except ConfigError as refused:
            print(f"left out: {refused}", file=sys.stderr)
            return
        occupy_shell(made[name].talker)
    native = here(device)[-1]
    actions = {name: on(native, one._take_step) for name, one in made.items()}
    dtype = "float32" if made["layers"].autocast is None else "bfloat16"
    text = f"{preset}, a shell of cells, {dtype}"
    yield step_row(made["layers"], text, dtype, best_ms(actions, STEP_REPEATS))


def mixed_row(rows):
    """The slowest way to train and the fastest, from the rows of the two precisions."""
    first = rows["float32"].times["reference"]
    *_, (name, last) = rows["bfloat16"].times.items()
    times = {"reference float32": first, f"{name} bfloat16": last}
    text = rows["float32"].name.replace("float32", "float32 reference | bfloat16")
    return replace(rows["bfloat16"], name=text, times=times)


def trainer(dataset, folder, device, rays, preset="portrait", **settings):
    run = RunFolder(folder)
    run.start(preset)
    config = load_config(preset)
    wanted = {"device": device, "sampler": SamplerConfig(rays=rays)} | settings
    made = Trainer(dataset, run, config.talker, config.train.model_copy(update=wanted), quiet=True)
    made.step = 2 * config.talker.occupancy.warmup  # from here on a step takes all its rays
    made._move()
    return made


def step_ms(made):
    """Times of a step by back-end."""
    return best_ms(
        {name: on(name, made._take_step) for name in here(made.device.type)}, STEP_REPEATS
    )


def step_row(made, text, precision, times):
    batch = made.sampler.draw(made.generator).to(made.device)
    driving = made.objective.driving.select(batch.frames)
    box = made.talker.occupancy.bounds()
    rays = pixel_rays(made.talker.camera, driving.camera_to_head, batch.pixels, batch.frame, box)
    samples = len(sample_rays(made.talker, rays, torch.rand_like(rays.near)))
    return Row(
        f"{len(rays)} rays, {text}",
        times,
        items=len(rays),
        unit="rays",
        dtype=precision,
        note=f"{samples / len(rays):.1f} samples a ray",
        **counts.step(made.talker.head, len(rays), samples),
    )


def frame_rows(device, avatar=None, size=256):
    """Frames of a head like a trained one, and of a trained one where it is given."""
    talker = shell_head(size).to(device)
    yield from head_rows("a shell", talker)
    if avatar is not None:
        talker = load_avatar(avatar, device).talker.eval()
        talker.camera = talker.camera.scaled(size)
        yield from head_rows(avatar.name, talker)


def renderers(talker):
    """Back-end and renderer of each way to render, the fused one last where there is one."""
    made = {"reference": ("reference", PortraitRenderer(talker))}
    native = here(talker.head.box.device.type)[-1]
    if native != "reference":
        made["op by op"] = (native, PortraitRenderer(talker))
        made["op by op, bfloat16"] = (native, PortraitRenderer(talker, torch.bfloat16))
    for _, renderer in made.values():
        renderer.fused = None
    with backend.using(native):
        fused = PortraitRenderer(talker)
    if fused.fused is not None:
        made["fused"] = (native, fused)
    return made


@torch.no_grad()
def head_rows(text, talker):
    """The head layer, seen from the front by a random mouth, with torso and background and without.

    The note compares the pictures: decibels between one call and the operators one by one.
    """
    generator, device = torch.Generator().manual_seed(0), talker.head.box.device
    widths = (talker.config.mouth.components, 9, talker.config.head.appearance)
    codes = (torch.randn(1, width, generator=generator).to(device) for width in widths)
    condition = HeadCondition(*codes)
    made = renderers(talker)
    heads = {
        name: on(place, lambda r=renderer: r.head(pose(device), condition, 0))
        for name, (place, renderer) in made.items()
    }
    size = f"{talker.camera.width}x{talker.camera.height}"
    pixels = talker.camera.height * talker.camera.width
    samples = met(talker)
    counted = counts.frame(talker.head, pixels, samples)
    note = f"{samples / pixels:.1f} samples a ray"
    if "fused" in heads:
        note += f", {decibels(heads['fused']()[0], heads['op by op']()[0]):.1f} dB"
    row = Row(
        f"head layer of {text}, {size}",
        best_ms(heads, FRAME_REPEATS),
        items=pixels,
        unit="pixels",
        note=note,
        **counted,
    )
    yield row
    yield replace(row, name=f"frame of {text}, {size}", times=whole(talker, made, condition))


def whole(talker, made, condition):
    """Times of the head over the torso over the background."""
    device = talker.head.box.device
    still = Still(pose(device), torch.tensor([[1.0, 0, 0, 0, 1, 0]], device=device))
    renderers = {
        name: on(place, lambda r=r: r._frame(still, condition, 0))
        for name, (place, r) in made.items()
    }
    return best_ms(renderers, FRAME_REPEATS)


class Still:
    """What a renderer reads of a driving besides its condition."""

    def __init__(self, camera_to_head, torso_motion):
        self.camera_to_head, self.torso_motion = camera_to_head, torso_motion
        self.torso_bend = None


def met(talker):
    """Samples that the rays of a picture meet."""
    renderer = PortraitRenderer(talker)
    frame = torch.zeros_like(renderer.pixels[:, 0])
    at = pose(frame.device)
    rays = pixel_rays(talker.camera, at, renderer.pixels, frame, renderer.bounds)
    return len(sample_rays(talker, rays, torch.full_like(rays.near, 0.5)))


def decibels(found, wanted):
    return float(-10 * torch.log10((found - wanted).square().mean().clamp_min(1e-20)))

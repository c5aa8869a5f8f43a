"""``make bench``: where the time of a training step and of a frame goes, on this machine.

Prints a table of medians and of ratios within one run; nothing is asserted.
"""

import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

from nerf_talker import ops
from nerf_talker.data.dataset import Dataset
from nerf_talker.experiment import ExperimentConfig
from nerf_talker.geometry.cameras import pixel_rays
from nerf_talker.render.portrait import PortraitRenderer
from nerf_talker.render.renderer import sample_rays
from nerf_talker.train.run_folder import RunFolder
from nerf_talker.train.trainer import Trainer
from tests.builders import write_dataset

REPEATS = 7
SAMPLES = 2**15


def median_ms(action):
    """Median of REPEATS timed calls after one untimed call, milliseconds."""
    action()
    times = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        action()
        times.append((time.perf_counter() - begun) * 1e3)
    return statistics.median(times)


def encoding_rows():
    for log2_entries, name in ((18, "dense levels"), (14, "hashed levels")):
        layout = ops.GridLayout.geometric(12, 16, 400, log2_entries, 2)
        table = torch.randn(layout.table_shape, requires_grad=True)
        points = torch.rand(SAMPLES, 3)
        forward = median_ms(lambda p=points, t=table, n=layout: ops.triplane_encode(p, t, n))
        both = median_ms(
            lambda p=points, t=table, n=layout: ops.triplane_encode(p, t, n).sum().backward()
        )
        yield f"tri-plane encode, {SAMPLES} points, {name}: forward", forward
        yield f"tri-plane encode, {SAMPLES} points, {name}: forward + backward", both


def trainer_rows(folder):
    dataset = Dataset.open(write_dataset(folder / "dataset"))
    config = ExperimentConfig()
    for precision in ("float32", "bfloat16"):
        run = RunFolder(folder / precision)
        run.start(precision)
        train = config.train.model_copy(update={"precision": precision})
        trainer = Trainer(dataset, run, config.talker, train, quiet=True)
        batch = trainer.sampler.draw(trainer.generator)
        driving = trainer.driving.select(batch.frames)
        box = trainer.talker.occupancy.bounds()
        rays = pixel_rays(
            trainer.talker.camera, driving.camera_to_head, batch.pixels, batch.frame, box
        )
        jitter = torch.rand(len(rays))
        if precision == "float32":
            yield "draw 4096 pixels", median_ms(lambda t=trainer: t.sampler.draw(t.generator))
            yield (
                "march 4096 rays",
                median_ms(lambda t=trainer, r=rays, j=jitter: sample_rays(t.talker, r, j)),
            )
        count = len(sample_rays(trainer.talker, rays, jitter))
        step = median_ms(trainer._take_step)
        yield f"training step, {precision}, {count / len(rays):.1f} samples a ray", step
        renderer = PortraitRenderer(trainer.talker, trainer.autocast)
        one = replace(trainer.driving.select([0]), audio=None)
        frame = median_ms(lambda r=renderer, d=one: next(r.frames(d)))
        yield f"frame 64x64 of a fresh head, {precision}", frame


def main():
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, median of {REPEATS}\n")
    first = None
    print(f"{'what':<64}{'ms':>9}{'of first':>10}")
    with tempfile.TemporaryDirectory() as folder:
        for source in (encoding_rows(), trainer_rows(Path(folder))):
            for name, value in source:
                first = first or value
                print(f"{name:<64}{value:>9.2f}{value / first:>10.2f}")


if __name__ == "__main__":
    main()

"""Every shipped composition of the head learns, and its avatar is whole."""

import pytest
import torch

from nerf_talker.experiment import load_config
from nerf_talker.render.portrait import PortraitRenderer
from nerf_talker.train.avatar import load_avatar
from nerf_talker.train.driving import dataset_driving
from nerf_talker.train.preparation import subject
from nerf_talker.train.run_folder import RunFolder
from nerf_talker.train.trainer import Trainer

PRESETS = ("portrait", "synctalk", "concat", "r2talker")
STEPS = 60


def tiny(name):
    """A preset's parts at the sizes of the smoke configuration."""
    wanted, smoke = load_config(name), load_config("smoke")
    head = wanted.talker.head
    sizes = {key: getattr(smoke.talker.head, key) for key in ("hidden", "geometry", "gate_hidden")}
    grid = head.grid.model_copy(update={"levels": 5, "base": 8, "finest": 96, "log2_entries": 13})
    marks = head.landmarks.model_copy(update={"levels": 4, "finest": 128, "log2_entries": 12})
    head = head.model_copy(update=sizes | {"grid": grid, "landmarks": marks})
    occupancy = wanted.talker.occupancy.model_copy(
        update={"resolution": 32, "interval": 8, "warmup": 8}
    )
    talker = smoke.talker.model_copy(update={"head": head, "occupancy": occupancy})
    return talker, smoke.train.model_copy(
        update={
            "steps": STEPS,
            "ema_decay": 0.0,
            "preview_interval": STEPS,
            "checkpoint_interval": STEPS,
            "sampler": smoke.train.sampler.model_copy(update={"rays": 512}),
            "torso": smoke.train.torso.model_copy(update={"steps": 5}),
        }
    )


@pytest.fixture(scope="module", params=PRESETS)
def trained(request, ellipse, tmp_path_factory):
    """A finished short run and its trainer."""
    talker, train = tiny(request.param)
    run = RunFolder(tmp_path_factory.mktemp("presets") / request.param)
    run.start("test\n")
    trainer = Trainer(ellipse, run, talker, train, quiet=True)
    trainer.fit()
    return trainer


def test_the_loss_falls(trained):
    """On one batch, with the same random background, from the fresh head to the trained one."""
    batch = trained.sampler.draw(torch.Generator().manual_seed(3))
    losses = []
    learned = {k: v.clone() for k, v in trained.talker.head.state_dict().items()}
    for state in (fresh_head(trained).state_dict(), learned):
        trained.talker.head.load_state_dict(state)
        trained.objective.generator.manual_seed(4)
        with torch.no_grad():
            found = trained.objective(batch, STEPS, trained.autocast, None, None)
        losses.append(float(found.terms["rgb"]))
    assert losses[1] < 0.9 * losses[0]


def fresh_head(trained):
    """The head as it was made."""
    talker = trained.talker
    torch.manual_seed(trained.config.seed)
    return type(talker)(talker.config, subject(trained.dataset)).head


def test_every_part_learns(trained):
    """Nothing that was made is left where it was made."""
    for name, value in fresh_head(trained).named_parameters():
        assert not torch.equal(value, trained.talker.head.get_parameter(name)), name


@torch.no_grad()
def test_its_avatar_renders_the_same(trained, ellipse):
    avatar = load_avatar(trained.run.avatar)
    talker = trained.talker
    for table in talker.head.tables():
        table.copy_(table.half())  # as the file keeps it
    assert {t.dtype for t in avatar.talker.head.tables()} == {torch.float16}
    driving = dataset_driving(ellipse, [190], "landmarks")
    one = next(PortraitRenderer(avatar.talker).frames(driving))
    other = next(PortraitRenderer(talker).frames(driving))
    assert abs(one.rgb - other.rgb).max() < 1e-5 and one.head_opacity.max() > 0.5


@torch.no_grad()
def test_sound_and_landmarks_drive_the_same_field(trained, ellipse):
    """A code gives the same picture whichever of the two it came from."""
    talker = trained.talker.eval()
    heard = dataset_driving(ellipse, [60, 64], "audio")
    seen = dataset_driving(ellipse, [60, 64], "landmarks")
    codes = talker.condition(heard).mouth, talker.condition(seen).mouth
    assert all(float(code.abs().max()) <= talker.mouth.limit for code in codes)
    pictures = [picture.head_rgb for picture in PortraitRenderer(talker).frames(heard)]
    assert abs(pictures[0] - pictures[1]).max() > 0

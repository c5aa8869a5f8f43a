"""Layers that torch compiles compute what they computed before."""

import pytest
import torch

from nerf_talker.errors import ConfigError
from nerf_talker.train.learner import Learner
from nerf_talker.train.preparation import fit_statistics
from nerf_talker.train.run_folder import RunFolder
from tests.train.test_presets import tiny


def learner(dataset, folder, preset, **settings):
    talker, train = tiny(preset)
    settings = {"precision": "float32", "torso": train.torso} | settings
    return Learner(
        dataset, RunFolder(folder), talker, train.model_copy(update=settings), quiet=True
    )


@pytest.fixture
def compiler():
    """Skips where torch has none."""
    try:
        torch.compile(torch.relu)(torch.zeros(1))
    except (RuntimeError, OSError, ImportError) as error:
        pytest.skip(f"torch cannot compile here: {str(error).splitlines()[0]}")


@pytest.mark.parametrize("preset", ["concat", "r2talker"])
def test_a_compiled_head_has_the_losses_and_gradients_of_the_plain_one(
    ellipse, tmp_path, preset, compiler
):
    losses, gradients = [], []
    for compiled in (False, True):
        made = learner(ellipse, tmp_path / str(compiled), preset, compile=compiled)
        fit_statistics(made.talker, ellipse)
        for rays in (300, 700):  # one program for both
            batch = made._sent(made.sampler.draw(made.generator, rays))
            found = made.objective(batch, 0, None, None, None)
            found.total.backward()
            losses.append(float(found.total.detach()))
        gradients.append({k: v.grad for k, v in made.talker.head.named_parameters()})
    assert losses[:2] == pytest.approx(losses[2:], rel=1e-5)
    for name, plain in gradients[0].items():
        if plain is not None:
            torch.testing.assert_close(gradients[1][name], plain, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    ("preset", "said"),
    [
        ("portrait", "runs in one native call"),
        ("concat", "cannot compile here (no compiler found)"),
    ],
)
def test_a_head_that_cannot_be_compiled_is_refused(ellipse, tmp_path, monkeypatch, preset, said):
    def without(*given, **settings):
        raise RuntimeError("no compiler\nfound")

    monkeypatch.setattr(torch, "compile", without)
    with pytest.raises(ConfigError, match=r"^train\.compile: .*leave it out") as refused:
        learner(ellipse, tmp_path, preset, compile=True, device="cpu")
    assert said in str(refused.value)

"""Layers that torch compiles compute what they computed before."""

import signal

import pytest
import torch

from nerf_talker.errors import ConfigError, TrainingError
from nerf_talker.train.interrupt import Interrupted
from nerf_talker.train.learner import Learner
from nerf_talker.train.preparation import fit_statistics
from nerf_talker.train.run_folder import RunFolder
from tests.train.runs import QUICK, trainer
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
    torch._dynamo.reset()
    for compiled in (False, True):
        made = learner(ellipse, tmp_path / str(compiled), preset, compile=compiled)
        fit_statistics(made.talker, ellipse)
        torch._dynamo.utils.counters.clear()  # the first trial compiled something else
        for rays in (300, 700, 1100, 1500):
            batch = made._sent(made.sampler.draw(made.generator, rays))
            found = made.objective(batch, 0, None, None, None)
            found.total.backward()
            losses.append(float(found.total.detach()))
        gradients.append({k: v.grad for k, v in made.talker.head.named_parameters()})
    assert losses[:4] == pytest.approx(losses[4:], rel=1e-5)
    # At most one for few samples and one for many, whatever their number.
    assert 1 <= torch._dynamo.utils.counters["stats"]["unique_graphs"] <= 2
    for name, plain in gradients[0].items():
        if plain is not None:
            torch.testing.assert_close(gradients[1][name], plain, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    ("preset", "said"),
    [
        ("portrait", "has one native call"),
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


@pytest.mark.parametrize("is_stopped", [True, False])
def test_a_compiler_that_fails_in_a_step_ends_in_one_sentence(
    ellipse, tmp_path, monkeypatch, is_stopped
):
    class Failed(RuntimeError):
        __module__ = "torch._inductor.exc"

    def step(learner):
        if is_stopped:  # Ctrl-C in a terminal reaches the compiler as well
            signal.raise_signal(signal.SIGINT)
        raise Failed("g++ was killed\nby a signal")

    monkeypatch.setattr(Learner, "_take_step", step)
    made = trainer(ellipse, tmp_path / "run", **QUICK)
    kind = Interrupted if is_stopped else TrainingError
    with pytest.raises(kind, match="the same command goes on from the last checkpoint") as ended:
        made.fit()
    assert is_stopped or "could not compile the head (g++ was killed by a signal)" in str(
        ended.value
    )

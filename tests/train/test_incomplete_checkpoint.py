"""A checkpoint that lacks a part, or holds one of another size, is refused by the part's name."""

import copy
import shutil

import pytest
import torch

from nerf_talker.errors import AvatarError
from nerf_talker.train.checkpoint import latest_checkpoint, load_checkpoint, save_checkpoint
from nerf_talker.train.snapshot import load_best, restore, save_best
from tests.train.runs import QUICK, trainer

SETTINGS = QUICK | {"steps": 4, "poses": {"refine": True, "start": 2, "rays": 64}}
SETTINGS |= {"checkpoint_interval": 4, "sampler": {"rays": 256, "frames": 8, "errors": 0.05}}


@pytest.fixture(scope="module")
def made(ellipse, tmp_path_factory):
    found = trainer(ellipse, tmp_path_factory.mktemp("incomplete"), **SETTINGS)
    found.fit()
    return found


def moment(state):
    return state["optimiser"]["state"][0]


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda state: state["talker"].pop("mouth.basis"), r"mouth\.basis"),
        (lambda state: state["average"].pop("density_net.0.weight"), r"density_net\.0\.weight"),
        (lambda state: moment(state).pop("exp_avg_sq"), "exp_avg_sq"),
        (lambda state: moment(state).update(exp_avg=torch.zeros(3)), "exp_avg of parameter 0"),
        (lambda state: moment(state).update(step=torch.zeros(2)), "step of parameter 0"),
        (lambda state: state["optimiser"]["state"].pop(0), "parameters had learned"),
        (lambda state: state["poses"].pop("twists"), "twists"),
        (lambda state: state["poses_optimiser"]["state"].clear(), "1 parameters had learned, 0"),
        (lambda state: state.pop("error_maps"), "errors"),
        (lambda state: state.pop("generators"), "generator"),
        (lambda state: state.pop("step"), "step"),
        (lambda state: state.update(heard=torch.zeros(3, 2)), "heard"),
    ],
)
def test_what_is_missing_is_named(made, tmp_path, spoil, named):
    state = copy.deepcopy(load_checkpoint(latest_checkpoint(made.run.checkpoints)))
    del state["version"]
    spoil(state)
    path = tmp_path / "step-0000004.pt"
    save_checkpoint(path, state)
    with pytest.raises(AvatarError, match=rf"incomplete checkpoint \(.*{named}.*delete it"):
        restore(made, path)


def test_a_checkpoint_that_does_not_count_its_moments_still_loads(made, tmp_path):
    """Older versions did not."""
    state = load_checkpoint(latest_checkpoint(made.run.checkpoints))
    for name in ("optimiser", "poses_optimiser"):
        del state[name]["learned"]
    path = tmp_path / "step-0000004.pt"
    save_checkpoint(path, {name: value for name, value in state.items() if name != "version"})
    restore(made, path)
    kept = made.optimiser.state_dict()["state"]
    assert len(kept) and torch.equal(kept[0]["exp_avg"], moment(state)["exp_avg"])


def test_a_run_that_kept_no_codes_by_sound_finds_them_again(ellipse, made, tmp_path):
    """Older versions kept none, and the rest of such a run learns by sound too."""
    path = latest_checkpoint(made.run.checkpoints)
    state = load_checkpoint(path)
    kept = state.pop("heard")
    assert kept.abs().max() > 0
    folder = tmp_path / "run"
    shutil.copytree(made.run.root, folder)
    version = {name: value for name, value in state.items() if name != "version"}
    save_checkpoint(folder / path.relative_to(made.run.root), version)
    again = trainer(ellipse, folder, **SETTINGS | {"steps": 6})
    again.fit()
    torch.testing.assert_close(again.objective.heard, kept)
    assert again.step == 6 and again.notes.keys() == made.notes.keys()


def test_codes_by_sound_are_those_of_the_checkpoint(made, tmp_path):
    state = load_checkpoint(latest_checkpoint(made.run.checkpoints))
    del state["version"]
    state["heard"] += 1
    path = tmp_path / "step-0000004.pt"
    save_checkpoint(path, state)
    restore(made, path)
    assert torch.equal(made.objective.heard, state["heard"])


def test_best_weights_that_lack_a_tensor_are_named(made):
    save_best(made)
    path = made.run.checkpoints / "best.pt"
    state = load_checkpoint(path)
    del state["talker"]["head.table"], state["version"]
    save_checkpoint(path, state)
    with pytest.raises(AvatarError, match=r"best\.pt: incomplete checkpoint .*head\.table"):
        load_best(made)

"""A learner's state in a checkpoint, and back."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from nerf_talker.errors import AvatarError
from nerf_talker.train.checkpoint import checkpoint_path, load_checkpoint, save_checkpoint
from nerf_talker.train.learner import Learner
from nerf_talker.train.optimiser import load_moments, moments

BEST = "best.pt"
COUNTS = ("step", "seconds", "notes", "rate", "share", "faults", "fault_step", "attempt", "best")
"""Plain numbers of a learner; checkpoints of older versions lack the later ones."""

_log = logging.getLogger(__name__)


def save(learner: Learner) -> None:
    """Write the checkpoint of this step and remove older ones.

    Raises:
        TrainingError: The weights are not finite at the start.
        NonFiniteStep: The weights are not finite later on; the last checkpoint stays.
    """
    learner.check_weights()
    if learner.step > learner.fault_step:
        learner.faults = 0
    if learner.step:  # at first nobody has seen anything yet
        learner.processes.largest(learner.talker.occupancy.score)
    state: dict[str, Any] = {}
    state["generators"] = learner.processes.gathered(learner.generator.get_state())
    if learner.sampler.errors is not None:
        state["error_maps"] = learner.processes.gathered(learner.sampler.errors.values)
    if learner.processes.first:
        folder = learner.run.checkpoints
        older = list(folder.glob("step-*.pt"))
        path = checkpoint_path(folder, learner.step)
        save_checkpoint(path, _state(learner) | state)
        for old in older:
            if old != path:
                old.unlink()
    learner.processes.wait()


def _state(learner: Learner) -> dict[str, Any]:
    state = {name: getattr(learner, name) for name in COUNTS}
    state |= {
        "talker": learner.talker.state_dict(),
        "optimiser": moments(learner.optimiser),
        "average": learner.average.state,
    }
    if learner.objective.heard is not None:
        state["heard"] = learner.objective.heard
    if learner.refinement is not None:
        state["poses"] = learner.refinement.deltas.state_dict()
        state["poses_optimiser"] = moments(learner.refinement.optimiser)
    return state


def restore(learner: Learner, path: Path) -> None:
    """Bring a learner to where a checkpoint left it.

    Raises:
        AvatarError: The checkpoint is damaged, or a part is missing or has another size.
    """
    state = load_checkpoint(path)
    with _named(path):
        learner.step = state["step"]
        learner.talker.load_state_dict(state["talker"], strict=True)
        load_moments(learner.optimiser, state["optimiser"])
        average = learner.average.state
        learner.average.state = {k: state["average"][k].to(v.device) for k, v in average.items()}
        _restore_errors(learner, state)
        _restore_heard(learner, state)
        if learner.refinement is not None:
            learner.refinement.deltas.load_state_dict(state["poses"])
            load_moments(learner.refinement.optimiser, state["poses_optimiser"])
            learner.talker.camera = learner.refinement.camera()
        _restore_generator(learner, state)
    for name in COUNTS:
        setattr(learner, name, state.get(name, getattr(learner, name)))
    if learner.processes.first:
        learner.run.keep_metrics_until(learner.step)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Say which checkpoint it is that lacks a part."""
    try:
        yield
    except (LookupError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise AvatarError(
            f"{path}: incomplete checkpoint ({reason}); delete it to start over"
        ) from None


def _restore_errors(learner: Learner, state: dict[str, Any]) -> None:
    """The error map of this process; with another number of processes, the mean of all."""
    if learner.sampler.errors is None:
        return
    maps = state["error_maps"] if "error_maps" in state else [state["errors"]]
    own = len(maps) == learner.processes.world
    values = maps[learner.processes.rank] if own else torch.stack(maps).mean(0)
    learner.sampler.errors.values.copy_(values)


def _restore_heard(learner: Learner, state: dict[str, Any]) -> None:
    """The codes by sound; checkpoints of older versions have none."""
    if "heard" in state:
        frames = len(learner.dataset.manifest.range("train"))
        wanted = (frames, learner.sizes.mouth.components)
        if state["heard"].shape != wanted:
            raise ValueError(f"heard: {tuple(state['heard'].shape)} codes, expected {wanted}")
        learner.objective.heard = state["heard"].to(learner.device)


def _restore_generator(learner: Learner, state: dict[str, Any]) -> None:
    states = state["generators"] if "generators" in state else [state["generator"]]
    if len(states) == learner.processes.world:
        learner.generator.set_state(states[learner.processes.rank])
        return
    _log.warning("the run goes on with another number of processes: other random numbers")
    learner.generator.manual_seed(learner.config.seed + state["step"] + learner.processes.rank)


def save_best(learner: Learner) -> None:
    """Keep the talker with its averaged weights, which scored best so far."""
    with learner.average.applied(learner.talker.learned()):
        state = {"step": learner.step, "talker": learner.talker.state_dict()}
        state["focal"] = learner.talker.camera.focal
        save_checkpoint(learner.run.checkpoints / BEST, state)


def load_best(learner: Learner) -> None:
    """Give the talker the weights that scored best.

    Raises:
        AvatarError: Their file is damaged, or a part is missing or has another size.
    """
    path = learner.run.checkpoints / BEST
    if path.is_file():
        state, camera = load_checkpoint(path), learner.talker.camera
        with _named(path):
            learner.talker.load_state_dict(state["talker"], strict=True)
        learner.talker.camera = replace(camera, focal=state.get("focal", camera.focal))

"""Planted faults: each ends in a result or in one plain sentence, and nothing half-written."""

import dataclasses
import errno
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from nerf_talker.cli import main
from nerf_talker.errors import TrainingError
from nerf_talker.train import checkpoint, guard
from nerf_talker.train.checkpoint import latest_checkpoint, load_checkpoint
from nerf_talker.train.interrupt import Interrupted, StopSignals
from nerf_talker.train.objective import Objective
from tests.train.runs import QUICK, losses, trainer


def broken(dataset, **arrays):
    return dataclasses.replace(dataset, **arrays)


def test_a_pose_that_is_no_number_is_named(ellipse, tmp_path):
    poses = ellipse.track.camera_to_head.copy()
    poses[17, 0, 3] = np.nan
    track = dataclasses.replace(ellipse.track, camera_to_head=poses)
    with pytest.raises(TrainingError, match="head pose of frame 17 is not finite"):
        trainer(broken(ellipse, track=track), tmp_path / "run")


def test_blank_pictures_are_refused(ellipse, tmp_path):
    black = broken(ellipse, frames=np.zeros_like(ellipse.frames))
    with pytest.raises(TrainingError, match="training pictures are blank"):
        trainer(black, tmp_path / "run")


def test_a_clip_without_sound_is_refused(ellipse, tmp_path):
    silent = dataclasses.replace(ellipse.audio, values=ellipse.audio.values[:0])
    with pytest.raises(TrainingError, match="sound is empty"):
        trainer(broken(ellipse, audio=silent), tmp_path / "run")


def test_a_clip_without_a_face_is_refused(ellipse, tmp_path):
    track = dataclasses.replace(ellipse.track, valid=np.zeros_like(ellipse.track.valid))
    with pytest.raises(TrainingError, match="no training frame shows a face"):
        trainer(broken(ellipse, track=track), tmp_path / "run")


class Spoiled:
    """An objective whose named steps have a loss that is no number."""

    def __init__(self, steps, times=1):
        self.left = dict.fromkeys(steps, times)

    def __call__(self, objective, batch, step, *rest):
        found = PLAIN(objective, batch, step, *rest)
        if self.left.get(step, 0) <= 0:
            return found
        self.left[step] -= 1
        terms = found.terms | {"rgb": found.terms["rgb"] * float("nan")}
        errors = found.errors.clone()
        errors[batch.frame == 0] = float("nan")
        self.frame = int(batch.frames[0])
        return dataclasses.replace(
            found, terms=terms, total=found.total * float("nan"), errors=errors
        )


PLAIN = Objective.__call__


def test_a_fault_goes_back_with_a_lower_rate_and_ends_in_an_avatar(ellipse, tmp_path, monkeypatch):
    said = []
    made = trainer(ellipse, tmp_path / "run", said.append, **QUICK)
    spoiled = Spoiled([25])
    monkeypatch.setattr(Objective, "__call__", lambda *given: spoiled(*given))
    assert made.fit().is_file()
    assert said[0].startswith(f"step 25: rgb of frame {spoiled.frame} not finite; back to step 20")
    assert made.rate == 0.5 and made.faults == 0
    assert [step for step, _ in losses(tmp_path / "run")] == [10, 20, 30, 40, 50, 60]


def test_a_fault_that_stays_is_named_and_the_checkpoint_is_kept(ellipse, tmp_path, monkeypatch):
    made = trainer(ellipse, tmp_path / "run", **QUICK)
    spoiled = Spoiled([25], times=99)
    monkeypatch.setattr(Objective, "__call__", lambda *given: spoiled(*given))
    with pytest.raises(TrainingError, match=r"step 25: rgb of frame \d+ not finite, again after 3"):
        made.fit()
    assert made.rate == 0.5**guard.PATIENCE
    assert load_checkpoint(latest_checkpoint(made.run.checkpoints))["step"] == 20


def test_a_gradient_that_is_no_number_changes_no_weight(ellipse, tmp_path):
    made = trainer(ellipse, tmp_path / "run", **QUICK)
    weight = made.talker.head.density_net[0].weight
    weight.register_hook(lambda gradient: gradient * float("nan"))
    before = weight.detach().clone()
    with pytest.raises(guard.NonFiniteStep, match="gradient of frames"):
        made._take_step()
    assert torch.equal(weight, before) and made.step == 0


def test_weights_that_are_no_numbers_are_never_saved(ellipse, tmp_path):
    made = trainer(ellipse, tmp_path / "run", **QUICK)
    with torch.no_grad():
        made.talker.head.table.fill_(float("nan"))
    with pytest.raises(TrainingError, match="fitted statistics"):
        made.fit()
    assert latest_checkpoint(made.run.checkpoints) is None


def test_a_wild_learning_rate_ends_in_a_result_or_a_sentence(ellipse, tmp_path, monkeypatch):
    monkeypatch.setattr(guard, "EMPTY_CHECK_STEP", 50)
    wild = {"grid_learning_rate": 1.0, "net_learning_rate": 0.2}
    made = trainer(ellipse, tmp_path / "run", **wild, **QUICK)
    try:
        assert made.fit().is_file()
        assert all(np.isfinite(value) for _, value in losses(tmp_path / "run"))
    except TrainingError as error:
        assert "not finite" in str(error) or "empty" in str(error)


def test_an_empty_scene_gets_one_more_seed(ellipse, tmp_path, monkeypatch):
    monkeypatch.setattr(guard, "EMPTY_CHECK_STEP", 15)
    monkeypatch.setattr(guard, "EMPTY_OPACITY", 1.1)
    said = []
    made = trainer(ellipse, tmp_path / "run", said.append, **QUICK)
    first = made.talker.head.table.detach().clone()
    with pytest.raises(TrainingError, match="second seed too"):
        made.fit()
    assert said == ["step 15: the face is empty; once more with another seed"]
    assert made.attempt == 1 and not torch.equal(made.talker.head.table, first)
    monkeypatch.setattr(guard, "EMPTY_OPACITY", 0.0)
    resumed = trainer(ellipse, tmp_path / "run", **QUICK)
    assert resumed.fit().is_file() and resumed.attempt == 1


@pytest.mark.parametrize(
    "error",
    [torch.cuda.OutOfMemoryError("no"), MemoryError(), RuntimeError("can't allocate memory")],
)
def test_a_lack_of_memory_shrinks_the_batch(ellipse, tmp_path, monkeypatch, error):
    def hungry(objective, batch, *rest):
        if len(batch) > 700:
            raise error
        return PLAIN(objective, batch, *rest)

    monkeypatch.setattr(Objective, "__call__", hungry)
    said = []
    made = trainer(
        ellipse,
        tmp_path / "run",
        said.append,
        steps=20,
        warmup_rays=1024,
        checkpoint_interval=10,
        **QUICK,
    )
    assert made.fit().is_file() and made.share == 0.5
    assert said == ["step 0: memory ran out; on with 512 rays a step"]


def test_a_lack_of_memory_shrinks_patches_and_the_rays_of_poses(ellipse, tmp_path):
    detail = {"mouth_steps": 30, "size": 48, "patches": 4}
    made = trainer(
        ellipse,
        tmp_path / "run",
        detail=detail,
        poses={"refine": True, "start": 0, "rays": 512},
        steps=30,
        warmup_rays=12_288,
        **QUICK,
    )
    drawn, plain = [], made.sampler.draw
    made.sampler.draw = lambda generator, rays: drawn.append(rays) or plain(generator, rays)
    sizes = []
    for wanted in ((4, 48), (2, 48), (1, 48), (1, 33), (1, 31), (1, 31)):
        batch = made._draw()
        made._refine_poses(1.0)
        assert made.patches() == batch.patches == wanted
        sizes.append((len(batch), drawn[-1]))
        if wanted != (1, 31):
            made._shrink()
    assert sizes == [(12288, 512), (6144, 256), (3072, 128), (1536, 64), (1153, 32), (1153, 32)]


def test_memory_that_never_suffices_is_said(ellipse, tmp_path, monkeypatch):
    def starved(*given):
        raise MemoryError

    monkeypatch.setattr(Objective, "__call__", starved)
    with pytest.raises(TrainingError, match="memory does not suffice for 256 rays"):
        trainer(ellipse, tmp_path / "run", warmup_rays=1024, **QUICK).fit()


def test_other_errors_are_not_taken_for_a_lack_of_memory(ellipse, tmp_path, monkeypatch):
    def buggy(*given):
        raise RuntimeError("a bug")

    monkeypatch.setattr(Objective, "__call__", buggy)
    with pytest.raises(RuntimeError, match="a bug"):
        trainer(ellipse, tmp_path / "run", **QUICK).fit()


def test_a_full_disk_is_said_and_the_old_checkpoint_resumes(
    ellipse_folder, ellipse_run, tmp_path, monkeypatch, capsys
):
    real, saves = os.fsync, []

    def full(stream):
        saves.append(stream)
        if len(saves) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(stream)

    monkeypatch.setattr(checkpoint.os, "fsync", full)
    run = tmp_path / "run"
    command = ["train", str(ellipse_folder), "-o", str(run), "-c", "smoke", "--quiet"]
    assert main(command) == 1
    assert "no space left on the disk" in capsys.readouterr().err
    assert [entry.name for entry in (run / "checkpoints").iterdir()] == ["step-0000000.pt"]
    assert main(command) == 0
    assert losses(run) == losses(ellipse_run)


def test_a_kill_within_a_save_leaves_the_last_checkpoint(ellipse, ellipse_run, tmp_path):
    script = (
        "import os, signal, sys\n"
        "from nerf_talker.train import checkpoint\n"
        "from nerf_talker.cli import main\n"
        "real, saves = os.fsync, []\n"
        "def cut(stream):\n"
        "    saves.append(stream)\n"
        "    if len(saves) == 2:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    real(stream)\n"
        "checkpoint.os.fsync = cut\n"
        "main(sys.argv[1:])\n"
    )
    run = tmp_path / "run"
    command = ["train", str(ellipse.root), "-o", str(run), "-c", "smoke", "--quiet"]
    done = subprocess.run([sys.executable, "-c", script, *command], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(list((run / "checkpoints").glob(".*.pt"))) == 1
    assert main(command) == 0
    assert not list((run / "checkpoints").glob(".*.pt"))
    assert losses(run) == losses(ellipse_run)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_and_says_so(ellipse, ellipse_run, tmp_path, number, code):
    run = tmp_path / "run"
    command = ["train", str(ellipse.root), "-o", str(run), "-c", "smoke", "--quiet"]
    process = subprocess.Popen(
        [sys.executable, "-m", "nerf_talker", *command], stderr=subprocess.PIPE, text=True
    )
    until = time.monotonic() + 120
    while time.monotonic() < until and not (run / "checkpoints" / "step-0000020.pt").is_file():
        time.sleep(0.01)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code, said
    assert said.count("stopped after step") == 1 and len(said.splitlines()) == 1
    if number == signal.SIGTERM:
        assert main(command) == 0
        assert losses(run) == losses(ellipse_run)


def test_a_stop_between_a_fault_and_its_notice_saves_nothing(ellipse, tmp_path, monkeypatch):
    """On a GPU a fault is seen some steps late."""
    made, signals = trainer(ellipse, tmp_path / "run", **QUICK), StopSignals()
    signals.received = signal.SIGTERM

    def faulty(bar):
        made.step += 1
        with torch.no_grad():
            made.talker.head.table.fill_(float("nan"))

    monkeypatch.setattr(made, "_advance", faulty)
    with pytest.raises(Interrupted, match="from the last checkpoint") as stopped:
        made._learn(signals)
    assert stopped.value.exit_code == 143 and latest_checkpoint(made.run.checkpoints) is None

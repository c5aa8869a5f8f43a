import json
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
import yaml

from nerf_talker.cli import main
from nerf_talker.errors import AvatarError
from nerf_talker.ops import unpack_bits
from nerf_talker.train.avatar import BEND, load_avatar
from nerf_talker.train.checkpoint import latest_checkpoint, load_checkpoint, save_checkpoint
from nerf_talker.train.config import Term
from nerf_talker.train.ema import MovingAverage
from nerf_talker.train.preparation import hull
from nerf_talker.train.run_folder import RunFolder
from nerf_talker.train.sampler import PixelSampler, SamplerConfig
from nerf_talker.types import TORSO_MODES
from tests.train.runs import losses, rows, trainer


def test_a_run_writes_its_files_and_learns(ellipse_run):
    folder = RunFolder(ellipse_run)
    assert folder.avatar.is_file() and folder.config.is_file()
    assert len(list(folder.previews.glob("*.png"))) == 2
    steps = losses(ellipse_run)
    assert [step for step, _ in steps] == [10, 20, 30, 40, 50, 60]
    assert steps[-1][1] < steps[0][1]
    assert rows(ellipse_run)[0]["audio_val_error"] < 0.3


def test_killed_and_resumed_equals_unbroken(ellipse_folder, ellipse_run, tmp_path):
    run = tmp_path / "killed"
    command = [sys.executable, "-m", "nerf_talker", "train", str(ellipse_folder), "-o", str(run)]
    command += ["-c", "smoke", "--quiet"]
    process = subprocess.Popen(command)
    until = time.monotonic() + 120
    while time.monotonic() < until and process.poll() is None:
        newest = latest_checkpoint(RunFolder(run).checkpoints)
        if newest is not None and newest.stem >= "step-0000020":
            break
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not RunFolder(run).avatar.is_file(), "the run ended before it could be killed"
    assert main(command[3:]) == 0
    resumed, unbroken = losses(run), losses(ellipse_run)
    assert [step for step, _ in resumed] == [step for step, _ in unbroken]
    assert [loss for _, loss in resumed] == pytest.approx([loss for _, loss in unbroken], rel=1e-5)


def test_another_configuration_in_the_same_folder_is_refused(ellipse_folder, ellipse_run, capsys):
    command = ["train", str(ellipse_folder), "-o", str(ellipse_run), "-c", "smoke", "--quiet"]
    assert main([*command, "--train.steps", "61"]) == 1
    said = capsys.readouterr().err
    assert "another configuration or dataset (train.steps was 60 and is 61); choose" in said
    assert main(command) == 0
    assert "already trained" in capsys.readouterr().out


def test_a_run_kept_before_a_key_existed_goes_on(ellipse_folder, ellipse_run, capsys):
    config = RunFolder(ellipse_run).config
    kept = config.read_text()
    header, content = kept.split("\n", 1)
    older = yaml.safe_load(content)
    older["train"]["opacity_entropy"] = older["train"]["opacity_entropy"]["weight"]
    for later in ("distortion", "detail", "init", "motion_prior"):
        del older["train"][later]
    config.write_text(f"{header}\n{yaml.safe_dump(older, sort_keys=False)}")
    command = ["train", str(ellipse_folder), "-o", str(ellipse_run), "-c", "smoke", "--quiet"]
    assert main(command) == 0
    assert "already trained" in capsys.readouterr().out
    assert config.read_text() == kept


def test_an_unfinished_run_says_what_is_new_to_it(ellipse_folder, ellipse_run, tmp_path, capsys):
    run = tmp_path / "run"
    shutil.copytree(ellipse_run, run)
    folder = RunFolder(run)
    folder.avatar.unlink()
    header, content = folder.config.read_text().split("\n", 1)
    older = yaml.safe_load(content)
    older["train"]["opacity_entropy"] = older["train"]["opacity_entropy"]["weight"]
    del older["train"]["exchange"], older["train"]["detail"]["ssim"]
    folder.config.write_text(f"{header}\n{yaml.safe_dump(older, sort_keys=False)}")
    command = ["train", str(ellipse_folder), "-o", str(run), "-c", "smoke", "--quiet"]
    assert main(command) == 0
    said = "had no train.detail.ssim.weight 0.0, train.detail.ssim.start 0, "
    said += "train.detail.ssim.ramp 0, train.exchange 1.0; the rest"
    assert said in capsys.readouterr().err
    assert main(command) == 0, "now it says all of them, and is finished"
    assert "earlier version" not in capsys.readouterr().err


def test_wrong_usage_and_bad_config(ellipse_folder, tmp_path, capsys):
    out = ["-o", str(tmp_path / "run")]
    assert main(["train", str(ellipse_folder), *out, "--train.no-such-key", "1"]) == 2
    bad = tmp_path / "bad.yaml"
    bad.write_text("train: {no_such_key: 1}\n")
    assert main(["train", str(ellipse_folder), *out, "-c", str(bad)]) == 1
    assert "train.no_such_key: unknown key" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_checkpoints_are_loaded_strictly(tmp_path, ellipse, ellipse_run):
    run = tmp_path / "run"
    shutil.copytree(ellipse_run, run)
    path = latest_checkpoint(RunFolder(run).checkpoints)
    state = load_checkpoint(path)
    del state["talker"]["head.table"], state["version"]
    save_checkpoint(path, state)
    with pytest.raises(AvatarError, match=r"incomplete checkpoint .*head\.table.* delete it"):
        trainer(ellipse, run).fit()
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(AvatarError, match="damaged"):
        load_checkpoint(path)


def test_a_full_disk_leaves_the_old_checkpoint(tmp_path):
    import resource

    path = tmp_path / "step-0000001.pt"
    save_checkpoint(path, {"weights": torch.zeros(10)})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            save_checkpoint(path, {"weights": torch.zeros(1_000_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert load_checkpoint(path)["weights"].shape == (10,)


def test_avatar_round_trip_is_exact_and_strict(ellipse_run, tmp_path):
    from safetensors import safe_open
    from safetensors.torch import save_file

    avatar = load_avatar(ellipse_run)
    assert avatar.poses.torso_bend.shape == (len(avatar.poses), TORSO_MODES)
    assert avatar.metadata.subject == "ellipse" and "agreed" in avatar.metadata.consent
    path = ellipse_run / "avatar.safetensors"
    with safe_open(path, framework="pt") as archive:
        header = archive.metadata()
        tensors = {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118
    state = avatar.talker.state_dict()
    cells, score = state.pop("occupancy.cells"), state.pop("occupancy.score")
    assert torch.equal(cells, state.pop("occupancy.allowed")) and not score.any()
    packed = tensors["talker.occupancy.cells"]
    assert torch.equal(unpack_bits(packed, cells.numel()).reshape(cells.shape), cells)
    assert 0 < int(cells.sum()) < cells.numel() and len(packed) * 8 == cells.numel()
    assert state["head.table"].dtype == torch.float16
    for name, value in state.items():
        assert torch.equal(value, tensors[f"talker.{name}"])
    del tensors["talker.head.table"]
    save_file(tensors, tmp_path / "cut.safetensors", header)
    with pytest.raises(AvatarError, match=r"head\.table"):
        load_avatar(tmp_path / "cut.safetensors")


def test_an_avatar_of_the_first_format_still_loads(ellipse_run, tmp_path):
    from safetensors import safe_open
    from safetensors.torch import save_file

    avatar = load_avatar(ellipse_run)
    with safe_open(ellipse_run / "avatar.safetensors", framework="pt") as archive:
        header = json.loads(archive.metadata()["nerf_talker"]) | {"format": 1}
        tensors = {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118
    tensors |= {f"talker.{name}": value for name, value in avatar.talker.state_dict().items()}
    tensors["talker.head.table"] = tensors["talker.head.table"].float()
    copies = {name: value.clone() for name, value in tensors.items()}
    for name in ("poses.torso_bend", *(f"talker.{name}" for name in BEND)):
        del copies[name]
    save_file(copies, tmp_path / "old.safetensors", {"nerf_talker": json.dumps(header)})
    found = load_avatar(tmp_path / "old.safetensors")
    assert found.poses.torso_bend is None and not found.talker.torso.bend_modes.any()
    assert found.talker.head.table.dtype == torch.float32
    assert torch.equal(found.talker.occupancy.cells, avatar.talker.occupancy.cells)


def test_wrong_avatar_files_are_named(ellipse_run, tmp_path):
    from safetensors.torch import save_file

    text = tmp_path / "text.safetensors"
    text.write_text("hello")
    with pytest.raises(AvatarError, match="not an avatar file"):
        load_avatar(text)
    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(AvatarError, match="not an avatar of nerf-talker"):
        load_avatar(tmp_path / "other.safetensors")
    newer = {"nerf_talker": json.dumps({"format": 99})}
    save_file({"x": torch.zeros(1)}, tmp_path / "newer.safetensors", newer)
    with pytest.raises(AvatarError, match="newer version"):
        load_avatar(tmp_path / "newer.safetensors")
    with pytest.raises(AvatarError, match="no avatar here"):
        load_avatar(tmp_path / "nowhere")


def test_sampler_favours_the_mouth_and_reads_the_right_pixels(ellipse, generator):
    sampler = PixelSampler(SamplerConfig(rays=4000, frames=8, mouth=0.3, head=0, face=0), ellipse)
    batch = sampler.draw(generator)
    frames = batch.frames[batch.frame]
    truth = ellipse.frames[frames.numpy(), batch.pixels[:, 0].numpy(), batch.pixels[:, 1].numpy()]
    assert np.allclose(batch.rgb.numpy(), truth / 255)
    low, high = sampler.boxes[2, :, :2].min(0), sampler.boxes[2, :, 2:].max(0)
    inside = (
        (batch.pixels >= torch.from_numpy(low)) & (batch.pixels < torch.from_numpy(high))
    ).all(1)
    assert float(inside.float().mean()) > 0.3
    train = ellipse.manifest.range("train")
    assert set(frames.tolist()) <= set(train)


def test_sampler_is_decided_by_the_generator(ellipse):
    sampler = PixelSampler(SamplerConfig(rays=64, frames=4), ellipse)
    first, second = (sampler.draw(torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first.pixels, second.pixels) and torch.equal(first.rgb, second.rgb)


def test_hull_holds_the_head_and_not_the_void(ellipse):
    points = torch.tensor([[0.0, -0.02, 0.0], [0.0, -0.02, -0.1], [0.16, -0.02, 0.0], [0, 0.3, 0]])
    assert hull(ellipse, points).tolist() == [True, True, False, False]


def test_moving_average_converges_and_gives_back():
    module = torch.nn.Linear(2, 2)
    average = MovingAverage(module, 0.5)
    with torch.no_grad():
        module.weight.fill_(3.0)
    for _ in range(40):
        average.update(module)
    with torch.no_grad():
        module.weight.fill_(7.0)
    with average.applied(module):
        assert torch.allclose(module.weight, torch.full((2, 2), 3.0), atol=1e-4)
    assert bool((module.weight == 7).all())


def test_distortion_is_logged_and_pulls_the_weights_together(ellipse, tmp_path):
    """Only where it has a weight; a large one ends with less of it."""
    spread = []
    for weight in (0.0, 1e-6, 300.0):
        made = trainer(ellipse, tmp_path / str(weight), distortion=Term(weight=weight))
        rows = [made._settled(made._take_step()) for _ in range(20 if weight else 1)]
        assert ("distortion" in rows[0]) == (weight > 0)
        spread.append(rows[-1].get("distortion"))
    assert 0 < spread[2] < 0.92 * spread[1]

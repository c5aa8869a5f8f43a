"""The trainer: one command, all phases, exact resume."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from nerf_talker.data.dataset import Dataset
from nerf_talker.errors import TrainingError
from nerf_talker.field.head import HeadCondition
from nerf_talker.geometry.cameras import pixel_rays
from nerf_talker.losses import charbonnier, distortion, opacity_entropy
from nerf_talker.render.budget import SampleBudget
from nerf_talker.render.portrait import PortraitRenderer
from nerf_talker.render.renderer import render_rays
from nerf_talker.render.talker import Talker, TalkerConfig
from nerf_talker.train.audio_phase import fit_audio
from nerf_talker.train.avatar import describe, reference_poses, save_avatar
from nerf_talker.train.checkpoint import (
    checkpoint_path,
    latest_checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from nerf_talker.train.config import TrainConfig
from nerf_talker.train.driving import dataset_driving
from nerf_talker.train.ema import MovingAverage
from nerf_talker.train.precision import resolve_device, resolve_precision
from nerf_talker.train.preparation import fit_statistics, subject
from nerf_talker.train.run_folder import RunFolder
from nerf_talker.train.sampler import PixelBatch, PixelSampler
from nerf_talker.train.torso_phase import fit_torso

# A head that still lets this much light through its face after 500 steps was never found.
EMPTY_OPACITY = 0.15
EMPTY_CHECK_STEP = 500


class Trainer:
    """Trains one talker on one dataset, writing a run folder as it goes."""

    def __init__(
        self,
        dataset: Dataset,
        run: RunFolder,
        talker: TalkerConfig,
        train: TrainConfig,
        quiet: bool = False,
    ) -> None:
        """Build every part; nothing is written or learned yet."""
        torch.manual_seed(train.seed)
        self.dataset, self.run, self.config, self.quiet = dataset, run, train, quiet
        self.generator = torch.Generator().manual_seed(train.seed)
        self.device = resolve_device(train.device)
        self.talker = Talker(talker, subject(dataset))
        self.sampler = PixelSampler(train.sampler, dataset)
        self.driving = dataset_driving(dataset, range(dataset.manifest.frames), "landmarks")
        self.optimiser = self._optimiser()
        self.average = MovingAverage(self.talker.head, train.ema_decay)
        self.autocast = resolve_precision(train.precision, self.device)
        native = talker.render.backend == "native"
        self.budget = SampleBudget.where_it_helps(self.device) if native else None
        self.step = 0
        self.seconds = 0.0
        self.notes: dict[str, float] = {}

    def _optimiser(self) -> torch.optim.Optimizer:
        config, head = self.config, self.talker.head
        tables = head.tables()
        nets = [p for p in head.parameters() if all(p is not table for table in tables)]
        groups = [
            {"params": tables, "lr": config.grid_learning_rate, "weight_decay": 0.0},
            {"params": nets, "lr": config.net_learning_rate},
            {
                "params": self.talker.appearance.parameters(),
                "lr": config.net_learning_rate,
                "weight_decay": 1e-3,
            },
        ]
        for group in groups:
            group["base"] = group["lr"]
        return torch.optim.AdamW(
            groups, betas=(0.9, 0.99), eps=1e-15, weight_decay=config.net_weight_decay, fused=True
        )

    def fit(self) -> Path:
        """Train to the last step and write the avatar.

        Returns:
            The avatar's path. A run that was stopped goes on from its last checkpoint, with the
            losses it would have had.

        Raises:
            TrainingError: A loss became non-finite, or no head appeared.
        """
        newest = latest_checkpoint(self.run.checkpoints)
        if newest is None:
            self._fit_phases()
        else:
            self._restore(newest)
        self._move()
        bar = tqdm(
            total=self.config.steps, initial=self.step, desc="head", disable=self.quiet, unit="step"
        )
        begun = time.perf_counter()
        while self.step < self.config.steps:
            row = self._take_step()
            if self._logs(self.step):
                row = self._settled(row)
                self.run.log({**row, "seconds": self.seconds + time.perf_counter() - begun})
                bar.set_postfix(rgb=f"{row['rgb']:.4f}", samples=f"{row['samples_per_ray']:.1f}")
            self._after_step()
            if self.step % self.config.checkpoint_interval == 0:
                self.seconds += time.perf_counter() - begun
                begun = time.perf_counter()
                self._save()
            bar.update()
        bar.close()
        self.seconds += time.perf_counter() - begun
        self.average.copy_to(self.talker.head)
        info = describe(self.talker, self.dataset, self.seconds, self.step, self.notes)
        save_avatar(self.run.avatar, self.talker, reference_poses(self.dataset), info)
        return self.run.avatar

    def _move(self) -> None:
        """To the training device; the closed-form and seconds-long phases ran on the CPU."""
        if self.device.type == "cpu":
            return
        self.talker.to(self.device)
        self.driving = self.driving.to(self.device)
        self.average.state = {k: v.to(self.device) for k, v in self.average.state.items()}
        for state in self.optimiser.state.values():
            state |= {k: v.to(self.device) for k, v in state.items() if torch.is_tensor(v)}

    def _fit_phases(self) -> None:
        begun = time.perf_counter()
        fit_statistics(self.talker, self.dataset)
        audio = fit_audio(self.talker, self.dataset, self.config.audio, self.generator, self.quiet)
        torso = fit_torso(self.talker, self.dataset, self.config.torso, self.generator, self.quiet)
        self.notes = {f"audio_{name}": value for name, value in audio.items()}
        self.notes["torso_error"] = torso
        self.seconds = time.perf_counter() - begun
        self.run.keep_metrics_until(-1)
        self.run.log({"step": 0, "seconds": self.seconds, **self.notes})
        self._save()

    def _logs(self, step: int) -> bool:
        return step % self.config.log_interval == 0 or step == self.config.steps

    def _settled(self, row: dict[str, Any]) -> dict[str, Any]:
        """A step's figures as numbers, which waits for the device, and what a budget dropped."""
        row = {name: v.item() if torch.is_tensor(v) else v for name, v in row.items()}
        return row if self.budget is None else row | {"samples_dropped": self.budget.settle()}

    def _take_step(self) -> dict[str, Any]:
        """One step; its figures, those of a GPU as tensors that nothing has waited for."""
        config = self.config
        for group in self.optimiser.param_groups:
            group["lr"] = group["base"] * config.final_learning_rate ** (self.step / config.steps)
        early = self.step < 2 * self.talker.occupancy.config.warmup
        batch = self.sampler.draw(self.generator, config.warmup_rays if early else None)
        losses, samples, opacity = self._losses(batch.to(self.device))
        total = losses["rgb"] + config.opacity_entropy * losses["opacity_entropy"]
        if "distortion" in losses:
            total = total + config.distortion * losses["distortion"]
        # Asking a GPU at every step costs more than to learn of it some steps late.
        due = (self.step + 1) % self.config.checkpoint_interval == 0
        asked = self.device.type == "cpu" or due or self._logs(self.step + 1)
        if asked and not bool(torch.isfinite(total)):
            raise TrainingError(
                f"step {self.step}: the loss is {float(total.detach())}; frames "
                f"{sorted(set(batch.frames.tolist()))}; check them, or train into a new folder "
                "with a lower train.net_learning_rate"
            )
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        self.optimiser.step()
        self.step += 1
        if self.step == EMPTY_CHECK_STEP and float(opacity) < EMPTY_OPACITY:
            raise TrainingError(
                f"step {self.step}: the face is empty (opacity {float(opacity):.2f}); check the "
                "masks and poses in the dataset's report.html, or train into a new folder with "
                "another train.seed"
            )
        row: dict[str, Any] = {"step": self.step}
        row |= {name: value.detach() for name, value in losses.items()}
        return row | {"samples_per_ray": samples, "face_opacity": opacity}

    def _losses(self, batch: PixelBatch) -> tuple[dict[str, Tensor], float, Tensor]:
        """Loss terms, mean samples per ray, and mean opacity in the face."""
        driving = self.driving.select(batch.frames)
        condition = self.talker.condition(driving)
        condition = self._augment(condition)
        rays = pixel_rays(
            self.talker.camera,
            driving.camera_to_head,
            batch.pixels,
            batch.frame,
            self.talker.occupancy.bounds(),
        )
        jitter = self._uniform(len(rays))
        with torch.autocast(self.device.type, self.autocast, enabled=self.autocast is not None):
            out = render_rays(
                self.talker,
                rays,
                condition,
                jitter,
                observe=True,
                budget=self.budget,
                keep=self.config.distortion > 0,
            )
        # A random background per ray supervises opacity without a torso and leaves no floaters.
        behind = self._uniform(len(rays), 3)
        target = batch.rgb * batch.alpha[:, None] + behind * (1 - batch.alpha[:, None])
        predicted = out.rgb + behind * (1 - out.opacity[:, None])
        losses = {
            "rgb": charbonnier(predicted, target).mean(),
            "opacity_entropy": opacity_entropy(out.opacity).mean(),
        }
        if out.along is not None:
            samples, weights = out.along
            losses["distortion"] = distortion(weights, samples).mean()
        inside = batch.face & (batch.alpha > 0.9)
        seen = (out.opacity.detach() * inside).sum() / inside.sum().clamp(min=1)
        opacity = torch.where(inside.any(), seen, 1.0)
        return losses, out.samples / max(len(rays), 1), opacity

    def _uniform(self, *shape: int) -> Tensor:
        """Random numbers in [0, 1), drawn here and sent to the device, which is not waited for."""
        drawn = torch.rand(shape, generator=self.generator)
        return drawn.to(self.device, non_blocking=True)

    def _augment(self, condition: HeadCondition) -> HeadCondition:
        """Noise on the mouth code, and the neutral appearance for a part of the frames."""
        mouth, appearance = condition.mouth, condition.appearance
        noise = torch.randn(mouth.shape, generator=self.generator)
        noise = noise.to(mouth.device, non_blocking=True)
        kept = self._uniform(len(mouth), 1) >= self.config.appearance_drop
        return HeadCondition(
            mouth + self.config.code_noise * noise, condition.expression, appearance * kept
        )

    def _after_step(self) -> None:
        occupancy = self.talker.occupancy
        if self.step % self.config.ema_interval == 0:
            self.average.update(self.talker.head)
        warm = self.step >= occupancy.config.warmup
        if warm and self.step % occupancy.config.interval == 0:
            occupancy.prune()
        if self.step % self.config.preview_interval == 0:
            self._preview()

    def _preview(self) -> None:
        val = self.dataset.manifest.range("val")
        frame = val[len(val) // 2]
        with self.average.applied(self.talker.head):
            renderer = PortraitRenderer(self.talker, self.autocast)
            driving = dataset_driving(self.dataset, [frame], "audio").to(self.device)
            picture = next(renderer.frames(driving)).rgb
        self.talker.train()
        rendered = np.round(picture * 255).astype(np.uint8)
        self.run.preview(self.step, self.dataset.frames[frame], rendered)

    def _save(self) -> None:
        older = list(self.run.checkpoints.glob("step-*.pt"))
        state = {
            "step": self.step,
            "seconds": self.seconds,
            "notes": self.notes,
            "talker": self.talker.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "average": self.average.state,
            "generator": self.generator.get_state(),
        }
        path = checkpoint_path(self.run.checkpoints, self.step)
        save_checkpoint(path, state)
        for old in older:
            if old != path:
                old.unlink()

    def _restore(self, path: Path) -> None:
        state = load_checkpoint(path)
        self.talker.load_state_dict(state["talker"], strict=True)
        self.optimiser.load_state_dict(state["optimiser"])
        self.average.state = state["average"]
        self.generator.set_state(state["generator"])
        self.step, self.seconds = state["step"], state["seconds"]
        self.notes = state["notes"]
        self.run.keep_metrics_until(self.step)

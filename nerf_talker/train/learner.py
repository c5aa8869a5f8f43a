"""What learns in a run, and one step of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from nerf_talker.data.dataset import Dataset
from nerf_talker.errors import TrainingError
from nerf_talker.losses.perceptual import SMALLEST
from nerf_talker.render.budget import SampleBudget
from nerf_talker.render.talker import Talker, TalkerConfig
from nerf_talker.train import guard
from nerf_talker.train.checks import check_dataset, check_parts
from nerf_talker.train.compilation import compile_head
from nerf_talker.train.config import TrainConfig
from nerf_talker.train.ema import MovingAverage
from nerf_talker.train.motion_prior import open_prior
from nerf_talker.train.objective import Losses, Objective
from nerf_talker.train.optimiser import head_optimiser, resting, set_rates
from nerf_talker.train.pose_deltas import PoseDeltas, PoseRefinement
from nerf_talker.train.precision import resolve_device, resolve_precision
from nerf_talker.train.preparation import subject
from nerf_talker.train.processes import Processes
from nerf_talker.train.run_folder import RunFolder
from nerf_talker.train.sampler import PixelBatch, PixelSampler
from nerf_talker.train.unmixing import own_colours

RESEED = 1000
"""Between the seeds of a run's first and second attempt."""

_log = logging.getLogger(__name__)


class Learner:
    """A talker, its optimiser and everything else that a checkpoint holds.

    Attributes:
        step: Steps taken.
        rate: Factor on every learning rate; faults lower it.
        share: Factor on the rays and patches of a step; a lack of memory lowers it.
        faults: Faults in a row, the last at ``fault_step``.
        prior: Other people's clips that the audio encoder may learn from.
        attempt: 0, or 1 after no head appeared once.
        best: Highest score on the validation range, dB.
    """

    def __init__(
        self,
        dataset: Dataset,
        run: RunFolder,
        talker: TalkerConfig,
        train: TrainConfig,
        quiet: bool = False,
        say: Callable[[str], None] = _log.info,
    ) -> None:
        """Build every part; nothing is written or learned yet. ``say`` hears what a user should.

        Raises:
            TrainingError: The dataset, or one of the motion prior, cannot be trained on.
            DatasetError: The motion prior names a folder that is no whole dataset.
            ConfigError: The motion prior does not fit the dataset, or names a clip twice; a setting
                does not go with where the mouth code comes from; or nothing can be compiled.
        """
        check_parts(talker, train)
        check_dataset(dataset)
        self.prior = open_prior(train.motion_prior, dataset)
        self.dataset, self.run, self.config = dataset, run, train
        self.device = resolve_device(train.device)
        self.processes = Processes.joined()
        self.quiet = quiet or not self.processes.first
        self.say = say if self.processes.first else _log.debug
        self.sizes, self.subject = talker, subject(dataset)
        self.autocast = resolve_precision(train.precision, self.device)
        self.sampler = PixelSampler(train.sampler, dataset)
        self.attempt = 0
        self.seconds = 0.0
        self.build()

    def build(self) -> None:
        """Everything that learns, from the seed of this attempt."""
        seed = self.config.seed + RESEED * self.attempt
        torch.manual_seed(seed)
        self.generator = torch.Generator().manual_seed(seed)
        self.talker = Talker(self.sizes, self.subject)
        if self.config.compile:
            compile_head(self.talker.head, self.device)
        self.objective = Objective(
            self.talker, self.dataset, self.config, self.generator, self.device
        )
        self.optimiser = head_optimiser(self.talker, self.config)
        self.average = MovingAverage(self.talker.learned(), self.config.ema_decay)
        self.refinement = self._refinement() if self.config.poses.refine else None
        native = self.sizes.render.backend == "native"
        self.budget = SampleBudget.where_it_helps(self.device) if native else None
        self.step, self.faults, self.fault_step = 0, 0, -1
        self.rate, self.share, self.best = 1.0, 1.0, -float("inf")
        self.notes: dict[str, float] = {}

    def _refinement(self) -> PoseRefinement:
        train = self.dataset.manifest.range("train")
        valid = torch.from_numpy(self.dataset.track.valid[train.start : train.stop].copy())
        config = self.config.poses
        deltas = PoseDeltas(train.start, valid, config.focal).to(self.device)
        return PoseRefinement(config, deltas, self.talker.camera)

    def _move(self) -> None:
        """To the training device; the closed-form and seconds-long phases ran on the CPU."""
        if self.device.type == "cpu":
            return
        self.talker.to(self.device)
        self.objective.move()
        self.sampler.pictures.keep_on(self.device)
        self.average.state = {k: v.to(self.device) for k, v in self.average.state.items()}
        for state in self.optimiser.state.values():
            state |= {k: v.to(self.device) for k, v in state.items() if torch.is_tensor(v)}

    def rays(self) -> int:
        """Rays of the next step in this process."""
        early = self.step < 2 * self.talker.occupancy.config.warmup
        wanted = self.config.warmup_rays if early else self.config.sampler.rays
        return max(int(wanted * self.share) // self.processes.world, 1)

    def patches(self) -> tuple[int, int]:
        """How many patches the next step of a detail phase has, and their side in pixels.

        A lack of memory takes patches, then pixels of the last one, down to what the perceptual
        term needs.
        """
        detail = self.config.detail
        wanted = detail.patches * self.share
        side = int(detail.size * min(wanted, 1.0) ** 0.5)
        return max(int(wanted), 1), max(side, min(detail.size, SMALLEST))

    def _draw(self) -> PixelBatch:
        """The pixels of a step; in the detail phases patches take the place of rays."""
        rays = self.rays()
        phase = self.config.phase(self.step)
        if phase == "head":
            return self.sampler.draw(self.generator, rays)
        joint = phase == "joint"
        patches = self.sampler.patches(*self.patches(), joint, self.generator)
        rest = max(rays - patches.patch_pixels(), rays // 4, 1)
        return self.sampler.draw(self.generator, rest).with_patches(patches)

    def _sent(self, batch: PixelBatch) -> PixelBatch:
        """A batch on the training device, with the colours that the head is to have."""
        batch = batch.to(self.device)
        if not self.config.unmix:
            return batch
        frame, driving = batch.frames[batch.frame], self.objective.driving
        rgb = own_colours(self.talker, driving, frame, batch.pixels, batch.rgb, batch.alpha)
        return replace(batch, rgb=rgb)

    def _logs(self, step: int) -> bool:
        return step % self.config.log_interval == 0 or step == self.config.steps

    def _settled(self, row: dict[str, Any]) -> dict[str, Any]:
        """A step's figures as numbers, which waits for the device, and what a budget dropped."""
        row = {name: v.item() if torch.is_tensor(v) else v for name, v in row.items()}
        return row if self.budget is None else row | {"samples_dropped": self.budget.settle()}

    def _take_step(self) -> dict[str, Any]:
        """One step; its figures, those of a GPU as tensors that nothing has waited for.

        Raises:
            NonFiniteStep: A loss or a gradient is not finite; no weight has changed.
            EmptyScene: No head appeared.
        """
        config = self.config
        decay = config.final_learning_rate ** (self.step / config.steps)
        set_rates(self.optimiser, self.rate * decay)
        batch = self._sent(self._draw())
        poses = None if self.refinement is None else self.refinement.deltas
        losses = self.objective(batch, self.step, self.autocast, self.budget, poses)
        self.optimiser.zero_grad(set_to_none=True)
        losses.total.backward()
        self._check(losses, batch)
        if config.phase(self.step) == "mouth":
            for value in resting(self.talker):
                value.grad = None
        self.optimiser.step()
        self.step += 1
        self.sampler.learn_errors(batch, losses.errors)
        self._refine_poses(decay)
        if self.step == guard.EMPTY_CHECK_STEP:
            self.processes.average([losses.opacity])
            if float(losses.opacity) < guard.EMPTY_OPACITY:
                raise guard.EmptyScene(float(losses.opacity))
        row: dict[str, Any] = {"step": self.step}
        row |= {name: value.detach() for name, value in losses.terms.items()}
        return row | {"samples_per_ray": losses.samples, "face_opacity": losses.opacity}

    def _check(self, losses: Losses, batch: PixelBatch) -> None:
        """Average the gradients over the processes, and look whether all is finite."""
        groups = [group["params"] for group in self.optimiser.param_groups]
        self.processes.average(p.grad for g in groups for p in g if p.grad is not None)
        # Asking a GPU at every step costs more than to learn of it some steps late.
        due = (self.step + 1) % self.config.checkpoint_interval == 0
        if not (self.device.type == "cpu" or due or self._logs(self.step + 1)):
            return
        names = losses.faulty() if not bool(torch.isfinite(losses.total)) else []
        # A broken gradient of the tables has gone through the nets' layers.
        if not names and not guard.finite_gradients([p for g in groups[1:] for p in g]):
            names = ["gradient"]
        if self.processes.any(bool(names), self.device):
            frames = guard.faulty_frames(batch.frames, batch.frame, losses.errors)
            listed = ", ".join(str(frame) for frame in frames[:8])
            more = f" and {len(frames) - 8} more" if len(frames) > 8 else ""
            what = " and ".join(names) or "a loss in another process"
            raise guard.NonFiniteStep(f"{what} of frame{'s' * (len(frames) > 1)} {listed}{more}")

    def _refine_poses(self, decay: float) -> None:
        """A step of the poses, where they are refined and it is time."""
        refinement = self.refinement
        if refinement is None or not refinement.due(self.step):
            return
        rays = max(int(refinement.config.rays * self.share), 1)
        batch = self._sent(self.sampler.draw(self.generator, rays))
        behind = torch.rand(len(batch), 3, generator=self.generator).to(self.device)
        driving = self.objective.driven(batch.frames)
        refinement.learn(self.talker, driving, batch, behind, self.processes, self.rate * decay)

    def check_weights(self) -> None:
        """Refuse weights that are not finite.

        Raises:
            TrainingError: At the very start.
            NonFiniteStep: Later, when there is a good state to go back to.
        """
        if guard.finite_weights(self.talker):
            return
        if self.step == 0:
            raise TrainingError(
                "the fitted statistics hold numbers that are not finite; run 'nerf-talker "
                "preprocess' again and look at the dataset's report.html"
            )
        raise guard.NonFiniteStep("weights")

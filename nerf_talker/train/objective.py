"""What a step of the head minimises: the terms of a batch of rays, each by its name."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor

from nerf_talker.data.dataset import Dataset
from nerf_talker.field.head import HeadCondition
from nerf_talker.field.mouth import MOUTH_POINTS
from nerf_talker.geometry.cameras import pixel_rays
from nerf_talker.geometry.mesh import LIPS
from nerf_talker.losses import (
    charbonnier,
    distortion,
    gate_sparsity,
    lip_consistency,
    neighbour_distance,
    opacity_entropy,
)
from nerf_talker.render.budget import SampleBudget
from nerf_talker.render.renderer import render_rays
from nerf_talker.render.talker import Talker
from nerf_talker.train.config import TrainConfig
from nerf_talker.train.detail import DetailTerms
from nerf_talker.train.driving import SoundWindows, dataset_driving
from nerf_talker.train.pose_deltas import PoseDeltas
from nerf_talker.train.sampler import PixelBatch
from nerf_talker.types import Driving, RenderOutput

LIP_ROWS = [MOUTH_POINTS.index(point) for point in LIPS]


@dataclass(frozen=True)
class Losses:
    """The terms of one step.

    Attributes:
        terms: Mean of each term.
        total: Their weighted sum.
        samples: Samples per ray.
        opacity: Mean opacity in the face.
        errors: (N,) colour error of each ray.
    """

    terms: dict[str, Tensor]
    total: Tensor
    samples: float
    opacity: Tensor
    errors: Tensor

    def faulty(self) -> list[str]:
        """The terms that are not finite numbers."""
        return [name for name, value in self.terms.items() if not bool(torch.isfinite(value))]


class Objective:
    """The losses of one talker on one dataset; its randomness comes from one generator.

    Attributes:
        heard: (T, C) mouth codes of the training range by its sound, see
            :class:`~nerf_talker.train.audio_phase.Heard`; None before there are any, and for a
            head that learns from the sound alone.
    """

    def __init__(
        self,
        talker: Talker,
        dataset: Dataset,
        config: TrainConfig,
        generator: torch.Generator,
        device: torch.device,
    ) -> None:
        """``device`` is where the head trains; ``heard`` is set when the sound has been fitted."""
        self.talker, self.config, self.generator = talker, config, generator
        self.device = device
        self.driving = dataset_driving(dataset, range(dataset.manifest.frames), "landmarks")
        self.sound = SoundWindows(dataset) if talker.learns_from == "audio" else None
        self.first = dataset.manifest.splits["train"][0]
        self.heard: Tensor | None = None
        self.rest = torch.from_numpy(dataset.mean_shape[list(LIPS)])
        self.detail = DetailTerms(config.detail, device)

    def move(self) -> None:
        """To the training device."""
        self.driving = self.driving.to(self.device)
        if self.sound is not None:
            self.sound.move(self.device)
        if self.heard is not None:
            self.heard = self.heard.to(self.device)
        self.rest = self.rest.to(self.device)

    def driven(self, frames: Tensor) -> Driving:
        """Driving of (T,) frames by what the head learns from."""
        driving = self.driving.select(frames)
        if self.sound is None:
            return driving
        return dataclasses.replace(driving, audio=self.sound.of(frames), landmarks=None)

    def __call__(
        self,
        batch: PixelBatch,
        step: int,
        autocast: torch.dtype | None,
        budget: SampleBudget | None,
        poses: PoseDeltas | None,
    ) -> Losses:
        """The losses of a batch at ``step``, with refined poses where there are some."""
        config, talker = self.config, self.talker
        driving = self.driven(batch.frames)
        if poses is not None:
            refined = poses.refined(driving.camera_to_head, batch.frames).detach()
            driving = dataclasses.replace(driving, camera_to_head=refined)
        condition = self._augment(self._by_sound(talker.condition(driving), batch))
        bounds = talker.occupancy.bounds()
        rays = pixel_rays(talker.camera, driving.camera_to_head, batch.pixels, batch.frame, bounds)
        if config.exchange:
            condition, rows = self._exchanged(condition, batch)
            rays = dataclasses.replace(rays, frame=rows)
        jitter = self._uniform(len(rays))
        with torch.autocast(self.device.type, autocast, enabled=autocast is not None):
            out = render_rays(
                talker,
                rays,
                condition,
                jitter,
                observe=config.phase(step) != "mouth",
                budget=budget,
                keep=config.distortion.at(step) > 0,
            )
        behind = self._behind(batch)
        target = batch.rgb * batch.alpha[:, None] + behind * (1 - batch.alpha[:, None])
        predicted = out.rgb + behind * (1 - out.opacity[:, None])
        colour = charbonnier(predicted, target)
        terms = {"rgb": (colour.mean(), 1.0)} | self._ray_terms(out, batch, step)
        terms |= self._code_terms(driving, step)
        if batch.patch_pixels():
            last = slice(-batch.patch_pixels(), None)
            since = config.detail_step(step)
            terms |= self.detail.terms(predicted[last], target[last], batch.patches, since)
        total = terms["rgb"][0]
        for name, (value, weight) in terms.items():
            if name != "rgb":
                total = total + weight * value
        return Losses(
            {name: value for name, (value, _) in terms.items()},
            total,
            out.samples / max(len(rays), 1),
            _face_opacity(out, batch),
            colour.detach().mean(-1),
        )

    def _ray_terms(
        self, out: RenderOutput, batch: PixelBatch, step: int
    ) -> dict[str, tuple[Tensor, float]]:
        config = self.config
        weight = config.opacity_entropy.at(step)
        found = {"opacity_entropy": (opacity_entropy(out.opacity).mean(), weight)}
        if out.along is not None:
            samples, weights = out.along
            spread = distortion(weights, samples).mean()
            found["distortion"] = (spread, config.distortion.at(step))
        weight = config.gate_sparsity.at(step)
        if weight:
            inside = torch.stack([batch.speaks, batch.looks], -1)
            paid = gate_sparsity(out.features, out.opacity, inside.float())
            found["gate_sparsity"] = (paid.mean(), weight)
        return found

    def _code_terms(self, driving: Driving, step: int) -> dict[str, tuple[Tensor, float]]:
        """Terms of what drives the head, which need no rendering."""
        config, talker, found = self.config, self.talker, {}
        weight = config.appearance_smoothness.at(step)
        if weight:
            rows = driving.appearance
            following = (rows + 1).clamp(max=talker.appearance.num_embeddings - 1)
            distance = neighbour_distance(talker.appearance(rows), talker.appearance(following))
            found["appearance_smoothness"] = (distance.mean(), weight)
        weight = config.lip_consistency.at(step)
        motion = talker.head.motion
        if weight and motion is not None and driving.landmarks is not None:
            lips = driving.landmarks[:, LIP_ROWS]
            codes = talker.mouth_code(driving).repeat_interleave(len(LIP_ROWS), 0)
            moved = lips + motion(lips.reshape(-1, 3), codes).reshape(lips.shape)
            found["lip_consistency"] = (lip_consistency(moved, self.rest).mean(), weight)
        return found

    def _behind(self, batch: PixelBatch) -> Tensor:
        """(N, 3) what shows behind the head: a random colour for every ray, one for each patch.

        It supervises opacity without a torso and leaves no floaters.
        """
        behind = self._uniform(len(batch), 3)
        if batch.patch_pixels():
            count, size = batch.patches
            colours = self._uniform(count, 3).repeat_interleave(size * size, 0)
            behind = torch.cat([behind[: -batch.patch_pixels()], colours])
        return behind

    def _exchanged(
        self, condition: HeadCondition, batch: PixelBatch
    ) -> tuple[HeadCondition, Tensor]:
        """What a ray hears, and (N,) rows of it: away from a part of the face, of another frame.

        What looks the same with every other frame's blink learns not to listen to blinks; so no
        blink moves the hair's outline, whatever the clip's blinks happen to go with.
        """
        count = len(condition.mouth)
        shift = torch.randint(1, max(count, 2), (1,), generator=self.generator)
        other = ((torch.arange(count) + shift) % count).to(self.device, non_blocking=True)
        mouth, expression = condition.mouth, condition.expression
        # Four groups of rows: all of the frame's own, another mouth, another expression, both.
        heard = HeadCondition(
            torch.cat([mouth, mouth[other]]).repeat(2, 1),
            torch.cat([expression.repeat(2, 1), expression[other].repeat(2, 1)]),
            condition.appearance.repeat(4, 1),
        )
        drawn = self._uniform(len(batch)) < self.config.exchange
        group = (drawn & ~batch.speaks).long() + 2 * (drawn & ~batch.looks).long()
        return heard, batch.frame + count * group

    def _uniform(self, *shape: int) -> Tensor:
        """Random numbers in [0, 1), drawn here and sent to the device, which is not waited for."""
        drawn = torch.rand(shape, generator=self.generator)
        return drawn.to(self.device, non_blocking=True)

    def _by_sound(self, condition: HeadCondition, batch: PixelBatch) -> HeadCondition:
        """A part of a batch's frames moved by what the audio encoder says of them.

        None of those that patches are of: a mouth that is not where the picture has it would only
        teach the terms of patches to blur its teeth.
        """
        share = self.config.audio.heard
        if self.heard is None or not share:
            return condition
        drawn = self._uniform(len(batch.frames), 1) < share
        if batch.patch_pixels():
            drawn[batch.frame[-batch.patch_pixels() :]] = False
        said = self.heard[batch.frames - self.first]
        return dataclasses.replace(condition, mouth=torch.where(drawn, said, condition.mouth))

    def _augment(self, condition: HeadCondition) -> HeadCondition:
        """Noise on the mouth code, and the neutral appearance for a part of the frames."""
        mouth, appearance = condition.mouth, condition.appearance
        noise = torch.randn(mouth.shape, generator=self.generator)
        noise = noise.to(mouth.device, non_blocking=True)
        kept = self._uniform(len(mouth), 1) >= self.config.appearance_drop
        return dataclasses.replace(
            condition,
            mouth=mouth + self.config.code_noise * noise,
            appearance=appearance * kept,
        )


def _face_opacity(out: RenderOutput, batch: PixelBatch) -> Tensor:
    inside = batch.face & (batch.alpha > 0.9)
    seen = (out.opacity.detach() * inside).sum() / inside.sum().clamp(min=1)
    return torch.where(inside.any(), seen, 1.0)

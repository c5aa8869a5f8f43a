"""The training section of an experiment's configuration."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from nerf_talker.config import StrictModel
from nerf_talker.train.sampler import SamplerConfig


class AudioPhaseConfig(StrictModel):
    """Fitting the audio encoder to mouth codes; ``spread`` is the wanted ratio of deviations.

    Steps and ridge were chosen by cross-validation within a training range.
    """

    steps: int = Field(default=400, ge=0)
    batch: int = Field(default=128, gt=0)
    learning_rate: float = Field(default=2e-3, gt=0)
    weight_decay: float = Field(default=3e-2, ge=0)
    ridge: float = Field(default=30.0, gt=0)
    spread: float = Field(default=0.8, gt=0, le=1.5)


class TorsoPhaseConfig(StrictModel):
    """Fitting the torso layer to the pixels outside the head."""

    steps: int = Field(default=400, gt=0)
    pixels: int = Field(default=8192, gt=0)
    frames: int = Field(default=16, gt=0)
    plate_learning_rate: float = 5e-4
    net_learning_rate: float = 2e-3


class TrainConfig(StrictModel):
    """One run. Weights multiply the loss terms of the same name."""

    seed: int = 0
    steps: int = Field(default=12_000, gt=0)
    sampler: SamplerConfig = SamplerConfig()
    audio: AudioPhaseConfig = AudioPhaseConfig()
    torso: TorsoPhaseConfig = TorsoPhaseConfig()
    grid_learning_rate: float = 1e-2
    net_learning_rate: float = 2e-3
    net_weight_decay: float = 1e-5
    final_learning_rate: float = 0.05
    warmup_rays: int = Field(default=1536, gt=0)
    opacity_entropy: float = 2e-3
    distortion: float = Field(default=0.0, ge=0)
    code_noise: float = Field(default=0.1, ge=0)
    appearance_drop: float = Field(default=0.25, ge=0, le=1)
    ema_decay: float = Field(default=0.95, ge=0, lt=1)
    ema_interval: int = Field(default=10, gt=0)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    checkpoint_interval: int = Field(default=200, gt=0)
    preview_interval: int = Field(default=1000, gt=0)
    log_interval: int = Field(default=50, gt=0)

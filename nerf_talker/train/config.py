"""The training section of an experiment's configuration."""

from __future__ import annotations

from typing import Literal

from nerf_talker.config import StrictModel
from nerf_talker.train.sampler import SamplerConfig


class AudioPhaseConfig(StrictModel):
    """Fitting the audio encoder to mouth codes; ``spread`` is the wanted ratio of deviations."""

    steps: int = 250
    batch: int = 128
    learning_rate: float = 2e-3
    weight_decay: float = 3e-2
    ridge: float = 3.0
    spread: float = 0.85


class TorsoPhaseConfig(StrictModel):
    """Fitting the torso layer to the pixels outside the head."""

    steps: int = 400
    pixels: int = 8192
    frames: int = 16
    plate_learning_rate: float = 5e-4
    net_learning_rate: float = 2e-3


class TrainConfig(StrictModel):
    """One run. Weights multiply the loss terms of the same name."""

    seed: int = 0
    steps: int = 4000
    sampler: SamplerConfig = SamplerConfig()
    audio: AudioPhaseConfig = AudioPhaseConfig()
    torso: TorsoPhaseConfig = TorsoPhaseConfig()
    grid_learning_rate: float = 1e-2
    net_learning_rate: float = 2e-3
    net_weight_decay: float = 1e-5
    final_learning_rate: float = 0.05
    warmup_rays: int = 1536
    opacity_entropy: float = 2e-3
    code_noise: float = 0.1
    appearance_drop: float = 0.25
    ema_decay: float = 0.95
    ema_interval: int = 10
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    checkpoint_interval: int = 500
    preview_interval: int = 1000
    log_interval: int = 50

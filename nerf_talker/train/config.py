"""The training section of an experiment's configuration."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from nerf_talker.config import StrictModel
from nerf_talker.train.sampler import SamplerConfig

Phase = Literal["head", "mouth", "joint"]


class Term(StrictModel):
    """Weight of a loss term: nothing before ``start``, all of it ``ramp`` steps later.

    A file may give the weight alone, as a number.
    """

    weight: float = Field(default=0.0, ge=0)
    start: int = Field(default=0, ge=0)
    ramp: int = Field(default=0, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _weight_alone(cls, given: Any) -> Any:
        return {"weight": given} if isinstance(given, (int, float)) else given

    def at(self, step: int) -> float:
        """The weight at ``step``."""
        if step < self.start:
            return 0.0
        return self.weight * min(1.0, (step - self.start + 1) / (self.ramp + 1))


class AudioPhaseConfig(StrictModel):
    """Fitting the audio encoder to mouth codes, and what the head learns of its answers.

    ``spread`` is the wanted ratio of deviations. ``heard`` is the share of the head's training
    frames whose mouth the encoder moves instead of the landmarks, by its answer for a frame that it
    was not fitted to: so the head learns from what it will be told, and what to show where sound
    does not tell all. Frames of patches stay with their landmarks. Neither means anything to a
    mouth code that is learned with the head.
    """

    spread: float = Field(default=0.85, gt=0, le=1.5)
    heard: float = Field(default=0.3, ge=0, le=1)


class TorsoPhaseConfig(StrictModel):
    """Fitting the torso layer to the pixels outside the head."""

    steps: int = Field(default=400, gt=0)
    pixels: int = Field(default=8192, gt=0)
    frames: int = Field(default=16, gt=0)
    plate_learning_rate: float = 5e-4
    net_learning_rate: float = 2e-3


class DetailConfig(StrictModel):
    """The last steps of a run: square patches beside the rays, for terms that need neighbours.

    First ``mouth_steps`` with patches around the mouth, in which the occupancy, the upper face's
    gate and the appearance codes rest; then ``joint_steps`` with patches anywhere in the face, in
    which everything learns. Patches take the place of rays, so a step costs what it did. The
    perceptual term counts where its weights file is at hand and patches have 31 pixels a side, the
    others everywhere. Terms start and ramp in steps of the phases.
    """

    mouth_steps: int = Field(default=0, ge=0)
    joint_steps: int = Field(default=0, ge=0)
    patches: int = Field(default=1, gt=0)
    size: int = Field(default=48, ge=8)
    perceptual: Term = Term(weight=0.03)
    gradient: Term = Term(weight=0.1)
    ssim: Term = Term()


class PoseConfig(StrictModel):
    """Refining the training frames' poses by the pixels they explain.

    ``learning_rate`` in radians, and in units of 12 cm; a step every ``interval`` steps from
    ``start`` on, with ``rays`` rays. ``focal`` learns with them a factor on the focal length, the
    avatar's from then on, within 5 % of the given one.
    """

    refine: bool = False
    focal: bool = False
    start: int = Field(default=1500, ge=0)
    interval: int = Field(default=2, gt=0)
    rays: int = Field(default=1024, gt=0)
    learning_rate: float = Field(default=3e-4, gt=0)

    @model_validator(mode="after")
    def _focal_needs_poses(self) -> PoseConfig:
        if self.focal and not self.refine:
            raise ValueError("focal learns with the poses: set refine too")
        return self


class TrainConfig(StrictModel):
    """One run. A :class:`Term` multiplies the loss of its name; colour has the weight one.

    ``gate_sparsity`` closes the mouth's gate above the eyes, and the expression's gate away from
    the upper face; ``exchange`` is the share of rays there that hear the mouth, or the expression,
    of another frame, and so learn not to listen. On a real clip 93 % of a mouth's change then lies
    in the lower face (68 % with neither), and 99 % of a blink's in the upper (44 %).

    ``init`` is another identity's avatar to start from; ``motion_prior`` names datasets of other
    people that the audio encoder learns from as far as they help. ``keep`` says which weights the
    avatar gets: the last ones, or those with the best score on the validation range. ``unmix``
    takes what lies behind the head out of the colour of pixels that it covers in part: no fringe
    of the clip's background on hair and ears (+1.7 dB there on a real clip). ``compile`` lets torch
    compile the layers of a head that does not run in one native call: any on a GPU, and on a
    processor all but three planes with gates and no ``region_prior``.
    """

    seed: int = 0
    steps: int = Field(default=12_000, gt=0)
    init: str | None = None
    motion_prior: tuple[str, ...] = ()
    sampler: SamplerConfig = SamplerConfig()
    unmix: bool = True
    audio: AudioPhaseConfig = AudioPhaseConfig()
    torso: TorsoPhaseConfig = TorsoPhaseConfig()
    detail: DetailConfig = DetailConfig()
    poses: PoseConfig = PoseConfig()
    grid_learning_rate: float = 1e-2
    net_learning_rate: float = 2e-3
    net_weight_decay: float = 1e-5
    final_learning_rate: float = 0.05
    warmup_rays: int = Field(default=1536, gt=0)
    opacity_entropy: Term = Term(weight=2e-3)
    distortion: Term = Term()
    gate_sparsity: Term = Term(weight=0.03, start=300, ramp=300)
    exchange: float = Field(default=1.0, ge=0, le=1)
    appearance_smoothness: Term = Term()
    lip_consistency: Term = Term()
    code_noise: float = Field(default=0.1, ge=0)
    appearance_drop: float = Field(default=0.25, ge=0, le=1)
    ema_decay: float = Field(default=0.95, ge=0, lt=1)
    ema_interval: int = Field(default=10, gt=0)
    keep: Literal["last", "best"] = "last"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    compile: bool = False
    checkpoint_interval: int = Field(default=200, gt=0)
    preview_interval: int = Field(default=1000, gt=0)
    validation_interval: int = Field(default=1000, gt=0)
    log_interval: int = Field(default=50, gt=0)

    @model_validator(mode="after")
    def _phases_fit(self) -> TrainConfig:
        detail = self.detail.mouth_steps + self.detail.joint_steps
        if detail > self.steps:
            raise ValueError(
                f"steps {self.steps} are fewer than the {detail} of detail.mouth_steps + "
                "detail.joint_steps; lower those, or take more steps"
            )
        return self

    def phase(self, step: int) -> Phase:
        """Which phase ``step`` belongs to."""
        left = self.steps - step
        if left <= self.detail.joint_steps:
            return "joint"
        return "mouth" if left <= self.detail.joint_steps + self.detail.mouth_steps else "head"

    def detail_step(self, step: int) -> int:
        """Steps since the detail phases began; negative before."""
        return step - (self.steps - self.detail.mouth_steps - self.detail.joint_steps)

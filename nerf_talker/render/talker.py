"""The talker: every learned part of one identity, assembled in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from nerf_talker.config import StrictModel
from nerf_talker.errors import ConfigError
from nerf_talker.field.audio_attention import JointEncoder
from nerf_talker.field.audio_encoder import AudioEncoder, AudioEncoderConfig
from nerf_talker.field.audio_network import AudioNetwork
from nerf_talker.field.expression import WIDTH as EXPRESSION_WIDTH
from nerf_talker.field.expression import ExpressionScale
from nerf_talker.field.head import HeadCondition, HeadField, HeadFieldConfig
from nerf_talker.field.mouth import MouthCode, MouthCodeConfig
from nerf_talker.field.tiny_head import TinyHeadField
from nerf_talker.field.torso import TorsoField, TorsoFieldConfig
from nerf_talker.render.occupancy import OccupancyConfig, OccupancyGrid
from nerf_talker.render.ray_operators import RenderConfig, ray_operators
from nerf_talker.types import Camera, Driving


class TalkerConfig(StrictModel):
    """Sizes of all parts; ``step`` is the length of a sample along a ray in metres."""

    head: HeadFieldConfig = HeadFieldConfig()
    mouth: MouthCodeConfig = MouthCodeConfig()
    audio: AudioEncoderConfig = AudioEncoderConfig()
    torso: TorsoFieldConfig = TorsoFieldConfig()
    occupancy: OccupancyConfig = OccupancyConfig()
    render: RenderConfig = RenderConfig()
    step: float = 0.006


@dataclass(frozen=True)
class Subject:
    """What the data fixes before anything is learned.

    Attributes:
        camera: The clip's camera at the dataset's size.
        box: (2, 3) head volume in canonical head space, metres.
        mouth_region: (2, 3) centre and radius that the motion field may deform, metres.
        audio_features: D, width of the speech features.
        frames: Training frames that get an appearance code.
    """

    camera: Camera
    box: Tensor
    mouth_region: Tensor
    audio_features: int
    frames: int


class Talker(nn.Module):
    """Head, mouth code, audio encoder, expression, torso, background and occupancy."""

    background: Tensor

    def __init__(self, config: TalkerConfig, subject: Subject) -> None:
        """Build every part.

        Raises:
            BackendError: The configuration asks for a back-end that cannot be had here.
        """
        super().__init__()
        self.rays = ray_operators(config.render)
        self.config = config
        self.camera = subject.camera
        codes = config.mouth.components
        field = TinyHeadField if config.head.backend == "tinycudann" else HeadField
        self.head = field(config.head, codes, EXPRESSION_WIDTH, subject.box, subject.mouth_region)
        self.mouth = MouthCode(config.mouth)
        self.expression = ExpressionScale()
        self.torso = TorsoField(config.torso, subject.camera.width)
        # After all that is drawn at random, so that both kinds start from the same head and torso.
        self.audio: AudioEncoder | AudioNetwork | JointEncoder
        if config.mouth.source == "sound":
            self.audio = JointEncoder(subject.audio_features, codes, config.mouth.limit)
        else:
            self.audio = AudioEncoder(config.audio, subject.audio_features, codes)
        self.occupancy = OccupancyGrid(config.occupancy, subject.box.clone())
        # Row 0 is the neutral code of every frame that was not trained on.
        self.appearance = nn.Embedding(subject.frames + 1, config.head.appearance, padding_idx=0)
        nn.init.zeros_(self.appearance.weight)
        shape = (subject.camera.height, subject.camera.width, 3)
        self.register_buffer("background", torch.zeros(shape))

    @property
    def learns_from(self) -> Literal["landmarks", "audio"]:
        """What of a frame the mouth code is made of; the head may also hear what sound says."""
        return "audio" if self.config.mouth.source == "sound" else "landmarks"

    def learned(self) -> nn.Module:
        """What the colour teaches, appearance codes aside: the head, and what hears for it."""
        if self.learns_from == "landmarks":
            return self.head
        return nn.ModuleDict({"head": self.head, "audio": self.audio})

    def need_landmarks(self, what: str) -> None:
        """Refuse ``what`` moves the lips by landmarks where the head knows nothing of them.

        Raises:
            ConfigError: The mouth code was learned from the sound.
        """
        if self.learns_from == "audio":
            raise ConfigError(
                f"{what}: needs lips that landmarks move, but this avatar's learned from the sound "
                "alone (talker.mouth.source: sound); leave it out, or use an avatar trained with "
                "talker.mouth.source: landmarks"
            )

    def condition(self, driving: Driving) -> HeadCondition:
        """What drives the head: a known code, landmarks where given, else the sound."""
        return HeadCondition(
            self.mouth_code(driving),
            self.expression(driving.expression),
            self.appearance(driving.appearance),
        )

    def behind_head(
        self, pixels: Tensor, camera_to_head: Tensor, motion: Tensor, bend: Tensor | None
    ) -> Tensor:
        """The torso over the background.

        Args:
            pixels: (P, 2) int64 rows and columns of the camera's picture.
            camera_to_head: (P, 4, 4) head pose at each pixel.
            motion: (P, 6) motion of the torso.
            bend: (P, K) bend of the torso, None for none.

        Returns:
            (P, 3) colour in [0, 1].
        """
        extent = torch.tensor([self.camera.width, self.camera.height], device=pixels.device)
        points = (pixels.flip(-1) + 0.5) / extent
        colour, alpha = self.torso(points, camera_to_head, motion, bend)
        background = self.background[pixels[:, 0], pixels[:, 1]]
        return colour * alpha[:, None] + background * (1 - alpha[:, None])

    def mouth_code(self, driving: Driving) -> Tensor:
        """(T, C) mouth code that the driving knows, or of its landmarks, or of its sound.

        Raises:
            ValueError: The driving has none of them.
            ConfigError: It has landmarks for a mouth that learned from the sound.
        """
        if driving.code is not None:
            return driving.code
        if driving.landmarks is not None:
            self.need_landmarks("driving by landmarks")
            return self.mouth(driving.landmarks)
        if driving.audio is None:
            raise ValueError("driving has neither landmarks nor audio")
        # The encoder learned codes that were softly limited already; twice would mute the lips.
        return self.audio(driving.audio).clamp(-self.mouth.limit, self.mouth.limit)

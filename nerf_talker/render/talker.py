"""The talker: every learned part of one identity, assembled in one place."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nerf_talker.config import StrictModel
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
        self.audio: AudioEncoder | AudioNetwork = AudioEncoder(
            config.audio, subject.audio_features, codes
        )
        self.torso = TorsoField(config.torso, subject.camera.width)
        self.occupancy = OccupancyGrid(config.occupancy, subject.box.clone())
        # Row 0 is the neutral code of every frame that was not trained on.
        self.appearance = nn.Embedding(subject.frames + 1, config.head.appearance, padding_idx=0)
        nn.init.zeros_(self.appearance.weight)
        shape = (subject.camera.height, subject.camera.width, 3)
        self.register_buffer("background", torch.zeros(shape))

    def condition(self, driving: Driving) -> HeadCondition:
        """What drives the head: landmarks where given, else the sound."""
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
        """(T, C) mouth code from the driving's landmarks, or from its sound.

        Raises:
            ValueError: The driving has neither.
        """
        if driving.landmarks is not None:
            return self.mouth(driving.landmarks)
        if driving.audio is None:
            raise ValueError("driving has neither landmarks nor audio")
        # The encoder learned codes that were softly limited already; twice would mute the lips.
        return self.audio(driving.audio).clamp(-self.mouth.limit, self.mouth.limit)

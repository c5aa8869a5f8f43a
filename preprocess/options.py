"""What a user may choose about preprocessing."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from nerf_talker.audio.registry import DEFAULT, make_extractor
from nerf_talker.config import StrictModel
from nerf_talker.preprocess.faces import is_wish
from nerf_talker.preprocess.models import Choice


def _known_wish(text: str) -> str:
    if not is_wish(text):
        message = f"'{text}' is none of largest, left, right and x,y"
        raise PydanticCustomError("face", "{message}", {"message": message})
    return text


class PreprocessOptions(StrictModel):
    """Options of :func:`nerf_talker.preprocess.pipeline.preprocess`.

    Attributes:
        size: Width and height of the dataset's frames in pixels, even.
        fps: Frames per second of the dataset.
        audio: A sound file that replaces the clip's own sound.
        landmarks: NPZ with ``landmarks`` (F, 478, 2 or 3) in pixels of the clip's frames at
            ``fps`` and optionally ``blendshapes`` (F, 52); replaces the face landmarker.
        parser: TorchScript face parser, see :mod:`nerf_talker.preprocess.parser`; replaces the hair
            and person models.
        masks: A folder of PNGs that correct single frames, see
            :func:`nerf_talker.preprocess.supplied.read_mask_folder`; or an NPZ with ``labels``
            (F, H, W) uint8, see :class:`nerf_talker.data.labels.Label`, and ``head_alpha``
            (F, H, W) uint8 from 0 to 255 in the clip's pixels at ``fps``, which replaces the hair
            and person models.
        audio_features: Name of the speech features: one that is built in, ``hf:FOLDER[:LAYER]`` or
            ``npy:FILE@RATE``; see :mod:`nerf_talker.audio.registry`.
        face: Which person, where there are several: ``largest``, ``left``, ``right``, or ``x,y``:
            a point on the face in the clip's first frames, in pixels.
        scene: Number, from 1, of the uncut part of the clip to use; by default the longest with a
            face, if that is at least half of the clip.
        av_offset: Milliseconds by which the sound comes too late; by default estimated, and
            corrected where that is sure.
        landmarker: What runs the face models: ``mediapipe``, ``litert``, or what is installed.
        poses: Where head tracking stops. "refined": poses of the whole clip together, then aligned
            to the pictures; "landmarks": without the pictures; "pnp": each frame's landmarks
            alone, to compare with.
        background: "plate": the still picture behind the person, refused where it moves; "plain":
            its usual colour.
        models: Folder that is looked in first for model files.
        quiet: No progress bars.
    """

    size: int = Field(default=512, ge=64, le=2048, multiple_of=2)
    fps: int = Field(default=25, ge=10, le=60)
    audio: Path | None = None
    landmarks: Path | None = None
    masks: Path | None = None
    audio_features: str = DEFAULT
    face: Annotated[str, AfterValidator(_known_wish)] = "largest"
    scene: int | None = Field(default=None, ge=1)
    av_offset: float | None = Field(default=None, ge=-2000, le=2000)
    landmarker: Choice = "auto"
    parser: Path | None = None
    poses: Literal["refined", "landmarks", "pnp"] = "refined"
    background: Literal["plate", "plain"] = "plate"
    models: Path | None = None
    quiet: bool = False

    @cached_property
    def speech_features(self) -> str:
        """What ``audio_features`` names, with the content of the files it comes from.

        Raises:
            InputError: It names nothing, or lacks a file or a library.
        """
        return make_extractor(self.audio_features).identity

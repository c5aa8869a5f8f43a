"""The dataset's manifest: what a folder holds, how it was made, and which frames are for what.

``manifest.json`` is the only thing a reader needs to trust; every other file is named by
:class:`DatasetFiles`. Bump :data:`VERSION` when a reader of the old layout could misread the new.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from nerf_talker.atomic import atomic_path
from nerf_talker.config import StrictModel
from nerf_talker.errors import DatasetError
from nerf_talker.types import Camera

# 2: labels of lips, eyes, neck and accessories, which a reader of 1 would leave out of the head.
VERSION = 2

SplitName = Literal["train", "val", "test"]


@dataclass(frozen=True)
class DatasetFiles:
    """File names inside a dataset folder ``root``."""

    root: Path

    @property
    def manifest(self) -> Path:
        """The manifest itself."""
        return self.root / "manifest.json"

    @property
    def frames(self) -> Path:
        """H.264 4:4:4 video of all F cropped frames at the dataset's size."""
        return self.root / "frames.mkv"

    @property
    def labels(self) -> Path:
        """FFV1 grey video of class ids, see :class:`nerf_talker.data.labels.Label`."""
        return self.root / "labels.mkv"

    @property
    def head_alpha(self) -> Path:
        """FFV1 grey video of the soft head matte (face, ears, hair), 0 to 255."""
        return self.root / "head_alpha.mkv"

    @property
    def background(self) -> Path:
        """RGB PNG, the clean background plate."""
        return self.root / "background.png"

    @property
    def torso(self) -> Path:
        """RGBA PNG, the torso (neck, clothes) plate with the part behind the head filled."""
        return self.root / "torso.png"

    @property
    def track(self) -> Path:
        """NPZ of the arrays of :class:`nerf_talker.types.FrameTrack` and of the torso's motion."""
        return self.root / "track.npz"

    @property
    def eyes(self) -> Path:
        """NPZ of the arrays of :class:`nerf_talker.data.eyes.EyeTrack`; older datasets lack it."""
        return self.root / "eyes.npz"

    @property
    def sound(self) -> Path:
        """16 kHz mono 16-bit WAV."""
        return self.root / "audio.wav"

    @property
    def audio_features(self) -> Path:
        """NPZ of the fields of :class:`nerf_talker.types.AudioFeatures`."""
        return self.root / "audio_features.npz"

    @property
    def report(self) -> Path:
        """Self-contained HTML page for people."""
        return self.root / "report.html"

    @property
    def contact_sheet(self) -> Path:
        """PNG of evenly spaced frames with masks and landmarks drawn on them."""
        return self.root / "contact_sheet.png"

    @property
    def clip(self) -> Path:
        """JSON of what preprocessing knows about the clip; not part of a portable dataset."""
        return self.root / "work" / "clip.json"

    @property
    def cache(self) -> Path:
        """Decoded memory-mapped arrays; may be deleted at any time."""
        return self.root / "cache"


class CropTransform(StrictModel):
    """The square of the source picture that was kept, in source pixels, and the source's size."""

    left: float
    top: float
    side: float
    source_width: int
    source_height: int


class CameraModel(StrictModel):
    """A :class:`nerf_talker.types.Camera` on disk."""

    focal: float
    centre: tuple[float, float]
    height: int
    width: int

    def camera(self) -> Camera:
        """The container used in code."""
        return Camera(self.focal, self.centre, self.height, self.width)


class StageRecord(StrictModel):
    """One finished stage: its fingerprint decides whether a rerun may skip it.

    Attributes:
        fingerprint: Hash of all that the result depends on: the version, options, files and inputs.
        seconds: Time it took.
        notes: Figures and warnings, for people.
        status: ``warned`` when the notes hold a warning.
        version: Version of the stage's code.
        inputs: Fingerprint of each stage whose outputs it read.
        outputs: Size in bytes of each file it wrote, by its path inside the dataset.
        options: The options that change its result, with their values.
        files: SHA-256 of the user's files that it depends on, None where none was given.
    """

    fingerprint: str
    seconds: float
    notes: dict[str, Any] = {}
    status: Literal["done", "warned"] = "done"
    version: int = 0
    inputs: dict[str, str] = {}
    outputs: dict[str, int] = {}
    options: dict[str, Any] = {}
    files: dict[str, str | None] = {}


class Manifest(StrictModel):
    """See the module's text; ``splits`` are half-open frame ranges in time order."""

    version: int = VERSION
    subject: str
    source: str
    frames: int
    fps: float
    size: int
    camera: CameraModel
    crop: CropTransform
    splits: dict[SplitName, tuple[int, int]]
    extractor: str
    warnings: list[str] = []
    stages: dict[str, StageRecord] = {}
    preprocess_seconds: float = 0.0

    def range(self, split: SplitName) -> range:
        """The frames of one split."""
        return range(*self.splits[split])

    def identity(self) -> str:
        """A short digest of what the dataset was made from and how; a run remembers it."""
        made = {name: record.fingerprint for name, record in sorted(self.stages.items())}
        content = json.dumps([self.size, self.frames, made])
        return hashlib.sha256(content.encode()).hexdigest()[:16]


def contiguous_splits(frames: int) -> dict[SplitName, tuple[int, int]]:
    """Disjoint contiguous ranges: the last 1/11 is test, the 1/22 before it val, the rest train.

    The last eleventh is the field's usual test range (peers' first int(10/11 N) frames train).
    """
    test, val = int(frames * 10 / 11), int(frames * 9.5 / 11)
    return {"train": (0, val), "val": (val, test), "test": (test, frames)}


def write_manifest(root: Path, manifest: Manifest) -> None:
    """Write ``manifest.json`` atomically."""
    path = DatasetFiles(root).manifest
    with atomic_path(path) as temporary:
        temporary.write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")


def read_manifest(root: Path) -> Manifest:
    """Read and check ``manifest.json``.

    Raises:
        DatasetError: No dataset there, an unreadable manifest, or one made by a newer version.
    """
    path = DatasetFiles(root).manifest
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise DatasetError(
            f"{root}: no dataset here (no manifest.json); "
            "make one with 'nerf-talker preprocess CLIP -o DATASET'"
        ) from None
    except (ValueError, UnicodeDecodeError):
        raise DatasetError(f"{path}: damaged; run 'nerf-talker preprocess' again") from None
    version = content.get("version") if isinstance(content, dict) else None
    if not isinstance(version, int):
        raise DatasetError(f"{path}: not a manifest of a nerf-talker dataset")
    if version > VERSION:
        raise DatasetError(
            f"{path}: made by a newer version (layout {version}, this one reads {VERSION}); "
            "upgrade nerf-talker"
        )
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        key = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise DatasetError(f"{path}: {key}: {error.errors()[0]['msg']}") from None


def clip_start(root: Path) -> float | None:
    """Seconds on the clip's own clock at which a dataset begins; None where nobody kept it."""
    try:
        content = json.loads(DatasetFiles(root).clip.read_text(encoding="utf-8"))
        return float(content["start"])
    except (OSError, ValueError, KeyError, TypeError):
        return None

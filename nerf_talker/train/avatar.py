"""The avatar file: one portable safetensors file that renders with no dataset present."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import torch
from torch import Tensor

from nerf_talker import __version__
from nerf_talker.atomic import atomic_path
from nerf_talker.config import StrictModel
from nerf_talker.data.dataset import Dataset
from nerf_talker.data.manifest import CameraModel, CropTransform, clip_start
from nerf_talker.errors import AvatarError, BackendError
from nerf_talker.field.audio_network import AudioNetwork
from nerf_talker.field.expression import upper_face
from nerf_talker.ops import pack_bits, unpack_bits
from nerf_talker.render.ray_operators import RenderConfig
from nerf_talker.render.talker import Subject, Talker, TalkerConfig
from nerf_talker.train.face_model import FaceModel
from nerf_talker.types import Driving

FORMAT = 3
"""1 kept the table in 32 bits and the occupancy with what only training needs; 1 and 2 knew no bend
of the torso."""

TABLES, CELLS = ("head.table", "head.landmarks.table"), "talker.occupancy.cells"
BEND = ("torso.bend_modes", "torso.motion.bend_mean", "torso.motion.bend_weights")
POINTS, BLENDSHAPES = "face.points", "face.blendshapes"
FORMER_AUDIO = "talker.audio.head.weight"
"""Only avatars whose sound went through a network have it."""
TRAINING_ONLY = ("talker.occupancy.allowed", "talker.occupancy.score")
DEFAULT_CONSENT = (
    "The person shown must have agreed to this avatar and to what it is made to say. "
    "Videos rendered with it are marked as synthetic."
)


class AvatarInfo(StrictModel):
    """What an avatar file says about itself.

    ``notes`` are figures of the training phases, and as ``clip_start`` the seconds on the clip's
    clock at which its frames begin.
    """

    format: int = FORMAT
    subject: str
    config: TalkerConfig
    camera: CameraModel
    audio_features: int
    frames: int
    fps: float
    extractor: str
    crop: CropTransform
    steps: int
    preprocess_seconds: float
    train_seconds: float
    notes: dict[str, float] = {}
    nerf_talker: str = __version__
    torch: str = str(torch.__version__)
    consent: str = DEFAULT_CONSENT


@dataclass(frozen=True)
class Avatar:
    """A loaded avatar.

    Attributes:
        talker: The learned parts.
        poses: Driving without a mouth: the training clip's poses, expression and torso.
        metadata: Subject, frame rate, extractor, crop, versions, seconds, consent note.
        face: Landmarks and blendshapes of driven frames; None in files made before they were kept.
    """

    talker: Talker
    poses: Driving
    metadata: AvatarInfo
    face: FaceModel | None = None


def reference_poses(dataset: Dataset) -> Driving:
    """The motion that new speech replays, from the training frames."""
    rows = slice(*dataset.manifest.splits["train"])
    count = rows.stop - rows.start
    return Driving(
        None,
        None,
        torch.from_numpy(upper_face(dataset.track.blendshapes[rows])),
        torch.from_numpy(dataset.track.camera_to_head[rows].copy()),
        torch.from_numpy(dataset.torso_motion[rows].copy()),
        torch.zeros(count, dtype=torch.int64),
        dataset.manifest.fps,
        torch.from_numpy(dataset.torso_bend[rows].copy()),
    )


def describe(
    talker: Talker, dataset: Dataset, seconds: float, steps: int, notes: dict[str, float]
) -> AvatarInfo:
    """The avatar's metadata after ``steps`` steps of training that took ``seconds``.

    Of the notes only finite ones: no other number survives the file.
    """
    manifest, begins = dataset.manifest, clip_start(dataset.root)
    known = {name: value for name, value in notes.items() if isfinite(value)}
    return AvatarInfo(
        subject=manifest.subject,
        # Who renders it need not have the back-end that it was trained with.
        config=talker.config.model_copy(update={"render": RenderConfig()}),
        camera=manifest.camera.model_copy(update={"focal": talker.camera.focal}),
        audio_features=len(talker.audio.mean),
        frames=talker.appearance.num_embeddings - 1,
        fps=manifest.fps,
        extractor=manifest.extractor,
        crop=manifest.crop,
        steps=steps,
        preprocess_seconds=manifest.preprocess_seconds,
        train_seconds=seconds,
        notes=known if begins is None else known | {"clip_start": begins},
    )


def save_avatar(
    path: Path, talker: Talker, poses: Driving, info: AvatarInfo, face: FaceModel | None = None
) -> None:
    """Write an avatar atomically: its table in 16 bits a number, its occupancy in one a cell."""
    from safetensors.torch import save

    tensors = {f"talker.{name}": value for name, value in talker.state_dict().items()}
    for name in (f"talker.{table}" for table in TABLES):
        if name in tensors:
            tensors[name] = tensors[name].half()
    tensors[CELLS] = pack_bits(tensors[CELLS])
    for name in TRAINING_ONLY:
        del tensors[name]
    tensors["mouth_region"] = _mouth_region(talker)
    tensors["poses.expression"] = poses.expression
    tensors["poses.camera_to_head"] = poses.camera_to_head
    tensors["poses.torso_motion"] = poses.torso_motion
    if poses.torso_bend is not None:
        tensors["poses.torso_bend"] = poses.torso_bend
    if face is not None:
        tensors[POINTS], tensors[BLENDSHAPES] = face.points, face.blendshapes
    contiguous = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    with atomic_path(path) as temporary:
        temporary.write_bytes(save(contiguous, {"nerf_talker": info.model_dump_json()}))


def _mouth_region(talker: Talker) -> Tensor:
    motion = talker.head.motion
    if motion is None:
        return torch.zeros(2, 3)
    return torch.stack([motion.centre, motion.radius])


def load_avatar(path: Path, device: str = "cpu") -> Avatar:
    """Load an avatar, or the avatar inside a run folder, strictly.

    Raises:
        AvatarError: No such file, not an avatar, a newer format, or a tensor missing.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if path.is_dir():
        path = path / "avatar.safetensors"
    if not path.is_file():
        raise AvatarError(f"{path}: no avatar here; make one with 'nerf-talker train'")
    try:
        with safe_open(path, framework="pt", device=device) as archive:
            header = json.loads((archive.metadata() or {}).get("nerf_talker", "null"))
            tensors = {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError) as error:
        raise AvatarError(f"{path}: not an avatar file ({error})") from None
    if not isinstance(header, dict) or not isinstance(header.get("format"), int):
        raise AvatarError(f"{path}: a safetensors file, but not an avatar of nerf-talker")
    if header["format"] > FORMAT:
        raise AvatarError(
            f"{path}: made by a newer version (format {header['format']}, this one reads {FORMAT});"
            " upgrade nerf-talker"
        )
    try:
        if FORMER_AUDIO in tensors:
            header["config"]["audio"] = {}  # its sizes are those of the tensors
        info = AvatarInfo.model_validate(header)
        talker = _rebuild(info, tensors).to(device)
        poses = Driving(
            None,
            None,
            tensors["poses.expression"],
            tensors["poses.camera_to_head"],
            tensors["poses.torso_motion"],
            torch.zeros(len(tensors["poses.expression"]), dtype=torch.int64, device=device),
            info.fps,
            tensors.get("poses.torso_bend"),
        )
    except BackendError as error:
        raise AvatarError(
            f"{path}: holds another back-end's parts and renders only with them ({error})"
        ) from None
    except (KeyError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise AvatarError(f"{path}: incomplete or damaged avatar ({reason})") from None
    face = None
    if {POINTS, BLENDSHAPES} <= set(tensors):
        face = FaceModel(tensors[POINTS].cpu(), tensors[BLENDSHAPES].cpu())
    return Avatar(talker.eval(), poses, info, face)


def _rebuild(info: AvatarInfo, tensors: dict[str, Tensor]) -> Talker:
    talker = Talker(
        info.config,
        Subject(
            info.camera.camera(),
            tensors["talker.head.box"],
            tensors["mouth_region"],
            info.audio_features,
            info.frames,
        ),
    )
    state = {
        name.removeprefix("talker."): value
        for name, value in _unpacked(tensors, talker).items()
        if name.startswith("talker.")
    }
    if FORMER_AUDIO in tensors:
        prefix = "mouth."
        mouth = {k[len(prefix) :]: v for k, v in state.items() if k.startswith(prefix)}
        talker.mouth.load_state_dict(mouth, strict=True)
        width = tensors[FORMER_AUDIO].shape[1]
        talker.audio = AudioNetwork(width, info.audio_features, talker.mouth)
    if info.format < 3:  # a torso that does not bend, as the new talker's does not
        state |= {name: talker.get_buffer(name) for name in BEND}
    for name, table in talker.named_parameters():
        if name in TABLES and name in state:  # stays as it is stored: rendering reads it so
            if state[name].dtype not in (torch.float16, torch.float32):
                raise ValueError(f"a table of {state[name].dtype}")
            table.data = table.data.to(state[name].dtype)
    talker.load_state_dict(state, strict=True)
    return talker


def _unpacked(tensors: dict[str, Tensor], talker: Talker) -> dict[str, Tensor]:
    """The tensors with the occupancy that the talker has; those of format 1 as they are."""
    if tensors[CELLS].dtype == torch.bool:
        return tensors
    grid = talker.occupancy
    cells = unpack_bits(tensors[CELLS], grid.cells.numel()).reshape(grid.cells.shape)
    rest = (cells, torch.zeros_like(grid.score))
    return tensors | {CELLS: cells} | dict(zip(TRAINING_ONLY, rest, strict=True))

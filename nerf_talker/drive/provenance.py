"""What a rendered file says about itself: that it is synthetic, of whom, and by whose consent."""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from dataclasses import asdict, dataclass

import numpy as np

from nerf_talker import __version__
from nerf_talker.train.avatar import Avatar
from nerf_talker.types import ByteArray

VISIBLE_TEXT = "SYNTHETIC"
# A PNG file begins with 8 bytes of signature and 25 of its header; text may follow.
_PNG_HEAD = 33


@dataclass(frozen=True)
class Provenance:
    """Where a file comes from.

    Attributes:
        subject: Whom the avatar shows.
        avatar: Its identity, :func:`avatar_identity`.
        trained_size: Width in pixels of the pictures that it was trained on.
        consent: The note that the avatar carries.
        synthetic: Always true; spelt out for readers of the JSON.
        made_by: Program and version.
    """

    subject: str
    avatar: str
    trained_size: int
    consent: str
    synthetic: bool = True
    made_by: str = f"nerf-talker {__version__}"

    def tags(self) -> dict[str, str]:
        """Metadata of a video; every container knows these two."""
        return {
            "title": f"Synthetic video of {self.subject}",
            "comment": (
                f"SYNTHETIC: speech-driven rendering by {self.made_by}. Avatar {self.avatar}, "
                f"trained at {self.trained_size} pixels. {self.consent}"
            ),
        }

    def json(self) -> str:
        """The same for a file of its own."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"


def provenance_of(avatar: Avatar) -> Provenance:
    """What files rendered with an avatar say."""
    info = avatar.metadata
    return Provenance(info.subject, avatar_identity(avatar), info.camera.width, info.consent)


def avatar_identity(avatar: Avatar) -> str:
    """16 hexadecimal digits that change when a weight of the avatar does."""
    digest = hashlib.sha256(avatar.metadata.model_dump_json().encode())
    for name, value in sorted(avatar.talker.state_dict().items()):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(value.detach().cpu().numpy()).tobytes())
    return digest.hexdigest()[:16]


def png_with_text(png: bytes, texts: dict[str, str]) -> bytes:
    """A PNG file's bytes with ``iTXt`` chunks (UTF-8, not compressed) after its header."""
    chunks = [_chunk(b"iTXt", f"{key}\0\0\0\0\0{text}".encode()) for key, text in texts.items()]
    return png[:_PNG_HEAD] + b"".join(chunks) + png[_PNG_HEAD:]


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)


def draw_visible_mark(picture: ByteArray) -> ByteArray:
    """The (H, W, 3 or 4) picture with :data:`VISIBLE_TEXT` in its lower left corner, opaque."""
    import cv2

    marked = np.ascontiguousarray(picture).copy()
    height, width = marked.shape[:2]
    scale, thickness = min(height, width) / 512, max(round(min(height, width) / 512), 1)
    at = (max(round(0.02 * width), 1), height - max(round(0.025 * height), 2))
    font = cv2.FONT_HERSHEY_SIMPLEX
    for colour, extra in ((0, 2), (255, 0)):  # a dark rim, so that it is read on any ground
        shade = (colour, colour, colour, 255)[: marked.shape[2]]
        cv2.putText(marked, VISIBLE_TEXT, at, font, scale, shade, thickness + extra, cv2.LINE_AA)
    return marked

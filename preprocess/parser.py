"""A face-parsing network that the user supplies, for those who have one.

A TorchScript file whose module takes (1, 3, 512, 512) RGB, normalised by ImageNet's mean and
deviation, and returns logits (1, 19, 512, 512), alone or first in a tuple or list, in the class
order of CelebAMask-HQ (Lee et al. 2020) that BiSeNet face parsers share. A Python network becomes
such a file by ``torch.jit.trace(net.eval(), torch.zeros(1, 3, 512, 512)).save("parser.pt")``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from nerf_talker.data.labels import HEAD_LABELS, TORSO_LABELS, Label
from nerf_talker.errors import InputError
from nerf_talker.preprocess.classes import Classes
from nerf_talker.preprocess.headmask import HAIR_END, HeadFrame, step_up
from nerf_talker.types import ByteArray, FloatArray

SIZE = 512
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# CelebAMask-HQ: background, skin, brows, eyes, glasses, ears, earring, nose, mouth, lips, neck,
# necklace, cloth, hair, hat.
TABLE = (
    *(Label.BACKGROUND, Label.FACE, Label.FACE, Label.FACE, Label.EYES, Label.EYES),
    *(Label.ACCESSORIES, Label.FACE, Label.FACE, Label.ACCESSORIES, Label.FACE, Label.LIPS),
    *(Label.LIPS, Label.LIPS, Label.NECK, Label.NECK, Label.TORSO, Label.HAIR, Label.ACCESSORIES),
)


class FaceParser:
    """Soft head and classes of a picture by a supplied network.

    Raises:
        InputError: No TorchScript file, or a module that does not answer as described.
    """

    def __init__(self, path: Path) -> None:
        """Load the network on the CPU; TorchScript runs code, so use files you trust."""
        self._path = path
        try:
            self._net = torch.jit.load(str(path), map_location="cpu").eval()
        except (RuntimeError, ValueError, OSError):
            raise InputError(
                f"{path}: not a TorchScript file; save the network with torch.jit.trace or "
                "torch.jit.script"
            ) from None

    def read(self, picture: ByteArray, landmarks: FloatArray) -> tuple[FloatArray, Classes]:
        """The soft head (512, 512) in [0, 1] and the classes of a (512, 512, 3) picture.

        Args:
            picture: RGB uint8.
            landmarks: (478, 2 or more) pixels of it; hair below the jaw becomes torso.
        """
        values = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 255
        mean, deviation = (torch.tensor(v).view(1, 3, 1, 1) for v in (_MEAN, _DEVIATION))
        with torch.inference_mode():
            try:
                answer = self._net((values - mean) / deviation)
            except RuntimeError as error:
                reason = str(error).strip().splitlines()[-1]
                raise InputError(
                    f"{self._path}: the network cannot read (1, 3, {SIZE}, {SIZE}) pictures "
                    f"({reason}); give a face parser of that input"
                ) from None
            shares = self._logits(answer).softmax(1)[0].numpy()
        classes = np.stack([shares[[k for k, v in enumerate(TABLE) if v == name]].sum(0)
                            for name in Label])  # fmt: skip
        down = HeadFrame.of(landmarks).coordinates(SIZE)[1]
        kept = step_up(down, 1 + HAIR_END, 1.0)
        classes[Label.TORSO] += classes[Label.HAIR] * (1 - kept)
        classes[Label.HAIR] *= kept
        head, rest = np.array(HEAD_LABELS), np.array([Label.BACKGROUND, *TORSO_LABELS])
        of_head, of_rest = (
            group[classes[group].argmax(0)].astype(np.uint8) for group in (head, rest)
        )
        return classes[head].sum(0).astype(np.float32), Classes(of_head, of_rest)

    def _logits(self, answer: object) -> torch.Tensor:
        first = answer[0] if isinstance(answer, (tuple, list)) and answer else answer
        wanted = (1, len(TABLE), SIZE, SIZE)
        if not isinstance(first, torch.Tensor) or tuple(first.shape) != wanted:
            seen = tuple(first.shape) if isinstance(first, torch.Tensor) else type(first).__name__
            raise InputError(f"{self._path}: the network returned {seen}; wanted logits {wanted}")
        return first.float()

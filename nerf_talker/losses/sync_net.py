"""SyncNet, for users who have its published weights: then LSE-C and LSE-D are the true ones.

The network of Chung and Zisserman, *Out of time: automated lip sync in the wild* (2016), in the
layout of the state dict that circulates: ``netcnnaud``, ``netfcaud``, ``netcnnlip``, ``netfclip``.
The weights are research material of others and not part of this package.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from nerf_talker.errors import WeightsError

FRAMES = 5
"""Video frames in a window, at :data:`FPS`."""

FPS = 25
SIDE = 224
"""Pixels of the face crop."""

CEPSTRA, ROWS = 13, 20
"""Mel-frequency cepstral coefficients and rows of a sound window, at 100 rows a second."""

EMBEDDING = 1024


class SyncNet(nn.Module):
    """Two towers whose embeddings lie close together when face and sound belong together."""

    def __init__(self) -> None:
        """Build it with random weights; :func:`load_syncnet` gives the user's."""
        super().__init__()
        self.netcnnaud = nn.Sequential(
            *_seen(nn.Conv2d(1, 64, 3, padding=1)),
            nn.MaxPool2d(1, 1),
            *_seen(nn.Conv2d(64, 192, 3, padding=1)),
            nn.MaxPool2d(3, (1, 2)),
            *_seen(nn.Conv2d(192, 384, 3, padding=1)),
            *_seen(nn.Conv2d(384, 256, 3, padding=1)),
            *_seen(nn.Conv2d(256, 256, 3, padding=1)),
            nn.MaxPool2d(3, 2),
            *_seen(nn.Conv2d(256, 512, (5, 4))),
        )
        self.netfcaud = _last()
        wide, halved = (1, 3, 3), (1, 2, 2)
        self.netcnnlip = nn.Sequential(
            *_seen(nn.Conv3d(3, 96, (5, 7, 7), halved)),
            nn.MaxPool3d(wide, halved),
            *_seen(nn.Conv3d(96, 256, (1, 5, 5), halved, (0, 1, 1))),
            nn.MaxPool3d(wide, halved, (0, 1, 1)),
            *_seen(nn.Conv3d(256, 256, wide, padding=(0, 1, 1))),
            *_seen(nn.Conv3d(256, 256, wide, padding=(0, 1, 1))),
            *_seen(nn.Conv3d(256, 256, wide, padding=(0, 1, 1))),
            nn.MaxPool3d(wide, halved),
            *_seen(nn.Conv3d(256, 512, (1, 6, 6))),
        )
        self.netfclip = _last()

    def embed_sound(self, cepstra: Tensor) -> Tensor:
        """(B, 1024) of (B, 1, 13, 20) mel-frequency cepstral coefficients."""
        return self.netfcaud(self.netcnnaud(cepstra).flatten(1))

    def embed_faces(self, faces: Tensor) -> Tensor:
        """(B, 1024) of (B, 3, 5, 224, 224) face crops, BGR in 0 to 255."""
        return self.netfclip(self.netcnnlip(faces).flatten(1))


def load_syncnet(path: Path) -> SyncNet:
    """SyncNet with a user's weights, frozen and in evaluation mode.

    Raises:
        WeightsError: The file is missing, damaged, or holds another network.
    """
    if not Path(path).is_file():
        raise WeightsError(f"{path}: no such file; give SyncNet's published checkpoint")
    try:
        state = torch.load(str(path), map_location="cpu", weights_only=True)
    except Exception as error:  # The unpickler raises anything on bytes that are no pickle.
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise WeightsError(
            f"{path}: cannot be read as a checkpoint of plain tensors ({reason}); give SyncNet's "
            "published file"
        ) from None
    net = SyncNet()
    _check(path, state, net)
    net.load_state_dict(state, strict=True)
    return net.eval().requires_grad_(False)


def _check(path: Path, state: object, net: SyncNet) -> None:
    """Refuse a state dict that is not this network's, naming the first tensor that differs."""
    wanted = net.state_dict()
    # Checkpoints older than the counter of batch normalisation come without it.
    needed = {name for name in wanted if not name.endswith("num_batches_tracked")}
    if not isinstance(state, dict) or not needed & set(state):
        raise WeightsError(
            f"{path}: holds no SyncNet (no 'netcnnaud.0.weight'); give its published checkpoint"
        )
    for name in sorted(needed - set(state)) + sorted(set(state) - set(wanted)):
        word = "lacks" if name in needed else "holds an unknown"
        raise WeightsError(f"{path}: {word} '{name}', so it is not the published SyncNet")
    for name in sorted(needed):
        here = tuple(getattr(state[name], "shape", ()))
        if here != tuple(wanted[name].shape):
            raise WeightsError(
                f"{path}: '{name}' has the shape {here}, the published SyncNet's is "
                f"{tuple(wanted[name].shape)}"
            )


def _seen(layer: nn.Conv2d | nn.Conv3d) -> tuple[nn.Module, nn.Module, nn.Module]:
    """A convolution with what follows each of them."""
    norm = nn.BatchNorm2d if isinstance(layer, nn.Conv2d) else nn.BatchNorm3d
    return layer, norm(layer.out_channels), nn.ReLU(inplace=True)


def _last() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(512, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, EMBEDDING)
    )

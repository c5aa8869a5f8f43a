"""The networks that look at pictures: LPIPS, and what the user brings for FID and identity."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from nerf_talker.errors import WeightsError
from nerf_talker.evaluate.metrics.brisque import WEIGHTS as BRISQUE_WEIGHTS
from nerf_talker.evaluate.metrics.brisque import Brisque
from nerf_talker.evaluate.metrics.lpips import VGG_WEIGHTS, WEIGHTS, Lpips
from nerf_talker.types import ByteArray, FloatArray


class UserNetwork:
    """A TorchScript file the user trusts, as a function from pictures to feature vectors."""

    def __init__(self, path: Path, signed: bool) -> None:
        """``signed`` feeds float RGB in [-1, 1], otherwise uint8 RGB as it is.

        Raises:
            WeightsError: There is no such file, or it is no TorchScript.
        """
        self.path, self.signed = path, signed
        try:
            self._module = torch.jit.load(str(path), map_location="cpu").eval()
        except (RuntimeError, ValueError, OSError):
            raise WeightsError(
                f"{path}: no TorchScript network; give a file written by torch.jit.save"
            ) from None

    @torch.inference_mode()
    def __call__(self, picture: ByteArray) -> FloatArray:
        """(D,) features of an (H, W, 3) uint8 picture.

        Raises:
            WeightsError: The network does not accept such a picture or gives no vector.
        """
        pixels = torch.tensor(picture).permute(2, 0, 1)[None]
        try:
            given = self._module(pixels / 127.5 - 1 if self.signed else pixels)
            return np.asarray(given.reshape(len(given), -1)[0].double().numpy(), np.float32)
        except (RuntimeError, AttributeError, TypeError) as error:
            reason = str(error).strip().splitlines()[-1]
            raise WeightsError(
                f"{self.path}: the network does not take a {picture.shape[1]}x{picture.shape[0]} "
                f"picture ({reason}); see 'nerf-talker evaluate --help' for what it is given"
            ) from None


@dataclass(frozen=True)
class NetworkFiles:
    """Where networks come from; small enough to send to another process.

    Attributes:
        models: Folder to look for model files in first.
        fid: TorchScript of the features for FID and KID, or None.
        identity: TorchScript of the face embedding, or None.
    """

    models: Path | None = None
    fid: Path | None = None
    identity: Path | None = None


@dataclass(frozen=True)
class Networks:
    """What can be had of them here.

    Attributes:
        lpips: AlexNet's LPIPS.
        lpips_vgg: VGG16's LPIPS.
        fid: Features for FID and KID.
        identity: Embedding of an aligned face.
        missing: Reason by figure of what is None.
        brisque: Naturalness of a picture by itself.
    """

    lpips: Lpips | None
    lpips_vgg: Lpips | None
    fid: UserNetwork | None
    identity: UserNetwork | None
    missing: dict[str, str]
    brisque: Brisque | None = None


NO_NETWORKS = Networks(None, None, None, None, {})
"""For putting finished measurements together."""


def open_networks(files: NetworkFiles, fetch: bool = True) -> Networks:
    """Load what is there.

    The small AlexNet is fetched when it can be; VGG16 (59 MB) and BRISQUE are used only where they
    already lie.

    Args:
        files: Where networks come from.
        fetch: Whether to try AlexNet's network sources after the folders.

    Raises:
        WeightsError: A file that the user named is no network.
    """
    from nerf_talker.weights import locate, resolve

    missing: dict[str, str] = {}
    alex = vgg = None
    try:
        alex = Lpips(resolve(WEIGHTS, files.models, fetch))
    except WeightsError as error:
        missing["lpips"] = str(error)
    vgg_path = locate(VGG_WEIGHTS, files.models)
    if vgg_path is not None:
        vgg = Lpips(vgg_path)
    else:
        missing["lpips_vgg"] = (
            f"{VGG_WEIGHTS} is not here; 'nerf-talker models fetch {VGG_WEIGHTS}' gets it"
        )
    if files.fid is None:
        missing["fid"] = "no feature network was given (--fid-network)"
    if files.identity is None:
        missing["identity"] = "no face-recognition network was given (--identity-network)"
    fid = None if files.fid is None else UserNetwork(files.fid, signed=False)
    identity = None if files.identity is None else UserNetwork(files.identity, signed=True)
    natural = open_brisque(files.models)
    missing |= natural.missing
    return Networks(alex, vgg, fid, identity, missing, natural.brisque)


def open_brisque(models: Path | None) -> Networks:
    """BRISQUE alone, used only where its file already lies, or the reason why it is not here."""
    from nerf_talker.weights import locate

    path = locate(BRISQUE_WEIGHTS, models)
    if path is None:
        why = f"{BRISQUE_WEIGHTS} is not here; 'nerf-talker models fetch {BRISQUE_WEIGHTS}' gets it"
        return Networks(None, None, None, None, {"brisque": why})
    try:
        return Networks(None, None, None, None, {}, Brisque(path))
    except WeightsError as error:
        return Networks(None, None, None, None, {"brisque": str(error)})

"""Self-supervised and Whisper encoders from a local folder: ``hf:FOLDER[:LAYER]`` (extra ``hf``).

HuBERT (Hsu et al. 2021), wav2vec 2.0 (Baevski et al. 2020), WavLM (Chen et al. 2022) and the
encoder of Whisper (Radford et al. 2023), loaded by the library transformers; nothing is fetched.

These networks attend to all they are given. To keep the law of the features' clock, and a
look-ahead that can be stated, every video frame has its own window of one second, and the two rows
in its middle are kept: 25 passes over a second of sound, so a graphics card is welcome.
"""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nerf_talker.audio.extractor import FRAMES_PER_SECOND, Extractor, Follow, frame_windows
from nerf_talker.audio.sound import RATE
from nerf_talker.errors import InputError
from nerf_talker.types import FloatArray

WINDOW_ROWS = 50  # one second: about two syllables on either side
MIDDLE = WINDOW_ROWS // 2
HOP = 320  # samples between rows: 50 per second
BATCH = 16  # windows in one pass; the last pass is filled up, so that all passes are alike
WAVE_MODELS = ("hubert", "wav2vec2", "wavlm", "unispeech", "unispeech-sat", "data2vec-audio")
WHISPER = "whisper"
# Phones are told best about three quarters of the way up (Pasad et al. 2021); the last layers
# serve the task that the network was trained for.
DEFAULT_DEPTH = 0.75
# Windows quieter than -45 dB of full scale are not brought up to speech's level: they are pauses.
QUIET_POWER = 10 ** (-45 / 10)


class PretrainedEncoder(Extractor):
    """One hidden layer of a pretrained speech encoder."""

    def __init__(self, folder: Path, layer: int | None) -> None:
        """Read the model's description; its weights are loaded on use.

        Args:
            folder: As written by ``save_pretrained`` or downloaded from a hub.
            layer: Hidden layer, 0 being the input of the first; None for three quarters up.

        Raises:
            InputError: No such folder, no model of a known kind, no such layer, or transformers is
                not installed.
        """
        config = _config(folder)
        self._folder, self._kind = folder, str(config.get("model_type"))
        layers = int(config.get("encoder_layers", config.get("num_hidden_layers", 0)))
        self.dims = int(config.get("d_model", config.get("hidden_size", 0)))
        _check_clock(folder, config)
        self._layer = math.ceil(DEFAULT_DEPTH * layers) if layer is None else layer
        if not 0 <= self._layer <= layers:
            raise InputError(
                f"{folder}: has the layers 0 to {layers}, not {layer}; "
                f"name one of them, as in hf:{folder}:{math.ceil(DEFAULT_DEPTH * layers)}"
            )
        _need_library()
        self.name = f"hf:{folder.name}:{self._layer}:{_digest(folder)}"
        field = _field(config)
        # The middle row's receptive field lies evenly about the frame's time; Whisper's spectrum
        # is centred by itself.
        self._before = MIDDLE * HOP + (0 if self._kind == WHISPER else field // 2)
        self._length = (WINDOW_ROWS - 1) * HOP + field
        self.look_ahead = (self._length - self._before) / RATE

    def _rows(self, samples: FloatArray, rows: int, follow: Follow) -> FloatArray:
        import torch

        model, normalise = _load(self._folder, self._kind)
        frames = -(-rows * FRAMES_PER_SECOND // round(self.rate))
        kept = []
        for start in follow(range(0, frames, BATCH)):
            windows = frame_windows(
                samples, self._before, self._length, range(start, start + BATCH)
            )
            with torch.inference_mode():
                hidden = model(**normalise(windows), output_hidden_states=True).hidden_states
            middle = hidden[self._layer][:, MIDDLE : MIDDLE + 2].float().cpu().numpy()
            kept.append(middle.reshape(-1, self.dims))
        return np.concatenate(kept)[:rows]


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    if not path.is_file():
        raise InputError(
            f"{folder}: no config.json here; give the local folder of a HuBERT, wav2vec 2.0, WavLM "
            "or Whisper model, as in hf:models/hubert-base-ls960"
        )
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        kind = config.get("model_type")
    except (ValueError, AttributeError):
        raise InputError(f"{path}: damaged; copy the model's folder again") from None
    if kind not in (*WAVE_MODELS, WHISPER):
        known = ", ".join((*WAVE_MODELS, WHISPER))
        raise InputError(f"{folder}: a model of the kind '{kind}'; known are {known}")
    return dict(config)


def _check_clock(folder: Path, config: dict[str, Any]) -> None:
    stride = math.prod(config.get("conv_stride", (5, 2, 2, 2, 2, 2, 2)))
    if config["model_type"] != WHISPER and stride != HOP:
        raise InputError(
            f"{folder}: makes a row every {1000 * stride / RATE:g} ms; only models with one every "
            f"{1000 * HOP / RATE:g} ms can be used"
        )


def _field(config: dict[str, Any]) -> int:
    """Samples that one row of the convolutions sees; for Whisper, those of one row."""
    if config["model_type"] == WHISPER:
        return HOP
    field, hop = 1, 1
    kernels = config.get("conv_kernel", (10, 3, 3, 3, 3, 2, 2))
    for kernel, stride in zip(
        kernels, config.get("conv_stride", (5, 2, 2, 2, 2, 2, 2)), strict=True
    ):
        field, hop = field + (kernel - 1) * hop, hop * stride
    return field


def _digest(folder: Path) -> str:
    """Of the description and the weights: another training is another extractor."""
    digest = hashlib.sha256()
    weights = sorted(p for p in folder.iterdir() if p.suffix in (".safetensors", ".bin"))
    if not weights:
        raise InputError(f"{folder}: holds no weights (*.safetensors or *.bin); copy them there")
    for path in (folder / "config.json", *weights):
        with path.open("rb") as source:
            while piece := source.read(1 << 20):
                digest.update(piece)
    return digest.hexdigest()[:8]


def _need_library() -> None:
    from importlib.util import find_spec

    if find_spec("transformers") is None:
        raise InputError(
            "speech encoders need the library transformers, which is not installed; "
            "pip install 'nerf-talker[hf]'"
        )


def _load(folder: Path, kind: str) -> tuple[Any, Any]:
    """The network, and what turns windows of samples into its input."""
    import torch
    from transformers import AutoModel
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        model = AutoModel.from_pretrained(str(folder), local_files_only=True)
    except Exception as error:  # of the files' readers too, which have no common base
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{folder}: the encoder cannot be loaded ({reason})") from None
    if kind == WHISPER:
        return _short_whisper(model.encoder.to(device).eval(), device)
    scaled = _wants_unit_power(folder)

    def waves(windows: FloatArray) -> dict[str, Any]:
        given = _unit_power(windows) if scaled else windows
        return {"input_values": torch.from_numpy(given).to(device)}

    return model.to(device).eval(), waves


def _short_whisper(encoder: Any, device: str) -> tuple[Any, Any]:
    """Whisper's encoder for windows of one second instead of thirty."""
    import torch
    from transformers import WhisperFeatureExtractor

    positions = encoder.embed_positions.weight[:WINDOW_ROWS].detach().clone()
    encoder.embed_positions = torch.nn.Embedding.from_pretrained(positions)
    encoder.config.max_source_positions = WINDOW_ROWS
    spectrum = WhisperFeatureExtractor(
        feature_size=encoder.config.num_mel_bins, chunk_length=WINDOW_ROWS * HOP // RATE
    )

    def mels(windows: FloatArray) -> dict[str, Any]:
        made = spectrum(list(windows), sampling_rate=RATE, return_tensors="pt")
        return {"input_features": made["input_features"].to(device)}

    return encoder, mels


def _wants_unit_power(folder: Path) -> bool:
    path = folder / "preprocessor_config.json"
    try:
        return bool(json.loads(path.read_text(encoding="utf-8")).get("do_normalize", True))
    except (OSError, ValueError, AttributeError):
        return True


def _unit_power(windows: npt.NDArray[np.float32]) -> FloatArray:
    """Windows without mean and of power one, as these networks were trained, pauses left quiet."""
    centred = windows - windows.mean(1, keepdims=True)
    return np.asarray(centred / np.sqrt(centred.var(1, keepdims=True) + QUIET_POWER), np.float32)

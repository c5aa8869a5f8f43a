"""What a report says in words: why a figure is missing, and which variant a figure is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from nerf_talker.evaluate.schema import Metrics
from nerf_talker.train.driving import Drive

if TYPE_CHECKING:
    from nerf_talker.evaluate.measurement import Instruments, Measurement

JSON_PLACE = {
    "own": "metrics",
    "head_only": "head_only",
    "mean_frame": "baselines.mean_frame",
    "nearest_frame": "baselines.nearest_frame",
}


def not_measured(
    rows: Mapping[str, Metrics],
    done: Measurement,
    instruments: Instruments,
    has_sound: bool,
    train_seconds: float | None,
) -> dict[str, str]:
    """A reason for every null: by figure when no row has it, else by place in the JSON."""
    reasons: dict[str, str] = {}
    for figure in Metrics.model_fields:
        empty = [name for name, row in rows.items() if getattr(row, figure) is None]
        why = {name: _reason(figure, name, done, instruments, has_sound) for name in empty}
        if len(empty) == len(rows) and len(set(why.values())) == 1:
            reasons[figure] = why[empty[0]]
        else:
            reasons.update({f"{JSON_PLACE[name]}.{figure}": why[name] for name in empty})
    if train_seconds is None:
        reasons["speed.train_seconds"] = "the avatar does not state it"
    return reasons


def _reason(
    figure: str, row: str, done: Measurement, instruments: Instruments, has_sound: bool
) -> str:
    if figure == "lpips" and instruments.lpips is None:
        return instruments.lpips_reason or "no LPIPS weights"
    if figure in {"lpips", "lpips_face"}:
        return instruments.lpips_reason or "the picture is smaller than LPIPS needs (31 pixels)"
    landmarks = {"lmd", "jitter", "frames_without_face"}
    if figure in landmarks and instruments.reader.missing_landmarks is not None:
        return f"no face landmarks: {instruments.reader.missing_landmarks}"
    if figure.startswith("sync") and not has_sound:
        return "the dataset holds no sound"
    if done.rows[row].without_face == len(done.frames):
        return "no face was found in any frame"
    if figure.startswith(("lipgap", "sync", "speech")):
        return "too few frames, or a lip gap or sound that does not change"
    return "too few frames with a face"


def notes(reader: str, drive: Drive) -> list[str]:
    """Which variant each figure is; the modules of this package hold the full definitions."""
    boxes = "detected" if reader == "mediapipe" else "tracked"
    lines = [
        "own is the talker's own head, torso and background; no true pixel is pasted in. "
        "head_only is the rendered head over the true frame with its head painted out inside the "
        "binary head mask (Telea), so the two must not be compared with each other.",
        "Head pose and upper face follow the true frames in every row; the torso is predicted from "
        "the head pose; the mouth is driven by "
        + ("sound." if drive == "audio" else "the true frames' landmarks."),
        "psnr is the mean over frames of per-frame dB on 8-bit RGB, a perfect frame counting as "
        f"100 dB; the boxes come from the landmarks {boxes} in the true frames.",
        "ssim: 11x11 Gaussian of sigma 1.5, RGB. lpips: v0.1 AlexNet on every fifth frame.",
        "lmd: 40 lip points less their mean, pixels at a width of 512. Lags run over +-10 frames; "
        "positive means that the prediction is late.",
        "sync_offset_frames is our own sweep of the lip gap against the sound's log energy per "
        "frame and sync_confidence the peak of that correlation less its median over lags; in a "
        "few seconds of speech loudness alone is a weak witness, so compare with the same figures "
        "of the truth. speech_offset_frames and speech_confidence are the same sweep against the "
        "lip gap expected from the sound by a regression fitted on the training frames, a much "
        "sharper one. Neither is SyncNet's LSE-C or LSE-D.",
    ]
    if reader != "mediapipe":
        lines.append(
            "Lip gaps were read by a regression from the mouth's picture, fitted on the training "
            "frames of this dataset; its accuracy on the true frames is stated under reader."
        )
    return lines

"""What a report says in words: which variant each figure is."""

from __future__ import annotations

from collections.abc import Sequence

from nerf_talker.evaluate.sync_report import EXPERT
from nerf_talker.train.driving import Drive

_SHARED = (
    "ssim: 11x11 Gaussian of sigma 1.5, RGB. lpips: v0.1 AlexNet; lpips, ms_ssim, cpbd, fid, kid "
    "and identity are taken on every fifth frame.",
    "lmd: 40 lip points less their mean, pixels at a width of 512. Lags run over +-10 frames; "
    "positive means that the prediction is late.",
    "blendshape_error sums mean squared differences of MediaPipe's scores: in the manner of the "
    "action-unit error, not comparable with published AUE. lve and fdd are in millimetres on "
    "MediaPipe's mesh, outer eye corners 89 mm apart. sharpness_ratio and activity_ratio compare "
    "gradient energy and variance over time with the truth's: 1 is equal.",
)

SYNCNET_NOTE = (
    "lse_c and lse_d are LSE-C and LSE-D by the SyncNet checkpoint that was given, with the "
    "published windows, lags and padding; the face box comes from landmarks in place of the S3FD "
    "detector, so compare with the truth's figures before comparing with a paper's."
)


def notes(reader: str, drive: Drive, syncnet: bool = False) -> list[str]:
    """Which variant each figure is; the modules of this package hold the full definitions.

    Args:
        reader: Name of the lip reader.
        drive: What moved the mouth.
        syncnet: Whether the user's SyncNet judged.
    """
    boxes = "detected" if reader == "mediapipe" else "tracked"
    lines = [
        "own is the talker's own head, torso and background; no true pixel is pasted in. "
        "head_only is the rendered head over the true frame with its head painted out inside the "
        "binary head mask (Telea), so the two must not be compared with each other.",
        "Head pose and upper face follow the true frames in every row; the torso is predicted from "
        "the head pose, but in own_torso driven by the clip's own motion track (an affine and a "
        "few modes of bending per frame, fitted to that frame): what a driven video that replays "
        "a body shows. No true pixel is pasted in there either. The mouth is driven by "
        + ("sound." if drive == "audio" else "the true frames' landmarks."),
        "psnr is the mean over frames of per-frame dB on 8-bit RGB, a perfect frame counting as "
        f"100 dB; the boxes come from the landmarks {boxes} in the true frames.",
        *_SHARED,
        f"sync_* come from the {EXPERT}: two small networks learned on the training frames tell "
        "which sound belongs to a window of 5 mouth pictures, over lags of +-15 frames; offset is "
        "the lag of the smallest mean distance, sync_confidence its median over lags less that "
        "minimum (higher is better), sync_distance the minimum. A stretch of 100 frames or more "
        "is needed for an exact offset; compare with the truth's figures. It is our own expert, "
        "not SyncNet: never put its figures beside LSE-C or LSE-D.",
        "Second witnesses: speech_* sweeps the lip gap against the one expected from the sound by "
        "a regression fitted on the training frames, loudness_* against the sound's log energy per "
        "frame; their confidence is the peak of that correlation less its median over lags.",
    ]
    if reader != "mediapipe":
        lines.append(
            "Lip gaps were read by a regression from the mouth's picture, fitted on the training "
            "frames of this dataset; its accuracy on the true frames is stated under reader."
        )
    return [*lines, SYNCNET_NOTE] if syncnet else lines


def pair_notes(
    reader: str, alignment: Sequence[str], judged: bool = False, syncnet: bool = False
) -> list[str]:
    """The notes of a report on two videos.

    Args:
        reader: Name of the lip reader.
        alignment: How the videos were brought together.
        judged: Whether a lip-sync expert judged them.
        syncnet: Whether the user's SyncNet judged them.
    """
    lines = [
        *alignment,
        "own is the predicted video as it is; whether true pixels were pasted into it, the video "
        "does not tell.",
        "psnr is the mean over frames of per-frame dB on 8-bit RGB, a perfect frame counting as "
        "100 dB; the regions come from the landmarks of the truth "
        + ("as MediaPipe finds them." if reader == "mediapipe" else f"({reader})."),
        *_SHARED,
        "loudness_* is our own sweep of the lip gap against the sound's log energy per frame: the "
        "offset is the lag of the correlation's peak, the confidence that peak less its median "
        "over lags; compare with the same figures of the truth. It is not SyncNet's LSE-C or "
        "LSE-D.",
    ]
    if judged:
        lines.append(
            f"The {EXPERT} that was given made sync_*: two small networks learned elsewhere, for "
            "this person's mouth in that place of the frame and at that frame rate, tell which "
            "sound belongs to a window of 5 mouth pictures over lags of +-15 frames. Another "
            "person, crop or frame rate makes them less sure, and an expert learned on other "
            "features than logmel40 knows nothing; compare with the truth's figures, and never put "
            "them beside LSE-C or LSE-D."
        )
    return [*lines, SYNCNET_NOTE] if syncnet else lines


def solo_notes(reader: str, judged: bool, syncnet: bool) -> list[str]:
    """The notes of a report on one video without a truth.

    Args:
        reader: Name of the lip reader.
        judged: Whether a lip-sync expert judged it.
        syncnet: Whether the user's SyncNet judged it.
    """
    lines = [
        f"There is no truth: the video is judged against its own sound. Lips read by {reader}. "
        "Lags run over +-10 frames; positive means that the mouth is late.",
        "speech_* sweeps the lip gap against the lip opening that nerf-talker's speech encoder "
        "articulation39, which knows no person, hears in the sound; loudness_* against the log "
        "energy per frame. The confidence is the peak of the correlation less its median over "
        "lags; below about 0.1 the lag means nothing. A person's own recording, measured the same "
        "way, shows what to expect of them.",
        "lipgap_range runs from the 5th to the 95th percentile, in distances of the outer eye "
        "corners; closed_in_silence is the share of silent frames whose lip gap is at most 0.03.",
    ]
    if judged:
        lines.append(
            f"sync_* come from the {EXPERT} that was given, learned on one person's recording over "
            "lags of +-15 frames: it is sure of that person in that frame only. It is not SyncNet."
        )
    return [*lines, SYNCNET_NOTE] if syncnet else lines

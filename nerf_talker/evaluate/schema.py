"""The report's JSON: what ``report.json`` holds, key by key.

A figure that was not measured is ``null`` and has its reason in ``not_measured``, under the
figure's name when no row has it and under ``row.name`` otherwise; it is never a made-up number.
"""

from __future__ import annotations

from nerf_talker.config import StrictModel
from nerf_talker.data.manifest import SplitName
from nerf_talker.train.driving import Drive


class Metrics(StrictModel):
    """The figures of one row of the table; definitions are in the modules of this package.

    Attributes:
        psnr: dB, whole frame.
        psnr_face: dB, face box.
        psnr_mouth: dB, mouth box.
        ssim: Structural similarity, whole frame.
        lpips: LPIPS v0.1 AlexNet, whole frame, every fifth frame.
        lpips_face: The same in the face box.
        lmd: Mouth landmark distance, pixels at a frame width of 512.
        lipgap_corr: Correlation of the lip gap with the truth's at lag 0.
        lipgap_corr_best: The same at the best lag.
        lipgap_lag_frames: Best lag against the truth, positive when late.
        lipgap_std_ratio: Standard deviation of the lip gap over the truth's.
        sync_offset_frames: Best lag of the lip gap against the sound's log energy.
        sync_confidence: Peak minus median of that correlation over lags.
        speech_offset_frames: Best lag against the lip gap that the speech expert expects.
        speech_confidence: Peak minus median of that correlation over lags.
        jitter: RMS second difference of the nose bridge, pixels at a width of 512.
        frames_without_face: Frames in which the truth or the prediction shows no face.
    """

    psnr: float | None = None
    psnr_face: float | None = None
    psnr_mouth: float | None = None
    ssim: float | None = None
    lpips: float | None = None
    lpips_face: float | None = None
    lmd: float | None = None
    lipgap_corr: float | None = None
    lipgap_corr_best: float | None = None
    lipgap_lag_frames: int | None = None
    lipgap_std_ratio: float | None = None
    sync_offset_frames: int | None = None
    sync_confidence: float | None = None
    speech_offset_frames: int | None = None
    speech_confidence: float | None = None
    jitter: float | None = None
    frames_without_face: int | None = None


class TruthFigures(StrictModel):
    """What the same instruments say about the true frames, to judge the rows by."""

    lipgap_std: float | None = None
    sync_offset_frames: int | None = None
    sync_confidence: float | None = None
    speech_offset_frames: int | None = None
    speech_confidence: float | None = None
    jitter: float | None = None


class Baselines(StrictModel):
    """Rows that cost no training."""

    mean_frame: Metrics
    nearest_frame: Metrics


class Speed(StrictModel):
    """Frames per second inside the renderer and of the whole evaluation; seconds of making."""

    render_fps: float | None
    end_to_end_fps: float | None
    train_seconds: float | None
    preprocess_seconds: float | None


class ReaderInfo(StrictModel):
    """The lip reader and how well it reads the truth's lip gap in these very frames.

    Attributes:
        name: ``mediapipe`` or ``crop regression``.
        track_corr: Correlation of its reading of the truth with the dataset's track.
        track_error: RMS difference of the two, in units of the eyes' distance.
    """

    name: str
    track_corr: float | None
    track_error: float | None


class Report(StrictModel):
    """All of ``report.json``; ``metrics`` is the talker's own picture, nothing pasted in."""

    frames: int
    split: SplitName
    size: int
    drive: Drive
    metrics: Metrics
    head_only: Metrics
    baselines: Baselines
    speed: Speed
    environment: dict[str, str]
    subject: str
    avatar: str
    truth: TruthFigures
    reader: ReaderInfo
    not_measured: dict[str, str]
    notes: list[str]

    def rows(self) -> dict[str, Metrics]:
        """The table's rows by the names people read."""
        return {
            "own": self.metrics,
            "head_only": self.head_only,
            "mean_frame": self.baselines.mean_frame,
            "nearest_frame": self.baselines.nearest_frame,
        }

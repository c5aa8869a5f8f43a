"""The report's JSON: what ``report.json`` holds, key by key.

A figure that was not measured is ``null`` and has its reason in ``not_measured``, under the
figure's name when no row has it and under ``row.name`` otherwise; it is never a made-up number.
``nerf-talker evaluate --schema`` prints all of this as JSON Schema. Version 1 had no
``schema_version``; what it and version 2 held is still there, under the same keys.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from nerf_talker.config import MeasuredModel
from nerf_talker.data.manifest import SplitName
from nerf_talker.evaluate.figure_groups import CrossTalk, FrameCost, MotionFigures, Regions
from nerf_talker.train.driving import Drive

SCHEMA_VERSION = 3


class Metrics(MeasuredModel):
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
        lipgap_std: Standard deviation of the lip gap, in distances of the outer eye corners.
        lipgap_range: From its 5th to its 95th percentile.
        lipgap_std_ratio: Standard deviation of the lip gap over the truth's.
        sync_offset_frames: Frames by which the mouth is late, by the expert named in
            ``sync.expert``; see :mod:`nerf_talker.evaluate.sync_curve`.
        sync_confidence: Median minus minimum of the expert's distance over lags.
        sync_distance: That minimum.
        lse_offset_frames: Frames by which the mouth is late, by the user's SyncNet.
        lse_c: Its LSE-C, the confidence; see :mod:`nerf_talker.evaluate.lse`.
        lse_d: Its LSE-D, the distance.
        loudness_offset_frames: Best lag of the lip gap against the sound's log energy.
        loudness_confidence: Peak minus median of that correlation over lags.
        speech_offset_frames: Best lag against the lip gap that the speech expert expects.
        speech_confidence: Peak minus median of that correlation over lags.
        jitter: RMS second difference of the nose bridge, pixels at a width of 512.
        brisque: BRISQUE of the whole frame by itself, every fifth frame; lower is more natural.
        frames_without_face: Frames in which the truth or the prediction shows no face.
        mouth_face_sharpness: Sharpness ratio of the mouth over that of the face; below 1 the
            mouth is softer than the face around it.
        fid: Frechet distance of network features, every fifth frame.
        kid: Kernel distance of the same features.
        fid_frames: Frames that both were taken on.
        identity: Cosine of face embeddings with the truth's, every fifth frame.
        regions: Picture figures by region.
        motion: Figures of motion.
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
    lipgap_std: float | None = None
    lipgap_range: float | None = None
    lipgap_std_ratio: float | None = None
    sync_offset_frames: int | None = None
    sync_confidence: float | None = None
    sync_distance: float | None = None
    lse_offset_frames: int | None = None
    lse_c: float | None = None
    lse_d: float | None = None
    loudness_offset_frames: int | None = None
    loudness_confidence: float | None = None
    speech_offset_frames: int | None = None
    speech_confidence: float | None = None
    jitter: float | None = None
    brisque: float | None = None
    frames_without_face: int | None = None
    mouth_face_sharpness: float | None = None
    fid: float | None = None
    kid: float | None = None
    fid_frames: int | None = None
    identity: float | None = None
    regions: Regions = Regions()
    motion: MotionFigures = MotionFigures()


class TruthFigures(MeasuredModel):
    """What the same instruments say about the true frames, to judge the rows by.

    Attributes:
        lipgap_std: As in the rows.
        lipgap_range: As in the rows.
        sync_offset_frames: As in the rows.
        sync_confidence: As in the rows.
        sync_distance: As in the rows.
        lse_offset_frames: As in the rows.
        lse_c: As in the rows.
        lse_d: As in the rows.
        loudness_offset_frames: As in the rows.
        loudness_confidence: As in the rows.
        speech_offset_frames: As in the rows.
        speech_confidence: As in the rows.
        jitter: As in the rows.
        brisque: As in the rows.
        cpbd: Whole frame.
        cpbd_face: Face box.
        blinks_per_minute: Of the truth.
        blink_seconds: Mean length of a blink.
        closed_in_silence: Share of silent frames with closed lips.
    """

    lipgap_std: float | None = None
    lipgap_range: float | None = None
    sync_offset_frames: int | None = None
    sync_confidence: float | None = None
    sync_distance: float | None = None
    lse_offset_frames: int | None = None
    lse_c: float | None = None
    lse_d: float | None = None
    loudness_offset_frames: int | None = None
    loudness_confidence: float | None = None
    speech_offset_frames: int | None = None
    speech_confidence: float | None = None
    jitter: float | None = None
    brisque: float | None = None
    cpbd: float | None = None
    cpbd_face: float | None = None
    blinks_per_minute: float | None = None
    blink_seconds: float | None = None
    closed_in_silence: float | None = None


class Baselines(MeasuredModel):
    """Rows that cost no training.

    Attributes:
        mean_frame: The mean of the training frames, a still picture.
        nearest_frame: The training frame with the nearest landmarks.
    """

    mean_frame: Metrics
    nearest_frame: Metrics


class Speed(MeasuredModel):
    """Frames per second inside the renderer and of the whole evaluation; seconds of making.

    Attributes:
        render_fps: Frames per second inside the renderer.
        end_to_end_fps: Frames per second of the evaluation.
        train_seconds: As the avatar states it.
        preprocess_seconds: As the avatar or the dataset states it.
        frame: What one frame costs stage by stage; null for finished videos.
    """

    render_fps: float | None
    end_to_end_fps: float | None
    train_seconds: float | None
    preprocess_seconds: float | None
    frame: FrameCost | None = None


class ReaderInfo(MeasuredModel):
    """The lip reader and how well it reads the truth's lip gap in these very frames.

    Attributes:
        name: ``mediapipe``, ``crop regression``, ``supplied landmarks`` or ``none``; two of them
            where two videos were read in different ways.
        track_corr: Correlation of its reading of the truth with the dataset's track.
        track_error: RMS difference of the two, in units of the eyes' distance.
    """

    name: str
    track_corr: float | None
    track_error: float | None


class SyncInfo(MeasuredModel):
    """Who judged sync, and its whole distance curves.

    Attributes:
        expert: Which expert made ``sync_*``: ``nerf-talker expert`` is ours and no SyncNet, so its
            figures must not be compared with anybody's LSE-C or LSE-D.
        lags: Frames, positive when the mouth is late.
        distances: Mean distance per lag by row, the truth's among them.
    """

    expert: str
    lags: list[int]
    distances: dict[str, list[float]]


class Alignment(MeasuredModel):
    """How two videos were brought together; see ``evaluate/alignment.py``.

    Attributes:
        pred: Path of the prediction.
        truth: Path of the truth.
        pred_fps: Frames per second of the prediction's file.
        truth_fps: Frames per second of the truth's file, the clock of the report.
        pred_frames: Frames in the prediction's file.
        truth_frames: Frames in the truth's file.
        pred_size: Width and height of the prediction's file.
        truth_size: Width and height of the truth's file, the size compared at.
        notes: What had to be changed, in words; empty when the videos fit.
    """

    pred: str
    truth: str
    pred_fps: float
    truth_fps: float
    pred_frames: int
    truth_frames: int
    pred_size: tuple[int, int]
    truth_size: tuple[int, int]
    notes: list[str]


class Report(MeasuredModel):
    """All of ``report.json``; ``metrics`` is the talker's own picture, nothing pasted in.

    Attributes:
        schema_version: Of this layout.
        kind: An avatar against a dataset, any two videos, or one video without a truth.
        frames: Frames measured.
        split: Time range of the dataset's clip; null for videos.
        size: Width in pixels.
        height: Height in pixels, where it differs from the width.
        fps: Frames per second of the truth.
        drive: What moved the mouth; null for videos.
        metrics: The talker's own picture, or the predicted video.
        own_torso: The talker's own picture with the torso driven by the clip's own motion track,
            which was fitted to the very frames measured; null for videos.
        head_only: The head over the true frame; null for videos.
        baselines: Rows that cost no training; null for videos.
        peers: Videos of other systems on the same frames, by name.
        speed: Frames per second and seconds.
        environment: The machine.
        subject: Who is shown, or the truth's file name, or the video's.
        avatar: Path of the avatar or of the predicted video.
        truth: What the instruments say about the truth; empty without one.
        reader: The lip reader.
        alignment: How two videos were brought together; null without two.
        sync: The lip-sync expert's curves; null where it judged nothing.
        crosstalk: What moves with what; null for finished videos.
        not_measured: Reason by figure for every null.
        notes: Which variant each figure is.
    """

    schema_version: int = SCHEMA_VERSION
    kind: Literal["avatar", "videos", "video"] = "avatar"
    frames: int
    split: SplitName | None
    size: int
    height: int | None = None
    fps: float | None = None
    drive: Drive | None
    metrics: Metrics
    own_torso: Metrics | None = None
    head_only: Metrics | None
    baselines: Baselines | None
    peers: dict[str, Metrics] = Field(default_factory=dict)
    speed: Speed
    environment: dict[str, str]
    subject: str
    avatar: str
    truth: TruthFigures
    reader: ReaderInfo
    alignment: Alignment | None = None
    sync: SyncInfo | None = None
    crosstalk: CrossTalk | None = None
    not_measured: dict[str, str]
    notes: list[str]

    def rows(self) -> dict[str, Metrics]:
        """The table's rows by the names people read."""
        rows = {"own": self.metrics}
        if self.own_torso is not None:
            rows["own_torso"] = self.own_torso
        if self.head_only is not None:
            rows["head_only"] = self.head_only
        if self.baselines is not None:
            rows["mean_frame"] = self.baselines.mean_frame
            rows["nearest_frame"] = self.baselines.nearest_frame
        return rows | self.peers

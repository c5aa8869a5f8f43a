"""The report of an avatar, put together from what one pass over the frames gathered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nerf_talker.data.manifest import SplitName
from nerf_talker.evaluate.environment import environment
from nerf_talker.evaluate.figures import row_metrics, truth_figures
from nerf_talker.evaluate.film_figures import Scene
from nerf_talker.evaluate.gaps import Gaps, not_measured
from nerf_talker.evaluate.lips import correlation
from nerf_talker.evaluate.measurement import ROWS, Instruments, Measurement
from nerf_talker.evaluate.notes import notes
from nerf_talker.evaluate.probes import Probes
from nerf_talker.evaluate.schema import Baselines, Metrics, ReaderInfo, Report, Speed
from nerf_talker.geometry.mesh import lip_gap
from nerf_talker.train.driving import Drive

if TYPE_CHECKING:
    from nerf_talker.data.dataset import Dataset


@dataclass(frozen=True)
class AvatarRun:
    """How the measured frames came about.

    Attributes:
        split: Time range of the clip.
        drive: What moved the mouth.
        metadata: Of the avatar: ``avatar``, ``train_seconds``, ``preprocess_seconds``.
        render_fps: Frames per second inside the renderer, None when nothing was rendered.
        probes: What the talker itself answered; None when only its frames are there.
    """

    split: SplitName
    drive: Drive
    metadata: Mapping[str, object]
    render_fps: float | None
    probes: Probes | None = None


def avatar_report(
    dataset: Dataset, done: Measurement, instruments: Instruments, scene: Scene, run: AvatarRun
) -> Report:
    """All of ``report.json``.

    Args:
        dataset: Where the truth came from.
        done: What was gathered.
        instruments: What measured.
        scene: What all rows share.
        run: How the frames came about.
    """
    reader, manifest = instruments.reader, dataset.manifest
    rows = {name: row_metrics(row, scene, name) for name, row in done.rows.items()}
    train_seconds = _number(run.metadata.get("train_seconds"))
    return Report(
        frames=len(done.frames),
        split=run.split,
        size=manifest.size,
        fps=manifest.fps,
        drive=run.drive,
        metrics=rows["own"],
        own_torso=rows.get("own_torso"),
        head_only=rows["head_only"],
        baselines=Baselines(mean_frame=rows["mean_frame"], nearest_frame=rows["nearest_frame"]),
        peers={name: row for name, row in rows.items() if name not in ROWS},
        speed=Speed(
            render_fps=run.render_fps,
            end_to_end_fps=len(done.frames) / done.seconds,
            train_seconds=train_seconds,
            preprocess_seconds=_number(run.metadata.get("preprocess_seconds"))
            or manifest.preprocess_seconds,
            frame=None if run.probes is None else run.probes.cost,
        ),
        environment=environment(),
        subject=manifest.subject,
        avatar=str(run.metadata.get("avatar", "")),
        truth=truth_figures(scene),
        reader=_reader_info(dataset, done, reader.name),
        sync=scene.sync.info(),
        crosstalk=None if run.probes is None else run.probes.crosstalk,
        not_measured=_missing(rows, done, instruments, scene, train_seconds, run),
        notes=notes(reader.name, run.drive, bool(scene.lse.curves)),
    )


def _missing(
    rows: dict[str, Metrics],
    done: Measurement,
    instruments: Instruments,
    scene: Scene,
    train_seconds: float | None,
    run: AvatarRun,
) -> dict[str, str]:
    gaps = Gaps(
        instruments.networks.missing,
        instruments.reader.missing_landmarks,
        "the dataset holds no sound" if scene.heard.energy is None else None,
        None,
        scene.sync.missing,
        scene.lse.missing,
        frozenset(n for n, row in done.rows.items() if row.without_face == len(done.frames)),
        frozenset(region for boxes in done.boxes for region in boxes),
    )
    reasons = not_measured(rows, gaps)
    if "own_torso" not in rows:
        reasons["own_torso"] = "the frames come without a torso that the clip's track drives"
    if train_seconds is None:
        reasons["speed.train_seconds"] = "the avatar does not state it"
    if run.render_fps is None:
        reasons["speed.render_fps"] = "an earlier run that was stopped had rendered every frame"
    if run.probes is None:
        reasons["speed.frame"] = reasons["crosstalk"] = "only finished frames were given"
    elif run.probes.crosstalk is None:
        reasons["crosstalk"] = "fewer than two frames show a face"
    return reasons


def _reader_info(dataset: Dataset, done: Measurement, name: str) -> ReaderInfo:
    gaps = done.truth.gap_series()
    tracked = lip_gap(dataset.track.landmarks[done.frames.start : done.frames.stop])
    apart = (gaps - tracked)[np.isfinite(gaps)]
    return ReaderInfo(
        name=name,
        track_corr=correlation(gaps, tracked),
        track_error=float(np.sqrt(np.mean(apart**2))) if apart.size else None,
    )


def _number(value: object) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if np.isfinite(number) else None

"""Evaluate a video that has no truth: ``nerf-talker evaluate --pred VIDEO -o DIR``.

New speech has no true frames. What can still be told is whether the mouth moves with the sound, in
time and far enough, closes in silence, and whether the face lives and holds still.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
from tqdm import tqdm

from nerf_talker.errors import InputError
from nerf_talker.evaluate.boxes import Boxes, mean_boxes, region_boxes
from nerf_talker.evaluate.environment import environment
from nerf_talker.evaluate.figure_groups import MotionFigures, RegionFigures, Regions
from nerf_talker.evaluate.film import SLOW_EVERY, Film
from nerf_talker.evaluate.film_figures import (
    FilmFigures,
    LiveFigures,
    Scene,
    film_figures,
    known_mean,
    live_figures,
    without_face,
)
from nerf_talker.evaluate.folder import prepare_folder
from nerf_talker.evaluate.gaps import NO_NIQE, Gaps, flat
from nerf_talker.evaluate.measurement import told
from nerf_talker.evaluate.networks import Networks, open_brisque
from nerf_talker.evaluate.notes import solo_notes
from nerf_talker.evaluate.pair_sync import open_judges, pair_verdict
from nerf_talker.evaluate.readers import LipReader
from nerf_talker.evaluate.rows import Heard
from nerf_talker.evaluate.schema import Metrics, ReaderInfo, Report, Speed, TruthFigures
from nerf_talker.evaluate.solo_page import NO_TRUTH, REPORT_FILES, Solo, write_solo
from nerf_talker.evaluate.sound import log_energy, sound_notes, video_sound
from nerf_talker.evaluate.speech_expert import heard_opening
from nerf_talker.evaluate.supplied import ReaderFiles
from nerf_talker.evaluate.video_file import VideoFile

STILLS = 8
"""Pictures on the page, evenly spaced."""


@dataclass(frozen=True)
class SoloOptions:
    """How to judge one video.

    Attributes:
        audio: Sound that belongs to it, None for its own sound track.
        models: Folder to look for model files in first.
        pred_landmarks: The user's landmarks, None for MediaPipe.
        sync_expert: A lip-sync expert of ours or the dataset folder that holds one; None for none.
        syncnet: SyncNet's published checkpoint, None for none.
        quiet: No progress bar.
    """

    audio: Path | None = None
    models: Path | None = None
    pred_landmarks: Path | None = None
    sync_expert: Path | None = None
    syncnet: Path | None = None
    quiet: bool = True


def evaluate_video(pred: Path, report_dir: Path, options: SoloOptions) -> Report:
    """Judge a video against its own sound and write the report's files.

    Args:
        pred: The video, of any system.
        report_dir: Made if needed; receives ``report.json``, ``report.html``, ``frames.csv``.
        options: How to judge.

    Raises:
        InputError: A file cannot be used.
        WeightsError: An expert that the user named cannot be used.
    """
    start = perf_counter()
    if options.models is not None and not options.models.is_dir():
        raise InputError(f"{options.models}: no such folder; give one that holds model files")
    video = VideoFile.open(pred)
    judges = open_judges(options.sync_expert, options.syncnet, video.fps)
    files = ReaderFiles(options.models, options.pred_landmarks, len(video), 1.0)
    reader, sound = files.open(fetch=True), video_sound(video, options.audio)
    prepare_folder(report_dir, REPORT_FILES)
    networks = open_brisque(options.models)
    film, boxes, stills = _watched(video, reader, networks, options.quiet)
    frames = range(len(video))
    witness, syncnet = judges.witnesses(film, sound)
    if witness.expert is not None or syncnet.net is not None:
        see = told(witness.see, syncnet.see)
        for number, picture in zip(frames, video.pictures(list(frames)), strict=True):
            see("own", picture, number)
    heard = Heard(None, None)
    if sound is not None:
        expected = heard_opening(sound, frames, video.fps)
        heard = Heard(log_energy(sound, frames, video.fps), expected)
    scene = Scene(
        Film(),
        boxes,
        heard,
        video.width,
        video.fps,
        reader.missing_landmarks is None,
        pair_verdict(witness, sound, frames, video.fps),
        syncnet.judge(sound),
    )
    seconds = perf_counter() - start
    report = _report(video, reader, film, scene, networks.missing, seconds)
    told_first = sound_notes(sound, len(video), video.fps)
    report = report.model_copy(update={"notes": [*told_first, *report.notes]})
    write_solo(report_dir, Solo(report, film, scene, stills))
    return report


def _watched(
    video: VideoFile, reader: LipReader, networks: Networks, quiet: bool
) -> tuple[Film, Boxes, dict[int, np.ndarray]]:
    """The video's film, its mean regions and some of its pictures by frame."""
    film, boxes, stills = Film(), [], {}
    numbers = list(range(len(video)))
    shown = set(np.linspace(0, len(video) - 1, STILLS).round().astype(int).tolist())
    with reader.video() as eyes:
        for number, picture in zip(
            tqdm(numbers, "evaluate", disable=quiet), video.pictures(numbers), strict=True
        ):
            reading = eyes.read(picture, number)
            points = None if reading is None else reading.landmarks
            regions = region_boxes(points, *picture.shape[:2])
            film.add(picture, reading, regions, networks, number % SLOW_EVERY == 0)
            boxes.append(regions)
            if number in shown:
                stills[number] = picture
    return film, mean_boxes(boxes), stills


def _report(
    video: VideoFile,
    reader: LipReader,
    film: Film,
    scene: Scene,
    missing: dict[str, str],
    seconds: float,
) -> Report:
    faceless = without_face(film, scene)
    motion = MotionFigures(**live_figures(film, scene), frames_without_face_pred=faceless)
    regions = Regions(
        frame=RegionFigures(cpbd=known_mean(film.column("cpbd.frame"))),
        face=RegionFigures(cpbd=known_mean(film.column("cpbd.face"))),
    )
    metrics = Metrics(
        **film_figures(film, scene, "own"),
        frames_without_face=faceless,
        regions=regions,
        motion=motion,
    )
    reasons = _reasons(metrics, film, reader, scene, missing)
    for name in ("render_fps", "train_seconds", "preprocess_seconds", "frame"):
        reasons[f"speed.{name}"] = "the video is finished"
    reasons["crosstalk"] = "the video is finished"
    sync = scene.sync.info()
    return Report(
        kind="video",
        frames=len(video),
        split=None,
        size=video.width,
        height=video.height,
        fps=video.fps,
        drive=None,
        metrics=metrics,
        head_only=None,
        baselines=None,
        speed=Speed(
            render_fps=None,
            end_to_end_fps=len(video) / seconds,
            train_seconds=None,
            preprocess_seconds=None,
        ),
        environment=environment(),
        subject=video.path.name,
        avatar=str(video.path),
        truth=TruthFigures(),
        reader=ReaderInfo(name=reader.name, track_corr=None, track_error=None),
        sync=sync,
        not_measured=reasons,
        notes=solo_notes(reader.name, sync is not None, bool(scene.lse.curves)),
    )


def _reasons(
    metrics: Metrics, film: Film, reader: LipReader, scene: Scene, networks: dict[str, str]
) -> dict[str, str]:
    """A reason for every null; whole groups that only a truth could give stand once."""
    blind = bool(np.isnan(film.gap_series()).all())
    silent = "there is no sound" if scene.heard.energy is None else None
    gaps = Gaps(
        networks,
        reader.missing_landmarks,
        silent,
        silent,
        scene.sync.missing,
        scene.lse.missing,
        frozenset(["own"] if blind else []),
        frozenset(scene.boxes),
    )
    alone = {
        *FilmFigures.__annotations__,
        *(f"motion.{name}" for name in LiveFigures.__annotations__),
        "motion.frames_without_face_pred",
        "frames_without_face",
        "regions.frame.cpbd",
        "regions.face.cpbd",
    }
    empty = [path for path, value in flat(metrics).items() if value is None]
    why = {path: gaps.reason(path, "own") if path in alone else NO_TRUTH for path in empty}
    return why | NO_NIQE

"""Evaluate any video against any other: ``nerf-talker evaluate --pred A --truth B``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import numpy as np
from tqdm import tqdm

from nerf_talker.errors import InputError
from nerf_talker.evaluate.alignment import Pairing
from nerf_talker.evaluate.boxes import mean_boxes
from nerf_talker.evaluate.environment import environment
from nerf_talker.evaluate.figures import row_metrics, truth_figures
from nerf_talker.evaluate.film import Film
from nerf_talker.evaluate.film_figures import Scene
from nerf_talker.evaluate.folder import prepare_folder
from nerf_talker.evaluate.gallery import Gallery
from nerf_talker.evaluate.gaps import Gaps, not_measured
from nerf_talker.evaluate.measurement import Measurement, told
from nerf_talker.evaluate.networks import NO_NETWORKS, NetworkFiles, open_networks
from nerf_talker.evaluate.notes import pair_notes
from nerf_talker.evaluate.page import REPORT_FILES, write_report
from nerf_talker.evaluate.pair_chunks import ChunkStore, PairJob, cores, gathered, measure_all
from nerf_talker.evaluate.pair_sync import PairJudges, open_judges, pair_verdict
from nerf_talker.evaluate.player import Player
from nerf_talker.evaluate.rows import Heard, Row, TruthFrame
from nerf_talker.evaluate.schema import ReaderInfo, Report, Speed
from nerf_talker.evaluate.sound import Sound, log_energy, sound_notes, video_sound
from nerf_talker.evaluate.supplied import ReaderFiles
from nerf_talker.evaluate.sync_report import LseVerdict, SyncVerdict
from nerf_talker.evaluate.video_file import VideoFile

NO_DATASET = "needs a dataset whose training frames it can learn from"


@dataclass(frozen=True)
class PairOptions:
    """How to compare two videos.

    Attributes:
        audio: Sound of the truth, None for the truth's own sound track.
        networks: Where networks come from.
        pred_landmarks: The user's landmarks of the prediction, None for MediaPipe.
        truth_landmarks: The user's landmarks of the truth, None for MediaPipe.
        workers: Processes, 0 for one per processor.
        sync_expert: A lip-sync expert of ours or the dataset folder that holds one; None for none.
        syncnet: SyncNet's published checkpoint, None for none.
        quiet: No progress bar.
    """

    audio: Path | None = None
    networks: NetworkFiles = field(default_factory=NetworkFiles)
    pred_landmarks: Path | None = None
    truth_landmarks: Path | None = None
    workers: int = 1
    sync_expert: Path | None = None
    syncnet: Path | None = None
    quiet: bool = True


def evaluate_videos(pred: Path, truth: Path, report_dir: Path, options: PairOptions) -> Report:
    """Measure a predicted video against a true one and write the report's files.

    A run that was stopped goes on where it was, as long as its inputs are the same.

    Args:
        pred: The prediction, of any system.
        truth: The truth.
        report_dir: Made if needed; receives ``report.json``, ``report.html``, ``frames.csv``.
        options: How to compare.

    Raises:
        InputError: A file cannot be used, or the videos cannot be brought together.
        WeightsError: A network or an expert that the user named cannot be used.
    """
    start = perf_counter()
    models = options.networks.models
    if models is not None and not models.is_dir():
        raise InputError(f"{models}: no such folder; give one that holds model files")
    job = _job(Pairing.of(VideoFile.open(pred), VideoFile.open(truth)), options)
    # What is missing is told, and files that do not fit are refused, before any work.
    missing = open_networks(job.networks).missing
    judges = open_judges(options.sync_expert, options.syncnet, job.pairing.truth.fps)
    own_marks = options.truth_landmarks is not None
    readers = job.truth_reader.open(fetch=True), job.pred_reader.open(fetch=own_marks)
    blind = readers[0].missing_landmarks or readers[1].missing_landmarks
    sound = video_sound(job.pairing.truth, options.audio)
    prepare_folder(report_dir, REPORT_FILES)
    store = ChunkStore(report_dir, job)
    with tqdm(total=len(job.pairing), desc="evaluate", disable=options.quiet) as bar:
        for chunk in measure_all(job, store, options.workers or cores()):
            bar.update(len(chunk))
    done, verdict, lse = _picture_pass(job, store, sound, judges)
    fps = job.pairing.truth.fps
    energy = None if sound is None else log_energy(sound, done.frames, fps)
    heard, width = Heard(energy, None), job.pairing.truth.width
    boxes = mean_boxes(done.boxes)
    scene = Scene(done.truth, boxes, heard, width, fps, blind is None, verdict, lse)
    done.seconds = perf_counter() - start
    gaps = Gaps(
        missing,
        blind,
        "there is no sound" if sound is None else None,
        NO_DATASET,
        verdict.missing,
        lse.missing,
        frozenset(["own"] if done.rows["own"].without_face == len(done.frames) else []),
        frozenset(region for boxes in done.boxes for region in boxes),
    )
    report = _report(job, done, scene, gaps, " and ".join(sorted({r.name for r in readers})))
    told_first = sound_notes(sound, len(done.frames), fps)
    report = report.model_copy(update={"notes": [*told_first, *report.notes]})
    write_report(report_dir, report, done, scene)
    store.remove()
    return report


def _job(pairing: Pairing, options: PairOptions) -> PairJob:
    models, truth = options.networks.models, pairing.truth
    return PairJob(
        pairing,
        options.networks,
        ReaderFiles(
            models, options.pred_landmarks, len(pairing.pred), truth.width / pairing.pred.width
        ),
        ReaderFiles(models, options.truth_landmarks, len(truth), 1.0),
    )


def _picture_pass(
    job: PairJob, store: ChunkStore, sound: Sound | None, judges: PairJudges
) -> tuple[Measurement, SyncVerdict, LseVerdict]:
    """Put the numbers together and go through the pictures once more, for page and judges."""
    pairing = job.pairing
    frames = range(len(pairing))
    row, film = Row(NO_NETWORKS), Film()
    boxes = gathered(job, store, row, film)
    done = Measurement(frames, {"own": row}, film, Gallery(frames), boxes=boxes)
    witness, syncnet = judges.witnesses(film, sound)
    see = told(witness.see, syncnet.see)
    whole, mouth = row.film.column("psnr.frame"), row.film.column("psnr.mouth")
    matches = list(pairing.matches)
    pictures = zip(
        frames, pairing.truth.pictures(list(frames)), pairing.pred.pictures(matches), strict=True
    )
    with Player(len(frames), pairing.truth.fps, sound) as player:
        for number, true, other in pictures:
            own = pairing.fitted(other)
            player.add(true, own)
            see("truth", true, number)
            see("own", own, number)
            score = whole[number] if np.isnan(mouth[number]) else mouth[number]
            shown = TruthFrame(true, boxes[number], None, False, {})
            done.show(number, shown, own, None, float(score))
    done.clip = player.clip
    verdict = pair_verdict(witness, sound, frames, pairing.truth.fps)
    return done, verdict, syncnet.judge(sound)


def _report(job: PairJob, done: Measurement, scene: Scene, gaps: Gaps, reader: str) -> Report:
    pairing, metrics = job.pairing, row_metrics(done.rows["own"], scene)
    alignment = pairing.described()
    sync = scene.sync.info()
    reasons = not_measured({"own": metrics}, gaps)
    finished = "the prediction is a finished video"
    for name in ("render_fps", "train_seconds", "preprocess_seconds", "frame"):
        reasons[f"speed.{name}"] = finished
    reasons["crosstalk"] = finished
    return Report(
        kind="videos",
        frames=len(done.frames),
        split=None,
        size=pairing.truth.width,
        height=pairing.truth.height,
        fps=pairing.truth.fps,
        drive=None,
        metrics=metrics,
        head_only=None,
        baselines=None,
        speed=Speed(
            render_fps=None,
            end_to_end_fps=len(done.frames) / done.seconds,
            train_seconds=None,
            preprocess_seconds=None,
        ),
        environment=environment(),
        subject=pairing.truth.path.name,
        avatar=str(pairing.pred.path),
        truth=truth_figures(scene),
        reader=ReaderInfo(name=reader, track_corr=None, track_error=None),
        alignment=alignment,
        sync=sync,
        not_measured=reasons,
        notes=pair_notes(reader, alignment.notes, sync is not None, bool(scene.lse.curves)),
    )

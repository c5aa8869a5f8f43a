"""Evaluate an avatar on a dataset: the whole of ``nerf-talker evaluate`` without its printing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch

from nerf_talker.audio.sound import write_wav
from nerf_talker.data.dataset import Dataset
from nerf_talker.data.manifest import DatasetFiles, SplitName
from nerf_talker.drive.self_driven import render_frames
from nerf_talker.errors import AvatarError, DatasetError, InputError
from nerf_talker.evaluate.avatar_report import AvatarRun, avatar_report
from nerf_talker.evaluate.boxes import mean_boxes
from nerf_talker.evaluate.film_figures import Scene
from nerf_talker.evaluate.folder import prepare_folder
from nerf_talker.evaluate.judged_sound import with_judged_sound
from nerf_talker.evaluate.kept import KeptFrames, Shown, shown_frames
from nerf_talker.evaluate.lse import open_lse
from nerf_talker.evaluate.measurement import (
    Instruments,
    Measurement,
    Watcher,
    Witness,
    measure,
    told,
)
from nerf_talker.evaluate.networks import NetworkFiles, open_networks
from nerf_talker.evaluate.page import REPORT_FILES, write_report
from nerf_talker.evaluate.peers import Peers, open_peers, peer_pictures
from nerf_talker.evaluate.player import Player
from nerf_talker.evaluate.portraits import TimedPortraits
from nerf_talker.evaluate.probes import Probes, probe_talker
from nerf_talker.evaluate.readers import LipReader, open_reader
from nerf_talker.evaluate.rows import Heard
from nerf_talker.evaluate.schema import Report
from nerf_talker.evaluate.sound import Sound, log_energy, read_sound
from nerf_talker.evaluate.speech_expert import expected_gaps
from nerf_talker.evaluate.sync_report import LseVerdict, SyncVerdict
from nerf_talker.evaluate.sync_witness import open_witness
from nerf_talker.evaluate.videos import lossless_video
from nerf_talker.train.avatar import load_avatar
from nerf_talker.train.driving import Drive
from nerf_talker.types import ByteArray, PortraitFrame

AVATAR_FILE = "avatar.safetensors"
VIDEOS = ("truth.mkv", "pred.mkv", "pred_head_only.mkv")
SPEECH_FILE = "speech.wav"


@dataclass(frozen=True)
class EvaluateOptions:
    """How to evaluate.

    Attributes:
        drive: What moves the mouth: the clip's sound, or its tracked landmarks.
        split: Which time range of the clip to measure.
        save_video: Also write lossless videos and the sound of the split.
        quiet: No progress bar.
        models: Folder to look for model files in first.
        fid_network: TorchScript of the features for FID and KID.
        identity_network: TorchScript of the face embedding.
        peers: Videos of other systems on the same frames, ``NAME=VIDEO`` each.
        sync_expert: A lip-sync expert to use instead of the dataset's own.
        syncnet: SyncNet's published checkpoint, for LSE-C and LSE-D.
    """

    drive: Drive = "audio"
    split: SplitName = "test"
    save_video: bool = False
    quiet: bool = True
    models: Path | None = None
    fid_network: Path | None = None
    identity_network: Path | None = None
    peers: tuple[str, ...] = ()
    sync_expert: Path | None = None
    syncnet: Path | None = None

    def networks(self) -> NetworkFiles:
        """Where networks come from."""
        return NetworkFiles(self.models, self.fid_network, self.identity_network)


def evaluate(
    avatar_or_run: Path, dataset: Path, report_dir: Path, options: EvaluateOptions
) -> Report:
    """Render a split with an avatar, measure it, and write the report's files.

    A run that was stopped renders no frame again, as long as its inputs are the same.

    Args:
        avatar_or_run: An avatar file, or the run folder that holds ``avatar.safetensors``.
        dataset: The dataset folder whose frames are the truth.
        report_dir: Made if needed; receives ``report.json``, ``report.html``, ``frames.csv``.
        options: How to evaluate.

    Raises:
        AvatarError: No avatar there, or one that cannot be loaded or rendered.
        DatasetError: The dataset is missing, damaged or has no frame in the split.
        InputError: The report folder cannot be made, or there is no folder ``options.models``.
        ConfigError: Landmarks are to drive a mouth that learned from the sound.
    """
    path = find_avatar(avatar_or_run)
    data = Dataset.open(dataset, quiet=options.quiet)
    frames = data.manifest.range(options.split)
    if not len(frames):
        raise DatasetError(f"{dataset}: split '{options.split}' holds no frames; choose another")
    avatar = load_avatar(path, "cuda" if torch.cuda.is_available() else "cpu")
    if options.drive == "landmarks":
        avatar.talker.need_landmarks("--drive landmarks")
    elif avatar.metadata.extractor != data.audio.extractor:
        cure = "" if avatar.talker.learns_from == "audio" else ", or use --drive landmarks"
        raise AvatarError(
            f"{path}: trained on the speech features '{avatar.metadata.extractor}', but {dataset} "
            f"holds '{data.audio.extractor}'; evaluate on the dataset it was trained on{cure}"
        )
    kept = KeptFrames(report_dir, path, data, options.drive)
    rendered = render_frames(avatar.talker, data, kept.missing(frames), options.drive)
    metadata = {**avatar.metadata.model_dump(), "avatar": str(path)}

    def probe() -> Probes:
        return probe_talker(avatar.talker, data, frames, options.drive)

    return evaluate_frames(data, rendered, report_dir, options, metadata, kept, probe)


def find_avatar(avatar_or_run: Path) -> Path:
    """The avatar file that a path means.

    Raises:
        AvatarError: There is none.
    """
    path = Path(avatar_or_run)
    path = path / AVATAR_FILE if path.is_dir() else path
    if not path.is_file():
        raise AvatarError(
            f"{avatar_or_run}: no avatar here; give an avatar file or a run folder with "
            f"{AVATAR_FILE}, made by 'nerf-talker train DATASET -o RUN'"
        )
    return path


def evaluate_frames(
    dataset: Dataset,
    rendered: Iterable[PortraitFrame],
    report_dir: Path,
    options: EvaluateOptions,
    metadata: Mapping[str, object],
    kept: KeptFrames | None = None,
    probe: Callable[[], Probes] | None = None,
) -> Report:
    """Measure rendered frames of one split and write the report's files.

    Args:
        dataset: The opened dataset.
        rendered: One picture per frame of the split that is not kept, in order.
        report_dir: Made if needed.
        options: How to evaluate; ``drive`` is only stated in the report.
        metadata: Of the avatar: ``avatar``, ``train_seconds``, ``preprocess_seconds``.
        kept: Frames that an earlier run left, and where this run leaves its own.
        probe: Asks the talker itself, where there is one.

    Raises:
        AvatarError: The renderer's frames do not fit.
        InputError: The report folder cannot be made, there is no folder ``options.models``, or a
            peer's video does not fit.
        WeightsError: ``options.sync_expert`` or ``options.syncnet`` cannot be used.
    """
    if options.models is not None and not options.models.is_dir():
        raise InputError(f"{options.models}: no such folder; give one that holds model files")
    frames = dataset.manifest.range(options.split)
    peers = open_peers(options.peers, len(frames), dataset.manifest.fps)
    prepare_folder(report_dir, (*REPORT_FILES, *VIDEOS, SPEECH_FILE))
    if kept is not None:
        kept.prepare()
    instruments = open_instruments(dataset, frames, options.networks())
    judged = with_judged_sound(dataset)
    witness = open_witness(judged, options.sync_expert, options.quiet)
    syncnet = open_lse(options.syncnet, dataset)
    wanted = frames if kept is None else kept.missing(frames)
    portraits = TimedPortraits(rendered, wanted, dataset.manifest.size)
    compared = shown_frames(dataset, frames, portraits, kept)
    sound = _split_sound(dataset, frames)
    given = (compared, instruments, peers, sound, told(witness.see, syncnet.see))
    done = _measured(dataset, frames, *given, report_dir, options)
    if options.save_video and sound is not None:
        write_wav(report_dir / SPEECH_FILE, sound.levels(), sound.rate)
    verdicts = witness.verdict(judged, frames), syncnet.judge(sound)
    scene = _scene(judged, done, sound, instruments.reader, *verdicts)
    probes = None if probe is None else probe()
    run = AvatarRun(options.split, options.drive, metadata, portraits.fps, probes)
    report = avatar_report(dataset, done, instruments, scene, run)
    write_report(report_dir, report, done, scene)
    if kept is not None:
        kept.remove()
    return report


def _scene(
    dataset: Dataset,
    done: Measurement,
    sound: Sound | None,
    reader: LipReader,
    sync: SyncVerdict,
    lse: LseVerdict,
) -> Scene:
    """What all rows share, after the pass over the frames."""
    frames, manifest = done.frames, dataset.manifest
    energy = None if sound is None else log_energy(sound, range(len(frames)), manifest.fps)
    heard, boxes = Heard(energy, expected_gaps(dataset, frames)), mean_boxes(done.boxes)
    sees = reader.missing_landmarks is None
    return Scene(done.truth, boxes, heard, manifest.size, manifest.fps, sees, sync, lse)


def _measured(
    dataset: Dataset,
    frames: range,
    compared: Iterator[Shown],
    instruments: Instruments,
    peers: Peers,
    sound: Sound | None,
    witness: Witness,
    report_dir: Path,
    options: EvaluateOptions,
) -> Measurement:
    """One pass over the frames, with the page's small video and, where asked for, lossless ones."""
    fps, size = dataset.manifest.fps, dataset.manifest.size
    others = {name: peer_pictures(video, len(frames), size) for name, video in peers.items()}
    with ExitStack() as stack:
        player = stack.enter_context(Player(len(frames), fps, sound))
        watchers: list[Watcher] = [lambda truth, own, head_only: player.add(truth, own)]
        if options.save_video:
            watchers.append(_video_watcher(stack, report_dir, dataset))
        seen = (watchers, others, options.quiet, witness)
        done = measure(dataset, frames, compared, instruments, *seen)
    done.clip = player.clip
    return done


def open_instruments(dataset: Dataset, frames: range, files: NetworkFiles) -> Instruments:
    """The best instruments this machine has; what is missing carries its reason.

    Args:
        dataset: The opened dataset.
        frames: Frames of the clip to be measured.
        files: Where networks come from.
    """
    return Instruments(open_reader(dataset, frames, files.models), open_networks(files))


def _video_watcher(stack: ExitStack, folder: Path, dataset: Dataset) -> Watcher:
    size, fps = dataset.manifest.size, dataset.manifest.fps
    writers = [stack.enter_context(lossless_video(folder / name, size, fps)) for name in VIDEOS]

    def watch(truth: ByteArray, own: ByteArray, head_only: ByteArray) -> None:
        for write, picture in zip(writers, (truth, own, head_only), strict=True):
            write(picture)

    return watch


def _split_sound(dataset: Dataset, frames: range) -> Sound | None:
    path, fps = DatasetFiles(dataset.root).sound, dataset.manifest.fps
    return read_sound(path).slice(frames.start / fps, frames.stop / fps) if path.is_file() else None

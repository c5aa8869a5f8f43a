"""``nerf-talker evaluate``: measure an avatar or any video, or compare finished reports."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

if TYPE_CHECKING:
    from nerf_talker.evaluate import Report


@dataclass(frozen=True)
class Arguments:
    """Measure an avatar on held-out frames of a dataset, or any video against another.

    Five uses: RUN_OR_AVATAR --dataset DATASET -o DIR; --pred VIDEO --truth VIDEO -o DIR;
    --pred VIDEO -o DIR, against its own sound; --compare REPORT_DIR REPORT_DIR ... -o DIR;
    --schema. The first three write report.json, report.html and frames.csv, the fourth
    compare.html and compare.csv.

    Attributes:
        avatar: Run folder or avatar file.
        dataset: Dataset folder whose frames are the truth.
        pred: Video of any system, to be measured against --truth, or alone against its sound.
        truth: True video; its clock and size are those of the report.
        compare: Finished report folders to put on one page.
        schema: Print the JSON Schema of report.json and end.
        out: Folder for the report.
        drive: What moves the avatar's mouth: the clip's sound or its tracked landmarks.
        split: Time range of the dataset's clip to measure.
        save_video: Also write pred.mkv, pred_head_only.mkv, truth.mkv and speech.wav, lossless.
        peer: Videos of other systems on the frames of truth.mkv, each a row of the avatar's table.
        audio: Sound of the true video, or of --pred alone, if not its own.
        pred_landmarks: NPZ or NPY of (frames, 478, 2 or 3) pixels of --pred, instead of MediaPipe.
        truth_landmarks: The same of --truth.
        workers: Processes that measure two videos; 0 is one per processor, at most four.
        models: Folder to look for model files in first.
        fid_network: TorchScript from (1, 3, H, W) uint8 RGB to features, for FID and KID.
        identity_network: TorchScript from (1, 3, 112, 112) RGB in [-1, 1] to a face embedding.
        sync_expert: Lip-sync expert to use: a file from a dataset's cache, or that dataset; an
            avatar is judged by its dataset's own, learned once, when not given, videos by none.
        syncnet: SyncNet's published checkpoint (syncnet_v2.model), for true LSE-C and LSE-D.
        quiet: No progress bar.
    """

    avatar: Annotated[tyro.conf.Positional[Path | None], tyro.conf.arg(metavar="RUN_OR_AVATAR")] = (
        None
    )
    dataset: Path | None = None
    pred: Annotated[Path | None, tyro.conf.arg(metavar="VIDEO")] = None
    truth: Annotated[Path | None, tyro.conf.arg(metavar="VIDEO")] = None
    compare: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="REPORT_DIR ...")] = ()
    schema: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="REPORT_DIR")] = None
    drive: Literal["audio", "landmarks"] = "audio"
    split: Literal["train", "val", "test"] = "test"
    save_video: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    peer: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME=VIDEO ...")] = ()
    audio: Path | None = None
    pred_landmarks: Path | None = None
    truth_landmarks: Path | None = None
    workers: int = 0
    models: Path | None = None
    fid_network: Path | None = None
    identity_network: Path | None = None
    sync_expert: Path | None = None
    syncnet: Path | None = None
    quiet: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False

    @property
    def still(self) -> bool:
        """Whether there is nobody to show a progress bar to."""
        return self.quiet or not sys.stderr.isatty()

    def wrong_use(self) -> str | None:
        """What does not go together, or None."""
        uses = [
            self.avatar is not None or self.dataset is not None,
            self.pred is not None or self.truth is not None,
            bool(self.compare),
            self.schema,
        ]
        if sum(uses) != 1:
            return (
                "give one of: RUN_OR_AVATAR --dataset DATASET, --pred VIDEO [--truth VIDEO], "
                "--compare REPORT_DIR REPORT_DIR, --schema"
            )
        if uses[0] and (self.avatar is None or self.dataset is None):
            return "an avatar needs --dataset, and a dataset an avatar"
        if uses[1] and self.pred is None:
            return "--truth needs --pred"
        if uses[2] and len(self.compare) < 2:
            return "--compare needs two or more report folders"
        if not self.schema and self.out is None:
            return "the folder for the report is missing: -o REPORT_DIR"
        return self._stray(avatar=uses[0], videos=uses[1])

    def _stray(self, avatar: bool, videos: bool) -> str | None:
        """An option that would do nothing in this use."""
        default = Arguments()
        only = {
            "an avatar": (avatar, ("drive", "split", "save_video", "peer")),
            "videos": (videos, ("audio", "pred_landmarks")),
            "two videos": (self.truth is not None, ("truth_landmarks", "workers")),
            "an avatar or videos": (avatar or videos, ("models", "sync_expert", "syncnet")),
            "an avatar or two videos": (
                avatar or self.truth is not None,
                ("fid_network", "identity_network"),
            ),
        }
        for use, (chosen, names) in only.items():
            for name in names:
                if not chosen and getattr(self, name) != getattr(default, name):
                    return f"--{name.replace('_', '-')} is for {use}"
        return "--workers is a number from 0 on" if self.workers < 0 else None


def run(argv: list[str]) -> int:
    """Run the verb and print the headline table."""
    arguments = tyro.cli(Arguments, args=argv, prog="nerf-talker evaluate")
    wrong = arguments.wrong_use()
    if wrong is not None:
        print(f"error: {wrong}; see 'nerf-talker evaluate --help'", file=sys.stderr)
        return 2
    if arguments.schema:
        from nerf_talker.evaluate.json_schema import report_schema

        print(report_schema())
    elif arguments.compare and arguments.out is not None:
        _compare(arguments.compare, arguments.out)
    elif arguments.pred is not None and arguments.truth is not None and arguments.out is not None:
        _videos(arguments, arguments.pred, arguments.truth, arguments.out)
    elif arguments.pred is not None and arguments.out is not None:
        _video(arguments, arguments.pred, arguments.out)
    elif arguments.avatar is not None and arguments.dataset is not None and arguments.out:
        _avatar(arguments, arguments.avatar, arguments.dataset, arguments.out)
    return 0


def _avatar(arguments: Arguments, avatar: Path, dataset: Path, out: Path) -> None:
    from nerf_talker.cli.report_text import report_text
    from nerf_talker.evaluate import EvaluateOptions, evaluate

    options = EvaluateOptions(
        drive=arguments.drive,
        split=arguments.split,
        save_video=arguments.save_video,
        quiet=arguments.still,
        models=arguments.models,
        fid_network=arguments.fid_network,
        identity_network=arguments.identity_network,
        peers=arguments.peer,
        sync_expert=arguments.sync_expert,
        syncnet=arguments.syncnet,
    )
    report = evaluate(avatar, dataset, out, options)
    print(
        f"{report.frames} frames, split {report.split}, {report.size} pixels, "
        f"mouth driven by {report.drive}, lips read by {report.reader.name}{_judge(report)}"
    )
    print(report_text(report))
    print(f"report: {out / 'report.html'}")


def _videos(arguments: Arguments, pred: Path, truth: Path, out: Path) -> None:
    from nerf_talker.cli.report_text import report_text
    from nerf_talker.evaluate import PairOptions, evaluate_videos
    from nerf_talker.evaluate.networks import NetworkFiles

    options = PairOptions(
        audio=arguments.audio,
        networks=NetworkFiles(arguments.models, arguments.fid_network, arguments.identity_network),
        pred_landmarks=arguments.pred_landmarks,
        truth_landmarks=arguments.truth_landmarks,
        workers=arguments.workers,
        sync_expert=arguments.sync_expert,
        syncnet=arguments.syncnet,
        quiet=arguments.still,
    )
    report = evaluate_videos(pred, truth, out, options)
    print(
        f"{report.frames} frames, {report.size}x{report.height} pixels, "
        f"lips read by {report.reader.name}{_judge(report)}"
    )
    for note in [] if report.alignment is None else report.alignment.notes:
        print(note)
    print(report_text(report))
    print(f"report: {out / 'report.html'}")


def _video(arguments: Arguments, pred: Path, out: Path) -> None:
    from nerf_talker.cli.report_text import report_text
    from nerf_talker.evaluate import SoloOptions, evaluate_video

    options = SoloOptions(
        audio=arguments.audio,
        models=arguments.models,
        pred_landmarks=arguments.pred_landmarks,
        sync_expert=arguments.sync_expert,
        syncnet=arguments.syncnet,
        quiet=arguments.still,
    )
    report = evaluate_video(pred, out, options)
    print(
        f"{report.frames} frames, {report.size}x{report.height} pixels, without a truth, "
        f"lips read by {report.reader.name}{_judge(report)}"
    )
    print(report_text(report))
    print(f"report: {out / 'report.html'}")


def _judge(report: Report) -> str:
    return "" if report.sync is None else f", sync judged by the {report.sync.expert}"


def _compare(folders: tuple[Path, ...], out: Path) -> None:
    from nerf_talker.evaluate import compare_reports
    from nerf_talker.evaluate.comparison import text_table

    print(text_table(compare_reports(folders, out)))
    print(f"comparison: {out / 'compare.html'}")

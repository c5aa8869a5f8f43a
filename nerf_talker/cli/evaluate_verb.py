"""``nerf-talker evaluate``: measure an avatar on held-out frames of a dataset."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro


@dataclass(frozen=True)
class Arguments:
    """Measure an avatar on held-out frames of a dataset.

    Writes report.json, report.html and frames.csv.

    Attributes:
        avatar: Run folder or avatar file.
        dataset: Dataset folder whose frames are the truth.
        out: Folder for the report.
        drive: What moves the mouth: the clip's sound or its tracked landmarks.
        split: Time range of the clip to measure.
        save_video: Also write pred.mkv, pred_head_only.mkv, truth.mkv and speech.wav, lossless.
        models: Folder to look for model files in first.
        quiet: No progress bar.
    """

    avatar: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN_OR_AVATAR")]
    dataset: Path
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="REPORT_DIR")]
    drive: Literal["audio", "landmarks"] = "audio"
    split: Literal["train", "val", "test"] = "test"
    save_video: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    models: Path | None = None
    quiet: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False


def run(argv: list[str]) -> int:
    """Run the verb and print the headline table."""
    arguments = tyro.cli(Arguments, args=argv, prog="nerf-talker evaluate")
    from nerf_talker.cli.report_text import report_text
    from nerf_talker.evaluate import EvaluateOptions, evaluate

    options = EvaluateOptions(
        drive=arguments.drive,
        split=arguments.split,
        save_video=arguments.save_video,
        quiet=arguments.quiet or not sys.stderr.isatty(),
        models=arguments.models,
    )
    report = evaluate(arguments.avatar, arguments.dataset, arguments.out, options)
    print(
        f"{report.frames} frames, split {report.split}, {report.size} pixels, "
        f"mouth driven by {report.drive}, lips read by {report.reader.name}"
    )
    print(report_text(report))
    print(f"report: {arguments.out / 'report.html'}")
    return 0

"""Other systems' finished videos as rows: measured against the same held-out frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nerf_talker.audio.sound import write_wav
from nerf_talker.data.dataset import Dataset
from nerf_talker.data.manifest import DatasetFiles
from nerf_talker.evaluate import PairOptions, Report, evaluate_videos
from nerf_talker.evaluate.networks import NetworkFiles
from nerf_talker.evaluate.sound import read_sound
from nerf_talker.evaluate.videos import lossless_video


def measure_video(
    video: Path, dataset: Path, folder: Path, models: Path | None, quiet: bool
) -> Report:
    """Compare a video of the test split with the dataset's own frames.

    Args:
        video: What another system rendered for the test split, from its first frame on.
        dataset: The clip's dataset folder.
        folder: Receives the truth as a lossless video, its sound and the report.
        models: Folder to look for model files in first.
        quiet: No progress bar.

    Raises:
        InputError: The video cannot be used.
        DatasetError: The dataset cannot be read.
    """
    data = Dataset.open(dataset, quiet)
    frames, fps = data.manifest.range("test"), data.manifest.fps
    folder.mkdir(parents=True, exist_ok=True)
    truth = folder / "truth.mkv"
    with lossless_video(truth, data.manifest.size, fps) as write:
        for frame in frames:
            write(np.asarray(data.frames[frame]))
    sound, speech = DatasetFiles(dataset).sound, None
    if sound.is_file():
        heard = read_sound(sound).slice(frames.start / fps, frames.stop / fps)
        speech = folder / "speech.wav"
        write_wav(speech, heard.levels(), heard.rate)
    options = PairOptions(audio=speech, networks=NetworkFiles(models), quiet=quiet)
    return evaluate_videos(video, truth, folder / "report", options)

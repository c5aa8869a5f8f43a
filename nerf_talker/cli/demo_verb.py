"""``nerf-talker demo``: the whole journey on the built-in sample clip."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

SPEECH_SEED = 7  # words the avatar never heard: the sample itself is seed 0


def run(argv: list[str]) -> int:
    """Run the demo; see ``nerf-talker demo --help``."""
    import tyro

    @dataclass(frozen=True)
    class Arguments:
        """From the sample clip to a talking avatar; finished parts are not done again."""

        output: Annotated[Path, tyro.conf.arg(aliases=("-o",))] = Path("runs/demo")
        """Folder for everything the demo makes."""
        seconds: float = 24.0
        """Length of the sample clip."""
        size: int = 256
        """Width and height in pixels."""
        config: Annotated[str, tyro.conf.arg(aliases=("-c",))] = "demo"
        """Training configuration."""
        quiet: bool = False
        """No progress bars."""

    arguments = tyro.cli(Arguments, args=argv, prog="nerf-talker demo")
    return Demo(
        arguments.output,
        arguments.seconds,
        arguments.size,
        arguments.config,
        arguments.quiet or not sys.stderr.isatty(),
    ).run()


@dataclass(frozen=True)
class Demo:
    """The steps of the demo in one folder."""

    root: Path
    seconds: float
    size: int
    config: str
    quiet: bool

    def run(self) -> int:
        """Do every step that is not done, print where the results lie."""
        from nerf_talker.data.synthetic import check_sample

        check_sample(self.seconds, self.size)
        begun = time.perf_counter()
        self.root.mkdir(parents=True, exist_ok=True)
        self._remember_options()
        self._step("sample clip", self.root / "clip" / "sample.mp4", self._sample)
        self._step("preprocess", None, self._preprocess)
        self._step("train", self.root / "avatar" / "avatar.safetensors", self._train)
        self._step("evaluate", self.root / "report.html", self._evaluate)
        self._step("new speech", self.root / "speech.mp4", self._speak)
        print(f"\ndone in {(time.perf_counter() - begun) / 60:.1f} minutes; look at")
        print(f"  {self.root / 'report.html'}   how good it is, beside the truth")
        print(f"  {self.root / 'speech.mp4'}    the avatar saying what it never heard")
        return 0

    def _remember_options(self) -> None:
        """Refuse to go on with a demo that was begun with other options.

        Raises:
            ConfigError: The folder's parts were made with other options.
        """
        from nerf_talker.errors import ConfigError
        from nerf_talker.train.run_folder import write_text

        options = f"{self.seconds:g} s, {self.size} pixels, configuration {self.config}\n"
        path = self.root / "demo.txt"
        if path.is_file() and path.read_text(encoding="utf-8") != options:
            raise ConfigError(
                f"{self.root}: holds a demo with {path.read_text(encoding='utf-8').strip()}; "
                "name another folder with -o, or delete this one"
            )
        write_text(path, options)

    def _step(self, name: str, made: Path | None, action: Callable[[], None]) -> None:
        if made is not None and made.is_file():
            print(f"{name}: {made} is there")
            return
        begun = time.perf_counter()
        action()
        print(f"{name}: {time.perf_counter() - begun:.0f} s", flush=True)

    def _sample(self) -> None:
        from nerf_talker.data.synthetic import write_sample

        write_sample(self.root / "clip", self.seconds, self.size, quiet=self.quiet)

    def _preprocess(self) -> None:
        from nerf_talker.preprocess.options import PreprocessOptions
        from nerf_talker.preprocess.pipeline import preprocess

        truth = self.root / "clip" / "sample_truth.npz"
        options = PreprocessOptions(size=self.size, landmarks=truth, masks=truth, quiet=self.quiet)
        preprocess(self.root / "clip" / "sample.mp4", self.root / "sample-head", options)

    def _train(self) -> None:
        from nerf_talker.cli.train_verb import run as train

        quiet = ["--quiet"] if self.quiet else []
        folders = [str(self.root / "sample-head"), "-o", str(self.root / "avatar")]
        train([*folders, "-c", self.config, *quiet])

    def _evaluate(self) -> None:
        from nerf_talker.cli.report_text import report_text
        from nerf_talker.evaluate import EvaluateOptions, evaluate

        options = EvaluateOptions(quiet=self.quiet)
        report = evaluate(self.root / "avatar", self.root / "sample-head", self.root, options)
        print(report_text(report))

    def _speak(self) -> None:
        import numpy as np

        from nerf_talker.audio.sound import write_wav
        from nerf_talker.data.sample_speech import RATE, compose, synthesise
        from nerf_talker.drive.speech import render_speech
        from nerf_talker.train.avatar import load_avatar
        from nerf_talker.train.precision import resolve_device

        random = np.random.default_rng(SPEECH_SEED)
        speech = self.root / "speech.wav"
        write_wav(speech, synthesise(compose(8.0, random), random), RATE)
        avatar = load_avatar(self.root / "avatar", str(resolve_device("auto")))
        render_speech(avatar, speech, self.root / "speech.mp4", quiet=self.quiet)

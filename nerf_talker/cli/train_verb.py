"""``nerf-talker train``: dataset to run folder with an avatar."""

# No postponed annotations here: tyro reads those of the class below, which closes over defaults.
import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

if TYPE_CHECKING:
    from nerf_talker.data.manifest import Manifest
    from nerf_talker.train.run_folder import RunFolder


def run(argv: list[str]) -> int:
    """Train; see ``nerf-talker train --help``."""
    import tyro

    from nerf_talker.cli.config_options import config_registry
    from nerf_talker.data.dataset import Dataset
    from nerf_talker.experiment import ExperimentConfig, load_config, to_yaml
    from nerf_talker.render.talker import TalkerConfig
    from nerf_talker.train.config import TrainConfig
    from nerf_talker.train.run_folder import RunFolder
    from nerf_talker.train.trainer import Trainer

    defaults = load_config(_config_name(argv))

    @dataclass(frozen=True)
    class Arguments:
        """Train a talker on a dataset; the same command resumes a stopped run."""

        dataset: tyro.conf.Positional[Path]
        """Folder made by 'nerf-talker preprocess'."""
        output: Annotated[Path, tyro.conf.arg(aliases=("-o",))]
        """Run folder to write."""
        config: Annotated[str, tyro.conf.arg(aliases=("-c",))] = "fast"
        """Configuration: a YAML file, or the name of a shipped one."""
        quiet: bool = False
        """No progress bars."""
        init: Path | None = None
        """Another person's avatar to start from, instead of from nothing."""
        motion_prior: tuple[Path, ...] = ()
        """Datasets of other people, from which the mouth learns speech as far as they help."""
        talker: TalkerConfig = field(default_factory=lambda: defaults.talker)
        train: TrainConfig = field(default_factory=lambda: defaults.train)

    with config_registry():
        arguments = tyro.cli(Arguments, args=argv, prog="nerf-talker train")
    quiet = arguments.quiet or not sys.stderr.isatty()
    dataset = Dataset.open(arguments.dataset, quiet)
    folder = RunFolder(arguments.output)
    train = arguments.train
    if arguments.init is not None:
        train = train.model_copy(update={"init": str(arguments.init.resolve())})
    if arguments.motion_prior:
        others = tuple(str(other.resolve()) for other in arguments.motion_prior)
        train = train.model_copy(update={"motion_prior": others})
    settings = ExperimentConfig(talker=arguments.talker, train=train)
    trainer = Trainer(dataset, folder, settings.talker, settings.train, quiet, say)
    header = _said_of("dataset", dataset.manifest)
    header += "".join(_said_of("motion prior", other.manifest) for other in trainer.prior)
    _begin(folder, header + to_yaml(settings), trainer.say)
    if folder.avatar.is_file():
        print(f"{folder.avatar} is already trained; delete {folder.root} to train again")
        return 0
    avatar = trainer.fit()
    if not trainer.processes.first:
        return 0
    print(f"{avatar}: {trainer.step} steps in {trainer.seconds:.0f} s")
    print(f"next: nerf-talker evaluate {folder.root} --dataset {dataset.root} -o REPORT_DIR")
    return 0


def _said_of(role: str, made: "Manifest") -> str:
    """The comment by which a run remembers a dataset."""
    return f"# {role}: {made.subject}, {made.frames} frames, {made.identity()}\n"


def _begin(folder: "RunFolder", configuration: str, say: Callable[[str], None]) -> None:
    """Begin the run or go on with it; say what an earlier version began it without."""
    from nerf_talker.experiment import added_since, completed, differences

    unfinished = folder.is_unfinished
    added = added_since(folder.config.read_text(encoding="utf-8")) if unfinished else {}
    folder.start(configuration, completed, differences)
    if added:
        named = ", ".join(f"{path} {value}" for path, value in added.items())
        say(f"begun by an earlier version, which had no {named}; the rest of the run has")


def say(line: str) -> None:
    """Show what a run reports between its progress bars."""
    print(line, file=sys.stderr, flush=True)


def _config_name(argv: list[str]) -> str:
    """The configuration named in ``argv``, read first because it sets every other default."""
    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    early.add_argument("-c", "--config", default="fast")
    return str(early.parse_known_args(argv)[0].config)

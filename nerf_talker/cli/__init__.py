"""The command ``nerf-talker``: a thin dispatcher, so that ``--help`` answers at once.

Each verb is a module ``nerf_talker.cli.<verb>_verb`` with ``run(argv) -> int``; it is imported only
when asked for. Exit codes: 0 done, 1 the input or the machine is at fault, 2 wrong usage.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from importlib import import_module

from nerf_talker import __version__
from nerf_talker.cli.native_log import native_log_hidden
from nerf_talker.errors import NerfTalkerError

VERBS = {
    "demo": "all of it on a built-in sample clip; writes runs/demo/report.html",
    "inspect": "grade a recording before spending time on it",
    "preprocess": "clip -> dataset, resumable, ends with a report",
    "train": "dataset -> run folder with an avatar",
    "render": "avatar + new speech -> video with sound",
    "batch": "many videos from a table; finished rows are not done again",
    "export": "driven motion as blendshapes, landmarks or meshes for other programs",
    "evaluate": "measure an avatar on held-out frames, or any video; writes a report",
    "benchmark": "clips x configurations x seeds in one table, with a regression gate",
    "models": "third-party model files: list, fetch",
    "doctor": "what this machine can do; self-test of every numeric op",
}
# Verbs that run MediaPipe, whose native log is noise to a user.
WITH_MEDIAPIPE = ("demo", "inspect", "preprocess", "evaluate", "benchmark")


def usage() -> str:
    """The help page."""
    rows = "\n".join(f"  {verb:<12}{text}" for verb, text in VERBS.items())
    return (
        "usage: nerf-talker VERB [options]\n\n"
        "A few minutes of video of one person in, a portable avatar that speaks out.\n"
        f"\n{rows}\n\n'nerf-talker VERB --help' explains one verb. --version prints {__version__}."
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb.

    Args:
        argv: The arguments after the program's name; ``sys.argv[1:]`` when None.

    Returns:
        The process's exit code.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage())
        return 0
    if arguments[0] == "--version":
        print(__version__)
        return 0
    verb, rest = arguments[0], arguments[1:]
    if verb not in VERBS:
        print(f"error: no verb '{verb}'; one of {', '.join(VERBS)}", file=sys.stderr)
        return 2
    try:
        with native_log_hidden() if verb in WITH_MEDIAPIPE else nullcontext():
            return int(import_module(f"nerf_talker.cli.{verb}_verb").run(rest))
    except NerfTalkerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader of our output went away, as in `nerf-talker train --help | head`.
        sys.stderr.close()
        return 1
    except OSError as error:
        print(f"error: {describe_os_error(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as stop:
        plain = f"stopped; the same command goes on where it can: nerf-talker {verb}"
        print(str(stop) or plain, file=sys.stderr)
        # A run that was asked to stop knows by which signal.
        return int(getattr(stop, "exit_code", 130))
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 2


def describe_os_error(error: OSError) -> str:
    """One sentence for what the operating system refused, with the cure."""
    import errno

    where = error.filename or "the output"
    cures = {
        errno.ENOSPC: "no space left on the disk; free some or write elsewhere",
        errno.EACCES: "permission denied; choose a folder you may write to",
        errno.EPERM: "permission denied; choose a folder you may write to",
        errno.EROFS: "the file system is read-only; choose another folder",
        errno.ENOENT: "no such file or folder",
        errno.EISDIR: "is a folder; a file is wanted",
        errno.ENOTDIR: "a part of this path is a file, not a folder",
        errno.EEXIST: "exists and is not a folder",
    }
    reason = cures.get(error.errno or 0, error.strerror or str(error))
    return f"{where}: {reason}"

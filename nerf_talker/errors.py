"""Errors a user can cause: one plain sentence with what was seen, what was wanted and the cure.

The command line prints the sentence and ends with exit code 1; nothing here shows a traceback.
"""


class NerfTalkerError(Exception):
    """Base of every error that is the input's or the machine's fault, not a bug."""


class InputError(NerfTalkerError):
    """A clip, a sound file or another file given by the user cannot be used."""


class StageError(NerfTalkerError):
    """A stage of preprocessing stopped for a reason that no input is known to cause."""


class DatasetError(NerfTalkerError):
    """A dataset folder is missing, incomplete, damaged or of another version."""


class ConfigError(NerfTalkerError):
    """A configuration holds an unknown key, a wrong type or a contradiction."""


class WeightsError(NerfTalkerError):
    """A third-party model file cannot be found, fetched or verified."""


class AvatarError(NerfTalkerError):
    """An avatar file or a checkpoint cannot be loaded strictly."""


class BackendError(NerfTalkerError):
    """A wanted back-end of the operators cannot be had, or reports a fault."""


class TrainingError(NerfTalkerError):
    """Training cannot go on: non-finite numbers or an empty scene."""

"""How well the encoder hears: on voices and languages that training never met, and on changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nerf_talker.audio.articulation_net import HOP, ArticulationNet
from nerf_talker.audio.phonetics import CURVES
from nerf_talker.audio.pretrain.learning import hear
from nerf_talker.audio.pretrain.speech import RATE, Group
from nerf_talker.audio.pretrain.targets import row_targets

UTTERANCES = 40
"""Of each group are scored, the first."""


@dataclass(frozen=True)
class Score:
    """Scores of one group.

    Attributes:
        accuracy: Share of rows with the right speech sound.
        bilabial: F1 of "the lips are closed for p, b or m", rows with the curve above 0.5.
        opening: Correlation of the lip-opening curve with its target.
        rows: How many rows were scored.
    """

    accuracy: float
    bilabial: float
    opening: float
    rows: int


def score(net: ArticulationNet, group: Group) -> Score:
    """Score the first utterances of a group against its phoneme times."""
    said, heard = [], []
    for utterance in group.utterances[:UTTERANCES]:
        if not len(utterance.starts):
            continue
        found = hear(net, utterance)
        times = np.arange(len(found.level)) * HOP / RATE
        classes, curves = row_targets(utterance.letters, utterance.starts, utterance.seconds, times)
        said.append(np.column_stack([classes, curves]))
        heard.append(np.column_stack([found.logits.argmax(-1).numpy(), found.curves.numpy()]))
    truth, found_rows = np.concatenate(said), np.concatenate(heard)
    lips = 1 + CURVES.index("bilabial")
    opening = 1 + CURVES.index("opening")
    return Score(
        float((truth[:, 0] == found_rows[:, 0]).mean()),
        f1(truth[:, lips] > 0.5, found_rows[:, lips] > 0.5),
        float(np.corrcoef(truth[:, opening], found_rows[:, opening])[0, 1]),
        len(truth),
    )


def f1(truth: npt.NDArray[np.bool_], found: npt.NDArray[np.bool_]) -> float:
    """Harmonic mean of precision and recall; 1 where there is nothing to find and nothing found."""
    both = truth.sum() + found.sum()
    return float(2 * (truth & found).sum() / both) if both else 1.0


def score_table(
    net: ArticulationNet, groups: Sequence[Group], held_out: Callable[[Group], bool]
) -> str:
    """Markdown: a line for every group, the held-out ones first."""
    lines = [
        "| heard in training | source | language | voice | sounds right | lip closure F1 |"
        " opening corr | rows |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for group in sorted(groups, key=lambda one: (not held_out(one), one.name)):
        found = score(net, group)
        lines.append(
            f"| {'no' if held_out(group) else 'yes'} | {group.source} | {group.language} |"
            f" {group.voice} | {found.accuracy:.3f} | {found.bilabial:.3f} |"
            f" {found.opening:.3f} | {found.rows} |"
        )
    return "\n".join(lines) + "\n"

"""One graded property of a recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Grade = Literal["pass", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """One graded property of a clip.

    Attributes:
        name: What was looked at.
        value: What was seen, in words.
        grade: pass, warn or fail; fail means that the clip cannot be used as it is.
        cure: What to do, empty when it passes.
        figure: The number behind the grade, where there is one.
    """

    name: str
    value: str
    grade: Grade
    cure: str = ""
    figure: float | None = None


def graded(name: str, value: str, figure: float, limits: tuple[float, float], cure: str) -> Finding:
    """A finding whose grade follows from a number.

    Args:
        name: What was looked at.
        value: What was seen, in words.
        figure: The number.
        limits: Where ``pass`` ends and, beyond it, where ``warn`` ends; infinite where even the
            worst is no reason to refuse. More is better where the second is the smaller.
        cure: What to do unless it passes.
    """
    good, usable = limits
    sign = -1 if usable > good else 1
    grade: Grade = "pass"
    if sign * figure < sign * good:
        grade = "warn"
    if sign * figure < sign * usable:
        grade = "fail"
    return Finding(name, value, grade, "" if grade == "pass" else cure, round(figure, 4))

"""Eyes that blink as people's do, between this person's own open and shut lids.

Columns of the expression: see :mod:`nerf_talker.field.expression`; 5 and 6 are the blinks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from nerf_talker.drive.motion.chart import Values
from nerf_talker.drive.source import DrivingSource, WrappedSource
from nerf_talker.field.expression import LIMIT, ExpressionScale
from nerf_talker.types import Driving

LIDS = (5, 6)
# Seconds between blinks: log-normal, as measured on people at rest (Bentivoglio et al. 1997),
# of the clip's own mean where that is within these limits.
MEAN_INTERVAL, SPREAD, SHORTEST_INTERVAL = (3.0, 5.0), 0.45, 0.9
# Seconds of closing, being shut and opening (VanderWerf et al. 2003); shut for at least a frame.
CLOSING, SHUT, OPENING = (0.08, 0.10), 0.04, (0.15, 0.20)
DEPTH = (0.92, 1.0)
# Lids open and shut, as percentiles of the clip's blink scores.
OPEN_PERCENTILE, SHUT_PERCENTILE = 40.0, 99.0
# A blink of the clip is cut out from where the lids are this far shut, with this many frames about.
EDGE, DEEP, ABOUT = 0.25, 0.5, 2
LIDS_WITHOUT_BLINK = 1.0  # the score of a shut eye where nothing is known of a clip's
LEAST_RANGE = 0.12  # of the blink score; less is noise of a clip without a blink


@dataclass(frozen=True)
class EyeRange:
    """What this person's lids do.

    Attributes:
        opened: (9,) usual expression with open eyes.
        shut: (9,) expression in the middle of a blink.
        per_minute: Blinks a minute in the clip.
    """

    opened: Values
    shut: Values
    per_minute: float

    def closing(self, expression: Values) -> Values:
        """(T,) how far the lids are shut, 0 open and 1 shut, mean of both, of (T, 9)."""
        lids = list(LIDS)
        span = self.shut[lids] - self.opened[lids]
        return np.asarray(((expression[:, lids] - self.opened[lids]) / span).mean(1))


def most_shown(scale: ExpressionScale) -> Values:
    """(9,) highest scores that a head tells from higher ones."""
    most = scale.mean + LIMIT * scale.scale
    return np.asarray(most.double().cpu().numpy())


def eye_range(expression: Tensor, fps: float, most: Values | None = None) -> EyeRange:
    """Open and shut lids of a clip.

    Args:
        expression: (F, 9) raw scores of its frames.
        fps: Frames per second.
        most: What the scores are held to, see :func:`most_shown`; None holds them to nothing. A
            clip without a blink has no shut eyes, and then the lids go this far.
    """
    values = expression.double().numpy()
    most = np.full(values.shape[1], LIDS_WITHOUT_BLINK) if most is None else most
    opened = np.median(values, 0)
    shut = opened.copy()
    for lid in LIDS:
        low, high = np.percentile(values[:, lid], (OPEN_PERCENTILE, SHUT_PERCENTILE))
        opened[lid] = low
        reached = min(float(high), float(most[lid]))
        shut[lid] = reached if reached - low > LEAST_RANGE else max(float(most[lid]), low + 0.02)
    found = EyeRange(opened, shut, 0.0)
    closing = found.closing(values)
    deep = closing > DEEP
    if deep.any():
        others = [c for c in range(values.shape[1]) if c not in LIDS]
        # Gaze and brows as they are seen in blinks, so that the head is asked what it learned.
        shut[others] = np.median(values[deep][:, others], 0)
    begun = int((deep[1:] & ~deep[:-1]).sum())
    return EyeRange(opened, shut, begun * 60 * fps / max(len(values), 1))


def without_blinks(reference: Driving, eyes: EyeRange) -> Driving:
    """The clip's motion with its blinks bridged and its lids never near shut."""
    values = reference.expression.double().numpy().copy()
    flags = eyes.closing(values) > EDGE
    blink = np.convolve(flags, np.ones(2 * ABOUT + 1), "same") > 0
    if blink.all():
        values[:] = eyes.opened
    elif blink.any():
        frames = np.arange(len(values))
        for column in range(values.shape[1]):
            known = values[~blink, column]
            values[blink, column] = np.interp(frames[blink], frames[~blink], known)
    lids = list(LIDS)
    most = eyes.opened[lids] + 0.1 * (eyes.shut[lids] - eyes.opened[lids])
    values[:, lids] = np.minimum(values[:, lids], most)
    return replace(reference, expression=torch.from_numpy(values).float())


def open_eyes(reference: Driving, eyes: EyeRange) -> Driving:
    """The clip's motion with one still expression, eyes open."""
    still = torch.from_numpy(eyes.opened).float()
    return replace(reference, expression=still.expand(len(reference), -1).clone())


@dataclass(frozen=True)
class _Blink:
    begin: float
    closing: float
    shut: float
    opening: float
    depth: float

    @property
    def end(self) -> float:
        return self.begin + self.closing + self.shut + self.opening

    def at(self, times: Values) -> Values:
        """(T,) how far shut: quick and even down, slower and slowing up."""
        down = np.clip((times - self.begin) / self.closing, 0, 1)
        up = np.clip((times - self.begin - self.closing - self.shut) / self.opening, 0, 1)
        fall = (1 - np.cos(np.pi * down)) / 2
        rise = 1 - (1 - up) ** 2
        return np.asarray(self.depth * fall * (1 - rise))


class Blinks:
    """Blinks by their place in time; the same seed blinks the same way."""

    def __init__(self, fps: float, per_minute: float, seed: int) -> None:
        """As often as ``per_minute`` says, within what people do."""
        self.fps, self.random = fps, np.random.default_rng((seed, 1))
        low, high = MEAN_INTERVAL
        self.mean = float(np.clip(60 / per_minute, low, high)) if per_minute > 0 else high - 1
        self.blinks: list[_Blink] = [self._next(-0.5 * self.mean)]

    def closing(self, start: int, stop: int) -> Values:
        """(T,) how far the lids are shut in frames [start, stop), 0 to 1."""
        times = np.arange(start, stop) / self.fps
        while self.blinks[-1].begin < times[-1]:
            self.blinks.append(self._next(self.blinks[-1].begin))
        near = [b for b in self.blinks if b.end > times[0] and b.begin < times[-1] + 1 / self.fps]
        return np.max([b.at(times) for b in near], 0) if near else np.zeros(len(times))

    def _next(self, since: float) -> _Blink:
        # The mean of a log-normal is exp(mu + s^2 / 2).
        wait = float(self.random.lognormal(np.log(self.mean) - SPREAD**2 / 2, SPREAD))
        spans = [float(self.random.uniform(*span)) for span in (CLOSING, OPENING, DEPTH)]
        begin = since + max(wait, SHORTEST_INTERVAL)
        return _Blink(begin, spans[0], max(SHUT, 1 / self.fps), spans[1], spans[2])


class BlinkingSource(WrappedSource):
    """A source whose eyes blink; what the lids did otherwise is kept between the blinks."""

    def __init__(self, base: DrivingSource, eyes: EyeRange, blinks: Blinks) -> None:
        """``base`` should not blink itself, see :func:`without_blinks`."""
        super().__init__(base)
        self.eyes, self.blinks = eyes, blinks

    def chunk(self, start: int, stop: int) -> Driving:
        """The base's frames [start, stop) with blinks."""
        driving = self.base.chunk(start, stop)
        closing = torch.from_numpy(self.blinks.closing(start, stop)).float()
        return replace(driving, expression=self._blinking(driving.expression, closing))

    def _blinking(self, expression: Tensor, closing: Tensor) -> Tensor:
        opened, shut = (torch.from_numpy(v).float() for v in (self.eyes.opened, self.eyes.shut))
        moved = expression + closing[:, None] * (shut - opened)
        for lid in LIDS:
            moved[:, lid] = torch.lerp(expression[:, lid], shut[lid].expand(len(moved)), closing)
        return moved

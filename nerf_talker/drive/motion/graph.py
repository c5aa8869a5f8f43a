"""Idle motion without end or loop: pieces of a clip's head motion, joined where they fit.

A motion graph (Kovar, Gleicher and Pighin 2002): from a piece of the clip the walk goes over to
another one, run forwards or backwards, whose poses and velocities are alike, and the two are
blended over the joint. Pieces are preferred that bring the walk's mean and spread of place and
velocity nearer to the clip's and that were used less, and chance decides among those that fit.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nerf_talker.drive.motion.chart import PoseChart, Values, body_channels
from nerf_talker.drive.motion.poses import Replay
from nerf_talker.types import Driving

# Seconds of a piece before it may be left, after which it must be, and of a joint.
SHORTEST, LONGEST, JOINT = 1.5, 4.0, 1.0
LEVER = 0.1  # metres from the axes of a turn to the skin, to weigh turns against shifts
CANDIDATES = 1024  # entries looked at per joint; bounds the work on long clips
FEWEST = 40  # frames of a clip that can be cut into pieces at all
# Weights in the cost of a joint: of velocity against pose, of statistics unlike the clip's, of
# former use, of chance.
VELOCITY, UNLIKE, USE, CHANCE = 1.0, 8.0, 1.0, 0.1


@dataclass(frozen=True)
class Piece:
    """Rows ``row``, ``row + step``, ... of the clip from frame ``begin`` of the video on."""

    begin: int
    row: int
    step: int

    def rows(self, start: int, stop: int) -> Tensor:
        """Rows of the clip for frames [start, stop) of the video."""
        return self.row + self.step * (torch.arange(start, stop) - self.begin)


class GraphWalk:
    """A walk through a clip's motion; the same seed walks the same way."""

    def __init__(self, reference: Driving, seed: int) -> None:
        """Walk through the frames of ``reference``; a clip too short to cut is replayed."""
        self.reference, self.random = reference, np.random.default_rng(seed)
        count, fps = len(reference), reference.fps
        self.joint = max(min(round(JOINT * fps), count // 8), 1)
        self.shortest = min(round(SHORTEST * fps), count // 4)
        self.longest = min(round(LONGEST * fps), count // 2)
        self.chart = PoseChart(reference.camera_to_head)
        self.poses = self.chart.coordinates(reference.camera_to_head)
        self.place, self.speed = self._features()
        self.used = np.zeros(count)
        self.moments = _summed(_moments(self.poses))
        self.off = np.zeros(self.moments.shape[1])
        self.pieces: list[Piece] = []
        self.begins: list[int] = []
        if count >= FEWEST:
            self._add(Piece(0, *self._first()))

    def frames(self, start: int, stop: int) -> Driving:
        """Motion of frames [start, stop), with the expression of the same rows."""
        if not self.pieces:
            return Replay(self.reference).frames(start, stop)
        while self.begins[-1] < stop:
            self._extend()
        first = max(bisect_right(self.begins, start) - 1, 0)
        parts, frame = [], start
        while frame < stop:
            last = min(self.begins[first + 1], stop)
            parts.append(self._part(first, frame, last))
            frame, first = last, first + 1
        return _joined(parts)

    def _part(self, index: int, start: int, stop: int) -> Driving:
        """Frames of one piece, blended with the piece before while the joint lasts."""
        piece = self.pieces[index]
        motion = self.reference.select(piece.rows(start, stop))
        place = (np.arange(start, stop) - piece.begin + 1) / (self.joint + 1)
        if index == 0 or place[0] >= 1:
            return motion
        joint = place < 1
        before = self.pieces[index - 1].rows(start, start + int(joint.sum()))
        weight = _eased(place[joint])
        return self._blended(before, motion, weight)

    def _blended(self, before: Tensor, motion: Driving, weight: Values) -> Driving:
        """``motion`` whose first frames come out of the rows ``before``."""
        count = len(before)
        head = self.reference.select(before)
        now = self.chart.coordinates(motion.camera_to_head[:count])
        mixed = self.poses[before.numpy()] * (1 - weight[:, None]) + now * weight[:, None]
        poses = motion.camera_to_head.clone()
        poses[:count] = self.chart.poses(mixed)
        channels = body_channels(motion) | {"expression": motion.expression}
        share = torch.from_numpy(weight).float()
        changed: dict[str, Any] = {}
        for name, value in channels.items():
            old = getattr(head, name)
            by = share.reshape(-1, *[1] * (value.dim() - 1)).to(value.dtype)
            changed[name] = torch.cat([torch.lerp(old, value[:count], by), value[count:]])
        return replace(motion, camera_to_head=poses, **changed)

    def _features(self) -> tuple[Values, Values]:
        """(N, 6) places and velocities in units of the clip's velocity.

        A blend over a difference of places adds a velocity: the difference over the joint's length.
        """
        place = self.poses * np.asarray([LEVER] * 3 + [1.0] * 3)
        speed = np.gradient(place, axis=0) if len(place) > 1 else np.zeros_like(place)
        usual = max(float(np.sqrt((speed**2).sum(1).mean())), 1e-9)
        return place / (usual * self.joint), speed / usual

    def _first(self) -> tuple[int, int]:
        room = len(self.reference) - self._needed()
        return int(self.random.integers(max(room, 1))), 1

    def _needed(self) -> int:
        """Rows an entry must have before it: the shortest piece and a joint at either end."""
        return self.shortest + 2 * self.joint

    def _add(self, piece: Piece) -> None:
        self.pieces.append(piece)
        self.begins.append(piece.begin)

    def _extend(self) -> None:
        """Choose where to leave the last piece, and for where."""
        piece, count = self.pieces[-1], len(self.reference)
        room = (count - 1 - piece.row if piece.step > 0 else piece.row) - self.joint
        leave = np.arange(self.joint + self.shortest, max(self.joint + self.longest, 1), 2)
        leave = leave[leave <= room] if (leave <= room).any() else np.asarray([max(room, 1)])
        exits = piece.row + piece.step * leave
        entries, steps = self._entries()
        half = self.joint // 2
        out, into = exits + piece.step * half, entries + steps * half
        cost = _distance(self.place[out], self.place[into])
        cost += VELOCITY * _distance(
            piece.step * self.speed[out], steps[:, None] * self.speed[into]
        )
        cost += UNLIKE * self._unlike(piece.begin, entries, steps)[None]
        cost += USE * self._use(entries, steps)[None]
        cost += CHANCE * self.random.random(len(entries))[None]
        # Going on where one is, is no joint, and turning round on the spot is a step back.
        cost[np.abs(exits[:, None] - entries[None]) < self.shortest] += 10
        best_exit, best_entry = np.unravel_index(int(cost.argmin()), cost.shape)
        frames = int(leave[best_exit])
        rows = piece.rows(piece.begin, piece.begin + frames).numpy()
        self.used[rows] += 1
        self.off += self.moments[rows.max() + 1] - self.moments[rows.min()]
        begin = piece.begin + frames
        self._add(Piece(begin, int(entries[best_entry]), int(steps[best_entry])))

    def _entries(self) -> tuple[np.ndarray, np.ndarray]:
        """(E,) rows and directions that leave room for a piece."""
        count, need = len(self.reference), self._needed()
        stride = max(1, 2 * count // CANDIDATES)
        forwards = np.arange(int(self.random.integers(stride)), max(count - need, 1), stride)
        backwards = count - 1 - forwards
        directions = np.repeat([1, -1], len(forwards))
        return np.concatenate([forwards, backwards]), directions

    def _use(self, entries: np.ndarray, steps: np.ndarray) -> Values:
        """(E,) how often the rows after each entry were used, less the rarest."""
        low, high = self._spans(entries, steps)
        total = _summed(self.used[:, None])[:, 0]
        mean = (total[high] - total[low]) / (high - low)
        return np.asarray(mean - mean.min())

    def _unlike(self, frames: int, entries: np.ndarray, steps: np.ndarray) -> Values:
        """(E,) how far the walk's statistics would be from the clip's after each entry."""
        low, high = self._spans(entries, steps)
        off = self.off + self.moments[high] - self.moments[low]
        return np.asarray(((off / (frames + self.longest)) ** 2).sum(1))

    def _spans(self, entries: np.ndarray, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """First row and row after the last of the longest piece from each entry."""
        ends = np.clip(entries + steps * self.longest, 0, len(self.used) - 1)
        return np.minimum(entries, ends), np.maximum(entries, ends) + 1


def _moments(poses: Values) -> Values:
    """(N, 18) whose means are 0 over the clip: place, its square and that of the velocity."""
    speed = np.gradient(poses, axis=0) if len(poses) > 1 else np.zeros_like(poses)
    place = (poses - poses.mean(0)) / np.maximum(poses.std(0), 1e-9)
    energy = speed**2 / np.maximum((speed**2).mean(0), 1e-18)
    values = np.concatenate([place, place**2, energy], 1)
    return np.asarray(values - values.mean(0))


def _summed(values: Values) -> Values:
    """(N + 1, D) sums of the first rows."""
    return np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, 0)])


def _distance(first: Values, second: Values) -> Values:
    """(A, B) squared distances of (A, 6) and (B, 6) points."""
    squares = (first**2).sum(1)[:, None] + (second**2).sum(1)[None]
    return np.maximum(squares - 2 * first @ second.T, 0)


def _eased(place: Values) -> Values:
    """From 0 to 1 with no velocity and no acceleration at either end."""
    return np.asarray(place**3 * (10 - 15 * place + 6 * place**2))


def _joined(parts: list[Driving]) -> Driving:
    """Frames one after the other."""
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    names = [n for n, v in vars(first).items() if isinstance(v, Tensor)]
    joined: dict[str, Any] = {n: torch.cat([getattr(p, n) for p in parts]) for n in names}
    return replace(first, **joined)

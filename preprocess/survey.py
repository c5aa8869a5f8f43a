"""The first look through a clip: is it whole, where does it cut, where are the faces?

Every frame is decoded, a few are searched for faces; nothing but numbers is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice, pairwise
from pathlib import Path

import numpy as np

from nerf_talker.errors import InputError
from nerf_talker.preprocess.cuts import THUMBNAIL, CutFinder
from nerf_talker.preprocess.faces import Box, face_box
from nerf_talker.preprocess.framing import FaceSearch
from nerf_talker.preprocess.media import VideoInfo, steady_frames, thumbnail, timed_frames, upright
from nerf_talker.preprocess.models import FaceLandmarker
from nerf_talker.preprocess.stage import StageContext

SHORTEST_SECONDS = 2.0
MOST_FACES = 4
# A container may round its length; a smaller share of readable frames means a cut-off file.
_READABLE_SHARE = 0.97
_LOOKS = 48
_FEWEST_LOOKS = 24
# Of the whole clip; a scene that holds less is not used without being asked for.
_MAIN_SHARE = 0.5


@dataclass(frozen=True)
class Scene:
    """An uncut part of a clip.

    Attributes:
        start: Seconds since the first frame.
        end: Seconds since the first frame, exclusive.
        splices: Seconds at which time was cut out within the scene.
        looks: Boxes of the faces in each frame that was looked at.
    """

    start: float
    end: float
    splices: list[float]
    looks: list[list[Box]]

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.end - self.start

    @property
    def has_face(self) -> bool:
        """Whether a face was seen in it."""
        return any(self.looks)


@dataclass(frozen=True)
class Survey:
    """What the look through the clip found.

    Attributes:
        start: Time of the first frame on the clip's clock, seconds.
        seconds: Length of the readable video.
        count: Number of its frames.
        width: Of the upright picture.
        height: Of the upright picture.
        scenes: At least one, in order.
    """

    start: float
    seconds: float
    count: int
    width: int
    height: int
    scenes: list[Scene]


def survey(context: StageContext, info: VideoInfo, search_faces: bool) -> Survey:
    """Decode a clip once.

    Raises:
        InputError: Nothing can be decoded, the file is cut off, or it is too short.
    """
    clip = context.clip
    looks: set[int] = set()
    if search_faces:
        expected = info.frames or max(round(info.seconds * 25), 1)
        looks = set(np.linspace(0, expected - 1, _LOOKS).astype(int).tolist())
    times: list[float] = []
    seen: list[tuple[float, list[Box]]] = []
    size = (0, 0)
    finder = CutFinder(info.fps or 25.0)
    landmarker = _landmarker(context) if looks else None
    try:
        search = FaceSearch(landmarker) if landmarker else None
        frames = context.progress(timed_frames(clip), "reading", info.frames or None)
        for index, (seconds, shot) in enumerate(frames):
            times.append(seconds)
            finder.look(thumbnail(shot, THUMBNAIL))
            if index == 0 or index in looks:
                picture = upright(shot)
                size = picture.shape[1], picture.shape[0]
                if search is not None:
                    boxes = [face_box(face) for face in search.find(picture)]
                    seen.append((seconds - times[0], boxes))
    finally:
        if landmarker is not None:
            landmarker.__exit__(None, None, None)
    seconds = _length(clip, times, info)
    middles = [
        ((times[cut.frame - 1] + times[cut.frame]) / 2 - times[0], cut.is_splice)
        for cut in finder.cuts()
    ]
    return Survey(times[0], seconds, len(times), *size, _scenes(middles, seconds, seen))


def look_again(
    context: StageContext, found: Survey, scene: Scene, span: tuple[int, int | None]
) -> Scene:
    """A scene with enough looks: in a short one the first pass looked at few frames.

    Args:
        context: Of the stage.
        found: The survey; it must have searched for faces.
        scene: The one to use.
        span: Its first and last + 1 frame at the dataset's rate; None: up to the clip's end.
    """
    if len(scene.looks) >= _FEWEST_LOOKS or len(found.scenes) == 1:
        return scene
    fps = context.options.fps
    count = (round(scene.end * fps) if span[1] is None else span[1]) - span[0]
    places = set(np.linspace(0, count - 1, _LOOKS).astype(int).tolist())
    looks = []
    with _landmarker(context) as landmarker:
        search = FaceSearch(landmarker)
        pictures = islice(steady_frames(context.clip, fps), *span)
        for index, picture in enumerate(context.progress(pictures, "looking again", count)):
            if index in places:
                looks.append([face_box(face) for face in search.find(picture)])
    return replace(scene, looks=looks)


def choose_scene(clip: Path, found: Survey, wish: int | None) -> tuple[int, list[str]]:
    """Index of the scene to use, and a warning where there are several.

    Args:
        clip: For the messages.
        found: The survey.
        wish: A scene's number counted from 1, or None: the longest with a face, if it is at least
            half of the clip.

    Raises:
        InputError: There is no such scene, or none is long enough.
    """
    scenes = found.scenes
    if wish is not None and wish > len(scenes):
        raise InputError(
            f"--scene {wish}: there are only {len(scenes)} scenes in {clip}; choose a lower one"
        )
    usable = [k for k, scene in enumerate(scenes) if scene.has_face] or list(range(len(scenes)))
    chosen = max(usable, key=lambda k: scenes[k].seconds) if wish is None else wish - 1
    if len(scenes) == 1:
        return chosen, []
    # Not written like the report's times, which are the dataset's and can be clicked.
    listed = ", ".join(f"{k}: {s.start:.2f} to {s.end:.2f} s" for k, s in enumerate(scenes[:8], 1))
    if wish is None and scenes[chosen].seconds < _MAIN_SHARE * found.seconds:
        raise InputError(
            f"{clip}: is cut into {len(scenes)} scenes ({listed}) and none holds half of it; one "
            "uncut recording is wanted: choose a scene with --scene N, or record again"
        )
    if scenes[chosen].seconds < SHORTEST_SECONDS:
        raise InputError(
            f"{clip}: scene {chosen + 1} is {scenes[chosen].seconds:.2f} s long; at least "
            f"{SHORTEST_SECONDS:.0f} s are needed; the scenes are {listed}"
        )
    return chosen, [
        f"the clip is cut into {len(scenes)} scenes ({listed}); only scene {chosen + 1} was used, "
        "choose another with --scene N"
    ]


def _landmarker(context: StageContext) -> FaceLandmarker:
    options = context.options
    return FaceLandmarker(MOST_FACES, options.models, options.landmarker)


def _scenes(
    cuts: list[tuple[float, bool]], seconds: float, seen: list[tuple[float, list[Box]]]
) -> list[Scene]:
    """The clip divided at its cuts; ``cuts`` holds times and whether they are splices."""
    edges = [0.0, *(time for time, splice in cuts if not splice), seconds]
    scenes = []
    for start, end in pairwise(edges):
        splices = [time for time, splice in cuts if splice and start < time < end]
        looks = [boxes for time, boxes in seen if start <= time < end]
        scenes.append(Scene(start, end, splices, looks))
    return scenes


def _length(clip: Path, times: list[float], info: VideoInfo) -> float:
    """Seconds of readable video."""
    if not times:
        raise InputError(f"{clip}: no frame of its video can be decoded; export it again")
    pace = (times[-1] - times[0]) / max(len(times) - 1, 1)
    seconds = times[-1] - times[0] + pace
    cut = info.frames and len(times) < _READABLE_SHARE * info.frames
    if cut or (info.seconds and seconds < _READABLE_SHARE * info.seconds - 0.5):
        raise InputError(
            f"{clip}: cut off or damaged: only {seconds:.2f} s of {info.seconds:.2f} s "
            f"({len(times)} of {info.frames or 'unknown'} frames) can be read; copy or export it "
            "again"
        )
    if seconds < SHORTEST_SECONDS:
        raise InputError(
            f"{clip}: is {seconds:.2f} s long; at least {SHORTEST_SECONDS:.0f} s are needed "
            "(minutes are better)"
        )
    return seconds

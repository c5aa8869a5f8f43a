"""Why a figure is missing: a reason in words for every null of a report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nerf_talker.config import StrictModel
from nerf_talker.evaluate.boxes import REGIONS
from nerf_talker.evaluate.film import CPBD_REGIONS
from nerf_talker.evaluate.metrics.lpips import SMALLEST as SMALLEST_LPIPS
from nerf_talker.evaluate.metrics.ms_ssim import SMALLEST as SMALLEST_MS_SSIM
from nerf_talker.evaluate.rows import VGG_REGIONS
from nerf_talker.evaluate.schema import Metrics

JSON_PLACE = {
    "own": "metrics",
    "own_torso": "own_torso",
    "head_only": "head_only",
    "mean_frame": "baselines.mean_frame",
    "nearest_frame": "baselines.nearest_frame",
}

NO_NIQE = {
    "niqe": "there is no sound library: scikit-video 1.1.11 does not run with today's SciPy, pyiqa "
    "needs torchvision"
}
"""A figure that papers print and this report lacks."""

_LANDMARKS = {"lmd", "jitter", "frames_without_face", "lmd_eyes", "f_lmd"}
_DEPTH = {"lve_mm", "lve_squared_mm2", "fdd_mm", "fdd_abs_mm", "head_pose_error_deg"}
_ALIASES = {"lpips_face": "lpips", "kid": "fid", "fid_frames": "fid"}
_REGION_OF = {"lpips_face": "face", "psnr_face": "face", "psnr_mouth": "mouth", "lpips": "frame"}


@dataclass(frozen=True)
class Gaps:
    """What a measurement lacked.

    Attributes:
        networks: Reason by figure for networks that are not here.
        landmarks: Why the reader knows no landmarks, None when it does.
        sound: Why there is no sound, None when there is.
        expert: Why there is no speech expert, None when there is.
        sync: Why there is no lip-sync expert, None when there is.
        lse: Why there is no SyncNet, None when there is.
        blind: Rows in which no frame shows a face in both pictures.
        regions: Regions that lay in at least one frame.
    """

    networks: Mapping[str, str]
    landmarks: str | None
    sound: str | None
    expert: str | None
    sync: str | None
    lse: str | None
    blind: frozenset[str]
    regions: frozenset[str]

    def reason(self, path: str, row: str) -> str:
        """Why the figure at a dotted path of :class:`Metrics` is null in a row."""
        figure = path.rsplit(".", 1)[-1]
        network = _ALIASES.get(figure, figure)
        if network in self.networks:
            return self.networks[network]
        if figure == "brisque":
            return "the frames are too small or flat"
        if path.startswith("regions.") or figure in _REGION_OF:
            return self._of_region(figure, self._region(path, figure), row)
        if network in ("fid", "identity"):
            return "too few frames with a face" if figure == "identity" else "too few frames"
        if figure.startswith("sync") and self.sync is not None:
            return self.sync
        if figure.startswith("lse"):
            return self.lse or "judged are the own row, peers and the truth only"
        if figure.startswith(("loudness", "closed")) and self.sound is not None:
            return self.sound
        if figure.startswith("speech") and self.expert is not None:
            return self.expert
        if figure == "mouth_face_sharpness" and self.landmarks is None and "mouth" in self.regions:
            return "the truth or the prediction is flat there"
        about_face = path.startswith("motion.") or figure in _LANDMARKS
        if self.landmarks is not None and (
            row in self.blind or (about_face and figure != "closed_in_silence")
        ):
            return f"no face landmarks: {self.landmarks}"
        if row in self.blind:
            return "no face was found in any frame"
        return _of_motion(figure)

    @staticmethod
    def _region(path: str, figure: str) -> str:
        return path.split(".")[1] if path.startswith("regions.") else _REGION_OF[figure]

    def _of_region(self, figure: str, region: str, row: str) -> str:
        if figure == "lpips_vgg" and region not in VGG_REGIONS:
            return "taken in the whole frame and the face only"
        if figure == "cpbd" and region not in CPBD_REGIONS:
            return "taken in the whole frame and the face only"
        if region not in self.regions:
            if self.landmarks is not None:
                return f"no face landmarks, so there are no regions: {self.landmarks}"
            if row in self.blind:
                return "no face was found that would place the regions"
            return "the region lies outside the frame"
        sizes = {"ms_ssim": SMALLEST_MS_SSIM}
        sizes |= dict.fromkeys(("lpips", "lpips_vgg", "lpips_face"), SMALLEST_LPIPS)
        if figure in sizes:
            return f"the region is smaller than the figure needs ({sizes[figure]} pixels)"
        if figure == "cpbd":
            return "no block of 64 pixels holds an edge"
        return "the truth is flat or does not move there"


def _of_motion(figure: str) -> str:
    if figure in _DEPTH:
        return "too few frames with a face, or landmarks without depth"
    if figure.startswith("blendshape"):
        return "the landmarks come without blendshape scores"
    if figure == "closed_in_silence":
        return "fewer than five silent frames show a face"
    if figure == "lid_corr":
        return "too few frames with a face, or the truth's eyes never shut, or the row's never move"
    if figure == "blink_seconds":
        return "no blink was seen"
    if figure == "blinks_per_minute":
        return "a face was seen for less than a second"
    if figure.startswith(("acceleration", "movement")):
        return "too few frames with a face, or a true head that does not move"
    if figure.startswith(("lipgap", "loudness", "speech")):
        return "too few frames, or a lip gap or sound that does not change"
    return "too few frames with a face"


def not_measured(rows: Mapping[str, Metrics], gaps: Gaps) -> dict[str, str]:
    """A reason for every null: by figure when no row has it, else by place in the JSON.

    A figure that no region has for one reason stands once, as ``regions.*.figure``.
    """
    values = {name: flat(row) for name, row in rows.items()}
    reasons: dict[str, str] = {}
    for path in next(iter(values.values())):
        empty = [name for name, row in values.items() if row[path] is None]
        why = {name: gaps.reason(path, name) for name in empty}
        if len(empty) == len(rows) and len(set(why.values())) == 1:
            reasons[path] = why[empty[0]]
        else:
            reasons.update(
                {f"{JSON_PLACE.get(name, f'peers.{name}')}.{path}": why[name] for name in empty}
            )
    return _without_repeats(reasons) | NO_NIQE


def flat(model: StrictModel, prefix: str = "") -> dict[str, float | int | None]:
    """Every figure of a model and of the models in it, by its dotted path."""
    figures: dict[str, float | int | None] = {}
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, StrictModel):
            figures |= flat(value, f"{prefix}{name}.")
        else:
            figures[f"{prefix}{name}"] = value
    return figures


def _without_repeats(reasons: dict[str, str]) -> dict[str, str]:
    for path in [p for p in reasons if p.startswith(f"regions.{REGIONS[0]}.")]:
        figure = path.rsplit(".", 1)[-1]
        every = [f"regions.{region}.{figure}" for region in REGIONS]
        if len({reasons.get(one) for one in every}) == 1:
            reasons[f"regions.*.{figure}"] = reasons[path]
            for one in every:
                del reasons[one]
    return reasons

"""``frames.csv``: what is known about every single frame."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping

import numpy as np

from nerf_talker.evaluate.boxes import REGIONS
from nerf_talker.evaluate.figures import lip_distance
from nerf_talker.evaluate.film_figures import Scene
from nerf_talker.evaluate.lips import Series
from nerf_talker.evaluate.measurement import Measurement
from nerf_talker.evaluate.metrics.blinks import eye_openness
from nerf_talker.evaluate.metrics.head_pose import pose_error
from nerf_talker.evaluate.metrics.mesh_error import mesh_error


def frames_csv(done: Measurement, scene: Scene) -> str:
    """The table as text; an empty cell is a figure the frame does not have."""
    return columns_csv(frame_columns(done, scene))


def columns_csv(columns: Mapping[str, Iterable[float]]) -> str:
    """Columns of equal length as text, the first as it is, NaN as an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in zip(*columns.values(), strict=True):
        writer.writerow([row[0], *("" if np.isnan(v) else f"{v:.5g}" for v in row[1:])])
    return text.getvalue()


def frame_columns(done: Measurement, scene: Scene) -> dict[str, Iterable[float]]:
    """Columns by name, (T,) each; the plain names are the row ``own``."""
    own = done.rows["own"].film
    columns: dict[str, Iterable[float]] = {
        "frame": done.frames,
        "psnr": own.column("psnr.frame"),
        "psnr_face": own.column("psnr.face"),
        "psnr_mouth": own.column("psnr.mouth"),
        "ssim": own.column("ssim.frame"),
    }
    if "head_only" in done.rows:
        head = done.rows["head_only"].film
        columns |= {
            f"head_only_psnr{end}": head.column(f"psnr.{region}")
            for end, region in (("", "frame"), ("_face", "face"), ("_mouth", "mouth"))
        }
    columns |= {"lip_gap": own.gap_series(), "lip_gap_truth": scene.truth.gap_series()}
    for region in REGIONS[3:]:
        columns[f"psnr_{region}"] = own.column(f"psnr.{region}")
    for region in REGIONS[1:]:
        columns[f"ssim_{region}"] = own.column(f"ssim.{region}")
    columns |= {"ms_ssim": own.column("ms_ssim.frame"), "lpips": own.column("lpips.frame")}
    return columns | _motion_columns(done, scene)


def _motion_columns(done: Measurement, scene: Scene) -> dict[str, Series]:
    own = done.rows["own"].film
    points, true = own.landmarks(), scene.truth.landmarks()
    both = np.isfinite(points).all((1, 2)) & np.isfinite(true).all((1, 2))
    nothing = np.full(len(done.frames), np.nan)
    return {
        "lmd": lip_distance(own, scene),
        "lve_mm": mesh_error(points, true).lve_mm if both.any() else nothing,
        "head_pose_error_deg": pose_error(points, true),
        "eye_openness": eye_openness(points),
        "eye_openness_truth": eye_openness(true),
    }

"""From what a pass over the frames gathered to the figures of the report."""

from __future__ import annotations

import numpy as np

from nerf_talker.evaluate.boxes import REGIONS
from nerf_talker.evaluate.figure_groups import MotionFigures, RegionFigures, Regions
from nerf_talker.evaluate.film import Film
from nerf_talker.evaluate.film_figures import (
    Scene,
    film_figures,
    known_mean,
    live_figures,
    without_face,
)
from nerf_talker.evaluate.lips import Series, correlation, lag_curve, std_ratio
from nerf_talker.evaluate.metrics.activity import activity_ratio
from nerf_talker.evaluate.metrics.blendshape_error import LOWER, UPPER, blendshape_error
from nerf_talker.evaluate.metrics.blinks import lid_correlation
from nerf_talker.evaluate.metrics.frechet import fid, kid
from nerf_talker.evaluate.metrics.head_pose import pose_error
from nerf_talker.evaluate.metrics.identity import cosine
from nerf_talker.evaluate.metrics.landmark_distance import FACE, eye_distance, landmark_distance
from nerf_talker.evaluate.metrics.mesh_error import mesh_error
from nerf_talker.evaluate.metrics.psnr import mean_psnr
from nerf_talker.evaluate.metrics.sharpness import sharpness_ratio
from nerf_talker.evaluate.metrics.smoothness import smoothness
from nerf_talker.evaluate.rows import Row
from nerf_talker.evaluate.schema import Metrics, TruthFigures
from nerf_talker.geometry.mesh import LIPS


def row_metrics(row: Row, scene: Scene, name: str = "own") -> Metrics:
    """The figures of the row ``name``."""
    gaps, true_gaps = row.film.gap_series(), scene.truth.gap_series()
    against_truth = lag_curve(gaps, true_gaps)
    regions = _regions(row, scene)
    frames = min(len(row.film.features), len(scene.truth.features))
    enough = frames >= 2
    ours, true = (np.array(film.features, np.float64) for film in (row.film, scene.truth))
    return Metrics(
        psnr=regions.frame.psnr,
        psnr_face=regions.face.psnr,
        psnr_mouth=regions.mouth.psnr,
        ssim=regions.frame.ssim,
        lpips=regions.frame.lpips,
        lpips_face=regions.face.lpips,
        lmd=known_mean(lip_distance(row.film, scene)),
        lipgap_corr=correlation(gaps, true_gaps),
        lipgap_corr_best=None if against_truth is None else against_truth.peak,
        lipgap_lag_frames=None if against_truth is None else against_truth.best_lag,
        lipgap_std_ratio=std_ratio(gaps, true_gaps),
        **film_figures(row.film, scene, name),
        frames_without_face=row.without_face if scene.knows_faces else None,
        mouth_face_sharpness=_quotient(regions.mouth.sharpness_ratio, regions.face.sharpness_ratio),
        fid=fid(ours, true) if enough else None,
        kid=kid(ours, true) if enough else None,
        fid_frames=frames if enough else None,
        identity=_identity(row.film, scene.truth),
        regions=regions,
        motion=_motion(row.film, scene),
    )


def truth_figures(scene: Scene) -> TruthFigures:
    """What the same instruments say about the true frames."""
    film = scene.truth
    return TruthFigures(
        **film_figures(film, scene, "truth"),
        cpbd=known_mean(film.column("cpbd.frame")),
        cpbd_face=known_mean(film.column("cpbd.face")),
        **live_figures(film, scene),
    )


def lip_distance(film: Film, scene: Scene) -> Series:
    """(T,) LMD of each frame, pixels at a frame width of 512."""
    apart = landmark_distance(film.landmarks(), scene.truth.landmarks(), LIPS)
    return np.asarray(apart * 512 / scene.width)


def _regions(row: Row, scene: Scene) -> Regions:
    moved, true_moved = row.film.activity.variance(), scene.truth.activity.variance()

    def figures(region: str) -> RegionFigures:
        column = row.film.column
        active = None
        if region in scene.boxes and moved is not None and true_moved is not None:
            active = activity_ratio(moved, true_moved, scene.boxes[region])
        return RegionFigures(
            psnr=mean_psnr(column(f"psnr.{region}")),
            ssim=known_mean(column(f"ssim.{region}")),
            ms_ssim=known_mean(column(f"ms_ssim.{region}")),
            lpips=known_mean(column(f"lpips.{region}")),
            lpips_vgg=known_mean(column(f"lpips_vgg.{region}")),
            sharpness_ratio=sharpness_ratio(
                column(f"energy.{region}"), scene.truth.column(f"energy.{region}")
            ),
            cpbd=known_mean(column(f"cpbd.{region}")),
            activity_ratio=active,
        )

    return Regions(**{region: figures(region) for region in REGIONS})


def _motion(film: Film, scene: Scene) -> MotionFigures:
    points, true = film.landmarks(), scene.truth.landmarks()
    scores, true_scores = film.scores(), scene.truth.scores()
    lips = landmark_distance(points, true, LIPS)
    both = np.isfinite(points).all((1, 2)) & np.isfinite(true).all((1, 2))
    mesh = mesh_error(points, true) if both.any() else None
    steady = smoothness(points, true, scene.width)
    return MotionFigures(
        lmd_eyes=known_mean(lips / eye_distance(true)),
        f_lmd=known_mean(landmark_distance(points, true, FACE) * 512 / scene.width),
        blendshape_error_upper=blendshape_error(scores, true_scores, UPPER),
        blendshape_error_lower=blendshape_error(scores, true_scores, LOWER),
        lve_mm=None if mesh is None else known_mean(mesh.lve_mm),
        lve_squared_mm2=None if mesh is None else mesh.lve_squared_mm2,
        fdd_mm=None if mesh is None else mesh.fdd_mm,
        fdd_abs_mm=None if mesh is None else mesh.fdd_abs_mm,
        head_pose_error_deg=known_mean(pose_error(points, true)),
        acceleration_ratio=steady.acceleration_ratio,
        acceleration_error=steady.acceleration_error,
        movement_ratio=steady.movement_ratio,
        lid_corr=lid_correlation(points, true),
        **live_figures(film, scene),
        frames_without_face_pred=without_face(film, scene),
        frames_without_face_truth=without_face(scene.truth, scene),
    )


def _identity(film: Film, truth: Film) -> float | None:
    pairs = zip(film.embeddings, truth.embeddings, strict=True)
    values = [cosine(a, b) for a, b in pairs if np.isfinite(a).all() and np.isfinite(b).all()]
    return float(np.mean(values)) if values else None


def _quotient(above: float | None, below: float | None) -> float | None:
    return None if above is None or not below else above / below

"""Groups of figures inside a row of ``report.json``: pictures by region, and motion."""

from __future__ import annotations

from nerf_talker.config import StrictModel


class RegionFigures(StrictModel):
    """Picture figures of one region.

    Attributes:
        psnr: dB.
        ssim: Structural similarity.
        ms_ssim: Multi-scale SSIM, every fifth frame, from 161 pixels on.
        lpips: LPIPS v0.1 AlexNet, every fifth frame, from 31 pixels on.
        lpips_vgg: The same with VGG16, whole frame and face only.
        sharpness_ratio: Gradient energy of the prediction over the truth's, as a root; 1 is equal.
        cpbd: Share of edges that look sharp in the prediction, whole frame and face only.
        activity_ratio: Standard deviation over time over the truth's; below 1 is over-smoothed.
    """

    psnr: float | None = None
    ssim: float | None = None
    ms_ssim: float | None = None
    lpips: float | None = None
    lpips_vgg: float | None = None
    sharpness_ratio: float | None = None
    cpbd: float | None = None
    activity_ratio: float | None = None


class Regions(StrictModel):
    """Picture figures by region; the regions are defined in ``evaluate/boxes.py``.

    Attributes:
        frame: The whole frame.
        face: Bounding box of all landmarks.
        mouth: Bounding box of the lips.
        eyes: Bounding box of both eyes.
        hair: Band above the forehead.
        neck: Band below the chin.
    """

    frame: RegionFigures = RegionFigures()
    face: RegionFigures = RegionFigures()
    mouth: RegionFigures = RegionFigures()
    eyes: RegionFigures = RegionFigures()
    hair: RegionFigures = RegionFigures()
    neck: RegionFigures = RegionFigures()


class MotionFigures(StrictModel):
    """Figures of motion.

    Attributes:
        lmd_eyes: LMD as a part of the distance of the outer eye corners.
        f_lmd: Landmark distance of all 478 points, pixels at a frame width of 512.
        blendshape_error_upper: Squared error of brow, cheek and eye blendshapes, AUE-like.
        blendshape_error_lower: The same of jaw and mouth.
        lve_mm: Largest lip vertex error per frame, mean over frames, millimetres.
        lve_squared_mm2: The same with the squared distance.
        fdd_mm: Upper-face dynamics, truth minus prediction, millimetres; positive is too still.
        fdd_abs_mm: Mean of absolute values per vertex.
        head_pose_error_deg: Angle between the true and the predicted head.
        acceleration_ratio: RMS acceleration of the head over the truth's; above 1 shakes.
        acceleration_error: RMS difference of the accelerations, pixels per frame^2 at 512.
        movement_ratio: RMS movement of the head over the truth's; 0 is a frozen head.
        blinks_per_minute: Of the prediction.
        blink_seconds: Mean length of a blink of the prediction.
        closed_in_silence: Share of silent frames in which the prediction's lips are closed.
        frames_without_face_pred: Frames in which the prediction shows no face.
        frames_without_face_truth: Frames in which the truth shows no face.
    """

    lmd_eyes: float | None = None
    f_lmd: float | None = None
    blendshape_error_upper: float | None = None
    blendshape_error_lower: float | None = None
    lve_mm: float | None = None
    lve_squared_mm2: float | None = None
    fdd_mm: float | None = None
    fdd_abs_mm: float | None = None
    head_pose_error_deg: float | None = None
    acceleration_ratio: float | None = None
    acceleration_error: float | None = None
    movement_ratio: float | None = None
    blinks_per_minute: float | None = None
    blink_seconds: float | None = None
    closed_in_silence: float | None = None
    frames_without_face_pred: int | None = None
    frames_without_face_truth: int | None = None

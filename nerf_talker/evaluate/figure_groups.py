"""Groups of figures inside a row of ``report.json``: pictures by region, and motion."""

from __future__ import annotations

from nerf_talker.config import MeasuredModel


class RegionFigures(MeasuredModel):
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


class Regions(MeasuredModel):
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


class MotionFigures(MeasuredModel):
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
        lid_corr: Correlation of how open the eyes are with the truth's, where the truth's shut.
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
    lid_corr: float | None = None
    blinks_per_minute: float | None = None
    blink_seconds: float | None = None
    closed_in_silence: float | None = None
    frames_without_face_pred: int | None = None
    frames_without_face_truth: int | None = None


class StepShares(MeasuredModel):
    """Where the picture changes when one thing moves; shares sum to 1, null without change.

    Attributes:
        change: Mean absolute change of the picture, in 8-bit levels.
        lower_face: Share in the face below the base of the nose.
        upper_face: Share in the face above it.
        elsewhere: Share outside the face.
    """

    change: float
    lower_face: float | None = None
    upper_face: float | None = None
    elsewhere: float | None = None


class CrossTalk(MeasuredModel):
    """What moves with what; see ``evaluate/crosstalk.py``.

    Attributes:
        mouth: The mouth steps from closed to open, all else held.
        expression: The eyes step from open to closed with brows and gaze, all else held.
    """

    mouth: StepShares
    expression: StepShares


class FrameCost(MeasuredModel):
    """What one frame costs on the machine of the report; see ``evaluate/frame_cost.py``.

    Attributes:
        frame_ms: A whole frame as the product renders it.
        head_in_one_call_ms: The head in one native call; null where there is none.
        encode_ms: From sound or landmarks to the head's condition.
        march_ms: Rays and their samples.
        networks_ms: The head's grid and networks at all samples, by operators one by one.
        composite_ms: Samples to pixels.
        torso_ms: The torso's layer.
        write_ms: The picture as H.264, a stream of its own.
        samples: Samples that the occupancy grid leaves.
        gflop: 10^9 multiplications and additions of the head's layers for them; null when they
            cannot be counted.
        peak_gflops: Measured 10^9 operations per second of a large matrix product.
        share_of_peak: ``gflop`` over ``networks_ms``, as a part of the peak.
    """

    frame_ms: float
    head_in_one_call_ms: float | None
    encode_ms: float
    march_ms: float
    networks_ms: float
    composite_ms: float
    torso_ms: float
    write_ms: float
    samples: int
    gflop: float | None
    peak_gflops: float
    share_of_peak: float | None

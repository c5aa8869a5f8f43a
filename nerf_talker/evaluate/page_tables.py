"""The page's tables and tiles."""

from __future__ import annotations

from html import escape

from nerf_talker.evaluate.boxes import REGIONS
from nerf_talker.evaluate.figure_groups import RegionFigures
from nerf_talker.evaluate.html_parts import fact_table, grid, quiet
from nerf_talker.evaluate.schema import Metrics, Report
from nerf_talker.evaluate.table import MISSING

REGION_TITLES = {
    "psnr": "PSNR ↑", "ssim": "SSIM ↑", "ms_ssim": "MS-SSIM ↑", "lpips": "LPIPS Alex ↓",
    "lpips_vgg": "LPIPS VGG ↓", "sharpness_ratio": "sharpness → 1", "cpbd": "CPBD",
    "activity_ratio": "activity → 1",
}  # fmt: skip

MOTION_TITLES = {
    "lmd_eyes": "LMD / distance of the eyes ↓", "f_lmd": "F-LMD, px at 512 ↓",
    "lve_mm": "LVE, mm ↓", "fdd_mm": "FDD, mm → 0", "fdd_abs_mm": "FDD absolute, mm ↓",
    "blendshape_error_lower": "blendshape error, lower face ↓",
    "blendshape_error_upper": "blendshape error, upper face ↓",
    "head_pose_error_deg": "head pose error, degrees ↓",
    "acceleration_ratio": "head acceleration / truth → 1",
    "acceleration_error": "acceleration error, px/frame² at 512 ↓",
    "movement_ratio": "head movement / truth → 1", "lid_corr": "openness of the eyes, corr ↑",
    "blinks_per_minute": "blinks a minute",
    "blink_seconds": "blink length, s", "closed_in_silence": "lips closed in silence",
    "frames_without_face_pred": "frames without a face",
}  # fmt: skip

ROW_SHORT = {
    "own": "own",
    "own_torso": "torso as tracked",
    "head_only": "head only",
    "mean_frame": "mean",
    "nearest_frame": "nearest",
}

TILES = (
    ("psnr_face", "face PSNR, dB", 1),
    ("psnr_mouth", "mouth PSNR, dB", 1),
    ("lpips", "LPIPS", 3),
    ("lmd", "LMD, px at 512", 2),
    ("lipgap_corr", "lip correlation", 2),
    ("lipgap_lag_frames", "lip lag, frames", 0),
    ("lipgap_std_ratio", "lip movement / truth", 2),
)


def tiles(report: Report) -> str:
    """The headline figures in large letters, each beside the cheapest baseline where there is."""
    rival = None if report.baselines is None else report.baselines.nearest_frame
    parts = []
    for name, title, digits in TILES:
        beside = ""
        if rival is not None and getattr(rival, name) is not None:
            beside = f"<span>nearest frame {number(getattr(rival, name), digits)}</span>"
        value = number(getattr(report.metrics, name), digits)
        parts.append(f"<div class='tile'><span>{escape(title)}</span><b>{value}</b>{beside}</div>")
    return f"<div class='tiles'>{''.join(parts)}</div>"


def region_table(metrics: Metrics) -> str:
    """Regions down, picture figures across."""
    names = list(RegionFigures.model_fields)
    rows = [["region", *(REGION_TITLES[name] for name in names)]]
    for region in REGIONS:
        figures = getattr(metrics.regions, region)
        cells = [number(getattr(figures, n), 2 if n == "psnr" else 3) for n in names]
        rows.append([region, *cells])
    return grid(rows)


def motion_table(report: Report) -> str:
    """Figures of motion down, rows of the report across, the truth's own last."""
    rows = report.rows()
    lines = [["figure", *(ROW_SHORT.get(name, name) for name in rows), "truth"]]
    for name, title in MOTION_TITLES.items():
        cells = [number(getattr(row.motion, name), _digits(name)) for row in rows.values()]
        lines.append([title, *cells, _true_value(report, name)])
    return grid(lines, headline=None)


def speed_table(report: Report) -> str:
    """Frames per second, and what they mean beside the video's own."""
    speed, facts = report.speed, []
    if speed.render_fps is not None:
        text = f"{speed.render_fps:.2f} frames per second"
        if report.fps:
            share = speed.render_fps / report.fps
            text += f", {share:.2f} times real time at {report.fps:g} frames per second"
        facts.append(("rendering", text))
    if speed.end_to_end_fps is not None:
        facts.append(("rendering and measuring", f"{speed.end_to_end_fps:.2f} frames per second"))
    for name, seconds in (
        ("training", speed.train_seconds),
        ("preprocessing", speed.preprocess_seconds),
    ):
        if seconds is not None:
            facts.append((name, f"{seconds:.0f} s"))
    return fact_table(facts) if facts else ""


def cost_table(report: Report) -> str:
    """What one frame costs, stage by stage, beside the machine's peak."""
    cost = report.speed.frame
    if cost is None:
        return ""
    stages = {
        "whole frame, as the product renders it": cost.frame_ms,
        "head in one native call": cost.head_in_one_call_ms,
        "sound or landmarks to condition": cost.encode_ms,
        "rays and samples": cost.march_ms,
        "grid and networks": cost.networks_ms,
        "samples to pixels": cost.composite_ms,
        "torso": cost.torso_ms,
        "H.264": cost.write_ms,
    }
    facts = [(name, f"{value:.2f} ms") for name, value in stages.items() if value is not None]
    facts.append(("samples", f"{cost.samples:,}"))
    facts.append(("measured peak of a matrix product", f"{cost.peak_gflops:.0f} GFLOP/s"))
    if cost.gflop is not None and cost.share_of_peak is not None:
        text = f"{cost.gflop:.2f} GFLOP, done at {cost.share_of_peak:.0%} of that peak"
        facts.append(("layers at all samples", text))
    return fact_table(facts) + quiet(
        "Least of three runs. The stages are the operators one by one, which the native call "
        "replaces; it stops rays early and does less. Look-ups in the grid are in the time but not "
        "in the arithmetic."
    )


def crosstalk_table(report: Report) -> str:
    """Steps down, shares of change across."""
    found = report.crosstalk
    if found is None:
        return ""
    rows = [["step", "lower face", "upper face", "elsewhere", "change, levels of 255"]]
    for title, step in (("mouth opens", found.mouth), ("eyes close", found.expression)):
        shares = (step.lower_face, step.upper_face, step.elsewhere)
        rows.append([title, *(number(share, 2) for share in shares), number(step.change, 2)])
    return grid(rows, headline=None) + quiet(
        "One thing moves while all else is held: a mouth that changes the upper face, or eyes that "
        "change the lower, leak."
    )


def missing_table(report: Report) -> str:
    """Reasons of what was not measured, figures with one reason together."""
    if not report.not_measured:
        return quiet("Everything was measured.")
    by_reason: dict[str, list[str]] = {}
    for figure, reason in report.not_measured.items():
        by_reason.setdefault(reason, []).append(figure)
    return fact_table((reason, ", ".join(names)) for reason, names in by_reason.items())


def number(value: float | None, digits: int) -> str:
    """A figure with so many digits, or a dash."""
    return MISSING if value is None else f"{value:.{0 if isinstance(value, int) else digits}f}"


def _true_value(report: Report, name: str) -> str:
    if name == "frames_without_face_pred":
        return number(report.metrics.motion.frames_without_face_truth, 0)
    known = type(report.truth).model_fields
    return number(getattr(report.truth, name), _digits(name)) if name in known else ""


def _digits(name: str) -> int:
    return 1 if name == "blinks_per_minute" else 3

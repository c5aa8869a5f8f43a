"""Measuring a talker against held-out frames: metrics, composites, baselines and the report."""

from nerf_talker.evaluate.comparison import compare_reports
from nerf_talker.evaluate.evaluation import EvaluateOptions, evaluate, evaluate_frames
from nerf_talker.evaluate.pair import PairOptions, evaluate_videos
from nerf_talker.evaluate.schema import Metrics, Report
from nerf_talker.evaluate.solo import SoloOptions, evaluate_video

__all__ = [
    "EvaluateOptions",
    "Metrics",
    "PairOptions",
    "Report",
    "SoloOptions",
    "compare_reports",
    "evaluate",
    "evaluate_frames",
    "evaluate_video",
    "evaluate_videos",
]

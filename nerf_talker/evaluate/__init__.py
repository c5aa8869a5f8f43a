"""Measuring a talker against held-out frames: metrics, composites, baselines and the report."""

from nerf_talker.evaluate.evaluation import EvaluateOptions, evaluate, evaluate_frames
from nerf_talker.evaluate.schema import Metrics, Report

__all__ = ["EvaluateOptions", "Metrics", "Report", "evaluate", "evaluate_frames"]

"""The machine a measurement was made on, as text."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from datetime import datetime, timezone

import torch

PACKAGES = ("nerf-talker", "torch", "numpy", "mediapipe", "opencv-contrib-python", "av")


def environment() -> dict[str, str]:
    """Date, system, processor, accelerator and the versions of what computes the figures."""
    facts = {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "system": platform.platform(),
        "python": platform.python_version(),
        "processor": processor_name(),
        "cpu_count": str(os.cpu_count()),
        "torch_threads": str(torch.get_num_threads()),
        "gpu": torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none",
    }
    for package in PACKAGES:
        try:
            facts[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            facts[package] = "not installed"
    return facts


def processor_name() -> str:
    """The processor's model name, as far as the system tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        return platform.processor() or platform.machine()
    return platform.processor() or platform.machine()

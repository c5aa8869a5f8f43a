"""Grading a recording before time is spent on it: what is good, what is not, and the cure.

The limits beside each measure say where they come from: from the project's own clips (a studio
recording of 71 s that trains well, two short portraits, a small old video), from those clips made
worse on purpose, or from what users of other trainers met.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from pathlib import Path

import numpy as np

from nerf_talker.audio.quality import sound_quality
from nerf_talker.audio.sound import RATE, read_sound_from
from nerf_talker.errors import InputError
from nerf_talker.preprocess import audit_face, audit_scene
from nerf_talker.preprocess.avsync import estimate_offset
from nerf_talker.preprocess.findings import Finding, graded
from nerf_talker.preprocess.glance import Glance, glance
from nerf_talker.preprocess.hdr import can_convert
from nerf_talker.preprocess.models import check_model_folder
from nerf_talker.types import FloatArray


@dataclass(frozen=True)
class Audit:
    """A graded clip.

    Attributes:
        seen: What the look through it saw.
        findings: One per property.
    """

    seen: Glance
    findings: list[Finding]

    @property
    def usable(self) -> bool:
        """Whether nothing speaks against using the clip as it is."""
        return all(finding.grade != "fail" for finding in self.findings)


def audit(clip: Path, models: Path | None = None, show: bool = False) -> Audit:
    """Grade a clip.

    Args:
        clip: The recording.
        models: Folder that is looked in first for model files.
        show: Whether a progress bar is drawn.

    Raises:
        InputError: The file is no readable video, or there is no folder ``models``.
        WeightsError: The face landmarker's model is missing.
    """
    check_model_folder(models)
    seen = glance(clip, models, show)
    findings = [_length(seen), _rate(seen), *_colours(seen)]
    findings += [*audit_face.grade(seen), *audit_scene.grade(seen)]
    return Audit(seen, findings + _sound(clip, seen))


def _length(seen: Glance) -> Finding:
    declared = seen.info.seconds
    # A container may round its length; a smaller share of readable frames means a cut-off file.
    if declared and seen.seconds < 0.97 * declared - 0.5:
        value = f"{seen.seconds:.1f} s readable of {declared:.1f} s"
        return Finding("length", value, "fail", "the file is cut off; copy or export it again")
    # Under 2 s nothing can be tracked; users of other trainers found 10 s useless, 90 s too little
    # and 3 to 5 min good; our own studio clip of 71 s gives a usable mouth.
    cure = "record 2 to 5 min for a good mouth; under 2 s nothing can be learned"
    return graded("length", f"{seen.seconds:.1f} s", seen.seconds, (60, 2), cure)


def _rate(seen: Glance) -> Finding:
    steps = np.diff(seen.times)
    longest = float(steps.max(initial=0))
    fps = 1 / max(float(np.median(steps)), 1e-3) if len(steps) else 0.0
    value = f"{seen.info.fps or fps:.2f} fps"
    # 0.25 s without a picture is as long as a syllable.
    if longest > 0.25:
        place = float(seen.times[int(np.argmax(steps))])
        value += f", the picture stands still for {longest:.2f} s at {place:.1f} s"
        cure = "record again without dropped frames; the stretch is held still"
        return Finding("frame rate", value, "warn", cure, round(fps, 3))
    cure = "record with 25 fps or more; lips will lag"
    return graded("frame rate", value, seen.info.fps or fps, (20, -inf), cure)


def _colours(seen: Glance) -> list[Finding]:
    """Only of recordings in high dynamic range."""
    if not seen.info.high_dynamic_range:
        return []
    value = "HDR, converted" if can_convert() else "HDR, which this PyAV cannot convert"
    return [Finding("colours", value, "warn", "record in SDR: what is brighter is cut off")]


def _sound(clip: Path, seen: Glance) -> list[Finding]:
    supply = "supply the speech with --audio FILE"
    if not seen.info.has_sound:
        return [Finding("sound", "no sound track", "fail", supply)]
    try:
        samples = read_sound_from(clip, 0.0)
    except InputError:
        return [Finding("sound", "unreadable", "fail", supply)]
    found = sound_quality(samples)
    # Recordings here have -16 to -27 dB; below -60 dB there is noise alone.
    cure = "record closer to the microphone"
    if found.level < -60:
        return [Finding("sound", f"silent, {found.level:.0f} dB", "fail", supply, found.level)]
    return [
        graded("sound", f"{found.level:.0f} dB", found.level, (-40, -60), cure),
        *_noise(found.snr, found.clipped),
        *_cut_short(found.seconds, seen.seconds),
        *_in_step(seen, samples),
    ]


def _noise(snr: float, clipped: float) -> list[Finding]:
    # Recordings here stand 29 to 54 dB above their pauses; the studio clip with white noise at
    # -40 dB 22, at -30 dB, where words begin to drown, 13.
    cure = "record in a quieter room, closer to the microphone, with pauses"
    loud = "record less loud; nothing brings back what was cut off"
    return [
        graded("noise", f"speech {snr:.0f} dB above the pauses", snr, (20, 6), cure),
        # The studio clip turned up by a half has 0.05 %, to the double, which is heard, 0.4 %.
        graded("clipping", f"{100 * clipped:.2f} % of the samples", clipped, (0.001, 0.2), loud),
    ]


def _cut_short(sound: float, video: float) -> list[Finding]:
    """Only where the sound ends early: an encoder's last blocks are no fault."""
    missing = video - sound
    if missing < 0.5:
        return []
    value = f"ends {missing:.1f} s before the picture"
    cure = "cut the clip to the part that has sound"
    return [graded("sound length", value, missing, (0.5, 0.3 * video), cure)]


def _in_step(seen: Glance, samples: FloatArray) -> list[Finding]:
    """Lips against sound in the stretch that was looked at frame by frame."""
    times = np.array([look.time for look in seen.stretch])
    gaps = np.array([np.nan if look.face is None else look.face.gap for look in seen.stretch])
    known = np.isfinite(gaps)
    if known.sum() < 2:
        return []
    gaps = np.interp(times, times[known], gaps[known])
    fps = (len(times) - 1) / (times[-1] - times[0])
    first, last = (round(float(time) * RATE) for time in (times[0], times[-1] + 1 / fps))
    found = estimate_offset(gaps, fps, samples[max(first, 0) : last], RATE)
    if not found.is_sure:
        value = f"cannot be told from {times[-1] - times[0]:.0f} s of the middle"
        return [Finding("lip sync", value, "pass", "", None)]
    late = 1000 * found.seconds
    value = f"sound {abs(late):.0f} ms {'late' if late > 0 else 'early'}"
    # One frame; preprocessing moves the sound where the whole clip says the same.
    cure = "preprocess measures it on the whole clip and moves the sound; see its report"
    return [graded("lip sync", value, abs(late), (40, inf), cure)]

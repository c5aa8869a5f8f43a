"""Stage: the clip's sound as 16 kHz mono, in step with and as long as the frames; its features."""

from __future__ import annotations

from typing import Any

import numpy as np

from nerf_talker.audio.registry import make_extractor
from nerf_talker.audio.sound import RATE, read_sound, read_sound_from, write_wav
from nerf_talker.errors import InputError
from nerf_talker.geometry.mesh import lip_gap
from nerf_talker.preprocess.avsync import Offset, estimate_drift, estimate_offset
from nerf_talker.preprocess.stage import Stage, StageContext
from nerf_talker.preprocess.stages.ingest import ClipRecord, read_clip_record
from nerf_talker.preprocess.stages.landmarks import read_landmark_file
from nerf_talker.types import FloatArray

# Below these levels (dB of full scale) a recording holds hardly any, or no, speech.
_QUIET_DB = -50.0
_SILENT_DB = -80.0
# Offsets up to a frame at 25 fps are within what recordings and players do anyway.
TOLERATED_SECONDS = 0.040
# Halves of clips in step differ by up to 30 ms.
DRIFT_SECONDS = 0.060


def run(context: StageContext) -> dict[str, Any]:
    """Write ``audio.wav`` and ``audio_features.npz``."""
    record, fps = read_clip_record(context), context.options.fps
    samples, missing = _sound(context, record, 0.0)
    level = 20 * np.log10(max(float(np.sqrt(np.mean(samples**2))), 1e-6))
    if level < _SILENT_DB:
        raise InputError(
            f"{context.options.audio or context.clip}: the sound is silent from "
            f"{record.start:.1f} s on ({level:.0f} dB), and speech is needed to learn from; "
            "supply it with --audio FILE"
        )
    gap = lip_gap(next(read_landmark_file(context)))
    found = estimate_offset(gap, fps, samples, RATE)
    drift = estimate_drift(gap, fps, samples, RATE)
    wish = context.options.av_offset
    shift = _correction(found, wish)
    extractor = make_extractor(context.options.audio_features)
    if extractor.is_supplied and wish is None and shift:
        raise InputError(_unmoved(extractor.name, shift))
    if shift:
        samples, missing = _sound(context, record, shift)
    write_wav(context.new.sound, samples)
    features = extractor.features(
        samples, RATE, lambda steps: context.progress(steps, extractor.name, len(steps))
    )
    np.savez_compressed(
        context.new.audio_features,
        values=features.values,
        rate=np.float64(features.rate),
        extractor=np.array(features.extractor),
        offset=np.float64(features.offset),
    )
    warnings = [] if wish is not None else _offset_warnings(found)
    if abs(drift) > DRIFT_SECONDS:
        warnings.append(
            f"the sound falls behind the lips by {1000 * drift:.0f} ms from the first to the "
            "second half of the clip; its rate is wrong, export it again with the camera's sound"
        )
    if missing > 0.5:
        warnings.append(f"the sound ends {missing:.1f} s before the video; silence was added")
    if level < _QUIET_DB:
        warnings.append(f"the sound is very quiet ({level:.0f} dB); is this the right track?")
    return {
        "level_db": round(float(level), 1),
        "extractor": features.extractor,
        "av_offset_ms": round(1000 * found.seconds),
        "av_offset_confidence": round(found.confidence, 2),
        "av_offset_sure": found.is_sure,
        "av_drift_ms": round(1000 * drift),
        "av_corrected_ms": round(1000 * shift),
        "warnings": warnings,
    }


def _sound(context: StageContext, record: ClipRecord, shift: float) -> tuple[FloatArray, float]:
    """The sound of exactly the dataset's frames, and the seconds it lacks at the end.

    Args:
        context: Of the stage.
        record: Of the clip.
        shift: Seconds by which the sound comes too late.
    """
    supplied, wanted = context.options.audio, round(record.frames * RATE / context.options.fps)
    if supplied is None:
        samples = read_sound_from(context.clip, record.start + shift)
    else:
        samples = _from(read_sound(supplied), record.first / context.options.fps + shift)
    missing = (wanted - len(samples)) / RATE
    return np.pad(samples[:wanted], (0, max(wanted - len(samples), 0))), missing


def _from(samples: FloatArray, start: float) -> FloatArray:
    """A sound from ``start`` seconds on; silence stands for what lies before it."""
    first = round(start * RATE)
    return samples[first:] if first >= 0 else np.pad(samples, (-first, 0))


def _correction(found: Offset, wish: float | None) -> float:
    """Seconds by which the sound is to be moved forward."""
    if wish is not None:
        return wish / 1000
    return found.seconds if found.is_sure and abs(found.seconds) > TOLERATED_SECONDS else 0.0


def _unmoved(features: str, shift: float) -> str:
    """Why features from a file do not go with sound that is moved, and the cure."""
    by = round(1000 * shift)
    return (
        f"the sound comes {abs(by)} ms too {'late' if by > 0 else 'early'} for the lips and would "
        f"be moved, but the features {features} cannot follow; give --av-offset {by} with features "
        "of the moved sound, which is the audio.wav of a dataset made without them, or --av-offset "
        "0 with features of the clip's sound as it is"
    )


def _offset_warnings(found: Offset) -> list[str]:
    late = 1000 * found.seconds
    which = f"{abs(late):.0f} ms too {'late' if late > 0 else 'early'}"
    if found.is_sure:
        if abs(found.seconds) <= TOLERATED_SECONDS:
            return []
        return [f"the sound came {which} for the lips and was moved; --av-offset 0 leaves it alone"]
    guess = f"; the best guess is {which}" if found.confidence else ""
    return [
        "whether lips and sound are in step could not be told from so little clear speech"
        f"{guess}; nothing was moved, use --av-offset MS if it looks wrong"
    ]


STAGE = Stage(
    name="audio",
    version=3,
    inputs=("ingest", "landmarks"),
    outputs=("audio.wav", "audio_features.npz"),
    options=("av_offset", "speech_features"),
    files=("audio",),
    run=run,
)

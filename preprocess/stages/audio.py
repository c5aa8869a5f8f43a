"""Stage: the clip's sound as 16 kHz mono, exactly as long as the frames, and its features."""

from __future__ import annotations

from typing import Any

import numpy as np

from nerf_talker.audio.registry import make_extractor
from nerf_talker.audio.sound import RATE, read_sound, read_sound_from, write_wav
from nerf_talker.preprocess.stage import Stage, StageContext
from nerf_talker.preprocess.stages.ingest import read_clip_record

# Below this level (dB of full scale) a recording holds no usable speech.
_QUIET_DB = -50.0


def run(context: StageContext) -> dict[str, Any]:
    """Write ``audio.wav`` and ``audio_features.npz``."""
    record = read_clip_record(context)
    supplied = context.options.audio
    if supplied is None:
        samples = read_sound_from(context.clip, record.start)
    else:
        samples = read_sound(supplied)
    wanted = round(record.frames * RATE / context.options.fps)
    missing = (wanted - len(samples)) / RATE
    samples = np.pad(samples[:wanted], (0, max(wanted - len(samples), 0)))
    write_wav(context.new.sound, samples)
    extractor = make_extractor(context.options.audio_features)
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
    level = 20 * np.log10(max(float(np.sqrt(np.mean(samples**2))), 1e-6))
    warnings = []
    if missing > 0.5:
        warnings.append(f"the sound ends {missing:.1f} s before the video; silence was added")
    if level < _QUIET_DB:
        warnings.append(f"the sound is very quiet ({level:.0f} dB); is this the right track?")
    return {
        "level_db": round(float(level), 1),
        "extractor": features.extractor,
        "warnings": warnings,
    }


STAGE = Stage(
    name="audio",
    version=2,
    inputs=("ingest",),
    outputs=("audio.wav", "audio_features.npz"),
    options=("speech_features",),
    files=("audio",),
    run=run,
)

"""The page that people look at after preprocessing: one file, with everything inside it."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nerf_talker.audio.articulation import Articulation, Hearing
from nerf_talker.audio.sound import read_sound
from nerf_talker.data.dataset import read_audio_features, read_eyes
from nerf_talker.data.manifest import DatasetFiles, Manifest, StageRecord
from nerf_talker.geometry.mesh import lip_gap
from nerf_talker.geometry.rotation import logarithm
from nerf_talker.preprocess.charts import Curve, Spans, plot, waveform
from nerf_talker.preprocess.contact_sheet import matte_pictures, plate_picture
from nerf_talker.preprocess.eyes import runs
from nerf_talker.preprocess.overlay import Follow, overlay_video
from nerf_talker.preprocess.page import badge, data_uri, jpeg, table, write_page
from nerf_talker.preprocess.speech_plots import speech_plots, standard
from nerf_talker.types import AudioFeatures

_MATTES = 4
# Times in a warning's own words, as time_ranges() writes them.
_SPAN = re.compile(r"(\d+\.\d+)-(\d+\.\d+) s\b")


def write_report(dataset: Path, manifest: Manifest, follow: Follow) -> None:
    """Write ``report.html``.

    Args:
        dataset: The folder, complete but for the manifest.
        manifest: What it will say.
        follow: Shows progress.
    """
    files = DatasetFiles(dataset)
    film = data_uri(overlay_video(files, manifest, follow), "video/mp4")
    body = "".join(
        [
            "<h2>Warnings</h2>",
            _remarks(manifest),
            "<h2>What was understood of the clip</h2>",
            f'<div class="split"><div class="stick"><video controls src="{film}"></video>',
            _LEGEND,
            f"</div><div>{_plots(files, manifest)}</div></div>",
            "<h2>Frames, masks and layers</h2>",
            _pictures(files, manifest),
            "<h2>Stages</h2>",
            _stages(manifest),
        ]
    )
    write_page(files.report, f"Dataset {manifest.subject}", _summary(manifest), body)


_LEGEND = """<p><small>White: landmarks as detected. Green dots and axes: the rigid head as tracked.
Coloured borders: face orange, hair violet, torso green, neck lime, lips red, eyes blue,
accessories yellow. A red frame: no face was found and the values are interpolated. Click on a
curve to go to its time.</small></p>"""


def _summary(manifest: Manifest) -> str:
    crop = manifest.crop
    splits = ", ".join(f"{name} {a}-{b - 1}" for name, (a, b) in manifest.splits.items())
    return (
        f"{manifest.frames} frames at {manifest.fps:g} fps "
        f"({manifest.frames / manifest.fps:.1f} s) of {manifest.size}x{manifest.size} px, made "
        f"from {manifest.source}: a square of {crop.side:.0f} px at ({crop.left:.0f}, "
        f"{crop.top:.0f}) of {crop.source_width}x{crop.source_height}. Splits: {splits}. Speech "
        f"features: {manifest.extractor}."
    )


def spans_of(text: str) -> Spans:
    """Stretches of time that a warning names, in seconds."""
    return [(float(first), float(last)) for first, last in _SPAN.findall(text)]


def _remarks(manifest: Manifest) -> str:
    if not manifest.warnings:
        return '<p class="quiet">None.</p>'

    def linked(match: re.Match[str]) -> str:
        return f'<button data-time="{match[1]}">{match[0]}</button>'

    items = (f"<li>{_SPAN.sub(linked, escape(text))}</li>" for text in manifest.warnings)
    return f'<ul class="remarks">{"".join(items)}</ul>'


def _plots(files: DatasetFiles, manifest: Manifest) -> str:
    seconds = manifest.frames / manifest.fps
    with np.load(files.track) as track:
        gap, valid = lip_gap(track["landmarks"]), track["valid"]
        poses = track["camera_to_head"].astype(np.float64)
    lost = [(a / manifest.fps, b / manifest.fps) for a, b in runs(~valid)]
    warned = [*lost, *(span for text in manifest.warnings for span in spans_of(text))]
    turn = -np.degrees(logarithm(poses[:, :3, :3]))
    place = 100 * (poses[:, :3, 3] - poses[:, :3, 3].mean(0))
    sound, audio = read_sound(files.sound), read_audio_features(files.audio_features)
    eyes = read_eyes(files.eyes, manifest.frames)
    closings = [(a / manifest.fps, b / manifest.fps) for a, b, _ in eyes.blinks.tolist()]
    named = zip(("pitch", "yaw", "roll"), turn.T, strict=True)
    return "".join(
        [
            waveform("Sound", seconds, sound, warned),
            speech_plots(named_features(audio, sound), seconds, gap),
            plot("Lip gap and loudness, standardised", seconds,
                 [Curve("lip gap", standard(gap)),
                  Curve("loudness", standard(_loudness(sound, manifest.frames)))], lost),
            plot("Lip gap in parts of the eyes' distance", seconds, [Curve("", gap)], warned),
            plot("Eyes: 0 shut, 1 open; blinks marked", seconds,
                 [Curve("image's left", eyes.openness[:, 0]),
                  Curve("right", eyes.openness[:, 1])], closings),
            plot("Gaze in eye widths", seconds,
                 [Curve("right", eyes.gaze[:, 0]), Curve("down", eyes.gaze[:, 1])], closings),
            plot("Rotation of the head in degrees", seconds,
                 [Curve(name, curve) for name, curve in named], warned),
            plot("Camera's place in head space in cm, mean removed", seconds,
                 [Curve(name, curve) for name, curve in zip("xyz", place.T, strict=True)],
                 warned),
        ]
    )  # fmt: skip


def named_features(audio: AudioFeatures, sound: npt.NDArray[np.float32]) -> AudioFeatures:
    """The features, or what our encoder says in words where its hidden layer is used."""
    hidden = audio.extractor.startswith(f"{Hearing.kind}:")
    return Articulation().features(sound) if hidden else audio


def _loudness(sound: npt.NDArray[np.float32], frames: int) -> npt.NDArray[np.float64]:
    """(frames,) decibels, no quieter than 60 below the loudest."""
    parts = np.array_split(sound.astype(np.float64), frames)
    power = np.array([float(np.mean(part**2)) if len(part) else 0.0 for part in parts])
    return np.asarray(10 * np.log10(np.maximum(power, 1e-6 * max(float(power.max()), 1e-9))))


def _pictures(files: DatasetFiles, manifest: Manifest) -> str:
    sheet = data_uri(files.contact_sheet.read_bytes(), "image/png")
    layers = [
        ("clean background", plate_picture(files.background)),
        ("torso layer", plate_picture(files.torso)),
        *(("head by its matte", p) for p in matte_pictures(files, manifest.frames, _MATTES)),
    ]
    tiles = (
        f'<figure><img alt="" src="{jpeg(shown)}"><figcaption>{name}</figcaption></figure>'
        for name, shown in layers
    )
    return (
        f'<img class="sheet" alt="contact sheet" src="{sheet}">'
        "<p><small>Green torso, lime neck, violet hair, orange face, red lips, blue "
        "eyes, yellow accessories, white landmarks. Background, torso layer "
        "and the torso's reference frame are made from training frames alone; crop, mean head "
        "shape and poses are fitted to the whole clip.</small></p>"
        f'<div class="gallery">{"".join(tiles)}</div>'
    )


def _stages(manifest: Manifest) -> str:
    rows = [
        (
            badge(record.status),
            f"{escape(name)} <small>version {record.version}</small>",
            f'<span class="took">{record.seconds:.1f} s</span>',
            escape(", ".join(record.inputs) or "the clip"),
            "<br>".join(
                f"{escape(p)} <small>{_size(n)}</small>" for p, n in record.outputs.items()
            ),
            escape(_depends(record)),
            escape(_notes(record.notes)),
        )
        for name, record in manifest.stages.items()
    ]
    took = f'Together <span class="took">{manifest.preprocess_seconds:.0f} s</span>.'
    heads = ("", "stage", "time", "reads", "wrote", "depends on", "notes")
    return table(heads, rows) + f"<p><small>{took}</small></p>"


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.1f} kB"


def _depends(record: StageRecord) -> str:
    chosen = [f"{name} {value}" for name, value in record.options.items()]
    given = [f"{name} {digest[:8]}" for name, digest in record.files.items() if digest]
    return ", ".join(chosen + given)


def _notes(notes: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in notes.items() if key != "warnings")

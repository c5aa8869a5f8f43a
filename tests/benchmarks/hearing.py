"""How steadily the speech encoder hears: voices, loudness, sampling rates, noise, speed.

``python -m tests.benchmarks.hearing`` prints a table; it needs flite and espeak-ng. Three sentences
are said by five voices. Curves of two voices are laid over each other by their phoneme times: the
sounds that both transcriptions share (difflib) are anchors, time runs evenly between them; so are
the exact curves of their transcriptions, which says how alike two voices can be heard. Every other
line compares a changed recording of the slt voice with the same recording unchanged.
"""

import itertools
import time
from difflib import SequenceMatcher
from math import gcd

import numpy as np
import torch

from nerf_talker.audio.articulation import COLUMNS, Articulation, ArticulationStream
from nerf_talker.audio.phonetics import CURVES
from nerf_talker.audio.pretrain.espeak import Espeak, Manner
from nerf_talker.audio.pretrain.targets import row_targets
from nerf_talker.audio.pretrain.voices import FLITE, flite_speaks
from nerf_talker.audio.registry import make_extractor
from nerf_talker.audio.sound import RATE

SENTENCES = (
    "The beach was bright, and we bought five bowls of soup from a woman by the pier.",
    "My father moved a heavy box up the stairs before breakfast, and never said a word.",
    "You should view the whole movie, even if people told you that it was too long.",
)
OPENING = COLUMNS.index("opening")
RATES = (8000, 11025, 22050, 44100, 48000)


def sound_of(utterance):
    return utterance.samples.astype(np.float32) / 32768


def opening(sound):
    return Articulation().features(sound).values[:, OPENING]


def shared_times(one, other):
    """Start times of the sounds that two transcriptions share, ends included."""
    matcher = SequenceMatcher(None, one.letters, other.letters, autojunk=False)
    pairs = [
        (one.starts[block.a + k], other.starts[block.b + k])
        for block in matcher.get_matching_blocks()
        for k in range(block.size)
    ]
    return np.array([(0.0, 0.0), *pairs[1:], (one.seconds, other.seconds)])


def heard_opening(utterance):
    return opening(sound_of(utterance))


def exact_opening(utterance):
    """What a perfect network would say, from the times of the utterance's sounds."""
    times = np.arange(round(utterance.seconds * 50)) / 50
    _, curves = row_targets(utterance.letters, utterance.starts, utterance.seconds, times)
    return curves[:, CURVES.index("opening")]


def likeness(one, other, curve):
    """Correlation of two voices' opening curves at the times of the first."""
    first, second = curve(one), curve(other)
    anchors = shared_times(one, other)
    times = np.interp(np.arange(len(first)) / 50, anchors[:, 0], anchors[:, 1])
    return np.corrcoef(first, np.interp(times * 50, np.arange(len(second)), second))[0, 1]


def voices(espeak, sentence):
    """Name -> utterance."""
    said = {f"flite {voice}": flite_speaks(voice, sentence) for voice in FLITE}
    manner = Manner(160, 50, 50, "m3")
    return {**said, "espeak-ng en-us": espeak.speak("en-us", sentence, manner)}


def resampled(sound, rate):
    """Down or up to a rate, and back."""
    from scipy.signal import resample_poly

    shared = gcd(rate, RATE)
    there = resample_poly(sound, rate // shared, RATE // shared)
    back = resample_poly(there, RATE // shared, rate // shared)[: len(sound)]
    return np.clip(back, -1, 1).astype(np.float32)


def changes(sound):
    """(name, changed sound) of everything that must not matter much."""
    quiet = sound / np.abs(sound).max() / 4  # 12 dB louder just does not clip
    yield "as it is", quiet, quiet
    for decibels in (-12, 12):
        yield f"{decibels:+} dB", quiet, quiet * 10 ** (decibels / 20)
    for rate in RATES:
        yield f"{rate} Hz", sound, resampled(sound, rate)
    noise = np.random.default_rng(0).normal(size=len(sound)).astype(np.float32)
    loud = np.sqrt((sound**2).mean() / 10)
    yield "white noise 10 dB below", sound, np.clip(sound + loud * noise, -1, 1)


def main():
    torch.set_num_threads(1)
    espeak = Espeak()
    alike = {}
    for sentence in SENTENCES:
        for (a, one), (b, other) in itertools.combinations(voices(espeak, sentence).items(), 2):
            found = [likeness(one, other, curve) for curve in (heard_opening, exact_opening)]
            alike.setdefault((a, b), []).append(found)
    print("| what | lip opening, correlation | exact curves |\n| --- | --- | --- |")
    means = {f"{a} with {b}": np.mean(found, 0) for (a, b), found in alike.items()}
    means[f"mean of the {len(alike)} pairs"] = np.mean(list(means.values()), 0)
    for name, (heard, exact) in means.items():
        print(f"| {name} | {heard:.3f} | {exact:.3f} |")
    sound = np.concatenate([sound_of(flite_speaks("slt", sentence)) for sentence in SENTENCES])
    for name, before, after in changes(sound):
        print(f"| {name} | {np.corrcoef(opening(before), opening(after))[0, 1]:.3f} | |")
    streamed = ArticulationStream()
    rows = [streamed.push(sound[k : k + 800]) for k in range(0, len(sound), 800)]
    whole = Articulation().features(sound).values
    apart = np.abs(np.concatenate([*rows, streamed.finish()]) - whole)
    print(f"\nstreaming in pieces of 50 ms differs by {apart.max():.1e} at most")
    long = np.tile(sound, int(60 * RATE / len(sound)) + 1)[: 60 * RATE]
    for name in ("articulation39", "hearing", "logmel40"):
        begun = time.process_time()
        make_extractor(name).features(long)
        print(f"{name}: {60 / (time.process_time() - begun):.0f} times real time on one core")


if __name__ == "__main__":
    main()

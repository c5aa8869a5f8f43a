import numpy as np
import pytest

from nerf_talker.data.sample_motion import FPS, perform
from nerf_talker.data.sample_speech import PHONES, RATE, VOWELS, compose
from nerf_talker.data.synthetic import sample_sound


@pytest.fixture(scope="module")
def performance():
    return perform(10, 2)


@pytest.fixture(scope="module")
def sound(performance):
    return sample_sound(performance, 2)


def envelope(sound, frames):
    blocks = sound[: frames * RATE // FPS].reshape(frames, -1)
    return np.sqrt((blocks.astype(float) ** 2).mean(1))


def test_sound_is_deterministic_as_long_as_the_picture_and_not_clipped(performance, sound):
    assert sound.dtype == np.float32
    assert len(sound) == len(performance) * RATE // FPS
    assert 0.5 < np.abs(sound).max() < 1
    assert np.array_equal(sound, sample_sound(performance, 2))


def test_loudness_follows_the_jaw_without_delay(performance, sound):
    jaw = np.array([face.jaw for face in performance.faces])
    loud = envelope(sound, len(performance))
    by_lag = {
        k: np.corrcoef(loud[5 + k : len(loud) - 5 + k], jaw[5:-5])[0, 1] for k in range(-4, 5)
    }
    assert by_lag[0] > 0.6
    assert max(by_lag, key=by_lag.get) == 0


def test_pauses_are_silent_and_voices_are_not(performance, sound):
    names = np.array(performance.vowels)
    loud = envelope(sound, len(performance))
    still = (names == "_") & (np.roll(names, 1) == "_") & (np.roll(names, -1) == "_")
    assert loud[still].max() < 0.05 * loud[np.isin(names, list(VOWELS))].mean()


def test_vowels_differ_in_their_spectrum(performance, sound):
    speech, low, high = performance.speech, {}, {}
    for k, name in enumerate(speech.names):
        if name in "aiu":
            middle = (speech.starts[k] + speech.starts[k + 1]) / 2
            part = sound[int((middle - 0.03) * RATE) : int((middle + 0.03) * RATE)]
            power = np.abs(np.fft.rfft(part * np.hanning(len(part)))) ** 2
            hertz = np.fft.rfftfreq(len(part), 1 / RATE)
            total = power[hertz < 4000].sum()
            low.setdefault(name, []).append(power[(hertz > 600) & (hertz < 1100)].sum() / total)
            high.setdefault(name, []).append(power[(hertz > 1800) & (hertz < 3400)].sum() / total)
    assert np.median(low["a"]) > 2 * np.median(low["i"])
    assert np.median(high["i"]) > 2 * np.median(high["u"])


def test_pitch_varies(performance):
    voiced = [k for k, name in enumerate(performance.speech.names) if PHONES[name].voice > 0.5]
    pitch = performance.speech.pitch[voiced]
    assert pitch.std() / pitch.mean() > 0.05
    assert pitch.min() > 90 and pitch.max() < 320


@pytest.mark.parametrize("seconds", [0.5, 1.0, 3.3, 60.0])
def test_utterances_fill_their_time_and_end_in_a_pause(seconds):
    speech = compose(seconds, np.random.default_rng(0))
    assert speech.starts[0] == 0 and speech.starts[-1] == seconds
    assert (np.diff(speech.starts) > 0).all()
    assert speech.names[0] == speech.names[-1] == "_"
    assert len(speech.names) + 1 == len(speech.starts)
    assert len(speech.stress) == len(speech.pitch) == len(speech.names)


def test_all_vowels_and_closures_occur_in_a_usual_clip():
    spoken = set(perform(12, 0).speech.names)
    assert set(VOWELS) <= spoken
    assert spoken & set("mbp")

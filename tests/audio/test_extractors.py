"""Laws that every kind of speech features keeps, and the sentences for what cannot be used."""

from importlib.util import find_spec

import numpy as np
import pytest

from nerf_talker.audio.extractor import Extractor
from nerf_talker.audio.registry import BUILT_IN, extractor_of_avatar, make_extractor
from nerf_talker.data.sample_motion import perform
from nerf_talker.data.synthetic import sample_sound
from nerf_talker.errors import AvatarError, InputError

from .test_logmel import RATE, speech_like
from .tiny_models import save_tiny

KINDS = (
    "logmel40",
    "mfcc26",
    "phones40",
    "articulation39",
    "hearing",
    "hf:hubert",
    "hf:wav2vec2",
    "hf:wavlm",
    "hf:whisper",
)


def need(library):
    if find_spec(library) is None:
        pytest.skip(f"the optional library {library} is not installed")


@pytest.fixture(scope="module", params=KINDS)
def extractor(request, tmp_path_factory):
    kind, _, model = request.param.partition(":")
    if kind == "hf":
        need("transformers")
        return make_extractor(f"hf:{save_tiny(model, tmp_path_factory.mktemp(model) / model)}")
    if kind == "phones40":
        need("pocketsphinx")
    return make_extractor(kind)


@pytest.fixture(scope="module")
def usual(extractor):
    """Speech of 1.5 s and its features."""
    from scipy.signal import resample_poly

    sound = resample_poly(sample_sound(perform(3.0, 0), 0), 2, 3)[RATE : RATE + 24000]
    return sound, extractor.features(sound).values


def test_it_says_what_it_gives(extractor, usual):
    features = extractor.features(usual[0][:8000])
    assert isinstance(extractor, Extractor)
    assert features.values.shape == (25, extractor.dims)
    assert features.values.dtype == np.float32
    assert (features.rate, features.offset) == (extractor.rate, 0.0) == (50.0, 0.0)
    assert features.extractor == extractor.name == extractor.identity
    assert 0 < extractor.look_ahead < 1


@pytest.mark.parametrize("frames", [1, 4])
def test_a_delay_by_video_frames_delays_the_features_by_as_many(extractor, usual, frames):
    sound, first = usual
    late = np.concatenate([np.zeros(frames * RATE // 25, np.float32), sound])
    second = extractor.features(late).values
    np.testing.assert_allclose(second[2 * frames :], first, atol=1e-5)


def test_nothing_beyond_the_look_ahead_is_seen(extractor, usual):
    sound, before = usual
    other = sound.copy()
    other[20000:] = 0
    changed = np.flatnonzero(np.abs(extractor.features(other).values - before).max(1) > 1e-6)
    assert changed.size
    assert changed[0] / extractor.rate > 1.25 - extractor.look_ahead - 1e-6


@pytest.mark.parametrize(
    "sound",
    [
        np.zeros(0),
        np.zeros(1),
        np.zeros(1600),
        np.ones(1600),
        np.sign(speech_like(0.3)),
        [9.0] * 99,
    ],
    ids=["nothing", "one sample", "silence 0.1 s", "constant 0.1 s", "clipped", "far outside"],
)
def test_any_sound_gives_finite_rows(extractor, sound):
    features = extractor.features(np.asarray(sound, np.float32))
    assert features.values.shape == (max(-(-len(sound) // 320), 1), extractor.dims)
    assert np.isfinite(features.values).all()


def test_what_is_no_sound_is_refused_in_one_sentence(extractor):
    broken = np.zeros(3200, np.float32)
    broken[1600:1610] = np.nan
    with pytest.raises(InputError, match=r"10 samples .* not numbers, the first at 0\.10 s"):
        extractor.features(broken)
    with pytest.raises(InputError, match=r"the shape \(2, 800\); give one channel"):
        extractor.features(np.zeros((2, 800)))


# A cepstrum mixes all bands, so at 8 kHz it lacks what a band alone does not.
@pytest.mark.parametrize(
    ("name", "rate"), [("logmel40", 8000), *((n, r) for n in KINDS[:2] for r in (44100, 48000))]
)
def test_the_sampling_rate_hardly_matters(name, rate):
    from scipy.signal import resample_poly

    sound = resample_poly(speech_like(1.0), 1, 4).repeat(4)  # nothing above 2 kHz but images
    sound = np.convolve(sound, np.hanning(16) / 7.5, "same")
    extractor = make_extractor(name)
    known = extractor.features(sound).values
    other = extractor.features(resample_poly(sound, rate // 100, RATE // 100), rate).values
    kept = slice(2, len(known) - 2)
    alike = [np.corrcoef(known[kept, d], other[kept, d])[0, 1] for d in range(8)]
    assert min(alike) > 0.98


def test_mfcc_velocity_is_the_slope_of_its_coefficients():
    sound = 0.2 * np.random.default_rng(0).normal(size=RATE) * np.exp(np.linspace(-3, 0, RATE))
    values = make_extractor("mfcc26").features(sound).values.astype(np.float64)
    reach = np.arange(-2, 3)
    for row in (10, 25, 40):
        slope = (reach[:, None] * values[row - 2 : row + 3, :13]).sum(0) / (reach**2).sum()
        np.testing.assert_allclose(values[row, 13:], slope, atol=1e-4)
    assert values[5:45, 13].mean() > 0, "the sound swells"


class TestSupplied:
    def made(self, folder, values, rate=50):
        np.save(folder / "f.npy", values)
        return make_extractor(f"npy:{folder / 'f.npy'}@{rate}")

    def test_rows_stay_as_they_are_at_50(self, tmp_path):
        values = np.random.default_rng(0).normal(size=(50, 7)).astype(np.float32)
        found = self.made(tmp_path, values)
        np.testing.assert_array_equal(found.features(np.zeros(RATE)).values, values)
        assert (found.name, found.dims) == ("npy:7@50", 7)

    @pytest.mark.parametrize("rate", [25, 30, 100])
    def test_other_rates_keep_the_time(self, tmp_path, rate):
        times = np.arange(2 * rate) / rate
        found = self.made(tmp_path, np.stack([times, -times], 1), rate)
        rows = found.features(np.zeros(2 * RATE)).values
        np.testing.assert_allclose(rows[:96, 0], np.arange(96) / 50, atol=1e-6)

    def test_windows_per_frame_are_laid_out_again(self, tmp_path):
        rows = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
        padded = np.pad(rows, ((8, 8), (0, 0)))
        wide = np.stack([padded[2 * frame : 2 * frame + 16] for frame in range(30)])
        for windows in (wide, rows.reshape(30, 2, 3)):
            found = self.made(tmp_path, windows, 25).features(np.zeros(round(1.2 * RATE)))
            np.testing.assert_array_equal(found.values, rows)

    def test_the_content_counts_for_the_dataset_and_the_kind_for_the_avatar(self, tmp_path):
        one, two = self.made(tmp_path, np.zeros((9, 4))), self.made(tmp_path, np.ones((9, 4)))
        assert one.name == two.name
        assert one.identity != two.identity

    @pytest.mark.parametrize(
        ("values", "rate", "sentence"),
        [
            (np.zeros((50, 4)), 25, "holds 50 rows, 2.00 s at 25 rows .* lasts 1.00 s"),
            (np.zeros(50), 50, r"shape \(50,\); wanted \(rows, values\)"),
            (np.full((50, 4), np.nan), 50, "row 0 holds values that are not numbers"),
            (np.zeros((50, 3, 4)), 25, "windows of 3 rows at 25 per second; wanted an even"),
            (np.array([["a"]]), 50, "holds no array of numbers"),
        ],
    )
    def test_other_content_is_refused(self, tmp_path, values, rate, sentence):
        with pytest.raises(InputError, match=sentence):
            self.made(tmp_path, values, rate).features(np.zeros(RATE))

    @pytest.mark.parametrize("rate", ["", "fast", "0", "nan"])
    def test_a_missing_rate_is_asked_for(self, tmp_path, rate):
        with pytest.raises(InputError, match=r"how many rows there are per second.*f\.npy@50"):
            self.made(tmp_path, np.zeros((50, 4)), rate)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("logmel", "no speech features 'logmel'; did you mean 'logmel40'"),
        ("deepspeech", "known are logmel40, mfcc26, phones40, articulation39, hearing, hf:FOLDER"),
        ("npy:none.npy@50", "none.npy: no such file"),
        ("hf:none", "none: no config.json here; give the local folder"),
    ],
)
def test_unknown_names_are_refused_with_the_known_ones(given, sentence):
    with pytest.raises(InputError, match=sentence):
        make_extractor(given)


@pytest.mark.parametrize(
    ("config", "layer", "sentence"),
    [
        ('{"model_type": "bert"}', "", "a model of the kind 'bert'; known are hubert"),
        ("not json", "", "config.json: damaged"),
        ('{"model_type": "hubert", "conv_stride": [5, 2, 2]}', "", "a row every 1.25 ms; only"),
        (
            '{"model_type": "hubert", "num_hidden_layers": 12}',
            ":13",
            "has the layers 0 to 12, not 13",
        ),
    ],
)
def test_folders_that_hold_no_encoder_are_refused(tmp_path, config, layer, sentence):
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(InputError, match=sentence):
        make_extractor(f"hf:{tmp_path}{layer}")


def test_a_library_that_is_missing_is_named_with_its_cure(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pocketsphinx", None)
    with pytest.raises(InputError, match=r"pip install 'nerf-talker\[asr\]'"):
        make_extractor("phones40")
    config = '{"model_type": "hubert", "num_hidden_layers": 12, "hidden_size": 768}'
    (tmp_path / "config.json").write_text(config)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'nerf-talker\[hf\]'"):
        make_extractor(f"hf:{tmp_path}")


def test_encoder_layers_differ_and_names_tell_weights_apart(tmp_path):
    need("transformers")
    folder = save_tiny("hubert", tmp_path / "hubert")
    names = {make_extractor(f"hf:{folder}{layer}").name for layer in ("", ":0", ":4")}
    assert len(names) == 3
    for weights in folder.glob("*.safetensors"):
        weights.write_bytes(weights.read_bytes()[:-4] + b"abcd")
    assert make_extractor(f"hf:{folder}").name not in names
    for weights in folder.glob("*.safetensors"):
        weights.write_bytes(b"torn")
    with pytest.raises(InputError, match="the encoder cannot be loaded"):
        make_extractor(f"hf:{folder}").features(np.zeros(RATE))
    for weights in folder.glob("*.safetensors"):
        weights.unlink()
    with pytest.raises(InputError, match="holds no weights"):
        make_extractor(f"hf:{folder}")


def test_an_avatar_gets_its_own_features_or_a_refusal(tmp_path):
    np.save(tmp_path / "f.npy", np.zeros((50, 4)))
    npy = f"npy:{tmp_path / 'f.npy'}@50"
    for name in ("logmel40", "mfcc26"):
        assert extractor_of_avatar(name, None).name == extractor_of_avatar(name, name).name == name
    assert extractor_of_avatar("npy:4@50", npy).dims == 4
    with pytest.raises(AvatarError, match="'logmel40', not on 'mfcc26'"):
        extractor_of_avatar("logmel40", "mfcc26")
    with pytest.raises(AvatarError, match="'npy:9@50', not on 'npy:4@50'"):
        extractor_of_avatar("npy:9@50", npy)
    with pytest.raises(AvatarError, match=r"come from files of yours.*hf:FOLDER"):
        extractor_of_avatar("hf:hubert-base:9:0a1b2c3d", None)
    with pytest.raises(AvatarError, match=r"'quantum7'.*upgrade"):
        extractor_of_avatar("quantum7", None)


def test_built_in_names_are_those_of_their_features():
    for name in set(BUILT_IN) - {"phones40"}:
        assert make_extractor(name).name.partition(":")[0] == name


def test_hidden_features_are_those_of_their_weights_alone(monkeypatch):
    hearing = make_extractor("hearing")
    assert hearing.name.startswith("hearing:") and len(hearing.name) == 16
    assert extractor_of_avatar(hearing.name, None).name == hearing.name
    assert extractor_of_avatar(hearing.name, "hearing").name == hearing.name
    with pytest.raises(AvatarError, match=r"'hearing:00000000', and this version has 'hearing:"):
        extractor_of_avatar("hearing:00000000", None)


def test_voice_activity_is_where_the_extractor_says():
    sound = np.concatenate([np.zeros(RATE), sample_sound(perform(3.0, 0), 0)[: 3 * RATE]])
    for name in ("articulation39", "hearing"):
        extractor = make_extractor(name)
        heard = extractor.features(sound.astype(np.float32)).values[:, extractor.voice_activity]
        assert heard[:40].mean() < 0.3 < heard[60:].mean()
    assert make_extractor("logmel40").voice_activity is None

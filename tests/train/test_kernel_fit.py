import torch

from nerf_talker.field.audio_encoder import WINDOW, AudioEncoder, AudioEncoderConfig
from nerf_talker.train.kernel_fit import fit_kernel


def clip(frames, generator, told=2):
    """Windows of smooth features, and codes of which the first ``told`` follow from them."""
    rows = torch.randn(2 * frames + WINDOW, 6, generator=generator)
    smooth = torch.nn.functional.avg_pool1d(rows.T[None], 9, 1, 4)[0].T * 3
    windows = torch.stack([smooth[2 * k : 2 * k + WINDOW] for k in range(frames)])
    middle = windows[:, WINDOW // 2]
    codes = torch.randn(frames, 4, generator=generator)
    codes[:, 0] = torch.tanh(middle[:, 0])
    codes[:, 1] = middle[:, 1] * middle[:, 2]
    return windows, codes


def fitted(memory, windows, codes):
    encoder = AudioEncoder(AudioEncoderConfig(memory=memory), 6, codes.shape[1])
    return encoder, fit_kernel(encoder, windows, codes)


def correlation(found, truth):
    return [
        float(torch.corrcoef(torch.stack([a, b]))[0, 1])
        for a, b in zip(found.T, truth.T, strict=True)
    ]


def test_what_follows_from_the_sound_is_learned_and_the_rest_is_left_alone(generator):
    windows, codes = clip(600, generator)
    encoder, held_out = fitted(1000, windows[:450], codes[:450])
    new = encoder.predict(windows[470:])
    told = correlation(new, codes[470:])
    assert told[0] > 0.85 and told[1] > 0.5
    assert float(new[:, 2:].std()) < 0.3, "chance is not a mouth"
    expected = correlation(held_out, codes[:450])
    assert abs(expected[0] - told[0]) < 0.05 and abs(expected[1] - told[1]) < 0.15


def test_folds_are_predicted_without_themselves(generator):
    windows, codes = clip(240, generator)
    changed = codes.clone()
    changed[:40, 0] += 5
    _, before = fitted(300, windows, codes)
    _, after = fitted(300, windows, changed)
    first = torch.corrcoef(torch.stack([before[:40, 0], codes[:40, 0]]))[0, 1]
    assert float(first) > 0.8
    assert float((after[:40, 0] - before[:40, 0]).abs().max()) < 1.5, "a fold saw its own codes"
    assert float((after[60:, 0] - before[60:, 0]).abs().max()) > 0.05


def test_a_small_memory_learns_from_all_frames(generator):
    windows, codes = clip(600, generator)
    whole = correlation(
        fitted(1000, windows[:500], codes[:500])[0].predict(windows[520:]), codes[520:]
    )
    small = correlation(
        fitted(120, windows[:500], codes[:500])[0].predict(windows[520:]), codes[520:]
    )
    few = correlation(
        fitted(120, windows[:500:4], codes[:500:4])[0].predict(windows[520:]), codes[520:]
    )
    assert whole[0] >= small[0] - 0.02 and small[0] > few[0]


def test_two_frames_are_enough_to_go_on(generator):
    windows, codes = clip(2, generator)
    encoder, _ = fitted(5, windows, codes)
    assert torch.isfinite(encoder(windows)).all()

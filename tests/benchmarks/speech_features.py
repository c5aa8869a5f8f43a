"""How much of the lips each speech feature tells, on a prepared dataset.

``python -m tests.benchmarks.speech_features DATASET``: first 10/11 of the frames train, the last
1/11 tests. A ridge regression on windows of 0.3 s either side (penalty by contiguous folds of the
training part), a small temporal network (mean of seeds) and the talker's own audio encoder predict
the lip gap and the first three principal components of the 40 lip points, mean-centred and divided
by the eyes' distance. The encoder's line says what reaches the talker, its gain included.

Every line is there twice where preprocessing found the sound beside the picture: with the sound as
the dataset has it, and moved by what was found. Networks trained on nothing but this talker have
chance in them: their lines are mean ± deviation over seeds. Six seconds of test have chance in them
too: with ``--elevenths`` a fourth line is the encoder's mean over all eleven elevenths, each held
out in turn.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from nerf_talker.audio.articulation import COLUMNS, Articulation, Hearing
from nerf_talker.audio.logmel import LogMel
from nerf_talker.audio.mfcc import Mfcc
from nerf_talker.audio.phones import Phones
from nerf_talker.audio.sound import read_sound
from nerf_talker.data.manifest import DatasetFiles, read_manifest
from nerf_talker.errors import InputError
from nerf_talker.field.audio_encoder import WINDOW, AudioEncoder, AudioEncoderConfig
from nerf_talker.geometry.mesh import EYE_CORNERS, LIPS, lip_gap
from nerf_talker.train.audio_phase import gain
from nerf_talker.train.config import AudioPhaseConfig
from nerf_talker.train.kernel_fit import fit_kernel
from nerf_talker.types import AudioFeatures

PENALTIES = 10.0 ** np.arange(-1, 6)
FOLDS = 5
TARGETS = ("gap", "PC1", "PC2", "PC3")


def lips(landmarks, train):
    """(F, 4) lip gap and three principal components, the components fitted on training frames."""
    points = landmarks[:, LIPS, :2].astype(np.float64)
    first, second = EYE_CORNERS
    apart = np.linalg.norm(landmarks[:, first, :2] - landmarks[:, second, :2], axis=-1)
    shape = ((points - points.mean(1, keepdims=True)) / apart[:, None, None]).reshape(
        len(points), -1
    )
    mean = shape[train].mean(0)
    basis = np.linalg.svd(shape[train] - mean, full_matrices=False)[2][:3]
    return np.column_stack([lip_gap(landmarks), (shape - mean) @ basis.T])


def moved(values, shift):
    """Rows as they would be if the sound came ``shift`` seconds earlier; linear between rows."""
    rows = np.clip(np.arange(len(values)) + 50 * shift, 0, len(values) - 1)
    lower = np.floor(rows).astype(int)
    upper, part = np.minimum(lower + 1, len(values) - 1), (rows - lower)[:, None]
    return ((1 - part) * values[lower] + part * values[upper]).astype(np.float32)


def windows(values, frames, fps):
    """(F, 30, D) rows of 0.3 s either side of each frame."""
    return AudioFeatures(values, 50.0, "any").windows(np.arange(frames) / fps, WINDOW)


def standard(rows, train):
    """(F, 30 D) windows standardised to the training frames."""
    flat = rows.reshape(len(rows), -1)
    mean, spread = flat[train].mean(0), flat[train].std(0)
    return ((flat - mean) / np.maximum(spread, 1e-3)).clip(-4, 4)


def ridge(features, targets, train):
    """(F, 4) predictions; one penalty per target, chosen by contiguous folds."""
    folds = np.array_split(train, FOLDS)
    errors = np.zeros((len(PENALTIES), targets.shape[1]))
    for held in folds:
        rest = np.setdiff1d(train, held)
        for k, found in enumerate(_solve(features[rest], targets[rest], features[held])):
            errors[k] += ((found - targets[held]) ** 2).sum(0)
    found = np.stack(list(_solve(features[train], targets[train], features)))
    return np.stack([found[k, :, t] for t, k in enumerate(errors.argmin(0))], 1)


def _solve(features, targets, wanted):
    mean, centre = features.mean(0), targets.mean(0)
    left, singular, right = np.linalg.svd(features - mean, full_matrices=False)
    inner = left.T @ (targets - centre)
    seen = (wanted - mean) @ right.T
    for penalty in PENALTIES:
        yield centre + seen @ (inner * (singular / (singular**2 + penalty * 10))[:, None])


def network(features, targets, train, seed):
    """(F, 4) predictions of a small temporal network."""
    torch.manual_seed(seed)
    depth = features.shape[1] // WINDOW
    given = torch.from_numpy(features.astype(np.float32)).reshape(len(features), -1, depth)
    given = given.transpose(1, 2)
    mean, spread = targets[train].mean(0), targets[train].std(0)
    wanted = torch.from_numpy(((targets - mean) / spread).astype(np.float32))
    net = torch.nn.Sequential(
        torch.nn.Conv1d(depth, 48, 5, stride=2),
        torch.nn.GELU(),
        torch.nn.Dropout(0.3),
        torch.nn.Conv1d(48, 48, 5, stride=2),
        torch.nn.GELU(),
        torch.nn.Flatten(),
        torch.nn.Dropout(0.4),
        torch.nn.Linear(48 * 5, 4),
    )
    optimiser = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=0.05)
    rows = torch.from_numpy(train)
    for step in range(400):
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * (1 - step / 400)
        picked = rows[torch.randint(len(rows), (128,))]
        noisy = given[picked] + 0.2 * torch.randn(len(picked), depth, 1)
        loss = (net(noisy) - wanted[picked]).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    net.eval()
    with torch.no_grad():
        return net(given).numpy() * spread + mean


@torch.no_grad()
def encoder(values, rows, targets, train, fps):
    """(F, 4) predictions of the talker's audio encoder, fitted as in training."""
    mean, spread = targets[train].mean(0), targets[train].std(0)
    codes = torch.from_numpy(((targets - mean) / spread).astype(np.float32))[train]
    made = AudioEncoder(AudioEncoderConfig(), values.shape[1], codes.shape[1])
    made.fit_normalisation(values[: round(len(train) / fps * 50)])
    given = torch.from_numpy(rows)
    held_out = fit_kernel(made, made.normalise(given[train]), codes)
    made.gain.copy_(gain(held_out, codes, AudioPhaseConfig().spread))
    return made(given).numpy() * spread + mean


def figures(found, targets, test):
    """Correlation of each target in the test range, and the gap's deviation over the truth's."""
    told = [np.corrcoef(found[test, k], targets[test, k])[0, 1] for k in range(len(TARGETS))]
    return [*told, found[test, 0].std() / targets[test, 0].std()]


def every_eleventh(heard, seen, landmarks, fps):
    """Figures of the talker's encoder for each eleventh of the clip, learned from the others."""
    frames, found = len(landmarks), []
    for test in np.array_split(np.arange(frames), 11):
        # Windows at the border share sound with the held-out part.
        beside = np.arange(test[0] - WINDOW // 4, test[-1] + WINDOW // 4 + 1)
        train = np.setdiff1d(np.arange(frames), beside)
        targets = lips(landmarks, train)
        found.append(figures(encoder(heard, seen, targets, train, fps), targets, test))
    return np.mean(found, 0)


def extractors(samples):
    """Name -> (A, D) features at 50 Hz."""
    mel = LogMel().features(samples).values
    heard = Articulation().features(samples).values
    hidden = Hearing().features(samples).values
    curves = [k for k, name in enumerate(COLUMNS) if not name.startswith("P(")]
    found = {
        "log energy": mel.max(1, keepdims=True),
        "log-mel 40": mel,
        "MFCC 26": Mfcc().features(samples).values,
        "articulation": heard,
        "articulation, curves alone": heard[:, curves],
        "log-mel 40 + articulation": np.concatenate([mel, heard], 1),
        "hearing": hidden,
        "log-mel 40 + hearing": np.concatenate([mel, hidden], 1),
    }
    try:
        found["phones 40"] = Phones().features(samples).values
    except InputError as why:
        print(f"without phones 40: {why}\n")
    return found


def beside(manifest):
    """Seconds by which the dataset's sound is later than its lips, as preprocessing found."""
    notes = manifest.stages["audio"].notes
    return (notes["av_offset_ms"] - notes["av_corrected_ms"]) / 1000


def say(name, shift, model, cells):
    line = [name, f"{round(-1000 * shift)}", model, *cells]
    print(f"| {' | '.join(line)} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--elevenths", action="store_true")
    given = parser.parse_args()
    files, manifest = DatasetFiles(given.dataset), read_manifest(given.dataset)
    with np.load(files.track) as track:
        landmarks = track["landmarks"]
    frames = len(landmarks)
    train, test = np.arange(frames * 10 // 11), np.arange(frames * 10 // 11, frames)
    targets = lips(landmarks, train)
    features = extractors(read_sound(files.sound))
    print("| features | sound moved, ms | model | gap | PC1 | PC2 | PC3 | gap std ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, values in features.items():
        for shift in dict.fromkeys([0.0, beside(manifest)]):
            heard = moved(values, shift)
            seen = windows(heard, frames, manifest.fps)
            rows = standard(seen, train)
            models = {
                "ridge": [ridge(rows, targets, train)],
                "encoder": [encoder(heard, seen, targets, train, manifest.fps)],
                "network": [network(rows, targets, train, k) for k in range(given.seeds)],
            }
            for model, results in models.items():
                told = np.array([figures(found, targets, test) for found in results])
                cells = [f"{v:.2f}" for v in told.mean(0)]
                if len(told) > 1:
                    cells = [
                        f"{c} ± {v:.2f}" for c, v in zip(cells, told.std(0, ddof=1), strict=True)
                    ]
                say(name, shift, model, cells)
            if given.elevenths:
                told = every_eleventh(heard, seen, landmarks, manifest.fps)
                say(name, shift, "encoder, all elevenths", [f"{v:.2f}" for v in told])


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()

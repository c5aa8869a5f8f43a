"""A run killed anywhere goes on to the same bytes; a change reruns what depends on it, no more."""

import hashlib
import re
import subprocess
import sys
import textwrap
from dataclasses import replace

import numpy as np
import pytest

from nerf_talker.data.manifest import DatasetFiles, read_manifest
from nerf_talker.errors import InputError, StageError
from nerf_talker.preprocess import pipeline
from nerf_talker.preprocess.pipeline import STAGES
from nerf_talker.preprocess.stage import read_records

from .tiny import options

NAMES = [stage.name for stage in STAGES]
POSED = ["tracking", "expression", "torso"]
# A parent that only imports forks one child per run, so that a run costs no import; the child
# kills itself with SIGKILL at the wanted point, which no handler and no `finally` sees.
KILLER = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from nerf_talker.preprocess import pipeline, stage
from nerf_talker.preprocess.options import PreprocessOptions
import av, cv2, scipy.optimize, scipy.signal, torch, python_speech_features

clip, root, landmarks, masks = map(Path, sys.argv[1:])
options = PreprocessOptions(size=64, landmarks=landmarks, masks=masks, quiet=True)

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def die_inside(found):
    def run(context):
        found.run(context)
        target = context.scratch / found.outputs[0]
        os.truncate(target, target.stat().st_size // 2)
        die()
    return replace(found, run=run)

def die_publishing(found):
    def publish(done, scratch, root):
        if done.name == found.name:
            target = root / done.outputs[0]
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(scratch / done.outputs[0], target)
            die()
        return stage.publish(done, scratch, root)
    pipeline.publish = publish
    return found

def die_reporting():
    def write(*_):
        (root / f".report.{os.getpid()}.html").write_text("half")
        die()
    pipeline.split.write_report = write

def child(name, break_it):
    process = os.fork()
    if not process:
        if name == "report":
            die_reporting()
        elif name:
            broken = [break_it(s) if s.name == name else s for s in pipeline.STAGES]
            pipeline.STAGES = tuple(broken)
        pipeline.preprocess(clip, root, options)
        os._exit(0)
    return os.waitpid(process, 0)[1]

for found in pipeline.STAGES:
    for break_it in (die_inside, die_publishing):
        assert child(found.name, break_it) == signal.SIGKILL, found.name
    print(found.name, *sorted(stage.read_records(root)), flush=True)
assert child("report", None) == signal.SIGKILL
assert child("", None) == 0
"""


def digests(root):
    """SHA-256 of every file; what says how long the work took is left out."""
    found = {}
    for path in sorted(p for p in root.rglob("*") if p.is_file() and p.parent.name != "cache"):
        content = path.read_bytes()
        if path.suffix == ".json":
            content = re.sub(rb'"(preprocess_)?seconds":\s*[\d.]+', b"", content)
        if path.suffix == ".html":
            content = re.sub(rb"<span class=.took.>[^<]*</span>", b"", content)
        found[str(path.relative_to(root))] = hashlib.sha256(content).hexdigest()
    return found


def test_killed_in_every_stage_and_rerun_gives_the_same_bytes(made, tiny, tmp_path):
    root = tmp_path / made.name
    paths = [str(p) for p in (tiny.clip, root, tiny.landmarks, tiny.masks)]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLER), *paths], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    # A kill inside a stage loses that stage, never an earlier one.
    said = [line.split() for line in done.stdout.splitlines()]
    assert [(line[0], set(line[1:])) for line in said] == [
        (name, set(NAMES[:index])) for index, name in enumerate(NAMES)
    ]
    assert digests(root) == digests(made)


def changes(tiny, folder):
    """Option -> (its new value, the stages that must run again)."""
    from nerf_talker.audio.sound import write_wav

    landmarks, masks = np.load(tiny.landmarks)["landmarks"], np.load(tiny.masks)
    write_wav(folder / "other.wav", 0.1 * np.ones(16000 * 3))
    np.savez(folder / "landmarks.npz", landmarks=landmarks + 0.25)
    alpha = masks["head_alpha"] // 2 + 100
    np.savez(folder / "masks.npz", labels=masks["labels"], head_alpha=alpha)
    (folder / "parser.pt").write_bytes(b"another")
    return {
        "quiet": (False, []),
        "models": (folder, []),
        "audio": (folder / "other.wav", ["audio"]),
        "masks": (folder / "masks.npz", ["parsing", "background", "torso"]),
        "landmarks": (folder / "landmarks.npz", NAMES),
        "audio_features": ("mfcc26", ["audio"]),
        "size": (80, NAMES),
        "fps": (50, NAMES),
        "face": ("left", NAMES),
        "scene": (1, NAMES),
        "av_offset": (40.0, ["audio"]),
        "landmarker": ("litert", NAMES),
        "poses": ("pnp", POSED),
        "parser": (folder / "parser.pt", ["parsing", "background", "torso"]),
        "background": ("plain", ["background"]),
    }


def test_an_option_reruns_what_depends_on_it_and_no_more(made, tiny, tmp_path):
    digest = pipeline.file_digest(tiny.clip)
    records = read_records(made)
    for name, (value, expected) in changes(tiny, tmp_path).items():
        # A mask file leaves a parser nothing to do.
        alone = {"masks": None} if name == "parser" else {}
        changed = options(tiny, **{name: value}, **alone)
        stale = pipeline._stale(made, digest, changed, records)
        assert [stage.name for stage, _ in stale] == expected, name


def test_a_feature_file_with_other_content_reruns_the_sound(made, tiny, tmp_path):
    digest, seen = pipeline.file_digest(tiny.clip), []
    for number in (0.0, 1.0):
        np.save(tmp_path / "f.npy", np.full((120, 4), number))
        changed = options(tiny, audio_features=f"npy:{tmp_path / 'f.npy'}@50")
        ((stage, recipe),) = pipeline._stale(made, digest, changed, read_records(made))
        assert stage.name == "audio"
        seen.append(recipe.fingerprint)
    assert seen[0] != seen[1]


def test_every_option_is_in_the_matrix(tiny, tmp_path):
    assert set(changes(tiny, tmp_path)) == set(type(options(tiny)).model_fields)


@pytest.mark.parametrize("name", NAMES)
def test_a_new_version_of_a_stage_reruns_it_and_its_readers(made, tiny, monkeypatch, name):
    readers = {name}
    for stage in STAGES:
        if readers & set(stage.inputs):
            readers.add(stage.name)
    newer = [s if s.name != name else replace(s, version=s.version + 1) for s in STAGES]
    monkeypatch.setattr(pipeline, "STAGES", tuple(newer))
    stale = pipeline._stale(
        made, pipeline.file_digest(tiny.clip), options(tiny), read_records(made)
    )
    assert {stage.name for stage, _ in stale} == readers


def test_the_manifest_says_how_each_stage_was_made(made, tiny):
    stages = read_manifest(made).stages
    assert list(stages) == NAMES
    for stage in STAGES:
        record = stages[stage.name]
        assert record.version == stage.version
        assert record.inputs == {name: stages[name].fingerprint for name in stage.inputs}
        assert record.outputs == {name: (made / name).stat().st_size for name in stage.outputs}
        assert set(record.options) == set(stage.options)
        assert record.status == ("warned" if record.notes.get("warnings") else "done")
        assert record.seconds >= 0
    assert stages["ingest"].files["clip"] == hashlib.sha256(tiny.clip.read_bytes()).hexdigest()


def failing(monkeypatch, name, error):
    def fail(context):
        for index in context.progress(range(60), "frames", 60):
            if index == 41:
                raise error

    stages = [s if s.name != name else replace(s, run=fail) for s in STAGES]
    monkeypatch.setattr(pipeline, "STAGES", tuple(stages))


@pytest.mark.parametrize("name", NAMES)
def test_a_failure_names_stage_frame_cause_and_cure(tiny, tmp_path, monkeypatch, name):
    failing(monkeypatch, name, InputError("the picture is torn; export the clip again"))
    with pytest.raises(InputError, match=f"^{name}, frame 41: the picture is torn; export"):
        pipeline.preprocess(tiny.clip, tmp_path / "d", options(tiny))
    files = DatasetFiles(tmp_path / "d")
    assert not files.manifest.exists() and not files.report.exists()
    done = NAMES[: NAMES.index(name)]
    assert set(read_records(tmp_path / "d")) == set(done)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (RuntimeError("singular\nmatrix"), r"stopped unexpectedly \(RuntimeError singular matrix"),
        (MemoryError(), "memory ran out; .* a smaller --size"),
    ],
)
def test_an_unforeseen_failure_is_one_sentence(copied, tiny, monkeypatch, error, sentence):
    from nerf_talker.audio.sound import write_wav

    write_wav(copied.parent / "other.wav", 0.1 * np.ones(16000 * 3))
    chosen = options(tiny, audio=copied.parent / "other.wav")
    with monkeypatch.context() as patch:
        failing(patch, "audio", error)
        with pytest.raises(StageError, match=f"^audio, frame 41: {sentence}"):
            pipeline.preprocess(tiny.clip, copied, chosen)
    details = copied / "work" / "failure.txt"
    assert details.exists() == isinstance(error, RuntimeError)
    pipeline.preprocess(tiny.clip, copied, chosen)
    assert not details.exists()

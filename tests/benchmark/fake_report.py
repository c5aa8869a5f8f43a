"""Reports and runners without any training."""

from pathlib import Path

from nerf_talker.benchmark import Runner, Suite
from nerf_talker.evaluate.schema import (
    Baselines,
    Metrics,
    ReaderInfo,
    Report,
    Speed,
    SyncInfo,
    TruthFigures,
)

SUITE = {
    "clips": [{"name": "sample", "size": 64, "sample": {"seconds": 4}}],
    "configs": ["smoke", {"name": "long", "config": "smoke", "change": {"train": {"steps": 90}}}],
    "seeds": [0, 1],
}


def report(psnr=30.0, lpips=0.02, **others):
    still = Metrics(psnr=20.0, lpips=0.3)
    return Report(
        frames=50,
        split="test",
        size=64,
        drive="audio",
        metrics=Metrics(psnr=psnr, lpips=lpips, **others),
        own_torso=Metrics(psnr=psnr + 1),
        head_only=Metrics(psnr=psnr + 3),
        baselines=Baselines(mean_frame=still, nearest_frame=still),
        speed=Speed(render_fps=9.0, end_to_end_fps=4.0, train_seconds=7.0, preprocess_seconds=None),
        environment={"torch": "2"},
        subject="sample",
        avatar="a",
        truth=TruthFigures(),
        reader=ReaderInfo(name="mediapipe", track_corr=None, track_error=None),
        sync=SyncInfo(expert="nerf-talker expert", lags=[], distances={}),
        not_measured={},
        notes=[],
    )


class Bench:
    """A runner whose training and evaluation only count; ``fails`` maps cell titles to errors."""

    def __init__(self, monkeypatch, root, suite=SUITE):
        self.root, self.suite = Path(root), Suite.model_validate(suite)
        self.prepared, self.trained, self.fails = [], [], {}
        monkeypatch.setattr("nerf_talker.benchmark.run.train_cell", self._train)
        monkeypatch.setattr("nerf_talker.benchmark.run.Runner._evaluate", self._evaluate)
        monkeypatch.setattr("nerf_talker.benchmark.run.measure_video", self._watch)
        self.watched = []
        monkeypatch.setattr("nerf_talker.benchmark.run.write_sample", lambda *given: None)

    def run(self, **changes):
        self.trained.clear()
        suite = self.suite.model_copy(update=changes)
        return Runner("fake", suite, self.root, self._prepare).run()

    def _prepare(self, footage, dataset):
        self.prepared.append(footage)
        if "prepare" in self.fails:
            raise self.fails["prepare"]
        dataset.mkdir(exist_ok=True)

    def _train(self, cell, dataset, run, quiet):
        self.trained.append(cell.title)
        run.mkdir(parents=True, exist_ok=True)
        if cell.title in self.fails:
            raise self.fails[cell.title]

    def _watch(self, video, dataset, folder, models, quiet):
        self.watched.append(video.name)
        folder.mkdir(parents=True, exist_ok=True)
        return report(27.0)

    def _evaluate(self, cell, dataset, folder):
        return report(30 + cell.seed + (1 if cell.config == "long" else 0))

from nerf_talker.evaluate.notes import pair_notes
from nerf_talker.evaluate.schema import Metrics
from nerf_talker.evaluate.table import columns, table, text_table
from tests.benchmark.fake_report import report

VIDEOS = {"kind": "videos", "head_only": None, "baselines": None, "sync": None}


def figures(*reports):
    return [column.figure for column in columns(reports)]


def test_two_videos_show_loudness_and_what_cannot_be_known_has_no_column():
    own = Metrics(psnr=30, loudness_offset_frames=2, loudness_confidence=0.25)
    pair = report().model_copy(update={**VIDEOS, "metrics": own})
    shown = figures(pair)
    assert {"loudness_offset_frames", "loudness_confidence"} < set(shown)
    assert not [name for name in shown if name.startswith(("sync", "speech"))]
    row = dict(zip(table(pair)[0], table(pair)[1], strict=True))
    assert row["loudness lag"] == "2" and "loudness lag" in text_table(pair)


def test_an_avatar_shows_expert_and_speech():
    shown = figures(report())
    assert {"sync_distance", "speech_confidence"} < set(shown)
    assert not [name for name in shown if name.startswith("loudness")]


def test_reports_of_both_kinds_show_every_column_once():
    both = figures(report(), report().model_copy(update=VIDEOS))
    assert len(both) == len(set(both)) == 20
    assert {name.split(".")[0] for name in both} <= set(Metrics.model_fields)


def test_no_note_on_two_videos_speaks_of_what_was_not_measured():
    notes = pair_notes("mediapipe", ["cut to 50 frames"])
    assert not [note for note in notes if note.startswith("sync_")]
    assert any("loudness_" in note for note in notes)

"""A table of jobs: every row exactly once, whatever fails or is interrupted."""

import csv
import os

import pytest

from nerf_talker.cli import main
from nerf_talker.drive.batch import read_jobs
from nerf_talker.errors import InputError

from .test_drive import write_tone


@pytest.fixture
def table(ellipse_run, tmp_path, monkeypatch):
    """A function that writes jobs.csv; rows are dicts over a usual one."""
    monkeypatch.chdir(tmp_path)
    write_tone(tmp_path / "a.wav", 0.12)

    def write(*rows):
        usual = {"avatar": str(ellipse_run), "audio": "a.wav", "text": "", "options": "--eyes idle"}
        rows = [usual | {"output": f"out{k}.mp4"} | row for k, row in enumerate(rows)]
        with (tmp_path / "jobs.csv").open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(dict.fromkeys(k for row in rows for k in row)))
            writer.writeheader()
            writer.writerows(rows)
        return tmp_path / "jobs.csv"

    return write


def stamp(path):
    return os.stat(path).st_mtime_ns


def test_finished_rows_are_skipped_and_changed_ones_are_not(table, tmp_path, capsys):
    assert main(["batch", str(table({}, {}, {})), "--quiet"]) == 0
    made = [stamp(f"out{k}.mp4") for k in range(3)]
    assert "3 done, 0 done before, 0 failed" in capsys.readouterr().out
    assert main(["batch", "jobs.csv"]) == 0
    assert [stamp(f"out{k}.mp4") for k in range(3)] == made
    assert "0 done, 3 done before" in capsys.readouterr().out
    (tmp_path / "out0.mp4").unlink()
    table({}, {}, {"options": "--eyes fixed"})
    assert main(["batch", "jobs.csv"]) == 0
    assert "2 done, 1 done before" in capsys.readouterr().out
    assert stamp("out1.mp4") == made[1]
    write_tone(tmp_path / "a.wav", 0.16)
    assert main(["batch", "jobs.csv"]) == 0
    assert "3 done" in capsys.readouterr().out


def test_a_failed_row_is_named_and_the_others_go_on(table, capsys):
    rows = table({}, {"audio": "missing.wav"}, {"options": "--nonsense"}, {})
    assert main(["batch", str(rows)]) == 1
    said = capsys.readouterr()
    assert "2 done, 0 done before, 2 failed (lines 3, 4)" in said.out
    assert "missing.wav" in said.err
    assert os.path.exists("out3.mp4") and not os.path.exists("out1.mp4")


def test_an_interrupted_batch_goes_on_where_it_was(table, capsys, monkeypatch):
    import nerf_talker.drive.speech as speech

    rows, real, calls = table({}, {}, {}), speech.render_source, []

    def interrupted(*arguments, **named):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments, **named)

    monkeypatch.setattr(speech, "render_source", interrupted)
    assert main(["batch", str(rows)]) == 130
    assert os.path.exists("out0.mp4") and not os.path.exists("out2.mp4")
    assert main(["batch", str(rows)]) == 0
    assert "2 done, 1 done before" in capsys.readouterr().out
    assert len(calls) == 4


def test_a_fault_of_the_program_fails_its_row_alone(table, capsys, monkeypatch):
    import nerf_talker.drive.speech as speech

    def broken(*arguments, **named):
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(speech, "render_source", broken)
    assert main(["batch", str(table({}))]) == 1
    assert "line 2: stopped unexpectedly (ZeroDivisionError oh)" in capsys.readouterr().err


def test_what_a_row_writes_does_not_make_it_stale(table, capsys):
    rows = table({"options": "--dump-driving moves.npz"}, {"options": "--dump-driving=more.npz"})
    assert main(["batch", str(rows)]) == 0 and main(["batch", str(rows)]) == 0
    assert "0 done, 2 done before" in capsys.readouterr().out


def test_a_finished_folder_of_pictures_is_skipped(table, capsys):
    rows = table({"output": "pictures/"})
    assert main(["batch", str(rows)]) == 0 and main(["batch", str(rows)]) == 0
    assert "0 done, 1 done before" in capsys.readouterr().out


def test_a_damaged_journal_only_costs_time(table, tmp_path, capsys):
    rows = table({})
    for content in ("{", "[1]", '{"out0.mp4": 3}'):
        (tmp_path / "jobs.csv.journal.json").write_text(content)
        assert main(["batch", str(rows)]) == 0
        assert "1 done" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "no column avatar or output"),
        ("avatar,output,audio\n", "holds no rows"),
        ("avatar,output,sound\na,b,c\n", "unknown column 'sound'"),
        ("avatar,output,audio\na,b\n", "line 2 has not as many values"),
        ("avatar,output,audio\na,b,c,d\n", "line 2 has not as many values"),
        ("avatar,output,audio\n,b,c\n", "line 2 has no avatar"),
        ("avatar,output,audio\na,-,c\n", "line 2: the output of a batch is a file"),
        ("avatar,output,audio,text\na,b,c,d\n", "line 2 needs either audio or text"),
        ("avatar,output,audio,text\na,b,,\n", "line 2 needs either audio or text"),
        ("avatar,output,audio\na,b,c\na,./b,d\n", "lines 2 and 3 write the same"),
        ("avatar,output,audio,options\na,b,c,'x\n", "line 2: options"),
        ("avatar,output,audio\n\xff\x00,b,c\n", "not a table"),
    ],
)
def test_bad_tables_are_refused_in_one_sentence(tmp_path, content, sentence):
    (tmp_path / "jobs.csv").write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError, match=r"jobs\.csv: ") as caught:
        read_jobs(tmp_path / "jobs.csv")
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


def test_a_text_longer_than_a_path_is_a_text(table):
    jobs = read_jobs(table({"audio": "", "text": "word " * 2000}))
    assert len(jobs[0].fingerprint()) == 32

from pathlib import Path

from nerf_talker.benchmark import code_version


def test_digest_follows_every_source_that_decides_a_figure(tmp_path, monkeypatch):
    source = tmp_path / "inner" / "metric.py"
    source.parent.mkdir()
    source.write_text("one")
    monkeypatch.setattr(code_version, "files", lambda part: tmp_path)
    fresh = code_version.code_digest.__wrapped__
    first = fresh()
    (tmp_path / "notes.html").write_text("no figure depends on it")
    assert fresh() == first
    source.write_text("two")
    second = fresh()
    source.rename(tmp_path / "inner" / "other.py")
    assert len({first, second, fresh()}) == 3


def test_commit_is_known_in_a_checkout_and_nowhere_else(tmp_path, monkeypatch):
    monkeypatch.setattr(code_version, "files", lambda part: tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert code_version.commit() is None


def test_modules_of_the_package_itself_count_and_commands_do_not(tmp_path, monkeypatch):
    package, empty = tmp_path / "package", tmp_path / "empty"
    (package / "cli").mkdir(parents=True)
    empty.mkdir()
    monkeypatch.setattr(
        code_version, "files", lambda part: package if part == "nerf_talker" else empty
    )
    fresh = code_version.code_digest.__wrapped__
    first = fresh()
    (package / "cli" / "verb.py").write_text("a command")
    assert fresh() == first
    (package / "types.py").write_text("one")
    assert fresh() != first


def test_every_kind_of_file_that_could_move_a_figure_is_digested():
    from importlib.resources import files

    parts = [Path(str(files(part))) for part in code_version.PARTS]
    kinds = {p.suffix for part in parts for p in part.rglob("*") if p.is_file()}
    words_pages_and_built = {".md", ".html", ".pyc", ".so"}
    assert kinds - words_pages_and_built == code_version._SUFFIXES


def test_every_package_but_commands_and_benchmarks_is_digested():
    from importlib.resources import files

    here = {f"nerf_talker.{path.name}" for path in files("nerf_talker").iterdir() if path.is_dir()}
    passing = {"nerf_talker.cli", "nerf_talker.benchmark", "nerf_talker.__pycache__"}
    configurations = {"nerf_talker.configs"}  # each cell's own stands in its fingerprint
    assert here - passing - configurations <= set(code_version.PARTS)

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

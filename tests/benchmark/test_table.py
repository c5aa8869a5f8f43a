import csv
import io
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nerf_talker.benchmark import publish, regressions
from nerf_talker.benchmark.figures import FIGURES
from nerf_talker.benchmark.table import Failure, Statistic, Table, TableRow, read_table, statistic
from nerf_talker.errors import ConfigError, InputError

BEST = {"psnr": (30.0, 0.1), "lpips": (0.02, None), "lipgap_lag_frames": (0.0, 0.0)}


def table(values=BEST, name="demo", failures=()):
    figures = {
        key: Statistic(mean=mean, spread=spread, count=3) for key, (mean, spread) in values.items()
    }
    return Table(
        suite="sample",
        drive="audio",
        expert="nerf-talker expert",
        nerf_talker="0.1.0",
        code="abc",
        commit=None,
        environment={"torch": "2 <3"},
        rows=[TableRow(clip="sample", name=name, seeds=3, figures=figures)],
        failures=list(failures),
    )


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=9), st.floats(-50, 50))
def test_spread_does_not_move_with_the_mean(values, shift):
    one, other = statistic(values), statistic([value + shift for value in values])
    assert other.mean == pytest.approx(one.mean + shift, abs=1e-6)
    assert other.spread == pytest.approx(one.spread, abs=1e-6)
    assert statistic(values[:1]).spread is None


def test_equal_and_better_tables_pass():
    assert regressions(table(), table(), 0.0) == []
    better = {"psnr": (35.0, None), "lpips": (0.001, None), "lipgap_lag_frames": (0.0, None)}
    assert regressions(table(better), table(), 0.0) == []


@pytest.mark.parametrize(
    ("figure", "value", "said"),
    [
        ("psnr", 28.4, "sample / demo: psnr: was 30.00, is 28.40"),
        ("lpips", 0.0215, "sample / demo: lpips: was 0.0200, is 0.0215"),
        ("lipgap_lag_frames", -1.0, "sample / demo: lipgap_lag_frames: was 0.0, is -1.0"),
    ],
)
def test_a_worse_figure_is_named_with_old_and_new_value(figure, value, said):
    worse = table({**BEST, figure: (value, None)})
    assert regressions(worse, table(), 0.05) == [said]


def test_tolerance_and_spread_are_allowances():
    fallen = table({**BEST, "psnr": (29.0, None)})
    assert regressions(fallen, table(), 0.05) == []
    assert len(regressions(fallen, table(), 0.03)) == 1
    wide = table({**BEST, "psnr": (30.0, 0.6)})
    assert regressions(fallen, wide, 0.0) == []


def test_what_vanishes_is_a_regression_and_what_is_new_is_none():
    short = {key: value for key, value in BEST.items() if key != "lpips"}
    assert regressions(table(short), table(), 0.5) == [
        "sample / demo: lpips: was 0.0200, is not measured now"
    ]
    assert regressions(table(), table(short), 0.0) == []
    assert regressions(table(name="other"), table(), 0.5) == ["sample / demo: the row is missing"]


def test_each_figure_loses_in_one_direction_only():
    for figure in FIGURES:
        low, high = figure.loss(0.25), figure.loss(0.5)
        if figure.better is None:
            assert low is None
        elif figure.better == "up":
            assert low > high
        elif figure.better in ("down", 0.0):
            assert low < high
        else:
            assert figure.loss(figure.better) == 0 < figure.loss(figure.better + 0.1)


def test_files_say_the_same_thing(tmp_path):
    failure = Failure(cell="sample / x / seed 1", sentence="a <b> went wrong")
    shown = table(failures=[failure])
    publish.publish(shown, tmp_path)
    assert read_table(tmp_path / "table.json") == shown
    rows = list(csv.DictReader(io.StringIO((tmp_path / "table.csv").read_text())))
    assert rows[0] == {
        "clip": "sample", "row": "demo", "seeds": "3", "figure": "psnr", "mean": "30",
        "spread": "0.1", "count": "3",
    }  # fmt: skip
    text = (tmp_path / "table.md").read_text()
    assert "30.00 ± 0.10" in text and "PSNR ↑" in text and "a <b> went wrong" in text
    assert "nerf-talker expert's, not LSE-C" in text
    page = (tmp_path / "table.html").read_text()
    assert "30.00 ± 0.10" in page and "a &lt;b&gt; went wrong" in page and "2 &lt;3" in page
    assert "$" not in page and "http" not in page
    assert [path.name for path in sorted(tmp_path.iterdir())] == [
        "table.csv", "table.html", "table.json", "table.md",
    ]  # fmt: skip


def test_page_is_well_formed():
    stack = []

    class Checker(HTMLParser):
        def handle_starttag(self, tag, attrs):
            if tag != "meta":
                stack.append(tag)

        def handle_endtag(self, tag):
            assert stack.pop() == tag

    Checker().feed(publish.as_html(table()))
    assert stack == []


def test_a_stored_table_that_is_none_is_one_sentence(tmp_path):
    path = tmp_path / "table.json"
    with pytest.raises(InputError, match="cannot be read"):
        read_table(path)
    path.write_text("junk")
    with pytest.raises(InputError, match="is no table"):
        read_table(path)
    path.write_text('{"rows": []}')
    with pytest.raises(ConfigError, match="suite"):
        read_table(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_does_not_pass(value):
    broken = table({**BEST, "lipgap_lag_frames": (value, None)})
    assert len(regressions(broken, table(), 0.5)) == 1


def test_without_an_expert_none_is_named():
    named = publish.describe(table())
    silent = publish.describe(table().model_copy(update={"expert": ""}))
    assert "Expert" in named and "Expert" not in silent and "head. nerf-talker" in silent

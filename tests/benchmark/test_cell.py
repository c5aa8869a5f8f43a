from nerf_talker.benchmark.cell import read_result, result_of, write_result
from tests.benchmark.fake_report import report


def test_what_is_no_finite_number_was_not_measured(tmp_path):
    result = result_of(report(psnr=float("nan"), lmd=float("inf")), "print")
    own = result.rows["own"]
    assert own["psnr"] is None and own["lmd"] is None and own["lpips"] == 0.02
    write_result(tmp_path / "cell.json", result)
    assert read_result(tmp_path / "cell.json", "print") == result


def test_a_result_that_cannot_be_read_is_measured_again(tmp_path):
    path = tmp_path / "cell.json"
    assert read_result(path, "print") is None
    assert read_result(tmp_path, "print") is None, "a folder in its place"
    path.write_bytes(b"\xff")
    assert read_result(path, "print") is None
    path.write_text("{}")
    assert read_result(path, "print") is None
    write_result(path, result_of(report(), "another"))
    assert read_result(path, "print") is None

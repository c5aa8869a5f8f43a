import ctypes

import pytest
import torch

from nerf_talker import ops
from nerf_talker.cli import doctor_checks, doctor_verb, main
from nerf_talker.cli.doctor_checks import Check
from nerf_talker.cli.op_selftest import selftest


def test_every_public_op_has_a_case():
    functions = {name for name in ops.__all__ if name.islower()} | {"fused_field"}
    assert {outcome.name for outcome in selftest("cpu")} == functions


def test_ops_agree_with_the_reference_in_value_and_gradient():
    for outcome in selftest("cpu"):
        assert outcome.passed, outcome


def wrong_value(op):
    return lambda *given: tuple(part * 1.001 for part in op(*given))


def wrong_gradient(op):
    return lambda *given: tuple(part.detach() + 0 * part for part in op(*given))


def not_a_number(op):
    return lambda *given: tuple(part * float("nan") for part in op(*given))


@pytest.mark.parametrize("fault", [wrong_value, wrong_gradient, not_a_number])
def test_a_wrong_op_is_found(monkeypatch, fault):
    monkeypatch.setattr(ops, "composite", fault(ops.composite))
    failed = [outcome.name for outcome in selftest("cpu") if not outcome.passed]
    assert failed == ["composite"]
    states = {check.name: check.state for check in doctor_checks.ops()}
    assert states["op composite"] == "fail" and states["op march"] == "ok"


def test_a_marcher_that_drops_samples_is_found(monkeypatch):
    march = ops.march

    def half(*given):
        found = march(*given)
        offsets = torch.div(found.ray_offsets, 2, rounding_mode="floor")
        return ops.Samples(found.ray_indices, found.starts, offsets)

    monkeypatch.setattr(ops, "march", half)
    assert [o.name for o in selftest("cpu") if not o.passed] == ["march"]


def test_notes_are_no_failure_and_failures_bring_their_cure(monkeypatch, capsys):
    checks = [Check("ok", "a", "fine"), Check("note", "b", "not here")]
    monkeypatch.setattr(doctor_checks, "all_checks", lambda: iter(checks))
    assert doctor_verb.run([]) == 0
    assert "all that is required is in order" in capsys.readouterr().out
    checks.append(Check("fail", "c", "broken", "mend it"))
    assert main(["doctor"]) == 1
    shown = capsys.readouterr().out
    assert (
        "fail  c: broken" in shown and "cure: mend it" in shown and "1 required thing is" in shown
    )


def test_missing_system_library_names_its_debian_package(monkeypatch):
    def load(name, *given):
        raise OSError(name)

    monkeypatch.setattr(doctor_checks.sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", load)
    (check,) = doctor_checks.system_libraries()
    assert check.state == "fail" and "libegl1 libgles2" in check.cure


def test_missing_package_names_how_to_get_it(monkeypatch):
    monkeypatch.setattr(doctor_checks, "REQUIRED_PACKAGES", {"no_such_module": "no-such-package"})
    check, rest = doctor_checks.required_packages()
    assert check.state == "fail" and check.cure == "pip install no-such-package"
    assert rest.state == "ok"


def test_full_disk_and_old_python_fail(monkeypatch):
    monkeypatch.setattr(doctor_checks, "LITTLE_DISK", 1e18)
    assert [check.state for check in doctor_checks.disk()] == ["fail", "fail"]
    monkeypatch.setattr(doctor_checks.sys, "version_info", (3, 9, 0))
    assert doctor_checks.python().state == "fail"


def test_wrong_model_file_fails_and_a_missing_one_is_a_note(monkeypatch, tmp_path):
    monkeypatch.setenv("NERF_TALKER_MODELS", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "face_landmarker.task").write_bytes(b"junk")
    states = {check.name: check.state for check in doctor_checks.model_files()}
    assert states.pop("face_landmarker.task") == "fail"
    assert set(states.values()) == {"note"}


def test_encoders_of_this_machine_are_enough():
    (check,) = doctor_checks.encoders()
    assert check.state == "ok", check

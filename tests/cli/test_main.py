import errno

import pytest

from nerf_talker import __version__
from nerf_talker.cli import VERBS, describe_os_error, main


def test_help_lists_every_verb(capsys):
    assert main(["--help"]) == 0
    said = capsys.readouterr().out
    assert all(f"  {verb} " in said for verb in VERBS)
    assert main([]) == 0


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == __version__


def test_an_unknown_verb_is_wrong_usage(capsys):
    assert main(["tran"]) == 2
    assert "no verb 'tran'" in capsys.readouterr().err


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "models"])
def test_every_verb_explains_itself_and_refuses_unknown_options(verb, capsys):
    assert main([verb, "--help"]) == 0
    assert f"nerf-talker {verb}" in capsys.readouterr().out
    assert main([verb, "--no-such-option"]) == 2


@pytest.mark.parametrize(
    ("code", "cure"),
    [(errno.ENOSPC, "no space left"), (errno.EACCES, "permission"), (errno.EROFS, "read-only")],
)
def test_the_operating_system_s_refusal_is_one_sentence(code, cure):
    said = describe_os_error(OSError(code, "x", "/some/where"))
    assert said.startswith("/some/where: ") and cure in said


def test_a_full_disk_is_no_traceback(monkeypatch, capsys):
    import nerf_talker.cli.models_verb as verb

    def refuse(argv):
        raise OSError(errno.ENOSPC, "No space left on device", "out.bin")

    monkeypatch.setattr(verb, "run", refuse)
    assert main(["models", "list"]) == 1
    assert capsys.readouterr().err == (
        "error: out.bin: no space left on the disk; free some or write elsewhere\n"
    )


def test_ctrl_c_says_that_work_is_kept(monkeypatch, capsys):
    import nerf_talker.cli.models_verb as verb

    def interrupt(argv):
        raise KeyboardInterrupt

    monkeypatch.setattr(verb, "run", interrupt)
    assert main(["models", "list"]) == 130
    assert "goes on" in capsys.readouterr().err


def test_native_noise_is_hidden_and_python_s_words_are_not():
    import subprocess
    import sys

    script = (
        "import os, sys\n"
        "from nerf_talker.cli.native_log import native_log_hidden\n"
        "with native_log_hidden():\n"
        "    os.write(2, b'noise'); print('said', file=sys.stderr)\n"
        "print('after', file=sys.stderr); os.write(2, b'native after')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stderr.split() == ["said", "after", "native", "after"]

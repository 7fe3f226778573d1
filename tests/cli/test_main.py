"""The command itself: help, version, exit codes, and what becomes of errors nobody foresaw."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import adorym
from adorym.cli import _formats, _interrupt, main
from adorym.cli._main import COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_examples(command, name):
    ended = command(name, "--help")
    assert ended.code == 0
    assert "examples:" in ended.out
    assert f"adorym {name}" in ended.out.partition("examples:")[2]
    assert COMMANDS[name].DESCRIPTION.split(".")[0].split("\n")[0] in ended.out


def test_help_lists_all_commands(command):
    ended = command("--help")
    assert ended.code == 0
    for name, one in COMMANDS.items():
        assert re.search(rf"^\s+{name}\s+{re.escape(one.SUMMARY[:30])}", ended.out, re.MULTILINE)


def test_version(command):
    assert command("--version").out == f"adorym {adorym.__version__}\n"
    run = subprocess.run([sys.executable, "-m", "adorym", "--version"], capture_output=True, text=True, check=True)
    assert run.stdout == f"adorym {adorym.__version__}\n"


@pytest.mark.parametrize("words", [(), ("reconstrukt",), ("export", "run"), ("export", "run", "--to", "word")])
def test_a_wrong_command_line_is_told(command, words):
    ended = command(*words)
    assert ended.code == 2
    assert "error:" in ended.err
    assert "Traceback" not in ended.err


def raising(error):
    def run(arguments):
        raise error

    return run


def test_a_failure_of_the_program_is_kept_for_a_report(command, monkeypatch):
    monkeypatch.setattr(_formats, "run", raising(RuntimeError("the unforeseen")))
    ended = command("formats")
    assert ended.code == 1
    assert "Traceback" not in ended.err
    assert len(ended.err.splitlines()) == 1
    file = Path(re.search(r"details in (\S+),", ended.err)[1])
    assert "the unforeseen" in file.read_text()
    file.unlink()
    ended = command("formats", "--debug")
    assert ended.code == 1
    assert "Traceback" in ended.err
    Path(re.search(r"details in (\S+),", ended.err)[1]).unlink()


@pytest.mark.parametrize(
    ("error", "code", "word"),
    [
        (KeyboardInterrupt(), 130, "Stopped"),
        (MemoryError(), 2, "memory"),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory"), 2, "memory"),
        (PermissionError(13, "Permission denied", "secret.h5"), 2, "secret.h5: Permission denied"),
    ],
)
def test_other_errors_have_their_codes(command, monkeypatch, error, code, word):
    monkeypatch.setattr(_formats, "run", raising(error))
    ended = command("formats")
    assert ended.code == code
    assert word in ended.err
    assert "Traceback" not in ended.err


def test_a_reader_that_leaves_is_no_error_to_report():
    script = f"{sys.executable} -m adorym formats | true; exit ${{PIPESTATUS[0]}}"
    run = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert run.returncode in (0, 1, 141)  # the pipe may have taken all before the reader left
    assert run.stderr == ""


def test_sigterm_ends_a_command_in_order(monkeypatch):
    cleaned = []

    def run(arguments):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            cleaned.append(True)

    monkeypatch.setattr(_formats, "run", run)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended:
        main(["formats"])
    assert ended.value.code == 143
    assert cleaned
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_second_ctrl_c_is_immediate():
    before = signal.getsignal(signal.SIGINT)
    with _interrupt.Interruption() as asked:
        os.kill(os.getpid(), signal.SIGINT)
        assert asked.signal == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_every_public_name_is_there():
    assert "holography" in dir(adorym)
    for name in dir(adorym):
        assert getattr(adorym, name) is not None
    assert adorym.Problem is adorym.problem.Problem
    with pytest.raises(AttributeError, match="holografy"):
        adorym.holografy  # noqa: B018


def test_the_modules_of_the_package_are_those_that_exist():
    folder = Path(adorym.__file__).parent
    found = {path.stem for path in folder.glob("*.py")} | {path.parent.name for path in folder.glob("*/__init__.py")}
    assert {name for name in found if not name.startswith("_")} == set(adorym._MODULES)

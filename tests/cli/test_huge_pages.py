"""The program starts anew with large pages, once, with the same words, and leaves alone what a user has set."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import adorym.__main__ as command
from adorym.cli._huge_pages import HUGE_PAGES

PROGRAM = """
import os, sys
from adorym.cli._huge_pages import ask_for_huge_pages
print("started", flush=True)
ask_for_huge_pages()
print(os.environ.get("GLIBC_TUNABLES"), sys.argv[1:])
"""


def lines(**environment: str) -> list[str]:
    plain = {name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES"}
    words = [sys.executable, "-c", PROGRAM, "a b", "--c"]
    run = subprocess.run(words, env=plain | environment, capture_output=True, text=True, check=True)
    return run.stdout.splitlines()


@pytest.mark.skipif(sys.platform != "linux", reason="a matter of Linux's C library")
def test_a_program_starts_anew_with_the_same_words() -> None:
    assert lines() == [
        "started",
        "started",
        f"{HUGE_PAGES} ['a b', '--c']",
    ]


def test_what_is_set_stays() -> None:
    assert lines(GLIBC_TUNABLES="glibc.malloc.perturb=0") == ["started", "glibc.malloc.perturb=0 ['a b', '--c']"]


def test_the_command_asks_first(monkeypatch: pytest.MonkeyPatch) -> None:
    order = []
    monkeypatch.setattr(command, "ask_for_huge_pages", lambda: order.append("asked"))
    monkeypatch.setattr(command, "main", lambda: order.append("done") or 3)
    assert command.run() == 3
    assert order == ["asked", "done"]

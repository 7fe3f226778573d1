"""The page on profiles: its words are those of the code, and its example runs."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from adorym._core.words import WORDS
from adorym.cli import _profile
from adorym.profiling import LONGEST, read_trace

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "profile.md").read_text(encoding="utf-8")


def test_the_table_is_that_of_the_code():
    rows = re.findall(r"^\| (\w+) \| (.+) \|$", PAGE, re.MULTILINE)
    assert dict(rows[1:]) == dict(WORDS)
    assert [word for word, _ in rows[1:]] == list(WORDS)


def test_the_numbers_are_those_of_the_code():
    text = " ".join(PAGE.split())
    assert _profile._OPENINGS == (1, 20)
    assert "after the first step" in text
    assert "another opens after twenty" in text
    assert (_profile._LEAST, _profile._MOST) == ((5, 2.0), (15, 10.0))
    assert "after five steps that took two seconds, or after fifteen steps or ten seconds" in text
    assert LONGEST == 20
    assert "lasted for twenty seconds" in text


def test_the_example_runs(tmp_path, monkeypatch, capsys):
    (block,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "page", "exec"), {})
    shares = ast.literal_eval(capsys.readouterr().out)
    assert shares == read_trace("trace").shares
    assert "regularise" in shares

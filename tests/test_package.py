"""What is around the code: one version everywhere, a complete lock, a quick command line, a README that is true."""

from __future__ import annotations

import ast
import os
import re
import resource
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import adorym

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name: str, language: str) -> list[str]:
    """The fenced blocks of one language in a Markdown file."""
    return re.findall(rf"^```{language}\n(.*?)^```", read(name), re.DOTALL | re.MULTILINE)


def test_one_version() -> None:
    version = PROJECT["version"]
    assert adorym.__version__ == version
    assert f"\nversion: {version}\n" in read("CITATION.cff")
    newest = re.search(r"^## (\S+?),? ", read("CHANGELOG.md"), re.MULTILINE)
    assert newest is not None
    assert newest[1] == version


def test_the_lock_holds_every_dependency_with_its_hash() -> None:
    lock = read("requirements-dev.lock")
    locked = set(re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE))
    wanted = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]
    names = {re.match(r"[A-Za-z0-9-]+", requirement)[0].lower() for requirement in wanted}  # type: ignore[index]
    assert names <= locked, f"run `make lock`: {sorted(names - locked)} not in requirements-dev.lock"
    entries = re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in lock, "the lock names a host; make it with `make lock`"


def test_every_make_target_sets_itself_up() -> None:
    makefile = read("Makefile")
    for target in ("setup", "demo", "test", "lint", "docs", "bench"):
        assert re.search(rf"^{target}: \$\(READY\)", makefile, re.MULTILINE), f"make {target} does not set itself up"
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    called = set(re.findall(r"^make (\w+)$", script.read_text(encoding="utf-8"), re.MULTILINE))
    assert called == {"lint", "docs", "test"}


def test_help_answers_in_under_a_second() -> None:
    command = Path(sys.executable).with_name("adorym")
    assert command.exists(), "the adorym command is not installed: run `make setup`"
    seconds = []
    for _ in range(3):  # seconds of this process alone, so that a busy machine does not matter
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run = subprocess.run([command, "--help"], capture_output=True, text=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert run.returncode == 0, run.stderr
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(seconds) < 1.0, f"adorym --help took {min(seconds):.2f} s of processor time"
    for name in ("simulate", "inspect", "plan", "reconstruct", "resume", "compare", "export", "formats", "demo"):
        assert name in run.stdout, f"adorym --help does not name {name}"


def test_the_readme_uses_names_that_exist() -> None:
    (example,) = blocks("README.md", "python")
    assert len(example.splitlines()) <= 12, "the README's example is to stay at about ten lines"
    for node in ast.walk(ast.parse(example)):
        if isinstance(node, ast.Attribute) and re.fullmatch(r"adorym(\.\w+)+", ast.unparse(node)):
            found: object = adorym
            for name in ast.unparse(node).split(".")[1:]:
                assert hasattr(found, name), f"README.md uses {ast.unparse(node)}, which does not exist"
                found = getattr(found, name)
        elif isinstance(node, ast.ImportFrom):
            module = __import__(str(node.module), fromlist=["_"])
            for alias in node.names:
                assert hasattr(module, alias.name), f"README.md imports {alias.name}, which {node.module} lacks"


def test_the_readme_shows_a_job_of_the_known_tables() -> None:
    (text,) = blocks("README.md", "toml")
    job = tomllib.loads(text)
    known = {"version", "data", "experiment", "likelihood", "regularizers", "constraints", "stages", "output"}
    assert {"data", "experiment"} <= job.keys() <= known


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_links_lead_somewhere(page: str) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", read(page))
    assert targets
    for target in targets:
        assert (ROOT / target).exists(), f"{page} links to {target}, which does not exist"
